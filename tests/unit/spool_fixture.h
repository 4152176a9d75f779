// A spool log on a loop of its own with an exporter that takes what it is told to and answers when
// it is told to.
#ifndef SLUICE_TESTS_SPOOL_FIXTURE_H
#define SLUICE_TESTS_SPOOL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "spool/segment_image.h"
#include "spool/spool_log.h"

#include <event2/event.h>
#include <stdlib.h>

#define FIXTURE_SEGMENT ((size_t)SPOOL_SEGMENT_MIN)
#define TAKEN_MAX 65536

struct fake_exporter {
    struct exporter exporter; // first
    struct verdict_sink sink;
    size_t window;             // parcels it holds at most
    size_t held;               // offered and without a verdict
    uint64_t taken[TAKEN_MAX]; // positions in the order of offers, returned ones again
    size_t taken_count;
    struct parcel last;
    unsigned refused, flushes, drain_flushes;
    int start_result;
    // Called before an offer is taken; may answer it (and then takes care of held).
    void (*on_offer)(struct fake_exporter *fake, const struct parcel *parcel);
    void (*on_full)(struct fake_exporter *fake);
    void (*on_flush)(struct fake_exporter *fake);
    void *ctx;
};

struct fixture {
    struct loop *loop;
    struct exporter_book book;
    struct fake_exporter fake;
    struct spool_log *log;
};

static inline int fake_start(struct exporter *exporter, struct verdict_sink sink)
{
    struct fake_exporter *fake = (struct fake_exporter *)exporter;
    fake->sink = sink;
    return fake->start_result;
}

static inline int fake_offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct fake_exporter *fake = (struct fake_exporter *)exporter;
    if (fake->held >= fake->window) {
        fake->refused++;
        if (fake->on_full)
            fake->on_full(fake);
        return EXPORTER_FULL;
    }
    assert_true(fake->taken_count < TAKEN_MAX);
    fake->taken[fake->taken_count++] = parcel->position;
    fake->last = *parcel;
    fake->held++;
    if (fake->on_offer)
        fake->on_offer(fake, parcel);
    return 0;
}

static inline void fake_flush(struct exporter *exporter, bool draining)
{
    struct fake_exporter *fake = (struct fake_exporter *)exporter;
    fake->flushes++;
    fake->drain_flushes += draining;
    if (fake->on_flush)
        fake->on_flush(fake);
}

static inline void fake_answer(struct fake_exporter *fake, uint64_t position,
                               enum verdict_kind kind, uint32_t refused)
{
    struct verdict verdict = {.position = position, .kind = kind, .refused = refused};
    assert_true(fake->held > 0);
    fake->held--;
    fake->sink.verdict(fake->sink.ctx, &verdict, 1);
}

static inline struct spool_config fixture_config(struct fixture *fixture, uint64_t segments)
{
    return (struct spool_config){
        .name = "fake",
        .level = SPOOL_MEMORY,
        .segment_size = FIXTURE_SEGMENT,
        .max_bytes = segments * FIXTURE_SEGMENT,
        .loop = fixture->loop,
        .clock = clock_system(),
        .exporter = &fixture->fake.exporter,
        .book = &fixture->book,
    };
}

static inline struct fixture *fixture_new(uint64_t segments)
{
    static const struct exporter_ops ops = {
        .type = "fake", .start = fake_start, .offer = fake_offer, .flush = fake_flush};
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_int_equal(loop_new(&fixture->loop), 0);
    fixture->fake.exporter.ops = &ops;
    fixture->fake.window = SIZE_MAX;
    struct spool_config config = fixture_config(fixture, segments);
    assert_int_equal(spool_log_new(&fixture->log, &config), 0);
    return fixture;
}

static inline void fixture_free(struct fixture *fixture)
{
    assert_int_equal(books_exporter_gap(&fixture->book), 0);
    spool_log_free(fixture->log);
    loop_free(fixture->loop);
    free(fixture);
}

// What is ready now, and what that defers; never waits.
static inline void fixture_turn(struct fixture *fixture)
{
    do
        event_base_loop(loop_event_base(fixture->loop), EVLOOP_NONBLOCK);
    while (fixture->log->resume.armed || fixture->log->pump.queued);
    assert_int_equal(books_exporter_gap(&fixture->book), 0);
}

// One payload of size bytes, all of them `fill`, of so many records. What spool_reserve says.
static inline int fixture_append(struct fixture *fixture, size_t size, int fill, uint32_t records)
{
    struct spool_slot slot = {NULL, 0};
    int r = spool_reserve(fixture->log, size, &slot);
    if (r != 0)
        return r;
    assert_true(slot.capacity >= size);
    memset(slot.data, fill, size);
    struct spool_entry entry = {.records = records, .resend.topic = SLICE("logs")};
    spool_commit(fixture->log, size, &entry);
    assert_int_equal(books_exporter_gap(&fixture->book), 0);
    return 0;
}

#endif
