// Which records of clients' streams were given up for good, until a receipt has told of them:
// ranges of sequences.
//
// Bounded: where there are too many, those of one stream become one wider range that holds records
// which were not given up; where streams are too many, the oldest is forgotten, and `unknown` says
// so. Nothing is ever left out silently. Loop thread only.
#ifndef SLUICE_SPOOL_REFUSALS_H
#define SLUICE_SPOOL_REFUSALS_H

#include "base/refused_range.h"

#include <stddef.h>
#include <stdint.h>

#define REFUSALS_MAX 1024u

struct refusal {
    uint8_t stream[8];
    struct refused_range range;
};

// Zeroed at the start.
struct refusals {
    struct refusal *rows; // heap, the oldest first; NULL until there is one
    uint32_t count;
    uint64_t unknown; // how often records were given up of which nobody can say whose
};

void refusals_deinit(struct refusals *refusals);
// first, count > 0.
void refusals_note(struct refusals *refusals, const uint8_t stream[8], uint64_t first,
                   uint64_t count);
// Moves what is noted of the stream, up to that sequence, into ranges, at most `most` of them. How
// many; `most`: there may be more.
size_t refusals_take(struct refusals *refusals, const uint8_t stream[8], uint64_t upto,
                     struct refused_range *ranges, size_t most);

#endif
