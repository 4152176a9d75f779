// A record of plain text whose lines have not all come: a view while they lie together in what was
// read, a copy of its own beyond that.
//
// Private to agent/decode. Loop thread only.
#ifndef SLUICE_DECODE_LINE_JOIN_H
#define SLUICE_DECODE_LINE_JOIN_H

#include "decode/decoder.h"
#include "decode/stack_trace.h"

struct open_record {
    struct slice text; // its lines, '\n' between them
    struct stack_trace trace;
    uint32_t lines;    // not blank; 0: there is no record
    uint32_t blanks;   // blank lines since the last
    uint64_t sequence; // among the connection's records, by its first line
    bool rest;         // of a record that was too long: its state is not that of its first line
};

// The copy. Its lines are in the books as pending.
struct line_join {
    struct open_record record; // record.text is the bytes below
    size_t capacity;           // of them; charged to read_bytes
    uint64_t since_ns;         // when it was kept
    struct line_join *next;    // in the decoder's list of spares
    char bytes[];
};

// Copies the record to state->join, which is NULL. False where that may not or cannot be kept.
bool line_join_keep(struct decoder *decoder, struct line_state *state,
                    const struct open_record *record);
// Adds a line below what is kept and its blank lines. False where it may not or cannot be kept:
// then all is as it was.
bool line_join_add(struct decoder *decoder, struct line_state *state, struct slice line);
// Drops what is kept, and takes it out of the books. Safe where there is none.
void line_join_drop(struct decoder *decoder, struct line_state *state);
// Frees the decoder's spares.
void line_join_free_spares(struct decoder *decoder);

#endif
