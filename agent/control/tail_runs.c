// Reads a run with the wire cursor and writes what a person looks for in a span or a metric.
#include "control/tail_runs.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/terminal_text.h"
#include "dev/dev_spans.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define TEXT_MAX 300        // bytes shown of a name or a message
#define LINE_MAX_BYTES 8192 // six bytes an escape, four texts, and the rest

struct writer {
    FILE *out; // over buffer, from its start for each line
    char buffer[LINE_MAX_BYTES];
    void (*line)(void *ctx, struct slice json);
    void *ctx;
    struct slice service;
};

// --- pieces ---

static void put_text(FILE *out, const char *name, struct slice text)
{
    if (text.size > TEXT_MAX)
        text.size = TEXT_MAX;
    fprintf(out, "\"%s\":\"", name);
    terminal_text_put(out, text, TERMINAL_JSON_STRING);
    fputc('"', out);
}

static void put_time(FILE *out, uint64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm parts;
    char text[64] = "";
    if (ns == 0 || !gmtime_r(&seconds, &parts))
        return;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    fprintf(out, "\"@timestamp\":\"%s.%06uZ\",", text, (unsigned)(ns % NS_PER_S / 1000));
}

static void put_id(FILE *out, const char *object, const uint8_t *id, size_t size)
{
    if (!id)
        return;
    fprintf(out, ",\"%s\":{\"id\":\"", object);
    for (size_t i = 0; i < size; i++)
        fprintf(out, "%02x", id[i]);
    fputs("\"}", out);
}

static void put_service(const struct writer *writer, struct slice service)
{
    fputs(",\"service\":{", writer->out);
    put_text(writer->out, "name", service);
    fputc('}', writer->out);
}

static void line_end(struct writer *writer)
{
    long size = fflush(writer->out) == 0 ? ftell(writer->out) : -1;
    if (size > 0 && (size_t)size < sizeof writer->buffer)
        writer->line(writer->ctx, slice_of(writer->buffer, (size_t)size));
    rewind(writer->out);
}

// --- spans ---

static void on_span(void *ctx, const struct dev_span_view *span)
{
    struct writer *writer = ctx;
    FILE *out = writer->out;
    uint64_t duration = span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0;
    fputc('{', out);
    put_time(out, span->start_ns);
    fprintf(out, "\"event\":{\"kind\":\"span\",\"duration\":%" PRIu64 ",\"outcome\":\"%s\"}",
            duration, span->error ? "failure" : "success");
    fprintf(out, ",\"log\":{\"level\":\"%s\"},", span->error ? "error" : "info");
    put_text(out, "message", span->name);
    put_service(writer, span->service);
    put_id(out, "trace", span->trace_id, 16);
    put_id(out, "span", span->span_id, 8);
    put_id(out, "parent", span->parent_id, 8);
    if (span->status_message.size) {
        fputs(",\"error\":{", out);
        put_text(out, "message", span->status_message);
        fputc('}', out);
    }
    fputc('}', out);
    line_end(writer);
}

// --- metrics ---

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

static const char *metric_kind(uint32_t number)
{
    switch (number) {
    case OTLP_METRIC_GAUGE:
        return "gauge";
    case OTLP_METRIC_SUM:
        return "sum";
    case OTLP_METRIC_HISTOGRAM:
        return "histogram";
    case OTLP_METRIC_EXPONENTIAL_HISTOGRAM:
        return "exponential_histogram";
    case OTLP_METRIC_SUMMARY:
        return "summary";
    default:
        return NULL;
    }
}

struct metric_view {
    struct slice name, unit;
    const char *kind;
    uint64_t points, time_ns;
};

static int read_points(struct wire_cursor cursor, struct metric_view *view)
{
    struct wire_field field, inner;
    int r;
    while (next(&cursor, &field, &r)) {
        if (!wire_is(&field, OTLP_METRIC_DATA_POINTS, WIRE_BYTES))
            continue;
        struct wire_cursor point = wire_inside(&field);
        view->points++;
        while (next(&point, &inner, &r))
            if (wire_is(&inner, OTLP_DATA_POINT_TIME_UNIX_NANO, WIRE_FIXED64))
                view->time_ns = inner.value;
        if (r < 0)
            return r;
    }
    return r;
}

static void put_metric(struct writer *writer, const struct metric_view *view)
{
    FILE *out = writer->out;
    fputc('{', out);
    put_time(out, view->time_ns);
    fputs("\"event\":{\"kind\":\"metric\"},", out);
    put_text(out, "message", view->name);
    put_service(writer, writer->service);
    fprintf(out, ",\"metric\":{\"type\":\"%s\",\"points\":%" PRIu64 ",", view->kind, view->points);
    put_text(out, "unit", view->unit);
    fputs("}}", out);
    line_end(writer);
}

static int read_metric(struct writer *writer, struct wire_cursor cursor)
{
    struct metric_view view = {0};
    struct wire_field field;
    int r;
    while (next(&cursor, &field, &r)) {
        if (wire_is(&field, OTLP_METRIC_NAME, WIRE_BYTES)) {
            view.name = slice_of(field.data, field.size);
        } else if (wire_is(&field, OTLP_METRIC_UNIT, WIRE_BYTES)) {
            view.unit = slice_of(field.data, field.size);
        } else if (field.type == WIRE_BYTES && metric_kind(field.number)) {
            view.kind = metric_kind(field.number);
            r = read_points(wire_inside(&field), &view);
            if (r < 0)
                return r;
        }
    }
    if (r == 0 && view.kind)
        put_metric(writer, &view);
    return r;
}

static int read_scope(struct writer *writer, struct wire_cursor cursor)
{
    struct wire_field field;
    int r;
    while (next(&cursor, &field, &r))
        if (wire_is(&field, OTLP_SCOPE_RECORDS, WIRE_BYTES) &&
            (r = read_metric(writer, wire_inside(&field))) < 0)
            return r;
    return r;
}

static int read_metrics_run(struct writer *writer, struct wire_cursor cursor)
{
    struct wire_cursor again = cursor;
    struct wire_field field;
    int r;
    writer->service = (struct slice){0};
    while (next(&cursor, &field, &r)) // the resource may come after its metrics
        if (wire_is(&field, OTLP_RUN_RESOURCE, WIRE_BYTES) &&
            (r = dev_spans_read_service(slice_of(field.data, field.size), &writer->service)) < 0)
            return r;
    if (r < 0)
        return r;
    while (next(&again, &field, &r))
        if (wire_is(&field, OTLP_RUN_SCOPES, WIRE_BYTES) &&
            (r = read_scope(writer, wire_inside(&field))) < 0)
            return r;
    return r;
}

static int read_metrics(struct writer *writer, struct slice payload)
{
    struct wire_cursor cursor = wire_cursor_of(payload.data, payload.size);
    struct wire_field field;
    int r;
    while (next(&cursor, &field, &r))
        if (wire_is(&field, OTLP_REQUEST_RESOURCES, WIRE_BYTES) &&
            (r = read_metrics_run(writer, wire_inside(&field))) < 0)
            return r;
    return r;
}

int tail_runs_read(enum signal_kind signal, struct slice payload,
                   void (*line)(void *ctx, struct slice json), void *ctx)
{
    struct writer writer = {.line = line, .ctx = ctx};
    writer.out = fmemopen(writer.buffer, sizeof writer.buffer, "w");
    if (!writer.out)
        return error_from_errno();
    int r = signal == SIGNAL_SPANS ? dev_spans_read(payload, on_span, &writer)
                                   : read_metrics(&writer, payload);
    fclose(writer.out);
    return r;
}
