// Time as a parameter: every room asks the clock it was given, so that tests can drive time.
#ifndef SLUICE_BASE_CLOCK_H
#define SLUICE_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL

struct clock {
    uint64_t (*realtime)(struct clock *);  // nanoseconds since 1970-01-01T00:00:00Z
    uint64_t (*monotonic)(struct clock *); // nanoseconds, never goes back
};

// The kernel's clocks. Static storage; any thread.
struct clock *clock_system(void);

static inline uint64_t clock_realtime(struct clock *clock)
{
    return clock->realtime(clock);
}

static inline uint64_t clock_monotonic(struct clock *clock)
{
    return clock->monotonic(clock);
}

#endif
