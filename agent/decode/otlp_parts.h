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

// otlp_value.c: an AnyValue as a value; objects and arrays become JSON text, bytes base64, a double
// that is no number null. Strings are repaired. False where memory ran out.
bool otlp_value(struct arena *arena, struct slice any, struct value *out);
// A KeyValue's parts; the key is repaired.
bool otlp_key_value(struct arena *arena, struct slice pair, struct slice *key, struct value *out);
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
    struct slice resource;      // the bytes of its Resource, in the message or in keep
    struct arena *keep;         // lives as long as the walk; the decoder's do not
    struct wire_cursor scopes;  // of the run: what is left
    struct wire_cursor records; // of the scope that was begun: what is left
    bool inside;                // a scope was begun
    struct slice scope_name;    // of that scope, for logs
    bool whole;                 // spans, metrics: not to be cut
    struct otlp_pieces shared;  // fields of the run that every piece repeats
    struct otlp_pieces scope;   // likewise of the scope that was begun
    uint64_t booked;            // records that are in the books
    uint64_t rejected;          // of these: rejected, or shed by every log
};

// What one turn may do.
struct otlp_turn {
    size_t work; // left; records and fields cost one each, and their bytes
    bool ask;    // for room before each append; else the run was admitted, or nobody waits
    bool shed;   // every log was full: in this turn no more will fit
};

static inline void otlp_turn_spend(struct otlp_turn *turn, size_t bytes)
{
    size_t cost = 1 + bytes / 256;
    turn->work -= turn->work > cost ? cost : turn->work;
}

// otlp.c: begins a run. keep: an arena of the run's own, or the decoder's resource_arena (made
// ready by decoder_next_resource) where it is appended in the same turn. False where memory ran
// out.
bool otlp_walk_begin(struct otlp_walk *walk, const struct resource_run *run, struct arena *keep);
// Appends what is left of the walk, or as much of it as the turn allows. 0 when all of it is in the
// books, DECODE_AGAIN, or DECODE_FULL (turn->ask): a log has no room for the next.
int otlp_walk_step(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn);

// The same for one signal each (otlp_logs.c, otlp_runs.c). otlp_begin_run finds what the pieces of
// a run of spans or metrics share.
int otlp_append_logs(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn);
int otlp_append_run(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn);
void otlp_begin_run(struct otlp_walk *walk);
// How many bytes of payload the pieces take at most, without what the agent adds to each.
size_t otlp_run_bound(struct slice message, struct slice resource, size_t overhead);

#endif
