// How much a native client may send, by how full the fullest log is that its signals go to.
//
// Whatever is left to a client below the upper watermark takes its largest frame beside what it
// keeps for warn: who waits for credit always gets it, once the log falls.
#include "decode/native_credit.h"

#include "decode/decoder.h"
#include "decode/native_receipts.h"
#include "enrich/enrich_pressure.h"
#include "proto/native_write.h"

#include <assert.h>

// No Credit is written for less: one for each frame would be more talk than the runs.
static uint64_t step(const struct decoder *decoder)
{
    return native_max_frame(decoder) / 4;
}

// What may be on its way from the client while the logs are filled that far.
static uint64_t window(const struct decoder *decoder, unsigned pressure)
{
    uint64_t frame = native_max_frame(decoder);
    uint64_t least = NATIVE_LENGTH_SIZE + frame + step(decoder) + NATIVE_CREDIT_RESERVE;
    return pressure == 0 && 2 * frame > least ? 2 * frame : least;
}

// Signals that came; before any did, all.
static unsigned signals_of(const struct native_state *state)
{
    unsigned signals = 0;
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++)
        signals |= (unsigned)state->marked[signal] << signal;
    return signals ? signals : (1u << SIGNAL_COUNT) - 1;
}

static unsigned pressure_of(const struct decoder *decoder, const struct native_state *state)
{
    return enrich_pressure(decoder->config.enrich, signals_of(state));
}

uint64_t native_first_credit(struct decoder *decoder, struct native_state *state)
{
    if (!state->credits)
        return 0;
    unsigned pressure = pressure_of(decoder, state);
    state->credit_left = pressure < 2 ? window(decoder, pressure) : NATIVE_CREDIT_RESERVE;
    return state->credit_left;
}

bool native_is_overrun(const struct native_state *state, size_t bytes)
{
    return state->credits && bytes > state->credit_left;
}

void native_use_credit(struct native_state *state, size_t bytes, enum urgency urgency)
{
    if (!state->credits)
        return;
    assert(bytes <= state->credit_left);
    state->credit_left -= bytes;
    if (urgency == URGENCY_HIGH)
        state->credit_urgent += bytes;
}

// What is missing to the window; 0 where it is not worth a frame.
static uint64_t due(const struct decoder *decoder, const struct native_state *state,
                    unsigned pressure)
{
    uint64_t most = window(decoder, pressure);
    uint64_t missing = most > state->credit_left ? most - state->credit_left : 0;
    uint64_t least = step(decoder);
    if (pressure == 2) {
        missing = missing < state->credit_urgent ? missing : state->credit_urgent;
        least = NATIVE_CREDIT_RESERVE / 4;
    }
    return missing >= least ? missing : 0;
}

void native_answer_credit(struct decoder *decoder, struct native_state *state)
{
    if (!state->credits || state->error_code || native_out_room(state) < ERROR_ROOM + FLUSHED_ROOM)
        return;
    unsigned pressure = pressure_of(decoder, state);
    uint64_t bytes = due(decoder, state, pressure);
    if (bytes > 0) {
        state->out_size +=
            native_write_credit(native_out_end(state), native_out_room(state), bytes);
        state->credit_left += bytes;
        state->credit_urgent = 0;
    }
    bool withheld = pressure > 0 && due(decoder, state, 0) > 0;
    if (withheld && !state->credit_withheld && decoder->config.credit_waits)
        ++*decoder->config.credit_waits;
    state->credit_withheld = withheld;
}

void decode_native_watch(struct decoder *decoder, const struct native_state *state,
                         struct room_waiter *waiter)
{
    if (state->credit_withheld)
        enrich_pressure_watch(decoder->config.enrich, signals_of(state), waiter);
}

void decode_native_watch_cancel(struct decoder *decoder, struct room_waiter *waiter)
{
    enrich_pressure_watch_cancel(decoder->config.enrich, waiter);
}
