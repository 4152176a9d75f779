// An Export request on its way through the loop's turns: checked whole, admitted, appended.
#include "base/error.h"
#include "decode/decoder.h"
#include "decode/otlp_check.h"
#include "decode/otlp_parts.h"

#include <stdlib.h>

// A turn: about 2 ms each of checking and of appending.
#define TURN_FIELDS ((size_t)64 << 10)
#define TURN_WORK ((size_t)160 << 10)
// Room that a request must find at its beginning; what is more comes in as the logs empty. Without
// this cap a large request would wait for an empty log, which a busy one never is.
#define ADMIT_MAX ((size_t)4 << 20)
// What a run may keep between turns: its resource where it was joined, and the list of the fields
// that each piece repeats.
#define KEEP_MAX ((size_t)4 << 20)
#define KEEP_SPARE ((size_t)1 << 10)

static const char reason_malformed[] = "not a valid Export request of this signal";
static const char reason_overloaded[] = "a log is full: send it again later";
static const char reason_unrouted[] = "no route takes this signal";
static const char reason_too_large[] = "larger than a segment of the spool, or the spool is full";

enum phase { CHECKING, ADMITTING, APPENDING };

struct otlp_progress {
    struct decoder *decoder;
    enum signal_kind signal;
    enum phase phase;
    struct slice message;
    struct otlp_checker checker;
    struct wire_cursor runs; // not begun yet
    bool begun;              // walk goes on
    struct otlp_walk walk;
    struct arena keep;
    uint64_t *sent;    // the connection's; NULL: it does not count
    uint64_t sequence; // of the first record; 0: not taken yet, or not counted
    uint64_t booked;   // of the runs before
    uint64_t rejected;
};

int decode_otlp_begin(struct decoder *decoder, enum signal_kind signal, struct slice message,
                      uint64_t *sent, struct otlp_progress **out)
{
    struct otlp_progress *progress = malloc(sizeof *progress);
    if (!progress)
        return -ENOMEM;
    progress->decoder = decoder;
    progress->signal = signal;
    progress->phase = CHECKING;
    progress->message = message;
    progress->runs = wire_cursor_of(message.data, message.size);
    progress->begun = false;
    progress->sent = signal == SIGNAL_LOGS ? sent : NULL;
    progress->sequence = progress->booked = progress->rejected = 0;
    otlp_checker_start(&progress->checker, signal, OTLP_REQUEST, message);
    arena_init(&progress->keep, KEEP_SPARE, KEEP_MAX);
    *out = progress;
    return 0;
}

void decode_otlp_free(struct otlp_progress *progress)
{
    if (!progress)
        return;
    arena_deinit(&progress->keep);
    free(progress);
}

static int refuse(struct otlp_progress *progress, int why, struct otlp_result *result)
{
    bool malformed = why == DECODE_MALFORMED;
    // How many a malformed one has, nobody knows.
    uint64_t records = malformed ? 1 : progress->checker.tally.records;
    enrich_reject(progress->decoder->config.enrich, progress->signal,
                  malformed ? REJECT_MALFORMED : REJECT_OVERLOADED, records);
    *result = (struct otlp_result){.rejected = records,
                                   .reason = malformed ? reason_malformed : reason_overloaded};
    return why;
}

// The request is taken or refused as a whole, so its most urgent record speaks for all.
static enum urgency urgency(const struct otlp_progress *progress)
{
    return progress->checker.tally.urgent ? URGENCY_HIGH : URGENCY_NORMAL;
}

// Whether the logs have room to begin: an estimate, because nothing is lost where it is too low.
static bool admitted(const struct otlp_progress *progress)
{
    struct enrich *enrich = progress->decoder->config.enrich;
    size_t bytes = progress->message.size;
    if (progress->signal == SIGNAL_LOGS)
        bytes += (size_t)progress->checker.tally.records * enrich_log_overhead(enrich);
    else
        bytes += enrich_otlp_overhead(enrich);
    const struct enrich_ask ask = {
        .signal = progress->signal,
        .policy = DOOR_REFUSE,
        .urgency = urgency(progress),
        .bytes = bytes < ADMIT_MAX ? bytes : ADMIT_MAX,
    };
    return enrich_admit(enrich, &ask) == 0;
}

