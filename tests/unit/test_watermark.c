// What a log refuses as it fills up.
#include "spool_fixture.h"

#include "spool/watermark.h"

#include <errno.h>

#define MAX ((size_t)spool_payload_max(fixture->log))

static void fill(struct fixture *fixture, unsigned segments)
{
    for (unsigned i = 0; i < segments; i++)
        assert_int_equal(fixture_append(fixture, MAX, 'x', 1), 0);
}

static void give_back(struct fixture *fixture)
{
    fixture_turn(fixture);
    for (uint64_t n = fixture->fake.held; n > 0; n--)
        fake_answer(&fixture->fake, fixture->log->position - n, VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    fixture_free(fixture);
}

static void assert_above(const struct fixture *fixture, bool low, bool normal)
{
    assert_int_equal(spool_is_above(fixture->log, URGENCY_LOW), low);
    assert_int_equal(spool_is_above(fixture->log, URGENCY_NORMAL), normal);
    assert_false(spool_is_above(fixture->log, URGENCY_HIGH));
}

static void test_the_watermarks(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(10);
    assert_above(fixture, false, false);
    fill(fixture, 7);
    assert_above(fixture, false, false); // 70 %
    assert_int_equal(fixture_append(fixture, MAX / 10, 'x', 1), 0);
    assert_above(fixture, true, false); // 71 %
    fill(fixture, 1);                   // closes the segment
    assert_above(fixture, true, true);  // 90 %
    fixture_turn(fixture);
    assert_false(fixture->log->told_full);
    spool_refuse_level(fixture->log, 1);
    assert_true(fixture->log->told_full);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    assert_above(fixture, true, false); // 80 %
    assert_true(fixture->log->told_full);
    fake_answer(&fixture->fake, 1, VERDICT_DELIVERED, 0);
    assert_above(fixture, false, false);
    assert_false(fixture->log->told_full);
    for (uint64_t position = 2; position < 9; position++)
        fake_answer(&fixture->fake, position, VERDICT_DELIVERED, 0);
    fixture_free(fixture);
}

// Of records too small to fill a segment's payload the index is full first.
static void test_small_records_count_by_their_index(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(2);
    const unsigned capacity = segment_capacity(FIXTURE_SEGMENT);
    unsigned count = 0;
    for (; !spool_is_above(fixture->log, URGENCY_LOW); count++)
        assert_int_equal(fixture_append(fixture, 10, 'x', 1), 0);
    assert_in_range(count, capacity * 139 / 100, capacity * 142 / 100);
    give_back(fixture);
}

static void test_what_sheds_keeps_a_sample_of_info(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(20);
    assert_true(spool_keeps(fixture->log, URGENCY_LOW));
    fill(fixture, 15);
    assert_false(spool_keeps(fixture->log, URGENCY_LOW));
    for (unsigned i = 0; i < 30; i++)
        assert_true(spool_keeps(fixture->log, URGENCY_NORMAL));
    fill(fixture, 3); // 90 %
    unsigned kept = 0;
    for (unsigned i = 0; i < 30; i++) {
        kept += spool_keeps(fixture->log, URGENCY_NORMAL);
        assert_false(spool_keeps(fixture->log, URGENCY_LOW)); // does not count as one of ten
        assert_true(spool_keeps(fixture->log, URGENCY_HIGH));
    }
    assert_int_equal(kept, 3);
    fill(fixture, 2); // the rest is not for info at all
    for (unsigned i = 0; i < 30; i++)
        assert_false(spool_keeps(fixture->log, URGENCY_NORMAL));
    assert_true(spool_keeps(fixture->log, URGENCY_HIGH));
    spool_refuse_level(fixture->log, 5);
    assert_int_equal(fixture->book.dropped[DROP_LEVEL], 5);
    give_back(fixture);
}

// A log that gets no further segment is as large as what it has.
static void test_a_log_in_trouble_is_small(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(10);
    assert_int_equal(fixture_append(fixture, MAX / 2, 'x', 1), 0);
    fixture->log->trouble = -ENOSPC;
    assert_above(fixture, false, false);
    assert_int_equal(fixture_append(fixture, MAX / 4, 'x', 1), 0);
    assert_above(fixture, true, false);
    assert_int_equal(fixture_append(fixture, MAX / 8, 'x', 1), 0);
    assert_above(fixture, true, true);
    fixture->log->trouble = 0;
    assert_above(fixture, false, false);
    give_back(fixture);
}

struct counted_waiter {
    struct room_waiter waiter; // first
    unsigned called;
};

static void room(struct room_waiter *waiter)
{
    ((struct counted_waiter *)waiter)->called++;
}

static void test_who_watches_pauses_nobody(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    struct counted_waiter waiter = {.waiter.room = room};
    fill(fixture, 2);
    spool_watch(fixture->log, &waiter.waiter);
    spool_watch(fixture->log, &waiter.waiter);
    fixture_turn(fixture);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    assert_int_equal(waiter.called, 1);
    assert_int_equal(fixture->book.blocked, 0);
    spool_watch(fixture->log, &waiter.waiter);
    spool_wait_cancel(fixture->log, &waiter.waiter);
    give_back(fixture);
    assert_int_equal(waiter.called, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_watermarks),
        cmocka_unit_test(test_small_records_count_by_their_index),
        cmocka_unit_test(test_what_sheds_keeps_a_sample_of_info),
        cmocka_unit_test(test_a_log_in_trouble_is_small),
        cmocka_unit_test(test_who_watches_pauses_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
