// A spool log on a loop of its own, with a fake exporter.
#ifndef SLUICE_TESTS_SPOOL_FIXTURE_H
#define SLUICE_TESTS_SPOOL_FIXTURE_H

#include "fake_exporter.h"

#include "base/clock.h"
#include "spool/segment_image.h"
#include "spool/spool_log.h"

#include <event2/event.h>
#include <stdlib.h>

#define FIXTURE_SEGMENT ((size_t)SPOOL_SEGMENT_MIN)
struct fixture {
    struct loop *loop;
    struct exporter_book book;
    struct fake_exporter fake;
    struct spool_log *log;
};

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
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_int_equal(loop_new(&fixture->loop), 0);
    fixture->fake.exporter.ops = &fake_exporter_ops;
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
