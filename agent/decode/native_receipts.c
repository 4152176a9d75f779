// When a native connection's Receipts and Flushed are due, and their writing.
//
// A run is owed a receipt of its level: enrich's marks of every signal that came say when it has
// reached it. Receipts are cumulative, so what comes behind a run waits for it. A run that an
// earlier agent took may lie anywhere in what that one left: delivered is only what comes after all
// of that.
#include "decode/native_receipts.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/refused_range.h"
#include "decode/decoder.h"
#include "decode/native_credit.h"
#include "enrich/enrich_stored.h"
#include "proto/native_write.h"

#include <string.h>

// Appends a frame that was written (size 0: it did not fit).
static void took_room(struct native_state *state, size_t size)
{
    state->out_size += size;
    assert(state->out_size <= sizeof state->out);
}

// A mark for everything that came, at a level above RECEIVED.
static struct native_mark mark_now(struct decoder *decoder, const struct native_state *state,
                                   enum mark_level level)
{
    struct native_mark mark = {{0}};
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++)
        if (state->marked[signal])
            mark.of[signal] = enrich_mark(decoder->config.enrich, level, (enum signal_kind)signal);
    return mark;
}

static bool has_reached(const struct decoder *decoder, struct native_state *state,
                        const struct native_mark *mark, enum mark_level level)
{
    const struct enrich *enrich = decoder->config.enrich;
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++)
        if (!enrich_has_reached(enrich, level, (enum signal_kind)signal, mark->of[signal]))
            return false;
    if (level == MARK_DELIVERED && state->earlier)
        state->earlier = !enrich_backlog_is_delivered(enrich);
    return level != MARK_DELIVERED || !state->earlier;
}

static enum mark_level mark_level(uint32_t ack_level)
{
    return ack_level >= NATIVE_ACK_DELIVERED ? MARK_DELIVERED : MARK_STORED;
}

// --- receipts

// Remembers what came since the last that is owed; where there are too many, with the last.
static void mark_received(struct decoder *decoder, struct native_state *state)
{
    struct native_owed *last = state->owed_count ? &state->owed[state->owed_count - 1] : NULL;
    uint32_t level = state->run_level;
    if (state->received <= (last ? last->received : state->reached))
        return;
    if (last && state->owed_count == NATIVE_OWED && level < last->level)
        level = last->level;
    struct native_owed now = {.received = state->received, .level = level};
    if (level >= NATIVE_ACK_STORED)
        now.mark = mark_now(decoder, state, mark_level(level));
    bool same =
        last && (state->owed_count == NATIVE_OWED ||
                 (last->level == level && memcmp(&last->mark, &now.mark, sizeof now.mark) == 0));
    if (!same)
        last = &state->owed[state->owed_count++];
    *last = now;
}

static bool owed_reached(const struct decoder *decoder, struct native_state *state,
                         const struct native_owed *owed)
{
    return owed->level < NATIVE_ACK_STORED ||
           has_reached(decoder, state, &owed->mark, mark_level(owed->level));
}

// Puts a range among those that are sorted; one that touches another widens it.
static size_t add_range(struct native_refused *refused, size_t count, struct native_refused now)
{
    size_t at = count;
    while (at > 0 && refused[at - 1].first > now.first)
        at--;
    memmove(&refused[at + 1], &refused[at], (count - at) * sizeof *refused);
    refused[at] = now;
    size_t kept = 0;
    for (size_t i = 1; i <= count; i++) {
        struct native_refused *last = &refused[kept];
        uint64_t end = refused[i].first + refused[i].count;
        if (refused[i].first > last->first + last->count)
            refused[++kept] = refused[i];
        else if (end > last->first + last->count)
            last->count = end - last->first;
    }
    return kept + 1;
}

