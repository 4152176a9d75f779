// The name that a mistyped one was probably meant to be.
#ifndef SLUICE_BASE_NEAREST_NAME_H
#define SLUICE_BASE_NEAREST_NAME_H

#include <stddef.h>

// Offer every candidate, then read best; NULL where none is near enough to be worth a guess.
struct nearest_name {
    const char *wanted;
    char best[128]; // "": none yet
    unsigned distance;
};

void nearest_name_init(struct nearest_name *nearest, const char *wanted);
void nearest_name_offer(struct nearest_name *nearest, const char *candidate);
// " (did you mean …)" is up to the caller. NULL: no candidate is near.
const char *nearest_name_best(const struct nearest_name *nearest);

#endif
