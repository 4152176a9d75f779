// Neighbours in a client's stream that were given up for good.
#ifndef SLUICE_BASE_REFUSED_RANGE_H
#define SLUICE_BASE_REFUSED_RANGE_H

#include <stdint.h>

struct refused_range {
    uint64_t first; // sequence
    uint64_t count; // at least 1
};

#endif