// What of the stream up to that sequence was given up for good, and not told yet. Where nobody
// knows whose records were lost, all of this receipt's may be.
static size_t find_refused(struct decoder *decoder, struct native_state *state, uint64_t upto,
                           struct native_refused *refused)
{
    struct refused_range found[RECEIPT_RANGES];
    struct enrich *enrich = decoder->config.enrich;
    size_t count = 0;
    uint64_t unknown = enrich_refused_unknown(enrich);
    if (unknown != state->unknown && upto > state->receipted) {
        refused[count++] = (struct native_refused){state->receipted + 1, upto - state->receipted,
                                                   NATIVE_ERROR_INTERNAL};
        state->unknown = unknown;
    }
    size_t taken = 1;
    while (taken > 0 && count < RECEIPT_RANGES) { // what touches is joined, and leaves room
        taken = enrich_take_refused(enrich, state->stream, upto, found, RECEIPT_RANGES - count);
        for (size_t i = 0; i < taken; i++)
            count = add_range(
                refused, count,
                (struct native_refused){found[i].first, found[i].count, NATIVE_ERROR_REFUSED});
    }
    return count;
}

// Writes a receipt for what has been reached now. Where more was given up than fits, one that goes
// no further than the last tells of some of it first: then false.
static bool write_receipt(struct decoder *decoder, struct native_state *state, uint64_t reached,
                          uint32_t level)
{
    struct native_refused refused[RECEIPT_RANGES + 1];
    struct native_receipt receipt = {.stream = state->stream,
                                     .sequence = reached,
                                     .level = (enum native_ack_level)level,
                                     .refused = refused};
    receipt.refused_count = find_refused(decoder, state, reached, refused);
    bool all = receipt.refused_count < RECEIPT_RANGES;
    if (!all)
        receipt.sequence = state->receipted;
    took_room(state, native_write_receipt(native_out_end(state), native_out_room(state), &receipt));
    state->receipted = receipt.sequence;
    return all;
}

// One for all that reached the same level since the last.
static void answer_receipts(struct decoder *decoder, struct native_state *state)
{
    mark_received(decoder, state);
    while (state->owed_count > 0 && native_out_room(state) >= ERROR_ROOM + RECEIPT_ROOM &&
           owed_reached(decoder, state, &state->owed[0])) {
        uint32_t level = state->owed[0].level;
        unsigned passed = 1;
        while (passed < state->owed_count && state->owed[passed].level == level &&
               owed_reached(decoder, state, &state->owed[passed]))
            passed++;
        uint64_t reached = state->owed[passed - 1].received;
        if (level != NATIVE_ACK_NONE && !write_receipt(decoder, state, reached, level))
            continue;
        state->reached = reached;
        state->owed_count -= passed;
        memmove(state->owed, state->owed + passed, state->owed_count * sizeof state->owed[0]);
    }
}

void native_owe_receipt(struct decoder *decoder, struct native_state *state,
                        enum signal_kind signal, uint64_t last, int override)
{
    uint32_t level = override < 0 ? state->ack_level : (uint32_t) override;
    if (!state->has_stream)
        level = NATIVE_ACK_NONE; // there is nothing to write a receipt for
    if (level != state->run_level)
        mark_received(decoder, state);
    state->run_level = level;
    state->marked[signal] = true;
    if (last > state->received)
        state->received = last;
}

void native_owe_earlier(struct decoder *decoder, struct native_state *state)
{
    state->earlier = state->earlier || !enrich_backlog_is_delivered(decoder->config.enrich);
}

void native_owe_flush(struct native_state *state, enum signal_kind signal)
{
    state->marked[signal] = true;
}

// --- flushes

static uint32_t level_reached(const struct decoder *decoder, struct native_state *state,
                              const struct native_flush_owed *flush)
{
    if (flush->level >= NATIVE_ACK_DELIVERED &&
        has_reached(decoder, state, &flush->delivered, MARK_DELIVERED))
        return NATIVE_ACK_DELIVERED;
    if (flush->level >= NATIVE_ACK_STORED &&
        has_reached(decoder, state, &flush->stored, MARK_STORED))
        return NATIVE_ACK_STORED;
    return NATIVE_ACK_RECEIVED;
}

static void write_flushed(struct native_state *state, const struct native_flush_owed *flush,
                          uint32_t level)
{
    took_room(state,
              native_write_flushed(native_out_end(state), native_out_room(state), flush->token,
                                   flush->sequence, (enum native_ack_level)level));
}

