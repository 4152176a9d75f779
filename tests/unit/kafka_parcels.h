// What the Kafka tests offer: numbered documents, each a copy of its own or all of them neighbours.
#ifndef SLUICE_TESTS_KAFKA_PARCELS_H
#define SLUICE_TESTS_KAFKA_PARCELS_H

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
    char *segment;          // mode `lines`: the copies lie here, one after the other; else NULL
    size_t lines_bytes;
    uint64_t max_delay_ns;
    unsigned key_every; // mode `lines`: so many parcels have one key; 0: none has a key
    unsigned gap_after; // mode `lines`: no neighbour of the next; 0: none
    unsigned stop_at;   // the pump offers no parcel from this one on; 0: all
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
    struct parcel parcel = {.position = i, .records = 1};
    parcel.payload = slice_of(bench->offered[i], strlen(bench->payloads[i]));
    // The position stands in the document: …{"n":123,…; its digits are the key.
    const char *digits = bench->payloads[i] + 5;
    if (bench->segment && bench->key_every)
        digits = bench->payloads[i - i % bench->key_every] + 5;
    if (!bench->segment || bench->key_every)
        parcel.key = slice_of(digits, strcspn(digits, ","));
    if (bench->with_headers)
        parcel.headers = slice_of("\4\0kind\3\0\0\0log\5\0empty\0\0\0\0", 24);
    if (bench->topic)
        parcel.topic = slice_from(bench->topic);
    return parcel;
}

static inline char *offered_copy(struct bench *bench, unsigned i)
{
    if (!bench->segment)
        return strdup(bench->payloads[i]);
    char *at = bench->segment;
    for (unsigned k = 0; k < i; k++)
        at += strlen(bench->payloads[k]);
    at += bench->gap_after && i > bench->gap_after;
    return memcpy(at, bench->payloads[i], strlen(bench->payloads[i]));
}

// Whoever looks at it later must see that it is gone.
static inline void offered_ends(struct bench *bench, unsigned i)
{
    if (bench->segment)
        memset(bench->offered[i], '#', strlen(bench->payloads[i]));
    else
        free(bench->offered[i]);
}

#endif
