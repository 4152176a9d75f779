// An Export request: checked whole, admitted whole, then appended run by run.
#include "decode/decoder.h"
#include "decode/otlp_check.h"
#include "decode/otlp_parts.h"

static const char reason_malformed[] = "not a valid Export request of this signal";
static const char reason_overloaded[] = "a log is full: send it again later";
static const char reason_unrouted[] = "no route takes this signal";
static const char reason_too_large[] = "larger than a segment of the spool, or the spool is full";

// The bytes of the run's Resource, valid until the next run: several are merged, as protobuf has
// it, by joining them. False where memory ran out.
static bool find_resource(struct decoder *decoder, const struct resource_run *run,
                          struct slice *out)
{
    struct wire_cursor cursor = wire_cursor_of(run->message.data, run->message.size);
    struct wire_field field;
    bool found = false;
    decoder_next_resource(decoder);
    *out = (struct slice){0};
    while (wire_next(&cursor, &field) == 0) {
        if (!wire_is(&field, OTLP_RUN_RESOURCE, WIRE_BYTES))
            continue;
        found = true;
        struct slice resource = otlp_slice(&field);
        if (out->size && resource.size) {
            char *joined = arena_alloc(&decoder->resource_arena, out->size + resource.size);
            if (!joined)
                return false;
            memcpy(joined, out->data, out->size);
            memcpy(joined + out->size, resource.data, resource.size);
            resource = slice_of(joined, out->size + resource.size);
        }
        if (resource.size)
            *out = resource;
    }
    if (!found)
        *out = run->resource;
    return true;
}

static uint64_t count_logs(struct slice run)
{
    struct wire_cursor cursor = wire_cursor_of(run.data, run.size);
    struct wire_field scope;
    uint64_t records = 0;
    while (wire_next(&cursor, &scope) == 0) {
        if (!wire_is(&scope, OTLP_RUN_SCOPES, WIRE_BYTES))
            continue;
        struct wire_cursor inside = wire_inside(&scope);
        struct wire_field field;
        while (wire_next(&inside, &field) == 0)
            records += wire_is(&field, OTLP_SCOPE_RECORDS, WIRE_BYTES);
    }
    return records;
}

// How many bytes of spool the run takes at most, in the form of its signal.
static size_t run_bound(struct decoder *decoder, const struct resource_run *run)
{
    const struct enrich *enrich = decoder->config.enrich;
    struct slice resource;
    if (!find_resource(decoder, run, &resource))
        return 0; // it will not be appended
    if (run->signal != SIGNAL_LOGS)
        return otlp_run_bound(run->message, resource, enrich_otlp_overhead(enrich));
    size_t each = enrich_log_overhead(enrich) + otlp_text_bound(resource);
    return otlp_text_bound(run->message) + (size_t)count_logs(run->message) * each;
}

// Appends a run that was checked and admitted. Returns how many of its records were rejected.
static uint64_t append_run(struct decoder *decoder, const struct resource_run *run,
                           const struct otlp_tally *tally)
{
    struct slice resource;
    if (!find_resource(decoder, run, &resource)) {
        enrich_reject(decoder->config.enrich, run->signal, REJECT_TOO_LARGE, tally->records);
        return tally->records;
    }
    return run->signal == SIGNAL_LOGS ? otlp_append_logs(decoder, run, resource)
                                      : otlp_append_run(decoder, run, resource, tally);
}

int decode_resource_run(struct decoder *decoder, const struct resource_run *run, uint32_t *records,
                        uint32_t *rejected)
{
    struct enrich *enrich = decoder->config.enrich;
    struct otlp_tally tally = {0};
    bool valid = otlp_check(run->signal, OTLP_RESOURCE_RUN, run->message, &tally) &&
                 otlp_check_resource(run->resource) && tally.records <= UINT32_MAX;
    if (!valid || (run->records && run->records != tally.records)) {
        *records = run->records ? run->records : 1;
        *rejected = *records;
        enrich_reject(enrich, run->signal, REJECT_MALFORMED, *records);
        return DECODE_MALFORMED;
    }
    if (enrich_admit(enrich, run->signal, run->policy, run_bound(decoder, run), run->expired) != 0)
        return DECODE_OVERLOADED;
    *rejected = (uint32_t)append_run(decoder, run, &tally);
    *records = (uint32_t)tally.records;
    return 0;
}

// Walks the request's runs. False at the end.
static bool next_run(struct wire_cursor *cursor, struct resource_run *run)
{
    struct wire_field field;
    while (wire_next(cursor, &field) == 0) {
        if (wire_is(&field, OTLP_REQUEST_RESOURCES, WIRE_BYTES)) {
            run->message = otlp_slice(&field);
            return true;
        }
    }
    return false;
}

static int refuse(struct decoder *decoder, enum signal_kind signal, enum reject_reason reason,
                  uint64_t records, struct otlp_result *result)
{
    bool malformed = reason == REJECT_MALFORMED;
    enrich_reject(decoder->config.enrich, signal, reason, records);
    *result = (struct otlp_result){.rejected = records,
                                   .reason = malformed ? reason_malformed : reason_overloaded};
    return malformed ? DECODE_MALFORMED : DECODE_OVERLOADED;
}

int decode_otlp(struct decoder *decoder, enum signal_kind signal, struct slice message,
                struct otlp_result *result)
{
    struct enrich *enrich = decoder->config.enrich;
    struct otlp_tally all = {0};
    if (!otlp_check(signal, OTLP_REQUEST, message, &all))
        return refuse(decoder, signal, REJECT_MALFORMED, 1, result); // how many, nobody knows

    struct resource_run run = {.signal = signal, .policy = DOOR_REFUSE};
    struct wire_cursor runs = wire_cursor_of(message.data, message.size);
    size_t bytes = 0;
    size_t count = 0;
    for (; next_run(&runs, &run); count++)
        bytes += run_bound(decoder, &run);
    if (enrich_admit(enrich, signal, DOOR_REFUSE, bytes, false) != 0)
        return refuse(decoder, signal, REJECT_OVERLOADED, all.records, result);

    uint64_t rejected = 0;
    runs = wire_cursor_of(message.data, message.size);
    while (next_run(&runs, &run)) {
        struct otlp_tally tally = all;
        if (count > 1) {
            tally = (struct otlp_tally){0};
            otlp_check(signal, OTLP_RESOURCE_RUN, run.message, &tally);
        }
        rejected += append_run(decoder, &run, &tally);
    }
    *result = (struct otlp_result){.accepted = all.records - rejected, .rejected = rejected};
    if (rejected)
        result->reason = !enrich_routes(enrich, signal) ? reason_unrouted : reason_too_large;
    return 0;
}
