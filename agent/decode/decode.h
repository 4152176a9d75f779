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
    size_t max_line;     // bytes; a longer line is cut there and marked
    size_t max_message;  // bytes of an OTLP message or native frame
    bool join;           // lines of a stack trace become part of the record they belong to
    uint64_t *truncated; // counts lines cut at max_line; may be NULL
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
    bool skipping; // inside a line that was cut: drop bytes to its end
    bool expired;  // block_for passed: shed instead of waiting (set by the caller, cleared by the
                   // decoder)
    bool cut_now;  // cut the line that has no end yet, marked: nobody can keep it (likewise)
    struct line_join *join; // a record that may go on in the next line; NULL: none
};
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

// What was consumed is stored at the spool's level when its mark is. Marks rise; at levels `memory`
// and `process` every mark is there at once. stored_now: syncs on this thread, for an agent that
// ends. The waiter is called once when a further mark is stored.
uint64_t decoder_mark(struct decoder *decoder);
bool decoder_is_stored(const struct decoder *decoder, uint64_t mark);
void decoder_store_now(struct decoder *decoder);
void decoder_wait_stored(struct decoder *decoder, struct room_waiter *waiter);
void decoder_wait_stored_cancel(struct decoder *decoder, struct room_waiter *waiter);

#define NATIVE_OUT_SIZE 512
#define NATIVE_MARKS 4

// Native frames: state of one connection (docs/PROTOCOL.md). Zeroed at the start.
struct native_state {
    bool preamble;      // has been read
    bool greeted;       // so has the hello
    bool has_stream;    // else the agent gives the ids
    uint8_t stream[8];  // the client's
    uint64_t received;  // highest sequence stored of it on this connection
    uint64_t receipted; // highest that a Receipt was written for
    uint32_t ack_level; // granted
    uint64_t stored;    // highest that is stored at the spool's level
    struct {
        uint64_t mark;
        uint64_t received;
    } marks[NATIVE_MARKS]; // what is not stored yet, the oldest first
    unsigned mark_count;
    bool flush; // a Flush waits for its answer
    uint64_t flush_token;
    uint32_t flush_level;
    uint64_t flush_mark;
    uint8_t *resource; // the hello's, for runs that bring none; heap
    size_t resource_size;
    char error[160]; // text of the error that was sent before closing, where DECODE_CLOSE
    uint32_t error_code;
    uint8_t out[NATIVE_OUT_SIZE]; // Welcome, Flushed, Receipt, Error: send it after each call, also
                                  // after
    size_t out_size;              // DECODE_BLOCKED and DECODE_CLOSE, and set out_size to 0
};
// Frees what the state holds. Safe twice, and on a zeroed one.
void native_state_deinit(struct native_state *state);
// Writes what is owed by now, once more of it is stored. Whether something still is owed, which
// only a further mark (decoder_wait_stored) lets go.
bool decode_native_answers(struct decoder *decoder, struct native_state *state);
enum decode_stop decode_native(struct decoder *decoder, struct native_state *state,
                               struct slice data, size_t *consumed);

#endif
