// The kernel's clocks behind struct clock.
#include "base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t system_realtime(struct clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_REALTIME);
}

static uint64_t system_monotonic(struct clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_MONOTONIC);
}

struct clock *clock_system(void)
{
    static struct clock system = {system_realtime, system_monotonic};
    return &system;
}
