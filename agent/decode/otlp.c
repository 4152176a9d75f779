// One resource's run: begun, then appended in one turn or in several.
#include "decode/decoder.h"
#include "decode/otlp_check.h"
#include "decode/otlp_parts.h"
#include "enrich/enrich_stored.h"

// Several Resources are merged, as protobuf has it, by joining them.
static void take_resource(struct otlp_walk *walk, struct slice resource)
{
    const struct slice had = walk->resource;
    if (resource.size == 0 || walk->lost)
        return;
    if (had.size) {
        char *joined = arena_alloc(walk->keep, had.size + resource.size);
        walk->lost = !joined;
        if (!joined)
            return;
        memcpy(joined, had.data, had.size);
        memcpy(joined + had.size, resource.data, resource.size);
        resource = slice_of(joined, had.size + resource.size);
    }
    walk->resource = resource;
}

int otlp_walk_seek(struct otlp_walk *walk, struct otlp_turn *turn)
{
    struct wire_field field;
    bool logs = walk->run.signal == SIGNAL_LOGS;
    while (walk->seek.at < walk->seek.end) {
        if (turn->work == 0)
            return DECODE_AGAIN;
        otlp_turn_spend(turn, OTLP_COST_FIELD);
        wire_next(&walk->seek, &field);
        if (wire_is(&field, OTLP_RUN_RESOURCE, WIRE_BYTES)) {
            if (!walk->has_resource)
                walk->resource = (struct slice){0};
            walk->has_resource = true;
            take_resource(walk, otlp_slice(&field));
        } else if (!logs && !walk->whole && field.number != OTLP_RUN_RESOURCE &&
                   field.number != OTLP_RUN_SCOPES) {
            walk->whole =
                !otlp_pieces_add(&walk->shared, walk->keep, slice_of(field.raw, field.raw_size));
        }
    }
    if (!logs)
        otlp_run_ready(walk);
    walk->ready = true;
    return 0;
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

void otlp_walk_begin(struct otlp_walk *walk, const struct resource_run *run, struct arena *keep)
{
    *walk = (struct otlp_walk){.run = *run, .keep = keep, .resource = run->resource};
    walk->seek = walk->scopes = wire_cursor_of(run->message.data, run->message.size);
}

int otlp_walk_admit(const struct decoder *decoder, const struct otlp_walk *walk, size_t bytes)
{
    const struct enrich_ask ask = {.signal = walk->run.signal,
                                   .policy = walk->run.policy,
                                   .urgency = walk->run.urgency,
                                   .bytes = bytes};
    return enrich_admit(decoder->config.enrich, &ask);
}

void otlp_walk_book(const struct decoder *decoder, struct otlp_walk *walk, int result,
                    uint64_t sequence, uint64_t records)
{
    if (result == ENRICH_REJECTED)
        walk->rejected += records;
    else if (result != 0)
        walk->shed += records;
    if (result != 0 && walk->run.stream)
        enrich_refuse(decoder->config.enrich, walk->run.stream, sequence, records);
}

int otlp_walk_step(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn)
{
    int r = walk->ready ? 0 : otlp_walk_seek(walk, turn);
    if (r != 0 || walk->lost)
        return r;
    return walk->run.signal == SIGNAL_LOGS ? otlp_append_logs(decoder, walk, turn)
                                           : otlp_append_run(decoder, walk, turn);
}

int decode_resource_run(struct decoder *decoder, const struct resource_run *run,
                        struct run_outcome *outcome)
{
    struct enrich *enrich = decoder->config.enrich;
    struct otlp_tally tally = {0};
    bool valid = otlp_check(run->signal, OTLP_RESOURCE_RUN, run->message, &tally) &&
                 otlp_check_resource(run->resource) && tally.records <= UINT32_MAX;
    if (!valid || (run->records && run->records != tally.records)) {
        outcome->records = run->records ? run->records : 1;
        outcome->rejected = outcome->records;
        outcome->shed = 0;
        enrich_reject(enrich, run->signal, REJECT_MALFORMED, outcome->records);
        return DECODE_MALFORMED;
    }
    struct otlp_walk walk;
    struct otlp_turn turn = {.work = SIZE_MAX};
    decoder_next_resource(decoder);
    otlp_walk_begin(&walk, run, &decoder->resource_arena);
    walk.run.urgency = tally.urgent ? URGENCY_HIGH : URGENCY_NORMAL;
    otlp_walk_seek(&walk, &turn);
    size_t bound = walk.lost ? 0 : run_bound(decoder, run, walk.resource);
    if (otlp_walk_admit(decoder, &walk, bound) != 0)
        return DECODE_OVERLOADED;
    otlp_walk_step(decoder, &walk, &turn);
    uint64_t lost = tally.records - walk.booked;
    if (lost > 0) {
        enrich_reject(enrich, run->signal, REJECT_TOO_LARGE, lost);
        otlp_walk_book(decoder, &walk, ENRICH_REJECTED, run->sequence + walk.booked, lost);
    }
    *outcome = (struct run_outcome){.records = (uint32_t)tally.records,
                                    .rejected = (uint32_t)walk.rejected,
                                    .urgency = walk.run.urgency,
                                    .shed = (uint32_t)walk.shed};
    return 0;
}
