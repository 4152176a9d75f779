// What the exporter is offered, in which order, how often, and what its verdicts do, also from
// inside.
#include "deliver/dead_letters.h"
#include "spool_fixture.h"

#include <unistd.h>

static void append_many(struct fixture *fixture, unsigned n, size_t size, uint32_t records)
{
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(fixture_append(fixture, size, 'a' + (int)(i % 26), records), 0);
}

static void taken_are(const struct fake_exporter *fake, const uint64_t *expected, size_t n)
{
    assert_int_equal(fake->taken_count, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(fake->taken[i], expected[i]);
}

static void test_offered_in_order_at_the_end_of_the_turn(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    append_many(fixture, 3, 10, 2);
    assert_int_equal(fixture->fake.taken_count, 0);
    assert_int_equal(fixture->book.routed, 6);
    assert_int_equal(fixture->book.held, 6);
    fixture_turn(fixture);
    taken_are(&fixture->fake, (uint64_t[]){0, 1, 2}, 3);
    assert_int_equal(fixture->fake.flushes, 1);
    assert_memory_equal(fixture->fake.last.payload.data, "cccccccccc", 10);
    assert_int_equal(fixture->fake.last.records, 2);
    assert_true(slice_equal(fixture->fake.last.topic, SLICE("logs")));
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.taken_count, 3);
    assert_int_equal(fixture->fake.flushes, 1);
    for (uint64_t i = 0; i < 3; i++)
        fake_answer(&fixture->fake, i, VERDICT_DELIVERED, 0);
    fixture_free(fixture);
}

static void test_books_of_each_verdict(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    append_many(fixture, 4, 10, 10);
    fixture_turn(fixture);
    fake_answer(&fixture->fake, 3, VERDICT_DELIVERED, 0);
    assert_int_equal(fixture->book.delivered, 10);
    assert_int_equal(fixture->book.held, 30);
    fake_answer(&fixture->fake, 1, VERDICT_DELIVERED, 4);
    assert_int_equal(fixture->book.delivered, 16);
    assert_int_equal(fixture->book.dropped[DROP_REFUSED], 4);
    assert_int_equal(fixture->book.held, 20);
    fake_answer(&fixture->fake, 2, VERDICT_DEAD, 0);
    assert_int_equal(fixture->book.dead, 10);
    assert_int_equal(fixture->book.dead_letters_lost, 10); // no file is set
    fake_answer(&fixture->fake, 0, VERDICT_RETURNED, 0);
    assert_int_equal(fixture->book.held, 10);
    assert_int_equal(books_exporter_gap(&fixture->book), 0);
    fixture_turn(fixture);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 10);
    assert_int_equal(fixture->book.held, 0);
    assert_int_equal(fixture->book.dropped[DROP_REFUSED], 14);
    fixture_free(fixture);
}

// The payload is written while the segment still holds it, whatever the log does next.
static void test_the_dead_are_kept(void **state)
{
    (void)state;
    char path[] = "/tmp/sluice-dead-XXXXXX", text[1024] = "";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    struct fixture *fixture = fixture_new(4);
    assert_int_equal(dead_letters_new(&fixture->log->dead_letters, path, 1 << 20, clock_system()),
                     0);
    append_many(fixture, 2, 6, 3);
    fixture_turn(fixture);
    struct verdict dead = {.position = 1, .kind = VERDICT_DEAD, .reason = "policy_violation"};
    fixture->fake.held--;
    fixture->fake.sink.verdict(fixture->fake.sink.ctx, &dead, 1);
    assert_int_equal(fixture->book.dead_letters, 3);
    assert_int_equal(fixture->book.dead_letters_lost, 0);
    assert_int_equal(fixture->book.dead, 3);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "\"exporter\":\"fake\",\"reason\":\"policy_violation\""));
    assert_non_null(strstr(text, "\"topic\":\"logs\",\"otlp_base64\":\"YmJiYmJi\"}\n"));
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    dead_letters_free(fixture->log->dead_letters);
    fixture_free(fixture);
    close(fd);
    unlink(path);
}

