// Up to which position a log has its verdicts, whatever order they come in.
#include "spool_fixture.h"

#include "spool/spool_settled.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SMALL ((size_t)400)
#define WHOLE ((size_t)40000) // each needs a segment of its own

struct watch {
    struct room_waiter waiter;
    unsigned calls;
};

static void called(struct room_waiter *waiter)
{
    ((struct watch *)(void *)waiter)->calls++;
}

static void answer(struct fixture *fixture, uint64_t position, enum verdict_kind kind)
{
    fake_answer(&fixture->fake, position, kind, 0);
    fixture_turn(fixture);
}

static void verdicts_in_any_order_settle_in_order(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(8);
    struct spool_log *log = fixture->log;
    assert_int_equal(spool_settled(log), 0);
    for (unsigned i = 0; i < 3; i++)
        fixture_append(fixture, SMALL, 'x', 1);
    fixture_append(fixture, WHOLE, 'x', 1);
    fixture_append(fixture, WHOLE, 'x', 1);
    fixture_turn(fixture);
    assert_int_equal(spool_settled(log), 0);
    answer(fixture, 1, VERDICT_DELIVERED);
    answer(fixture, 4, VERDICT_DELIVERED);
    assert_int_equal(spool_settled(log), 0);
    answer(fixture, 0, VERDICT_DEAD); // a final one too
    assert_int_equal(spool_settled(log), 2);
    answer(fixture, 2, VERDICT_RETURNED); // none; it is offered again
    assert_int_equal(spool_settled(log), 2);
    answer(fixture, 2, VERDICT_DELIVERED);
    assert_int_equal(spool_settled(log), 3);
    answer(fixture, 3, VERDICT_DELIVERED);
    assert_int_equal(spool_settled(log), 5);
    fixture_append(fixture, SMALL, 'x', 1); // in a segment that is used again
    fixture_turn(fixture);
    assert_int_equal(spool_settled(log), 5);
    answer(fixture, 5, VERDICT_DELIVERED);
    assert_int_equal(spool_settled(log), 6);
    fixture_free(fixture);
}

static void who_waits_is_called_once(void **state)
{
    (void)state;
    struct watch watch = {.waiter.room = called};
    struct fixture *fixture = fixture_new(8);
    fixture_append(fixture, SMALL, 'x', 1);
    fixture_append(fixture, SMALL, 'x', 1);
    spool_wait_settled(fixture->log, &watch.waiter);
    fixture_turn(fixture);
    assert_int_equal(watch.calls, 0);
    answer(fixture, 0, VERDICT_DELIVERED);
    assert_int_equal(watch.calls, 1);
    answer(fixture, 1, VERDICT_DELIVERED);
    assert_int_equal(watch.calls, 1);
    spool_wait_settled(fixture->log, &watch.waiter);
    spool_wait_settled_cancel(fixture->log, &watch.waiter);
    assert_false(watch.waiter.waiting);
    fixture_free(fixture);
}

static struct fixture *fixture_in(const char *folder)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_int_equal(loop_new(&fixture->loop), 0);
    fixture->fake.exporter.ops = &fake_exporter_ops;
    struct spool_config config = fixture_config(fixture, 8);
    config.level = SPOOL_PROCESS;
    config.folder = folder;
    assert_int_equal(spool_log_new(&fixture->log, &config), 0);
    return fixture;
}

// The new records' verdicts count although an earlier run's has none.
static void what_an_earlier_run_left_holds_up_nobody(void **state)
{
    (void)state;
    char folder[] = "/tmp/sluice-settled-XXXXXX", command[80];
    assert_non_null(mkdtemp(folder));
    struct fixture *fixture = fixture_in(folder); // its window is 0
    fixture_append(fixture, SMALL, 'x', 1);
    fixture_free(fixture);
    fixture = fixture_in(folder);
    struct spool_log *log = fixture->log;
    assert_false(spool_backlog_settled(log));
    uint64_t fresh = spool_settled(log);
    fixture_append(fixture, SMALL, 'y', 1);
    assert_int_equal(spool_settled(log), fresh);
    fixture->fake.window = SIZE_MAX;
    log->kicked = true;
    loop_defer(fixture->loop, &log->pump);
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.taken_count, 2);
    answer(fixture, fixture->fake.taken[1], VERDICT_DELIVERED);
    assert_int_equal(spool_settled(log), fresh + 1);
    assert_false(spool_backlog_settled(log));
    answer(fixture, fixture->fake.taken[0], VERDICT_DELIVERED);
    assert_true(spool_backlog_settled(log));
    fixture_free(fixture);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_in_any_order_settle_in_order),
        cmocka_unit_test(who_waits_is_called_once),
        cmocka_unit_test(what_an_earlier_run_left_holds_up_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
