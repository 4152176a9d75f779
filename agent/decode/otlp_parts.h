// The inside of the OTLP decoder: what its sources share.
//
// Private to agent/decode/otlp*.c. All bytes they take have passed otlp_check.
#ifndef SLUICE_DECODE_OTLP_PARTS_H
#define SLUICE_DECODE_OTLP_PARTS_H

#include "base/arena.h"
#include "base/slice.h"
#include "decode/otlp.h"
#include "decode/otlp_check.h"
#include "enrich/record.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <stdbool.h>

static inline struct slice otlp_slice(const struct wire_field *field)
{
    return slice_of(field->data, field->size);
}

// otlp_value.c: an AnyValue as a value; objects and arrays become JSON text, bytes base64. Strings
// are repaired. A double may be no number (otlp_finite). False where memory ran out.
bool otlp_value(struct arena *arena, struct slice any, struct value *out);
// A KeyValue's parts; the key is repaired.
bool otlp_key_value(struct arena *arena, struct slice pair, struct slice *key, struct value *out);
// A number that is none (NaN, Infinity) as null.
void otlp_finite(struct value *value);
// The KeyValueList in an AnyValue that is one; else false.
bool otlp_is_map(struct slice any, struct slice *list);

// Bytes that are handed on without being joined first.
struct otlp_pieces {
    struct slice *items; // in an arena
    size_t count;
    size_t capacity;
    size_t bytes;
};

// One resource's run on its way into the logs, in as many turns as it takes.
struct otlp_walk {
    struct resource_run run;
    struct arena *keep;         // lives as long as the walk; the decoder's do not
    struct wire_cursor seek;    // of the run, then of the scope that was begun: what is not yet
                                // looked through for what all of it needs
    struct slice resource;      // the bytes of its Resource, in the message or in keep
    bool has_resource;          // of its own
    struct otlp_pieces shared;  // spans, metrics: fields of the run that every piece repeats
    bool whole;                 // spans, metrics: not to be cut
    bool lost;                  // memory ran out: what is not booked has no place
    bool ready;                 // the run was looked through
    struct wire_cursor scopes;  // of the run: what is left
    bool inside;                // a scope was begun
    bool scope_ready;           // and looked through
    bool scope_whole;           // spans, metrics: not to be cut either
    struct slice scope_raw;     // spans, metrics: the whole field
    struct slice scope_name;    // logs: of that scope
    struct otlp_pieces scope;   // spans, metrics: fields of it that every piece repeats
    struct wire_cursor records; // of it: what is left
    uint64_t booked;            // records that are in the books
    uint64_t rejected;          // of these: rejected
    uint64_t shed;              // of these: dropped by every log
};

// What one turn may do.
struct otlp_turn {
    size_t work; // left, in bytes of an ordinary record
    bool ask;    // for room before each append; else the run was admitted, or nobody waits
    bool shed;   // every log was full: in this turn no more will fit
};

#define OTLP_COST_RECORD 128 // of a record beyond its bytes
#define OTLP_COST_FIELD 16   // of a field that is only looked at

static inline void otlp_turn_spend(struct otlp_turn *turn, size_t cost)
{
    turn->work -= turn->work > cost ? cost : turn->work;
}

// otlp.c: begins a run. keep: an arena of the run's own, or the decoder's resource_arena (made
// ready by decoder_next_resource) where it is appended in the same turn.
void otlp_walk_begin(struct otlp_walk *walk, const struct resource_run *run, struct arena *keep);
// Looks through the run, as far as the turn allows: it must be ready to be appended. 0 or
// DECODE_AGAIN.
int otlp_walk_seek(struct otlp_walk *walk, struct otlp_turn *turn);
// Appends what is left of the walk, or as much of it as the turn allows. 0 at its end (records that
// it has not booked then have no place: too large), DECODE_AGAIN, or DECODE_FULL (turn->ask): a log
// has no room for the next.
int otlp_walk_step(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn);

// Room for so many bytes more of the run. 0 or ENRICH_BLOCKED.
int otlp_walk_admit(const struct decoder *decoder, const struct otlp_walk *walk, size_t bytes);
// Counts what enrich said of so many records, the first of that sequence. Those that are kept
// nowhere are told to their client with its next receipt.
void otlp_walk_book(const struct decoder *decoder, struct otlp_walk *walk, int result,
                    uint64_t sequence, uint64_t records);

// The same for one signal each, of a run that is ready.
int otlp_append_logs(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn);
int otlp_append_run(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn);

// otlp_runs.c: adds bytes; those that follow the last ones in memory lengthen them. False where
// memory ran out.
bool otlp_pieces_add(struct otlp_pieces *pieces, struct arena *arena, struct slice bytes);
// Once a run of spans or metrics is ready: whether it is cut.
void otlp_run_ready(struct otlp_walk *walk);
// How many bytes of payload the pieces take at most, without what the agent adds to each.
size_t otlp_run_bound(struct slice message, struct slice resource, size_t overhead);

#endif