// Other requests of the connection may be taken before this one ends: it gets its numbers now.
static void take_sequences(struct otlp_progress *progress)
{
    if (!progress->sent)
        return;
    progress->sequence = *progress->sent + 1;
    *progress->sent += progress->checker.tally.records;
}

// Nothing of it was appended after all. Where others were taken since, its numbers are left out.
static void give_sequences_back(struct otlp_progress *progress)
{
    uint64_t records = progress->checker.tally.records;
    if (progress->sent && *progress->sent == progress->sequence + records - 1)
        *progress->sent -= records;
}

// The next run, if there is one and the turn allows.
static bool next_run(struct otlp_progress *progress, struct otlp_turn *turn)
{
    struct resource_run run = {
        .signal = progress->signal, .policy = DOOR_REFUSE, .urgency = urgency(progress)};
    struct wire_field field;
    while (!progress->begun && turn->work > 0 && wire_next(&progress->runs, &field) == 0) {
        otlp_turn_spend(turn, OTLP_COST_FIELD);
        if (!wire_is(&field, OTLP_REQUEST_RESOURCES, WIRE_BYTES))
            continue;
        run.message = otlp_slice(&field);
        run.sequence = progress->sequence ? progress->sequence + progress->booked : 0;
        arena_reset(&progress->keep);
        otlp_walk_begin(&progress->walk, &run, &progress->keep);
        progress->begun = true;
    }
    return progress->begun;
}

static int append(struct otlp_progress *progress, struct otlp_turn *turn)
{
    while (next_run(progress, turn)) {
        int r = otlp_walk_step(progress->decoder, &progress->walk, turn);
        if (r != 0)
            return r;
        progress->booked += progress->walk.booked;
        progress->rejected += progress->walk.rejected + progress->walk.shed;
        progress->begun = false;
    }
    return progress->runs.at < progress->runs.end ? DECODE_AGAIN : 0;
}

static int conclude(struct otlp_progress *progress, struct otlp_result *result)
{
    // What no run has booked had no place: a resource or scope too large, or no memory for it.
    uint64_t lost = progress->checker.tally.records - progress->booked;
    if (lost > 0)
        enrich_reject(progress->decoder->config.enrich, progress->signal, REJECT_TOO_LARGE, lost);
    progress->booked += lost;
    progress->rejected += lost;
    bool routed = enrich_routes(progress->decoder->config.enrich, progress->signal);
    *result = (struct otlp_result){.accepted = progress->booked - progress->rejected,
                                   .rejected = progress->rejected};
    if (progress->rejected > 0)
        result->reason = routed ? reason_too_large : reason_unrouted;
    return 0;
}

int decode_otlp_step(struct otlp_progress *progress, bool last, struct otlp_result *result)
{
    struct otlp_turn turn = {.work = last ? SIZE_MAX : TURN_WORK, .ask = !last};
    if (progress->phase == CHECKING) {
        int verdict = otlp_checker_go(&progress->checker, last ? SIZE_MAX : TURN_FIELDS);
        if (verdict == OTLP_UNFINISHED)
            return DECODE_AGAIN;
        if (verdict == OTLP_BAD)
            return refuse(progress, DECODE_MALFORMED, result);
        progress->phase = ADMITTING;
    }
    if (progress->phase == ADMITTING) {
        if (!admitted(progress))
            return refuse(progress, DECODE_OVERLOADED, result);
        take_sequences(progress);
        progress->phase = APPENDING;
    }
    int r = append(progress, &turn);
    bool nothing = progress->booked == 0 && (!progress->begun || progress->walk.booked == 0);
    if (r == DECODE_FULL && nothing) {
        give_sequences_back(progress);
        return refuse(progress, DECODE_OVERLOADED, result);
    }
    return r == 0 ? conclude(progress, result) : r;
}