static void forget_flushes(struct native_state *state, unsigned count)
{
    state->flush_count -= count;
    memmove(state->flushes, state->flushes + count, state->flush_count * sizeof state->flushes[0]);
}

// How many of the oldest may be answered now, and at which level: those that have reached theirs
// or, where there are none, those up to the last whose deadline has passed.
static unsigned answerable(const struct decoder *decoder, struct native_state *state,
                           uint32_t *level)
{
    unsigned count = 0;
    while (count < state->flush_count &&
           level_reached(decoder, state, &state->flushes[count]) == state->flushes[count].level)
        *level = state->flushes[count++].level;
    if (count > 0 || state->flush_count == 0)
        return count;
    uint64_t now = clock_monotonic(decoder->config.clock);
    for (unsigned i = 0; i < state->flush_count; i++)
        if (state->flushes[i].deadline_ns && now >= state->flushes[i].deadline_ns)
            count = i + 1;
    if (count > 0)
        *level = level_reached(decoder, state, &state->flushes[count - 1]);
    return count;
}

static void answer_flushes(struct decoder *decoder, struct native_state *state)
{
    uint32_t level = NATIVE_ACK_RECEIVED;
    unsigned count;
    while (native_out_room(state) >= ERROR_ROOM + FLUSHED_ROOM &&
           (count = answerable(decoder, state, &level)) > 0) {
        write_flushed(state, &state->flushes[count - 1], level);
        forget_flushes(state, count);
    }
}

void native_take_flush(struct decoder *decoder, struct native_state *state,
                       const struct native_flush *flush)
{
    struct native_flush_owed *last =
        state->flush_count ? &state->flushes[state->flush_count - 1] : NULL;
    struct native_flush_owed now = {
        .token = flush->token,
        .sequence = state->received,
        .level = flush->level > NATIVE_ACK_RECEIVED ? flush->level : NATIVE_ACK_RECEIVED,
    };
    if (now.level > NATIVE_ACK_DELIVERED)
        now.level = NATIVE_ACK_DELIVERED;
    if (flush->deadline_ms)
        now.deadline_ns = clock_monotonic(decoder->config.clock) + flush->deadline_ms * NS_PER_MS;
    bool joined = last && state->flush_count == NATIVE_FLUSHES;
    if (last && last->level > now.level)
        now.level = last->level; // it waits behind that one, and answers for it
    if (joined && last->deadline_ns && (!now.deadline_ns || last->deadline_ns < now.deadline_ns))
        now.deadline_ns = last->deadline_ns;
    if (now.level >= NATIVE_ACK_STORED)
        now.stored = mark_now(decoder, state, MARK_STORED);
    if (now.level >= NATIVE_ACK_DELIVERED)
        now.delivered = mark_now(decoder, state, MARK_DELIVERED);
    if (!joined)
        last = &state->flushes[state->flush_count++];
    *last = now;
    state->flush_token = flush->token;
}

void native_end_flushes(struct decoder *decoder, struct native_state *state)
{
    for (unsigned i = 0; i < state->flush_count; i++)
        state->flushes[i].deadline_ns = 1;
    answer_flushes(decoder, state);
}

uint64_t decode_native_deadline(const struct native_state *state)
{
    uint64_t first = 0;
    for (unsigned i = 0; i < state->flush_count; i++) {
        uint64_t deadline = state->flushes[i].deadline_ns;
        if (deadline && (!first || deadline < first))
            first = deadline;
    }
    return first;
}

void decode_native_end(struct decoder *decoder, struct native_state *state)
{
    if (!state->greeted || state->error_code)
        return; // nothing comes behind an error that closes
    native_end_flushes(decoder, state);
    answer_receipts(decoder, state);
}

bool decode_native_answers(struct decoder *decoder, struct native_state *state)
{
    if (state->error_code)
        return false; // nothing comes behind an error that closes
    if (state->greeted) {
        answer_flushes(decoder, state);
        answer_receipts(decoder, state);
        native_answer_credit(decoder, state);
    }
    return state->owed_count > 0 || state->flush_count > 0;
}
