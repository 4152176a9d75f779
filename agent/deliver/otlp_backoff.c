// How long to wait before the next attempt.
#include "deliver/otlp_backoff.h"

#include <sys/random.h>

#define COMPLAIN_EVERY_NS (10 * NS_PER_S)

void otlp_jitter_init(struct otlp_jitter *jitter)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed)
        seed = clock_realtime(clock_system());
    jitter->state = seed ? seed : 1;
}

// xorshift64: spread, not secrecy, is what is wanted.
uint64_t otlp_jitter_between(struct otlp_jitter *jitter, uint64_t low, uint64_t high)
{
    jitter->state ^= jitter->state << 13;
    jitter->state ^= jitter->state >> 7;
    jitter->state ^= jitter->state << 17;
    return low + jitter->state % (high - low + 1);
}

uint64_t otlp_backoff(struct otlp_jitter *jitter, unsigned failures)
{
    uint64_t delay = OTLP_BACKOFF_MAX_NS;
    if (failures <= 9) // 2^8 × 100 ms is the last below 30 s
        delay = OTLP_BACKOFF_FIRST_NS << (failures > 0 ? failures - 1 : 0);
    if (delay > OTLP_BACKOFF_MAX_NS)
        delay = OTLP_BACKOFF_MAX_NS;
    return otlp_jitter_between(jitter, delay / 2, delay);
}

bool otlp_complaint_due(struct otlp_complaint *complaint, struct clock *clock)
{
    uint64_t now = clock_monotonic(clock);
    if (now < complaint->quiet_until_ns)
        return false;
    complaint->quiet_until_ns = now + COMPLAIN_EVERY_NS;
    return true;
}
