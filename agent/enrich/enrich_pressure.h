// How full the logs of some signals are, for who slows its writers down by it.
//
// Loop thread only. signals: a bit for each enum signal_kind.
#ifndef SLUICE_ENRICH_ENRICH_PRESSURE_H
#define SLUICE_ENRICH_ENRICH_PRESSURE_H

struct enrich;
struct room_waiter;

// The watermarks that the fullest of them has passed, as spool_pressure counts them.
unsigned enrich_pressure(const struct enrich *enrich, unsigned signals);
// Calls the waiter (from the loop, once) when the fullest of them has freed a segment. Nobody
// counts as blocked meanwhile. cancel is safe where nothing waits.
void enrich_pressure_watch(const struct enrich *enrich, unsigned signals,
                           struct room_waiter *waiter);
void enrich_pressure_watch_cancel(const struct enrich *enrich, struct room_waiter *waiter);

#endif
