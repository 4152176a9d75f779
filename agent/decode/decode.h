// Bytes of one dialect in, records to enrich out. Keeps no bytes: what is not consumed, the caller
// offers again.
//
// One decoder serves all connections of a loop: its scratch is reused for every record. Loop thread
// only.
#ifndef SLUICE_DECODE_DECODE_H
#define SLUICE_DECODE_DECODE_H

#include "base/books.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct decoder;
struct enrich;

struct decoder_config {
    struct enrich *enrich;
    struct clock *clock;
    size_t max_line;        // bytes; a longer line is cut there and marked
    size_t max_message;     // bytes of an OTLP message or native frame
    bool join;              // lines of a stack trace become part of the record they belong to
    uint64_t *truncated;    // counts lines cut at max_line; may be NULL
    uint64_t *credit_waits; // counts native writers held back; may be NULL
    struct byte_budget *read_bytes; // charged for what a line_state keeps; may be NULL
    const uint8_t *agent_id;        // 16 bytes, told to native clients; may be NULL
    const char *agent_version;      // likewise
};

int decoder_new(struct decoder **out, const struct decoder_config *config);
void decoder_free(struct decoder *decoder);

// Where decoding stopped and why.
enum decode_stop {
    DECODE_MORE,    // all that is whole was consumed
    DECODE_BLOCKED, // a log is full: pause reading, wait, offer the rest again
    DECODE_CLOSE,   // the peer broke its dialect: answer what there is and close
};

// Registers for room in whichever log blocked last; cancel is safe where nothing waits.
struct room_waiter;
void decoder_wait(struct decoder *decoder, struct room_waiter *waiter);
void decoder_wait_cancel(struct decoder *decoder, struct room_waiter *waiter);

// Lines: state of one connection. Zeroed at the start.
struct line_join;
struct line_state {
    bool skipping;    // inside a line that was cut: drop bytes to its end
    uint8_t gives_up; // records of a lower enum urgency are shed instead of waiting
    uint8_t asking;   // the urgency of the one that was blocked
    uint64_t records; // that began so far: event.sequence of the last
    bool cut_now;     // cut the line that has no end yet, marked: nobody can keep it (likewise)
    struct line_join *join; // a record that may go on in the next line; NULL: none
};
// block_for passed: the record that was blocked, and those less urgent, wait no more until there is
// room for one of them.
static inline void line_state_expire(struct line_state *state)
{
    if (state->gives_up <= state->asking)
        state->gives_up = (uint8_t)(state->asking + 1);
}
#define LINE_STATE_FINISHED UINT8_MAX
// Nothing that comes waits: its writer will not get another chance.
static inline void line_state_finish(struct line_state *state)
{
    state->gives_up = LINE_STATE_FINISHED;
}
// Frees what the state holds, unbooked: flush it first. Safe twice, and on a zeroed one.
void line_state_deinit(struct decoder *decoder, struct line_state *state);
// Whether a record waits for more lines (it counts as pending): the caller flushes it after
// join_for without another line.
static inline bool line_state_pending(const struct line_state *state)
{
    return state->join != NULL;
}
// Ends the record that waits. DECODE_MORE, or DECODE_BLOCKED: it still waits.
enum decode_stop decode_lines_flush(struct decoder *decoder, struct line_state *state);

// Whole lines (LF, CRLF or NUL) of data; at the end of the stream also the last without an end.
// *consumed ≤ size. A cut line longer than max_line is consumed up to there.
enum decode_stop decode_lines(struct decoder *decoder, struct line_state *state, struct slice data,
                              bool end, size_t *consumed);

// What was consumed of a signal is stored at the spool's level when its mark is. Marks rise; at
// levels `memory` and `process` every mark is there at once. store_now: syncs on this thread, for
// an agent that ends. The waiter is called once when something further is stored or delivered.
uint64_t decoder_mark(struct decoder *decoder, enum signal_kind signal);
bool decoder_is_stored(const struct decoder *decoder, enum signal_kind signal, uint64_t mark);
void decoder_store_now(struct decoder *decoder);
void decoder_wait_stored(struct decoder *decoder, struct room_waiter *waiter);
void decoder_wait_stored_cancel(struct decoder *decoder, struct room_waiter *waiter);

#endif
