// Numbers that repeat with their seed: splitmix64.
#ifndef SLUICE_TESTS_RANDOM_H
#define SLUICE_TESTS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = (random->state += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline uint64_t random_below(struct random *random, uint64_t below)
{
    return random_next(random) % below;
}

static inline bool one_in(struct random *random, uint64_t many)
{
    return random_below(random, many) == 0;
}

// Small ones often, large ones now and then.
static inline uint64_t random_skewed(struct random *random, uint64_t below)
{
    return random_below(random, random_below(random, random_below(random, below) + 1) + 1);
}

#endif
