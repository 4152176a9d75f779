// Reads an ExportTraceServiceRequest with the wire cursor, level by level.
#include "dev/dev_spans.h"

#include "base/error.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

struct reader {
    void (*span)(void *ctx, const struct dev_span_view *view);
    void *ctx;
    struct slice service;
};

static struct slice text_of(const struct wire_field *field)
{
    return slice_of(field->data, field->size);
}

// wire_next's conditions, for a while loop: more fields, or the end with *r = 0 or -EBADMSG.
static bool next(struct wire_cursor *cursor, struct wire_field *field, int *r)
{
    *r = wire_next(cursor, field);
    if (*r == WIRE_END)
        *r = 0;
    else if (*r == 0)
        return true;
    return false;
}

static int read_status(struct wire_cursor cursor, struct dev_span_view *view)
{
    struct wire_field field;
    int r;
    while (next(&cursor, &field, &r)) {
        if (wire_is(&field, OTLP_STATUS_MESSAGE, WIRE_BYTES))
            view->status_message = text_of(&field);
        else if (wire_is(&field, OTLP_STATUS_CODE, WIRE_VARINT))
            view->error = field.value == OTLP_STATUS_CODE_ERROR;
    }
    return r;
}

static const uint8_t *id_of(const struct wire_field *field, size_t size)
{
    return field->size == size ? field->data : NULL;
}

static int read_span(struct reader *reader, struct wire_cursor cursor)
{
    struct dev_span_view view = {.service = reader->service};
    struct wire_field field;
    int r;
    while (next(&cursor, &field, &r)) {
        if (wire_is(&field, OTLP_SPAN_TRACE_ID, WIRE_BYTES))
            view.trace_id = id_of(&field, 16);
        else if (wire_is(&field, OTLP_SPAN_SPAN_ID, WIRE_BYTES))
            view.span_id = id_of(&field, 8);
        else if (wire_is(&field, OTLP_SPAN_PARENT_SPAN_ID, WIRE_BYTES))
            view.parent_id = id_of(&field, 8);
        else if (wire_is(&field, OTLP_SPAN_NAME, WIRE_BYTES))
            view.name = text_of(&field);
        else if (wire_is(&field, OTLP_SPAN_START_TIME_UNIX_NANO, WIRE_FIXED64))
            view.start_ns = field.value;
        else if (wire_is(&field, OTLP_SPAN_END_TIME_UNIX_NANO, WIRE_FIXED64))
            view.end_ns = field.value;
        else if (wire_is(&field, OTLP_SPAN_STATUS, WIRE_BYTES) &&
                 (r = read_status(wire_inside(&field), &view)) < 0)
            return r;
    }
    if (r == 0 && view.trace_id && view.span_id)
        reader->span(reader->ctx, &view);
    return r;
}

static int read_service(struct wire_cursor cursor, struct slice *service)
{
    struct wire_field field, inner;
    int r;
    while (next(&cursor, &field, &r)) {
        if (!wire_is(&field, OTLP_RESOURCE_ATTRIBUTES, WIRE_BYTES))
            continue;
        struct slice key = {0};
        struct wire_cursor pair = wire_inside(&field), value = {0};
        while (next(&pair, &inner, &r)) {
            if (wire_is(&inner, OTLP_KEY_VALUE_KEY, WIRE_BYTES))
                key = text_of(&inner);
            else if (wire_is(&inner, OTLP_KEY_VALUE_VALUE, WIRE_BYTES))
                value = wire_inside(&inner);
        }
        if (r < 0)
            return r;
        if (!slice_equal(key, SLICE("service.name")))
            continue;
        while (next(&value, &inner, &r))
            if (wire_is(&inner, OTLP_ANY_STRING, WIRE_BYTES))
                *service = text_of(&inner);
        if (r < 0)
            return r;
    }
    return r;
}

static int read_scope(struct reader *reader, struct wire_cursor cursor)
{
    struct wire_field field;
    int r;
    while (next(&cursor, &field, &r))
        if (wire_is(&field, OTLP_SCOPE_RECORDS, WIRE_BYTES) &&
            (r = read_span(reader, wire_inside(&field))) < 0)
            return r;
    return r;
}

static int read_run(struct reader *reader, struct wire_cursor cursor)
{
    struct wire_cursor again = cursor;
    struct wire_field field;
    int r;
    reader->service = (struct slice){0};
    // The resource may come after its spans.
    while (next(&cursor, &field, &r))
        if (wire_is(&field, OTLP_RUN_RESOURCE, WIRE_BYTES) &&
            (r = read_service(wire_inside(&field), &reader->service)) < 0)
            return r;
    if (r < 0)
        return r;
    while (next(&again, &field, &r))
        if (wire_is(&field, OTLP_RUN_SCOPES, WIRE_BYTES) &&
            (r = read_scope(reader, wire_inside(&field))) < 0)
            return r;
    return r;
}

int dev_spans_read_service(struct slice resource, struct slice *service)
{
    return read_service(wire_cursor_of(resource.data, resource.size), service);
}

int dev_spans_read(struct slice request, void (*span)(void *ctx, const struct dev_span_view *view),
                   void *ctx)
{
    struct reader reader = {span, ctx, {0}};
    struct wire_cursor cursor = wire_cursor_of(request.data, request.size);
    struct wire_field field;
    int r;
    while (next(&cursor, &field, &r))
        if (wire_is(&field, OTLP_REQUEST_RESOURCES, WIRE_BYTES) &&
            (r = read_run(&reader, wire_inside(&field))) < 0)
            return r;
    return r;
}
