// A spool in small: offers its parcels to the exporter and holds it to one verdict for each offer.
#ifndef SLUICE_TESTS_KAFKA_BENCH_H
#define SLUICE_TESTS_KAFKA_BENCH_H

#include "kafka_parcels.h"

// What a spool does: offers what waits, oldest first, until the exporter is full.
static inline void pump(struct bench *bench)
{
    for (unsigned i = 0; i < (bench->stop_at ? bench->stop_at : PARCELS); i++) {
        if (bench->fates[i] != WAITING)
            continue;
        bench->offered[i] = offered_copy(bench, i);
        struct parcel parcel = parcel_of(bench, i);
        int r = bench->exporter->ops->offer(bench->exporter, &parcel);
        assert_true(r == 0 || r == EXPORTER_FULL);
        if (r == EXPORTER_FULL) {
            bench->full_seen = true;
            offered_ends(bench, i);
            return;
        }
        bench->fates[i] = OFFERED;
        bench->bytes_in_flight += parcel.payload.size - 1;
        if (++bench->in_flight > bench->most_in_flight)
            bench->most_in_flight = bench->in_flight;
        if (bench->bytes_in_flight > bench->most_bytes_in_flight)
            bench->most_bytes_in_flight = bench->bytes_in_flight;
    }
}

static inline void on_verdicts(void *ctx, const struct verdict *verdicts, size_t n)
{
    struct bench *bench = ctx;
    bench->room_told += n == 0;
    for (size_t i = 0; i < n; i++) {
        const struct verdict *verdict = &verdicts[i];
        assert_true(verdict->position < PARCELS);
        assert_int_equal(bench->fates[verdict->position], OFFERED); // each offer answered once
        offered_ends(bench, (unsigned)verdict->position);           // a segment is reused now
        bench->in_flight--;
        bench->bytes_in_flight -= strlen(bench->payloads[verdict->position]) - 1;
        if (verdict->kind == VERDICT_RETURNED) {
            bench->fates[verdict->position] = WAITING;
            bench->returned++;
            continue;
        }
        bench->final++;
        bench->fates[verdict->position] = verdict->kind == VERDICT_DEAD ? DEAD : DELIVERED;
        if (verdict->kind == VERDICT_DEAD) {
            bench->dead++;
            bench->dead_reason = verdict->reason;
        }
    }
    pump(bench);
    if (bench->done && bench->done(bench))
        loop_stop(bench->loop);
}

static inline bool all_final(struct bench *bench)
{
    return bench->final == PARCELS;
}

#endif
