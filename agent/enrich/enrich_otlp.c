// A run of spans or metrics as one fragment in each log: what came, plus the agent's resource
// attributes that it lacks.
//
// A fragment is one resource_spans (resource_metrics) field of an Export request, so that fragments
// laid end to end are a request. Nothing that came is parsed away: bytes are copied whole.
#include "base/error.h"
#include "base/own_log.h"
#include "enrich/enrich_room.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"
#include "spool/spool_streams.h"

#include <stdio.h>

static struct slice attribute_key(const struct wire_field *attribute)
{
    struct wire_cursor cursor = wire_inside(attribute);
    struct wire_field field;
    struct slice key = {0};
    while (wire_next(&cursor, &field) == 0) {
        if (wire_is(&field, OTLP_KEY_VALUE_KEY, WIRE_BYTES))
            key = slice_of(field.data, field.size); // the last counts, as protobuf has it
    }
    return key;
}

// Marks the agent's attributes that the resource has; returns the bytes of those that it lacks.
static size_t find_lacking(struct enrich *enrich, struct slice resource)
{
    struct agent_resource *agent = &enrich->resource;
    struct wire_cursor cursor = wire_cursor_of(resource.data, resource.size);
    struct wire_field field;
    size_t lacking = 0;
    for (size_t i = 0; i < agent->count; i++)
        enrich->present[i] = false;
    while (wire_next(&cursor, &field) == 0) {
        if (!wire_is(&field, OTLP_RESOURCE_ATTRIBUTES, WIRE_BYTES))
            continue;
        struct slice key = attribute_key(&field);
        for (size_t i = 0; i < agent->count; i++)
            enrich->present[i] |= same_attribute(agent->attributes[i].name, key);
    }
    for (size_t i = 0; i < agent->count; i++)
        lacking += enrich->present[i] ? 0 : agent->attributes[i].key_value.size;
    return lacking;
}

static uint8_t *put_slice(uint8_t *out, struct slice bytes)
{
    if (bytes.size)
        memcpy(out, bytes.data, bytes.size);
    return out + bytes.size;
}

struct fragment {
    size_t resource; // bytes of the Resource message
    size_t message;  // of the message that holds it
    size_t size;     // of the whole field
};

static struct fragment measure(struct enrich *enrich, const struct otlp_run *run)
{
    struct fragment fragment = {.resource = run->resource.size};
    fragment.resource += find_lacking(enrich, run->resource);
    if (fragment.resource)
        fragment.message = wire_bytes_size(OTLP_RUN_RESOURCE, fragment.resource);
    for (size_t i = 0; i < run->rest_count; i++)
        fragment.message += run->rest[i].size;
    fragment.size = wire_bytes_size(OTLP_REQUEST_RESOURCES, fragment.message);
    return fragment;
}

static void write_fragment(const struct enrich *enrich, const struct otlp_run *run,
                           const struct fragment *fragment, uint8_t *out)
{
    const uint8_t *end = out + fragment->size;
    out = wire_put_length(out, OTLP_REQUEST_RESOURCES, fragment->message);
    if (fragment->resource) {
        out = wire_put_length(out, OTLP_RUN_RESOURCE, fragment->resource);
        out = put_slice(out, run->resource);
        for (size_t i = 0; i < enrich->resource.count; i++) {
            if (!enrich->present[i])
                out = put_slice(out, enrich->resource.attributes[i].key_value);
        }
    }
    for (size_t i = 0; i < run->rest_count; i++)
        out = put_slice(out, run->rest[i]);
    assert(out == end);
    (void)end;
}

struct slice enrich_otlp_service(const struct enrich *enrich, struct slice resource)
{
    struct wire_cursor cursor = wire_cursor_of(resource.data, resource.size);
    struct wire_field field, member, any;
    while (wire_next(&cursor, &field) == 0) {
        if (!wire_is(&field, OTLP_RESOURCE_ATTRIBUTES, WIRE_BYTES) ||
            !slice_equal(attribute_key(&field), SLICE("service.name")))
            continue;
        struct wire_cursor pair = wire_inside(&field);
        while (wire_next(&pair, &member) == 0) {
            if (!wire_is(&member, OTLP_KEY_VALUE_VALUE, WIRE_BYTES))
                continue;
            struct wire_cursor value = wire_inside(&member);
            while (wire_next(&value, &any) == 0)
                if (wire_is(&any, OTLP_ANY_STRING, WIRE_BYTES))
                    return slice_of(any.data, any.size);
        }
    }
    for (size_t i = 0; i < enrich->resource.count; i++)
        if (slice_equal(enrich->resource.attributes[i].name, SLICE("service.name")))
            return enrich->resource.attributes[i].value;
    return (struct slice){0};
}

