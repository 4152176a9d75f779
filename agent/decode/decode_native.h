// A native connection: its state, frames in, answers out (docs/PROTOCOL.md).
//
// Loop thread only.
#ifndef SLUICE_DECODE_DECODE_NATIVE_H
#define SLUICE_DECODE_DECODE_NATIVE_H

#include "decode/decode.h"

#define NATIVE_OUT_SIZE 1024
#define NATIVE_OWED 4    // receipts that wait apart; further runs wait with the last
#define NATIVE_FLUSHES 4 // likewise

// Enrich's marks, one for each signal.
struct native_mark {
    uint64_t of[SIGNAL_COUNT];
};

// What a Receipt is to be written for once its mark has been reached.
struct native_owed {
    struct native_mark mark;
    uint64_t received; // everything up to this sequence
    uint32_t level;    // that the runs asked for
};

struct native_flush_owed {
    struct native_mark stored, delivered;
    uint64_t token;
    uint64_t deadline_ns; // monotonic: answered by then, with the level reached; 0: none
    uint64_t sequence;
    uint32_t level;
};

// Zeroed at the start.
struct native_state {
    bool preamble;             // has been read
    bool greeted;              // so has the hello
    bool has_stream;           // else the agent gives the ids
    uint8_t stream[8];         // the client's
    uint64_t unnumbered;       // records of runs without sequences
    uint64_t received;         // highest sequence taken of it on this connection
    uint64_t reached;          // up to here every run has reached its level
    uint64_t receipted;        // highest that a Receipt was written for
    uint64_t unknown;          // enrich_refused_unknown, as far as it was told
    uint32_t ack_level;        // granted
    uint32_t run_level;        // of the runs since the last that is owed or reached
    bool credits;              // both sides keep to them
    bool credit_withheld;      // more would be due were the logs not filling up
    uint64_t credit_left;      // granted and not used yet, bytes
    uint64_t credit_urgent;    // used by runs with warn or above, and not given back
    bool marked[SIGNAL_COUNT]; // signals of the runs that came
    bool earlier;              // what an earlier agent left holds a run that was sent again
    struct native_owed owed[NATIVE_OWED]; // the oldest first
    unsigned owed_count;
    struct native_flush_owed flushes[NATIVE_FLUSHES];
    unsigned flush_count;
    uint64_t flush_token; // of the last Flush
    uint8_t *resource;    // the hello's, for runs that bring none; heap
    size_t resource_size;
    char error[160]; // text of the error that was sent before closing, where DECODE_CLOSE
    uint32_t error_code;
    uint8_t out[NATIVE_OUT_SIZE]; // Welcome, Flushed, Receipt, Error: send it after each call, also
                                  // after
    size_t out_size;              // DECODE_BLOCKED and DECODE_CLOSE, and set out_size to 0
};
// Frees what the state holds. Safe twice, and on a zeroed one.
void native_state_deinit(struct native_state *state);
// Writes what is owed by now, once more of it has reached its level or a deadline has passed.
// Whether something still is owed, which a further mark (decoder_wait_stored) or the deadline lets
// go.
bool decode_native_answers(struct decoder *decoder, struct native_state *state);
// Waits, where credit is held back, for the fullest log to give up a segment: then call
// decode_native_answers. cancel is safe where nothing waits.
void decode_native_watch(struct decoder *decoder, const struct native_state *state,
                         struct room_waiter *waiter);
void decode_native_watch_cancel(struct decoder *decoder, struct room_waiter *waiter);
// The connection will be closed: writes what has been reached by now, every Flush with it.
void decode_native_end(struct decoder *decoder, struct native_state *state);
// When the next answer is due whatever has been reached: monotonic nanoseconds; 0: none is.
uint64_t decode_native_deadline(const struct native_state *state);
enum decode_stop decode_native(struct decoder *decoder, struct native_state *state,
                               struct slice data, size_t *consumed);

#endif
