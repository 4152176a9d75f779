// A log's budget, admission, recycling, waiters and memory, with verdicts in and out of order.
#include "spool_fixture.h"

#include <errno.h>

#define MAX ((size_t)segment_payload_max(FIXTURE_SEGMENT))
#define HALF (MAX / 2 - 64) // two of them and the resend blob fill a segment

// In the order of offers; for tests where nothing was answered out of it.
static void answer_all(struct fixture *fixture, enum verdict_kind kind)
{
    while (fixture->fake.held > 0)
        fake_answer(&fixture->fake,
                    fixture->fake.taken[fixture->fake.taken_count - fixture->fake.held], kind, 0);
}

static void test_config_is_checked(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    struct spool_log *log = NULL;
    struct spool_config config = fixture_config(fixture, 1);
    assert_int_equal(spool_log_new(&log, &config), -EINVAL);
    config = fixture_config(fixture, 2);
    config.segment_size = FIXTURE_SEGMENT + 1;
    assert_int_equal(spool_log_new(&log, &config), -EINVAL);
    config.segment_size = (size_t)SPOOL_SEGMENT_MAX * 2;
    assert_int_equal(spool_log_new(&log, &config), -EINVAL);
    config = fixture_config(fixture, 2);
    config.level = SPOOL_NODE;
    assert_int_equal(spool_log_new(&log, &config), -EINVAL);
    config.level = SPOOL_MEMORY;
    fixture->fake.start_result = -ECONNREFUSED;
    assert_int_equal(spool_log_new(&log, &config), -ECONNREFUSED);
    assert_null(log);
    fixture_free(fixture);
}

static void test_idle_log_has_no_memory(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    assert_int_equal(fixture->log->live_count + fixture->log->free_count, 0);
    assert_true(spool_has_room(fixture->log, MAX));
    assert_true(spool_drained(fixture->log));
    assert_int_equal(fixture->book.held_bytes, 0);
    fixture_free(fixture);
}

static void test_too_large(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    struct spool_slot slot;
    assert_int_equal(spool_payload_max(fixture->log), MAX);
    assert_int_equal(spool_reserve(fixture->log, MAX + 1, &slot), SPOOL_TOO_LARGE);
    assert_int_equal(spool_reserve(fixture->log, SIZE_MAX, &slot), SPOOL_TOO_LARGE);
    assert_int_equal(fixture_append(fixture, MAX, 'x', 1), 0);
    fixture_turn(fixture);
    answer_all(fixture, VERDICT_DELIVERED);
    fixture_free(fixture);
}

static void test_abort_leaves_nothing(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    struct spool_slot slot;
    assert_int_equal(spool_reserve(fixture->log, 10, &slot), 0);
    spool_abort(fixture->log);
    spool_abort(fixture->log);
    assert_int_equal(fixture->book.routed, 0);
    assert_int_equal(fixture->book.held_bytes, 0);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.taken_count, 0);
    // A verdict that comes while a slot is out must not move the segment under the writer.
    assert_int_equal(fixture_append(fixture, 10, 'x', 1), 0);
    fixture_turn(fixture);
    assert_int_equal(spool_reserve(fixture->log, 10, &slot), 0);
    answer_all(fixture, VERDICT_DELIVERED);
    memset(slot.data, 'y', 10);
    struct spool_entry entry = {.records = 1};
    spool_commit(fixture->log, 10, &entry);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.last.payload.data[9], 'y');
    assert_int_equal(spool_reserve(fixture->log, 10, &slot), 0);
    answer_all(fixture, VERDICT_DELIVERED);
    spool_abort(fixture->log);
    assert_int_equal(fixture->log->live[0]->entries, 0);
    fixture_free(fixture);
}

static void test_budget_is_exact(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(3);
    struct spool_slot slot;
    for (unsigned i = 0; i < 3; i++) {
        assert_true(spool_has_room(fixture->log, MAX));
        assert_int_equal(fixture_append(fixture, MAX, 'x', 1), 0);
        assert_int_equal(fixture->book.held_bytes, (i + 1) * FIXTURE_SEGMENT);
    }
    assert_false(spool_has_room(fixture->log, 1));
    // What was admitted just before may still need one segment.
    assert_int_equal(fixture_append(fixture, HALF, 'x', 1), 0);
    assert_false(spool_has_room(fixture->log, 1)); // room in the slack is not for the next
    assert_int_equal(fixture_append(fixture, HALF, 'x', 1), 0);
    assert_int_equal(spool_reserve(fixture->log, 200, &slot), SPOOL_FULL);
    assert_int_equal(fixture->log->live_count + fixture->log->free_count, 4);
    spool_shed(fixture->log, 7);
    assert_int_equal(fixture->book.dropped[DROP_SHED], 7);
    assert_int_equal(fixture->book.routed, 5 + 7);
    fixture_turn(fixture);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    assert_false(spool_has_room(fixture->log, 200)); // back to three, all of them full
    fake_answer(&fixture->fake, 1, VERDICT_DELIVERED, 0);
    assert_true(spool_has_room(fixture->log, MAX));
    assert_int_equal(fixture->book.held_bytes, 2 * FIXTURE_SEGMENT);
    while (fixture->fake.held > 0)
        fake_answer(&fixture->fake, 5 - fixture->fake.held, VERDICT_DEAD, 0);
    assert_int_equal(fixture->book.dead, 3);
    assert_int_equal(fixture->book.held + fixture->book.held_bytes, 0);
    fixture_free(fixture);
}