static void tell_too_large(const struct enrich *enrich, const struct otlp_run *run, size_t size)
{
    char service[129];
    struct slice name = enrich_otlp_service(enrich, run->resource);
    snprintf(service, sizeof service, "%.*s", name.size < 128 ? (int)name.size : 128,
             name.size ? name.data : "");
    const struct log_field fields[] = {
        {"service.name", service, 0},
        {"signal", signal_name(run->signal), 0},
        {"bytes", NULL, (long long)size},
        {"records", NULL, run->records},
        {NULL, NULL, 0},
    };
    own_log_fields(OWN_WARN, "record_too_large", fields,
                   "%s were refused: one of them, with its resource, takes more than the %zu bytes "
                   "of a segment; send smaller attributes",
                   signal_name(run->signal), enrich->payload_max[run->signal]);
}

// From an earlier sending.
static bool run_is_here(const struct otlp_run *run, const struct spool_log *log)
{
    return run->resend && run->has_sequence &&
           spool_stream_last(log, run->stream) >= run->sequence + run->records - 1;
}

int enrich_otlp(struct enrich *enrich, const struct otlp_run *run)
{
    size_t count = enrich->target_count[run->signal];
    struct loss loss = {.records = run->records, .time_ns = run->time_ns};
    if (count == 0) {
        enrich_book_rejected(enrich, run->signal, REJECT_UNROUTED, &loss);
        return ENRICH_REJECTED;
    }
    struct fragment fragment = measure(enrich, run);
    if (fragment.size > enrich->payload_max[run->signal]) {
        tell_too_large(enrich, run, fragment.size);
        loss.service = enrich_otlp_service(enrich, run->resource);
        enrich_book_rejected(enrich, run->signal, REJECT_TOO_LARGE, &loss);
        return ENRICH_REJECTED;
    }
    struct record_id id =
        enrich_next_id(enrich, run->stream, run->sequence, run->has_sequence, run->records);
    struct spool_entry entry = {
        .records = run->records,
        .time_ns = run->time_ns ? run->time_ns : clock_realtime(enrich->clock),
        .source_position = run->has_sequence ? run->sequence : 0,
        .severity = run->severity,
        .signal = (uint8_t)run->signal,
        .sequenced = run->has_sequence && run->sequence > 0,
    };
    memcpy(entry.id, id.bytes, sizeof entry.id);
    struct copies dropped = {0};
    bool appended = false;
    size_t here = 0;
    bool damaged = false;
    bool shown = !enrich->tap;
    for (size_t i = 0; i < count; i++) {
        struct spool_log *log = enrich->targets[run->signal][i].log;
        struct spool_slot slot;
        if (run_is_here(run, log)) {
            here++;
        } else if (!enrich_keeps(log, urgency_of(run->severity), false)) {
            dropped.level |= 1u << i;
        } else if (spool_reserve(log, fragment.size, &slot) == 0) {
            write_fragment(enrich, run, &fragment, slot.data);
            if (!shown)
                enrich->tap(enrich->tap_ctx, run->signal, slice_of(slot.data, fragment.size));
            shown = true;
            if (spool_commit(log, fragment.size, &entry) == 0)
                appended = true;
            else
                damaged = true;
        } else { // full, or the kernel gave no memory for a segment
            dropped.full |= 1u << i;
        }
    }
    if (here == count) {
        enrich_duplicate(enrich, run->signal, run->records);
        return 0;
    }
    if (dropped.full | dropped.level)
        loss.service = enrich_otlp_service(enrich, run->resource);
    if (run->has_sequence && (dropped.full | dropped.level))
        enrich_refuse(enrich, run->stream, run->sequence, run->records);
    enrich_drop(enrich, run->signal, &dropped, &loss);
    enrich_book_routed(enrich, run->signal, run->records);
    if (appended || here)
        return 0;
    if (damaged)
        return ENRICH_DAMAGED;
    return dropped.level ? ENRICH_LEVEL : ENRICH_SHED;
}

size_t enrich_otlp_overhead(const struct enrich *enrich)
{
    size_t size = 4 * WIRE_VARINT_MAX;
    for (size_t i = 0; i < enrich->resource.count; i++)
        size += enrich->resource.attributes[i].key_value.size;
    return size;
}
