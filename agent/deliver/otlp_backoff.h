// Jittered exponential back-off, and complaints that do not flood the log.
//
// Loop thread only.
#ifndef SLUICE_DELIVER_OTLP_BACKOFF_H
#define SLUICE_DELIVER_OTLP_BACKOFF_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define OTLP_BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define OTLP_BACKOFF_MAX_NS (30 * NS_PER_S)

// Of a fleet that lost one collector, no two agents should come back together.
struct otlp_jitter {
    uint64_t state; // never 0
};
void otlp_jitter_init(struct otlp_jitter *jitter);
// Uniform in [low, high].
uint64_t otlp_jitter_between(struct otlp_jitter *jitter, uint64_t low, uint64_t high);

// Nanoseconds to wait after that many failures in a row (at least 1): 100 ms doubled up to 30 s, of
// which half is random.
uint64_t otlp_backoff(struct otlp_jitter *jitter, unsigned failures);

// One line in ten seconds for each kind of trouble.
struct otlp_complaint {
    uint64_t quiet_until_ns; // monotonic
};
bool otlp_complaint_due(struct otlp_complaint *complaint, struct clock *clock);

#endif
