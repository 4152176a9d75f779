// The fullest log of some signals.
#include "enrich/enrich_pressure.h"

#include "base/room_waiter.h"
#include "enrich/enrich_room.h"
#include "spool/watermark.h"

// NULL: none of the signals is routed.
static struct spool_log *fullest(const struct enrich *enrich, unsigned signals, unsigned *pressure)
{
    struct spool_log *log = NULL;
    *pressure = 0;
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
        size_t count = signals >> signal & 1 ? enrich->target_count[signal] : 0;
        for (size_t i = 0; i < count; i++) {
            unsigned its = spool_pressure(enrich->targets[signal][i].log);
            if (log && its <= *pressure)
                continue;
            log = enrich->targets[signal][i].log;
            *pressure = its;
        }
    }
    return log;
}

unsigned enrich_pressure(const struct enrich *enrich, unsigned signals)
{
    unsigned pressure;
    fullest(enrich, signals, &pressure);
    return pressure;
}

void enrich_pressure_watch(const struct enrich *enrich, unsigned signals,
                           struct room_waiter *waiter)
{
    unsigned pressure;
    struct spool_log *log = fullest(enrich, signals, &pressure);
    if (log)
        spool_watch(log, waiter);
}

void enrich_pressure_watch_cancel(const struct enrich *enrich, struct room_waiter *waiter)
{
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
        for (size_t i = 0; waiter->waiting && i < enrich->target_count[signal]; i++)
            spool_wait_cancel(enrich->targets[signal][i].log, waiter);
    }
}