// Told true, commits of that many bytes succeed: for every size of payload, at every fill.
static void test_room_told_is_room_kept(void **state)
{
    (void)state;
    static const size_t sizes[] = {256, 300, 999, 5000, 20000, 26000, 30000, 49000};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct fixture *fixture = fixture_new(5);
        assert_true(spool_has_room(fixture->log, spool_room_max(fixture->log)));
        assert_false(spool_has_room(fixture->log, 6 * MAX));
        for (size_t run = sizes[s]; spool_has_room(fixture->log, run); run += sizes[s] * 3)
            for (size_t done = 0; done < run; done += sizes[s])
                assert_int_equal(fixture_append(fixture, sizes[s], 'r', 1), 0);
        fixture_turn(fixture);
        answer_all(fixture, VERDICT_DELIVERED);
        assert_true(spool_has_room(fixture->log, spool_room_max(fixture->log)));
        fixture_free(fixture);
    }
}

static void test_recycled_in_any_order(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(8);
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(fixture_append(fixture, HALF, 'x', 1), 0);
    fixture_turn(fixture);
    assert_int_equal(fixture->log->live_count, 6);
    static const uint64_t order[] = {4, 5, 11, 0, 10, 2, 1, 3, 9, 6, 7, 8};
    static const uint32_t live[] = {6, 5, 5, 5, 5, 5, 4, 3, 3, 3, 2, 1};
    for (unsigned i = 0; i < 12; i++) {
        fake_answer(&fixture->fake, order[i], VERDICT_DELIVERED, 0);
        assert_int_equal(fixture->log->live_count, live[i]);
        assert_int_equal(books_exporter_gap(&fixture->book), 0);
        assert_int_equal(fixture->book.held, 11 - i);
    }
    assert_int_equal(fixture->log->live[0]->entries, 0);
    fixture_free(fixture);
}

static void test_generations_never_repeat(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    uint64_t before = 0;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(fixture_append(fixture, MAX, (int)i, 1), 0);
        const struct segment *active = fixture->log->live[fixture->log->live_count - 1];
        assert_true(active->identity.generation > before);
        assert_int_equal(active->identity.base_position, i);
        before = active->identity.generation;
        fixture_turn(fixture);
        if (i % 2)
            answer_all(fixture, VERDICT_DELIVERED);
    }
    assert_true(fixture->log->live_count + fixture->log->free_count <= 2);
    fixture_free(fixture);
}

// Sparse traffic stays on the same pages.
static void test_emptied_active_starts_anew(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    const char *data = NULL;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(fixture_append(fixture, 500, 'x', 3), 0);
        fixture_turn(fixture);
        assert_int_equal(fixture->fake.last.position, i);
        assert_true(!data || data == fixture->fake.last.payload.data);
        data = fixture->fake.last.payload.data;
        answer_all(fixture, VERDICT_DELIVERED);
    }
    assert_int_equal(fixture->log->live_count + fixture->log->free_count, 1);
    assert_int_equal(fixture->book.delivered, 3000);
    fixture_free(fixture);
}

static void test_memory_goes_back_when_traffic_stops(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(8);
    struct spool_log *log = fixture->log;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(fixture_append(fixture, MAX, 'x', 1), 0);
    fixture_turn(fixture);
    assert_false(log->trim.armed);
    answer_all(fixture, VERDICT_DELIVERED);
    assert_int_equal(log->free_count, 5);
    assert_true(log->trim.armed);
    log->trim_position = 0; // as if records had come since: the timer starts again
    loop_timer_stop(&log->trim);
    log->trim.expired(&log->trim);
    assert_true(log->trim.armed);
    assert_int_equal(log->free_count, 5);
    loop_timer_stop(&log->trim);
    log->trim.expired(&log->trim);
    assert_int_equal(log->live_count + log->free_count, 0);
    assert_false(log->trim.armed); // nothing wakes an idle agent
    assert_int_equal(fixture_append(fixture, MAX, 'x', 1), 0);
    log->trim.expired(&log->trim); // holds something: stays
    assert_int_equal(log->live_count, 1);
    fixture_turn(fixture);
    answer_all(fixture, VERDICT_DELIVERED);
    fixture_free(fixture);
}

struct door {
    struct room_waiter waiter; // first
    struct fixture *fixture;
    struct door *cancels;
    unsigned called;
    bool again;
};

