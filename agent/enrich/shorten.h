// Shortens a record's longest texts until its document fits where it must.
//
// For records that are too large for a sink or a segment; never on the usual path. Loop thread
// only.
#ifndef SLUICE_ENRICH_SHORTEN_H
#define SLUICE_ENRICH_SHORTEN_H

#include "base/arena.h"
#include "enrich/record.h"

#include <stdbool.h>

struct long_text {
    struct value *value;
    size_t size; // bytes it takes in a document
};

struct shortening {
    struct record *record;
    struct fields *resource; // a copy of the record's, in the arena; NULL: none
    struct long_text *texts;
    size_t count;
    size_t bytes;    // of all texts
    size_t rest;     // what the document takes besides, at most
    size_t overhead; // of that, what is not the record's
};

// Measures the record, whose document has `overhead` bytes besides its own, at most; the record
// then refers to a copy of its resource in the arena. False where memory ran out: nothing changed.
bool shorten_start(struct shortening *shortening, struct record *record, struct arena *arena,
                   size_t overhead);
// Bytes of the document, at most.
size_t shorten_size(const struct shortening *shortening);
// Cuts the longest texts, between characters and between escapes, so that the document takes at
// most `size` bytes. Where names and short values alone take more, the last of
// them go. False: nothing is left that could go.
bool shorten_to(struct shortening *shortening, size_t size);

#endif