static void test_window_full_then_room(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    fixture->fake.window = 2;
    append_many(fixture, 5, 10, 1);
    fixture_turn(fixture);
    taken_are(&fixture->fake, (uint64_t[]){0, 1}, 2);
    assert_int_equal(fixture->fake.refused, 1);
    assert_int_equal(fixture->fake.flushes, 1);
    fake_answer(&fixture->fake, 1, VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    taken_are(&fixture->fake, (uint64_t[]){0, 1, 2}, 3);
    unsigned flushes = fixture->fake.flushes;
    fixture->fake.sink.verdict(fixture->fake.sink.ctx, NULL, 0);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.flushes, flushes); // nothing was taken, nothing to flush
    fixture->fake.window = 4;
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.taken_count, 3); // nobody said that there is room
    fixture->fake.sink.verdict(fixture->fake.sink.ctx, NULL, 0);
    fixture_turn(fixture);
    taken_are(&fixture->fake, (uint64_t[]){0, 1, 2, 3, 4}, 5);
    static const uint64_t rest[] = {0, 2, 3, 4};
    for (size_t i = 0; i < 4; i++)
        fake_answer(&fixture->fake, rest[i], VERDICT_DELIVERED, 0);
    fixture_free(fixture);
}

static void test_returned_go_before_newer_ones(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    fixture->fake.window = 3;
    append_many(fixture, 6, 20000, 1); // two in a segment
    fixture_turn(fixture);
    fake_answer(&fixture->fake, 2, VERDICT_RETURNED, 0);
    fake_answer(&fixture->fake, 0, VERDICT_RETURNED, 0);
    fixture_turn(fixture);
    taken_are(&fixture->fake, (uint64_t[]){0, 1, 2, 0, 2}, 5);
    static const uint64_t order[] = {1, 2, 0};
    for (size_t i = 0; i < 3; i++)
        fake_answer(&fixture->fake, order[i], VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    taken_are(&fixture->fake, (uint64_t[]){0, 1, 2, 0, 2, 3, 4, 5}, 8);
    for (uint64_t i = 3; i < 6; i++)
        fake_answer(&fixture->fake, i, VERDICT_DELIVERED, 0);
    fixture_free(fixture);
}

static void deliver_at_once(struct fake_exporter *fake, const struct parcel *parcel)
{
    fake_answer(fake, parcel->position, VERDICT_DELIVERED, 0);
}

static void test_verdict_from_inside_offer(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    fixture->fake.on_offer = deliver_at_once; // segments go away under the pump
    for (unsigned round = 0; round < 20; round++) {
        append_many(fixture, 7, 20000, 1);
        fixture_turn(fixture);
        assert_true(spool_drained(fixture->log));
    }
    assert_int_equal(fixture->fake.taken_count, 140);
    assert_int_equal(fixture->book.delivered, 140);
    assert_int_equal(fixture->log->live_count, 1);
    fixture_free(fixture);
}

static void return_first_time(struct fake_exporter *fake, const struct parcel *parcel)
{
    size_t *returns = fake->ctx;
    if (*returns > 0) {
        --*returns;
        fake_answer(fake, parcel->position, VERDICT_RETURNED, 0);
    }
}

static void test_returned_from_inside_offer(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    size_t returns = 3 * PUMP_TURN; // more than one turn of it
    fixture->fake.on_offer = return_first_time;
    fixture->fake.ctx = &returns;
    append_many(fixture, 2, 10, 1);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.taken_count, 3 * PUMP_TURN + 2);
    assert_int_equal(fixture->fake.taken[3 * PUMP_TURN], 0);
    assert_int_equal(fixture->fake.taken[3 * PUMP_TURN + 1], 1);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    fake_answer(&fixture->fake, 1, VERDICT_DELIVERED, 0);
    fixture_free(fixture);
}

static void answer_oldest(struct fake_exporter *fake)
{
    uint64_t *next = fake->ctx;
    if (fake->held > 0)
        fake_answer(fake, (*next)++, VERDICT_DELIVERED, 0);
}

