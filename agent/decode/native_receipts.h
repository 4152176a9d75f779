// What a native connection is owed: Receipts and Flushed, and the room they are written into.
//
// Private to decode. Loop thread only.
#ifndef SLUICE_DECODE_NATIVE_RECEIPTS_H
#define SLUICE_DECODE_NATIVE_RECEIPTS_H

#include "decode/decode_native.h"
#include "proto/native.h"

// No error frame of ours is longer: its text is at most that of native_state.error.
#define ERROR_ROOM 208
// Nor any other answer than this; a closing error must always fit behind them.
#define FLUSHED_ROOM 64
#define RECEIPT_RANGES 8 // in one Receipt; further ones take several
#define RECEIPT_ROOM (64 + RECEIPT_RANGES * 26)

static inline uint8_t *native_out_end(struct native_state *state)
{
    return state->out + state->out_size;
}

static inline size_t native_out_room(const struct native_state *state)
{
    return sizeof state->out - state->out_size;
}

// A run up to sequence `last` was taken. override: the level that it asks for itself; negative: as
// the connection has it.
void native_owe_receipt(struct decoder *decoder, struct native_state *state,
                        enum signal_kind signal, uint64_t last, int override);
// The next run may be of those that an earlier agent took.
void native_owe_earlier(struct decoder *decoder, struct native_state *state);
// A run without sequences was taken: a Flush waits for it.
void native_owe_flush(struct native_state *state, enum signal_kind signal);
void native_take_flush(struct decoder *decoder, struct native_state *state,
                       const struct native_flush *flush);
// Answers each Flush that has come with what has been reached by now: nothing comes behind.
void native_end_flushes(struct decoder *decoder, struct native_state *state);

#endif
