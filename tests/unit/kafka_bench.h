// A spool in small: offers its parcels to the exporter and holds it to one verdict for each offer.
#ifndef SLUICE_TESTS_KAFKA_BENCH_H
#define SLUICE_TESTS_KAFKA_BENCH_H

#include "base/clock.h"
#include "base/loop.h"
#include "deliver/exporter.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define TOPIC "logs"
#define PARCELS 400
#define GUARD_NS (40 * NS_PER_S) // a hang fails the test instead of the suite
#define API_PRODUCE 0

enum fate { WAITING, OFFERED, DELIVERED, DEAD };

struct bench {
    rd_kafka_t *mock_client;
    rd_kafka_mock_cluster_t *cluster;
    struct loop *loop;
    struct loop_timer guard, poll;
    struct exporter *exporter;
    struct exporter_book book;
    char *payloads[PARCELS];
    char *offered[PARCELS]; // what the exporter points into: a copy that ends with its verdict
    enum fate fates[PARCELS];
    unsigned final, returned, in_flight, most_in_flight, dead;
    unsigned room_told; // verdict calls without a verdict
    size_t bytes_in_flight, most_bytes_in_flight;
    const char *dead_reason;
    bool with_headers, full_seen, guarded;
    const char *topic;            // of each parcel; NULL: the exporter's
    bool (*done)(struct bench *); // run_until
};

static inline struct parcel parcel_of(struct bench *bench, unsigned i)
{
    struct parcel parcel = {.position = i, .payload = slice_from(bench->offered[i]), .records = 1};
    // The position stands in the document: …{"n":123,…; its digits are the key.
    const char *digits = bench->payloads[i] + 5;
    parcel.key = slice_of(digits, strcspn(digits, ","));
    if (bench->with_headers)
        parcel.headers = slice_of("\4\0kind\3\0\0\0log\5\0empty\0\0\0\0", 24);
    if (bench->topic)
        parcel.topic = slice_from(bench->topic);
    return parcel;
}

// What a spool does: offers what waits, oldest first, until the exporter is full.
static inline void pump(struct bench *bench)
{
    for (unsigned i = 0; i < PARCELS; i++) {
        if (bench->fates[i] != WAITING)
            continue;
        bench->offered[i] = strdup(bench->payloads[i]);
        struct parcel parcel = parcel_of(bench, i);
        int r = bench->exporter->ops->offer(bench->exporter, &parcel);
        assert_true(r == 0 || r == EXPORTER_FULL);
        if (r == EXPORTER_FULL) {
            bench->full_seen = true;
            free(bench->offered[i]);
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
        free(bench->offered[verdict->position]);                    // a segment is reused now
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