// Room that is made while the pump runs, after it was told that there is none, is not forgotten.
static void test_room_made_from_inside(void **state)
{
    (void)state;
    for (int where = 0; where < 2; where++) {
        struct fixture *fixture = fixture_new(4);
        uint64_t next = 0;
        fixture->fake.window = 2;
        fixture->fake.ctx = &next;
        if (where == 0)
            fixture->fake.on_full = answer_oldest;
        else
            fixture->fake.on_flush = answer_oldest;
        append_many(fixture, 9, 20000, 1);
        fixture_turn(fixture);
        assert_int_equal(fixture->fake.taken_count, 9);
        while (fixture->fake.held > 0)
            answer_oldest(&fixture->fake);
        fixture_free(fixture);
    }
}

static void test_work_of_a_turn_is_bounded(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(100);
    append_many(fixture, PUMP_TURN + 100, 10, 1);
    loop_deferred_stop(&fixture->log->pump);
    fixture->log->pump.run(&fixture->log->pump); // once, as the loop does
    assert_int_equal(fixture->fake.taken_count, PUMP_TURN);
    assert_int_equal(fixture->fake.flushes, 0);
    assert_true(fixture->log->resume.armed);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.taken_count, PUMP_TURN + 100);
    assert_int_equal(fixture->fake.flushes, 1);
    for (uint64_t i = 0; i < PUMP_TURN + 100; i++)
        assert_int_equal(fixture->fake.taken[i], i);
    for (uint64_t i = PUMP_TURN + 100; i > 0; i--)
        fake_answer(&fixture->fake, i - 1, VERDICT_DELIVERED, 0);
    fixture_free(fixture);
}

// As ops->free does: everything comes back, and the log is freed before the loop runs again.
static void test_given_back_is_not_offered_to_who_is_gone(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    append_many(fixture, 10, 100, 1);
    fixture_turn(fixture);
    for (uint64_t i = 0; i < 10; i++)
        fake_answer(&fixture->fake, i, i < 4 ? VERDICT_DELIVERED : VERDICT_RETURNED, 0);
    assert_int_equal(fixture->fake.taken_count, 10);
    assert_int_equal(fixture->book.held, 6);
    fixture_free(fixture);
}

static void test_many_verdicts_at_once(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    append_many(fixture, 6, 20000, 1);
    fixture_turn(fixture);
    struct verdict verdicts[6];
    for (uint64_t i = 0; i < 6; i++)
        verdicts[i] = (struct verdict){.position = 5 - i, .kind = VERDICT_DELIVERED};
    fixture->fake.sink.verdict(fixture->fake.sink.ctx, verdicts, 6);
    assert_int_equal(fixture->book.delivered, 6);
    assert_true(spool_drained(fixture->log));
    fixture_free(fixture);
}

static void say_that_there_is_room(struct fake_exporter *fake)
{
    if (fake->flushes < 100) // a bound, so that a circle fails the test and does not hang it
        fake->sink.verdict(fake->sink.ctx, NULL, 0);
}

// A full exporter that answers each flush must not be asked again for having answered.
static void test_draining_is_told_once(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(4);
    fixture->fake.window = 2;
    fixture->fake.on_flush = say_that_there_is_room;
    append_many(fixture, 3, 10, 1);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.drain_flushes, 0);
    spool_drain(fixture->log, NULL, NULL);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.drain_flushes, 1);
    fake_answer(&fixture->fake, 0, VERDICT_DELIVERED, 0);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.taken_count, 3);
    assert_int_equal(fixture->fake.drain_flushes, 2); // for what was taken since
    fake_answer(&fixture->fake, 1, VERDICT_DELIVERED, 0);
    fake_answer(&fixture->fake, 2, VERDICT_DELIVERED, 0);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offered_in_order_at_the_end_of_the_turn),
        cmocka_unit_test(test_books_of_each_verdict),
        cmocka_unit_test(test_the_dead_are_kept),
        cmocka_unit_test(test_window_full_then_room),
        cmocka_unit_test(test_returned_go_before_newer_ones),
        cmocka_unit_test(test_verdict_from_inside_offer),
        cmocka_unit_test(test_returned_from_inside_offer),
        cmocka_unit_test(test_room_made_from_inside),
        cmocka_unit_test(test_work_of_a_turn_is_bounded),
        cmocka_unit_test(test_given_back_is_not_offered_to_who_is_gone),
        cmocka_unit_test(test_many_verdicts_at_once),
        cmocka_unit_test(test_draining_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
