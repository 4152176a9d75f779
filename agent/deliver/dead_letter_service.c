// Whose a dead letter is: service.name, looked up in the document or in the fragment's resource.
#include "deliver/dead_letter_line.h"

#include "deliver/exporter.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <stdio.h>
#include <yajl/yajl_parse.h>

// ---- an ECS document: {"service":{"name":"…"}}

struct search {
    unsigned depth;
    bool in_service; // depth 2, under "service"
    bool next;       // the next value is it, or is "service" itself
    char *out;
};

static int on_start(void *ctx)
{
    struct search *search = ctx;
    search->in_service = search->depth == 1 ? search->next : search->in_service;
    search->next = false;
    search->depth++;
    return 1;
}

static int on_end(void *ctx)
{
    struct search *search = ctx;
    search->depth--;
    if (search->depth == 1)
        search->in_service = false;
    return 1;
}

static int on_key(void *ctx, const unsigned char *key, size_t size)
{
    struct search *search = ctx;
    struct slice name = slice_of(key, size);
    search->next = (search->depth == 1 && slice_equal(name, SLICE("service"))) ||
                   (search->depth == 2 && search->in_service && slice_equal(name, SLICE("name")));
    return 1;
}

static int on_string(void *ctx, const unsigned char *text, size_t size)
{
    struct search *search = ctx;
    if (!search->next || search->depth != 2) {
        search->next = false;
        return 1;
    }
    snprintf(search->out, DEAD_LETTER_SERVICE_MAX, "%.*s",
             (int)(size < DEAD_LETTER_SERVICE_MAX ? size : DEAD_LETTER_SERVICE_MAX - 1),
             (const char *)text);
    return 0; // found: no more
}

static void search_document(struct slice document, char *out)
{
    static const yajl_callbacks callbacks = {.yajl_start_map = on_start,
                                             .yajl_end_map = on_end,
                                             .yajl_start_array = on_start,
                                             .yajl_end_array = on_end,
                                             .yajl_map_key = on_key,
                                             .yajl_string = on_string};
    struct search search = {.out = out};
    yajl_handle parser = yajl_alloc(&callbacks, NULL, &search);
    if (!parser)
        return;
    yajl_parse(parser, (const unsigned char *)document.data, document.size);
    yajl_free(parser);
}

// ---- an OTLP fragment: ResourceLogs.resource.attributes["service.name"].string_value

// The first field of that number; false: there is none.
static bool enter(struct wire_cursor *cursor, uint32_t number)
{
    struct wire_field field;
    while (wire_next(cursor, &field) == 0)
        if (wire_is(&field, number, WIRE_BYTES)) {
            *cursor = wire_inside(&field);
            return true;
        }
    return false;
}

static bool is_service_name(struct wire_cursor attribute)
{
    return enter(&attribute, OTLP_KEY_VALUE_KEY) &&
           slice_equal(slice_of(attribute.at, (size_t)(attribute.end - attribute.at)),
                       SLICE("service.name"));
}

static void search_fragment(struct slice fragment, char *out)
{
    struct wire_cursor at = wire_cursor_of(fragment.data, fragment.size);
    if (!enter(&at, OTLP_REQUEST_RESOURCES) || !enter(&at, OTLP_RUN_RESOURCE))
        return;
    struct wire_field field;
    while (wire_next(&at, &field) == 0) {
        struct wire_cursor value = wire_inside(&field);
        if (!wire_is(&field, OTLP_RESOURCE_ATTRIBUTES, WIRE_BYTES) || !is_service_name(value))
            continue;
        if (enter(&value, OTLP_KEY_VALUE_VALUE) && enter(&value, OTLP_ANY_STRING))
            snprintf(out, DEAD_LETTER_SERVICE_MAX, "%.*s", (int)(value.end - value.at),
                     (const char *)value.at);
        return;
    }
}

void dead_letter_service(const struct parcel *parcel, char out[DEAD_LETTER_SERVICE_MAX])
{
    out[0] = '\0';
    if (parcel->payload.size > 0 && parcel->payload.data[0] == '{')
        search_document(parcel->payload, out);
    else
        search_fragment(parcel->payload, out);
}
