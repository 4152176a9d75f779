// Spans: their contexts, and what is collected from start to end.
#include "client.h"

#include "proto/otlp_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTES_FIRST ((size_t)512)
#define ATTRIBUTES_MAX ((size_t)64 << 10)

struct sluice_span {
    struct sluice *sluice;
    struct sluice_context context;
    uint8_t parent[8];
    bool has_parent;
    char *name;
    enum sluice_span_kind kind;
    uint64_t start_ns;      // real time
    uint64_t start_tick_ns; // monotonic: what the duration is measured by
    uint64_t end_ns;
    uint8_t *attributes; // encoded as fields of a Span
    size_t size, capacity;
    uint32_t dropped;
    enum sluice_status status;
    char *message;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Exactly 2 × size lower-case digits.
static bool parse_hex(const char *text, uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_zero(const uint8_t *data, size_t size)
{
    size_t i = 0;
    while (i < size && data[i] == 0)
        i++;
    return i == size;
}

// version "-" 32 digits "-" 16 digits "-" 2 digits; a version above 00 may have more behind a dash.
bool sluice_context_parse(struct sluice_context *context, const char *traceparent)
{
    struct sluice_context parsed;
    uint8_t version;
    if (!traceparent || strnlen(traceparent, 55) < 55)
        return false;
    if (!parse_hex(traceparent, &version, 1) || version == 0xff || traceparent[2] != '-' ||
        !parse_hex(traceparent + 3, parsed.trace_id, 16) || traceparent[35] != '-' ||
        !parse_hex(traceparent + 36, parsed.span_id, 8) || traceparent[52] != '-' ||
        !parse_hex(traceparent + 53, &parsed.flags, 1))
        return false;
    if (traceparent[55] != '\0' && (version == 0 || traceparent[55] != '-'))
        return false;
    if (is_zero(parsed.trace_id, 16) || is_zero(parsed.span_id, 8))
        return false;
    *context = parsed;
    return true;
}

static char *put_hex(char *out, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        out += sprintf(out, "%02x", data[i]);
    return out;
}

void sluice_context_format(const struct sluice_context *context, char out[SLUICE_TRACEPARENT_SIZE])
{
    static const uint8_t version = 0;
    char *at = put_hex(out, &version, 1);
    *at++ = '-';
    at = put_hex(at, context->trace_id, sizeof context->trace_id);
    *at++ = '-';
    at = put_hex(at, context->span_id, sizeof context->span_id);
    *at++ = '-';
    put_hex(at, &context->flags, 1);
}

struct sluice_span *sluice_span_start(struct sluice *sluice, const char *name,
                                      enum sluice_span_kind kind,
                                      const struct sluice_context *parent)
{
    struct sluice_span *span = sluice ? calloc(1, sizeof *span) : NULL;
    if (!span)
        return NULL;
    span->name = strdup(name ? name : "");
    if (!span->name) {
        free(span);
        return NULL;
    }
    span->sluice = sluice;
    span->kind = kind;
    span->start_ns = sluice_now_ns();
    span->start_tick_ns = sluice_monotonic_ns();
    sluice_random(span->context.span_id, sizeof span->context.span_id);
    if (parent && !is_zero(parent->trace_id, 16) && !is_zero(parent->span_id, 8)) {
        memcpy(span->context.trace_id, parent->trace_id, sizeof parent->trace_id);
        memcpy(span->parent, parent->span_id, sizeof span->parent);
        span->context.flags = parent->flags;
        span->has_parent = true;
    } else {
        sluice_random(span->context.trace_id, sizeof span->context.trace_id);
        span->context.flags = 1;
    }
    return span;
}

const struct sluice_context *sluice_span_context(const struct sluice_span *span)
{
    return span ? &span->context : NULL;
}

static bool grow_attributes(struct sluice_span *span)
{
    size_t capacity = span->capacity ? span->capacity * 2 : ATTRIBUTES_FIRST;
    uint8_t *grown = capacity <= ATTRIBUTES_MAX ? realloc(span->attributes, capacity) : NULL;
    if (!grown)
        return false;
    span->attributes = grown;
    span->capacity = capacity;
    return true;
}

void sluice_span_set(struct sluice_span *span, const struct sluice_field *fields, size_t count)
{
    for (size_t i = 0; span && i < count; i++) {
        bool done = false;
        do {
            struct sluice_encoder encoder = {NULL, NULL, span->capacity == 0};
            if (span->capacity > 0) {
                encoder.at = span->attributes + span->size;
                encoder.end = span->attributes + span->capacity;
                sluice_encode_field(&encoder, OTLP_SPAN_ATTRIBUTES, &fields[i]);
            }
            done = !encoder.full;
            if (done)
                span->size = (size_t)(encoder.at - span->attributes);
        } while (!done && grow_attributes(span));
        if (!done)
            span->dropped++;
    }
}

void sluice_span_status(struct sluice_span *span, enum sluice_status status, const char *message)
{
    if (!span)
        return;
    free(span->message);
    span->message = message ? strdup(message) : NULL; // without memory: a status without its text
    span->status = status;
}

void sluice_span_log(struct sluice_span *span, enum sluice_level level, const char *message,
                     const struct sluice_field *fields, size_t count)
{
    if (!span)
        return;
    struct sluice_log_record record = {sluice_now_ns(), level, message,
                                       fields,          count, &span->context};
    sluice_add(span->sluice, SLUICE_SIGNAL_LOGS, sluice_encode_log, &record);
}

static void encode_span(struct sluice_encoder *encoder, const void *record)
{
    const struct sluice_span *span = record;
    sluice_encode_bytes(encoder, OTLP_SPAN_TRACE_ID, span->context.trace_id,
                        sizeof span->context.trace_id);
    sluice_encode_bytes(encoder, OTLP_SPAN_SPAN_ID, span->context.span_id,
                        sizeof span->context.span_id);
    if (span->has_parent)
        sluice_encode_bytes(encoder, OTLP_SPAN_PARENT_SPAN_ID, span->parent, sizeof span->parent);
    sluice_encode_text(encoder, OTLP_SPAN_NAME, span->name, strlen(span->name));
    sluice_encode_varint(encoder, OTLP_SPAN_KIND, (uint64_t)span->kind);
    sluice_encode_fixed64(encoder, OTLP_SPAN_START_TIME_UNIX_NANO, span->start_ns);
    sluice_encode_fixed64(encoder, OTLP_SPAN_END_TIME_UNIX_NANO, span->end_ns);
    sluice_encode_raw(encoder, span->attributes, span->size);
    if (span->dropped > 0)
        sluice_encode_varint(encoder, OTLP_SPAN_DROPPED_ATTRIBUTES_COUNT, span->dropped);
    if (span->status != SLUICE_UNSET) {
        uint8_t *status = sluice_encode_begin(encoder, OTLP_SPAN_STATUS);
        if (span->message)
            sluice_encode_text(encoder, OTLP_STATUS_MESSAGE, span->message, strlen(span->message));
        sluice_encode_varint(encoder, OTLP_STATUS_CODE, (uint64_t)span->status);
        sluice_encode_end(encoder, status);
    }
    sluice_encode_fixed32(encoder, OTLP_SPAN_FLAGS, span->context.flags);
}

void sluice_span_end(struct sluice_span *span)
{
    if (!span)
        return;
    span->end_ns = span->start_ns + (sluice_monotonic_ns() - span->start_tick_ns);
    if (span->context.flags & 1)
        sluice_add(span->sluice, SLUICE_SIGNAL_SPANS, encode_span, span);
    free(span->attributes);
    free(span->message);
    free(span->name);
    free(span);
}