static void door_room(struct room_waiter *waiter)
{
    struct door *door = (struct door *)waiter;
    door->called++;
    assert_false(waiter->waiting);
    if (door->again)
        spool_wait(door->fixture->log, waiter);
    if (door->cancels)
        spool_wait_cancel(door->fixture->log, &door->cancels->waiter);
}

static void test_waiters(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    struct door doors[4] = {0};
    for (unsigned i = 0; i < 4; i++)
        doors[i] = (struct door){.waiter.room = door_room, .fixture = fixture};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(fixture_append(fixture, MAX, 'x', 1), 0);
    assert_false(spool_has_room(fixture->log, 1));
    for (unsigned i = 0; i < 4; i++)
        spool_wait(fixture->log, &doors[i].waiter);
    spool_wait(fixture->log, &doors[3].waiter); // twice is once
    doors[0].again = true;
    doors[1].cancels = &doors[3];
    spool_wait_cancel(fixture->log, &doors[2].waiter);
    spool_wait_cancel(fixture->log, &doors[2].waiter);
    fixture_turn(fixture);
    assert_int_equal(doors[0].called, 0);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    assert_int_equal(doors[0].called, 0); // from the loop, never from inside a verdict
    fixture_turn(fixture);
    assert_int_equal(doors[0].called, 1);
    assert_int_equal(doors[1].called, 1);
    assert_int_equal(doors[2].called, 0);
    assert_int_equal(doors[3].called, 0);
    assert_false(doors[3].waiter.waiting);
    doors[0].again = false;
    fixture_turn(fixture);
    assert_int_equal(doors[0].called, 1); // once for each segment freed
    fake_answer(&fixture->fake, 1, VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    assert_int_equal(doors[0].called, 2);
    fixture_free(fixture);
}

static void count_call(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void test_drain(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    unsigned drained = 0;
    assert_int_equal(fixture_append(fixture, 100, 'x', 1), 0);
    assert_int_equal(fixture_append(fixture, 100, 'x', 1), 0);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.drain_flushes, 0);
    assert_int_equal(fixture->fake.flushes, 1);
    spool_drain(fixture->log, count_call, &drained);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.drain_flushes, 1);
    fake_answer(&fixture->fake, 1, VERDICT_DEAD, 0);
    fixture_turn(fixture);
    assert_false(spool_drained(fixture->log));
    assert_int_equal(drained, 0);
    fake_answer(&fixture->fake, 0, VERDICT_RETURNED, 0);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.held, 1); // offered again, and flushed
    assert_int_equal(fixture->fake.drain_flushes, 2);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    assert_true(spool_drained(fixture->log));
    fixture_turn(fixture);
    fixture_turn(fixture);
    assert_int_equal(drained, 1);
    spool_drain(fixture->log, count_call, &drained); // empty: said at once
    fixture_turn(fixture);
    assert_int_equal(drained, 2);
    fixture_free(fixture);
}

// Other reasons to wake must not pass for the end, nor the end be told twice.
static void test_drained_is_said_once_and_in_time(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    unsigned drained = 0;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(fixture_append(fixture, MAX, 'x', 1), 0);
    fixture_turn(fixture);
    struct door door = {.waiter.room = door_room, .fixture = fixture};
    spool_wait(fixture->log, &door.waiter);
    spool_drain(fixture->log, count_call, &drained);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    assert_int_equal(door.called, 1);
    assert_int_equal(drained, 0);
    fake_answer(&fixture->fake, 1, VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    assert_int_equal(drained, 1);
    assert_int_equal(fixture_append(fixture, 10, 'x', 1), 0);
    fixture_turn(fixture);
    spool_wait(fixture->log, &door.waiter);
    fake_answer(&fixture->fake, 2, VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    assert_int_equal(door.called, 2);
    assert_int_equal(drained, 1);
    spool_drain(fixture->log, NULL, NULL);
    fixture_turn(fixture);
    fixture_free(fixture);
}

static void test_when_full_is_kept(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    struct spool_config config = fixture_config(fixture, 2);
    config.when_full = SPOOL_WHEN_FULL_SHED;
    struct spool_log *log = NULL;
    assert_int_equal(spool_log_new(&log, &config), 0);
    assert_int_equal(spool_when_full(log), SPOOL_WHEN_FULL_SHED);
    assert_int_equal(spool_when_full(fixture->log), SPOOL_WHEN_FULL_AUTO);
    spool_log_free(log);
    spool_log_free(NULL);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_is_checked),
        cmocka_unit_test(test_idle_log_has_no_memory),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_abort_leaves_nothing),
        cmocka_unit_test(test_budget_is_exact),
        cmocka_unit_test(test_room_told_is_room_kept),
        cmocka_unit_test(test_recycled_in_any_order),
        cmocka_unit_test(test_generations_never_repeat),
        cmocka_unit_test(test_emptied_active_starts_anew),
        cmocka_unit_test(test_memory_goes_back_when_traffic_stops),
        cmocka_unit_test(test_waiters),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drained_is_said_once_and_in_time),
        cmocka_unit_test(test_when_full_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
