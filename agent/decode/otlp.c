// One resource's run: begun, then appended in one turn or in several.
#include "decode/decoder.h"
#include "decode/otlp_check.h"
#include "decode/otlp_parts.h"

// The bytes of the run's Resource, in the message or in keep: several are merged, as protobuf has
// it, by joining them. False where memory ran out.
static bool find_resource(const struct resource_run *run, struct arena *keep, struct slice *out)
{
    struct wire_cursor cursor = wire_cursor_of(run->message.data, run->message.size);
    struct wire_field field;
    bool found = false;
    *out = (struct slice){0};
    while (wire_next(&cursor, &field) == 0) {
        if (!wire_is(&field, OTLP_RUN_RESOURCE, WIRE_BYTES))
            continue;
        found = true;
        struct slice resource = otlp_slice(&field);
        if (out->size && resource.size) {
            char *joined = arena_alloc(keep, out->size + resource.size);
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
static size_t run_bound(const struct decoder *decoder, const struct resource_run *run,
                        struct slice resource)
{
    const struct enrich *enrich = decoder->config.enrich;
    if (run->signal != SIGNAL_LOGS)
        return otlp_run_bound(run->message, resource, enrich_otlp_overhead(enrich));
    size_t each = enrich_log_overhead(enrich) + otlp_text_bound(resource);
    return otlp_text_bound(run->message) + (size_t)count_logs(run->message) * each;
}

bool otlp_walk_begin(struct otlp_walk *walk, const struct resource_run *run, struct arena *keep)
{
    *walk = (struct otlp_walk){.run = *run, .keep = keep};
    walk->scopes = wire_cursor_of(run->message.data, run->message.size);
    if (!find_resource(run, keep, &walk->resource))
        return false;
    if (run->signal != SIGNAL_LOGS)
        otlp_begin_run(walk);
    return true;
}

int otlp_walk_step(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn)
{
    return walk->run.signal == SIGNAL_LOGS ? otlp_append_logs(decoder, walk, turn)
                                           : otlp_append_run(decoder, walk, turn);
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
    struct otlp_walk walk;
    struct otlp_turn turn = {.work = SIZE_MAX};
    decoder_next_resource(decoder);
    *records = (uint32_t)tally.records;
    if (!otlp_walk_begin(&walk, run, &decoder->resource_arena)) {
        enrich_reject(enrich, run->signal, REJECT_TOO_LARGE, tally.records);
        *rejected = *records;
        return 0;
    }
    size_t bound = run_bound(decoder, run, walk.resource);
    if (enrich_admit(enrich, run->signal, run->policy, bound, run->expired) != 0)
        return DECODE_OVERLOADED;
    otlp_walk_step(decoder, &walk, &turn);
    *rejected = (uint32_t)walk.rejected;
    return 0;
}
