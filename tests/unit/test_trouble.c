// A device that gives no further segment: the log is full with a named reason, and goes on by
// itself.
#include "spool_fixture.h"

#include "spool/watermark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// In front of the C library's: the device says what the test wants.
static int device_error;
static unsigned attempts;

int posix_fallocate(int fd, off_t offset, off_t size)
{
    attempts++;
    return device_error ? device_error : (fallocate(fd, 0, offset, size) < 0 ? errno : 0);
}

#define SEGMENTS 6
#define WHOLE ((size_t)40000) // more than half a segment: each needs one of its own

struct stage {
    struct fixture fixture;
    struct room_waiter waiter;
    struct loop_timer bound;
    bool woken;
};

static char folder[64];

static void room(struct room_waiter *waiter)
{
    struct stage *stage = (struct stage *)(void *)((char *)waiter - offsetof(struct stage, waiter));
    stage->woken = true;
    loop_stop(stage->fixture.loop);
}

static void bound_passed(struct loop_timer *timer)
{
    loop_stop(
        ((struct stage *)(void *)((char *)timer - offsetof(struct stage, bound)))->fixture.loop);
}

static struct stage *stage_new(uint64_t min_free)
{
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    strcpy(folder, "/tmp/sluice-trouble-XXXXXX");
    assert_non_null(mkdtemp(folder));
    device_error = 0;
    attempts = 0;
    stage->waiter.room = room;
    stage->bound.expired = bound_passed;
    struct fixture *fixture = &stage->fixture;
    assert_int_equal(loop_new(&fixture->loop), 0);
    fixture->fake.exporter.ops = &fake_exporter_ops;
    struct spool_config config = fixture_config(fixture, SEGMENTS);
    config.level = SPOOL_PROCESS;
    config.folder = folder;
    config.min_free = min_free;
    assert_int_equal(spool_log_new(&fixture->log, &config), 0);
    return stage;
}

static void stage_free(struct stage *stage)
{
    char command[100];
    spool_wait_cancel(stage->fixture.log, &stage->waiter);
    loop_timer_stop(&stage->bound);
    spool_log_free(stage->fixture.log);
    loop_free(stage->fixture.loop);
    free(stage);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void wait_for_room(struct stage *stage)
{
    stage->woken = false;
    spool_wait(stage->fixture.log, &stage->waiter);
    loop_timer_start(stage->fixture.loop, &stage->bound, 30 * NS_PER_S);
    loop_run(stage->fixture.loop);
    assert_true(stage->woken);
}

static void assert_trouble(const struct stage *stage, unsigned which)
{
    for (unsigned i = 0; i < TROUBLE_COUNT; i++)
        assert_int_equal(stage->fixture.book.trouble[i], i == which);
}

static void a_full_device_makes_writers_wait_and_ends_by_itself(void **state)
{
    (void)state;
    struct stage *stage = stage_new(0);
    assert_true(spool_has_room(stage->fixture.log, WHOLE));
    assert_int_equal(fixture_append(&stage->fixture, WHOLE, 'a', 1), 0);
    device_error = ENOSPC;
    assert_false(spool_has_room(stage->fixture.log, WHOLE));
    assert_trouble(stage, TROUBLE_NO_SPACE);
    wait_for_room(stage); // woken to try again, in vain
    assert_false(spool_has_room(stage->fixture.log, WHOLE));
    device_error = 0;
    wait_for_room(stage);
    assert_true(spool_has_room(stage->fixture.log, WHOLE));
    assert_trouble(stage, TROUBLE_COUNT);
    assert_int_equal(fixture_append(&stage->fixture, WHOLE, 'b', 1), 0);
    stage_free(stage);
}

// A flood of records that nobody makes wait (policy shed) must not become a flood of system calls.
static void attempts_are_few(void **state)
{
    (void)state;
    struct stage *stage = stage_new(0);
    struct spool_slot slot;
    device_error = EIO;
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(spool_reserve(stage->fixture.log, WHOLE, &slot), SPOOL_FULL);
    assert_trouble(stage, TROUBLE_IO);
    assert_true(attempts < 100);
    stage_free(stage);
}

static void what_was_promised_is_kept(void **state)
{
    (void)state;
    struct stage *stage = stage_new(0);
    size_t run = 3 * WHOLE;
    assert_true(spool_has_room(stage->fixture.log, run));
    device_error = ENOSPC;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(fixture_append(&stage->fixture, WHOLE, 'c', 1), 0);
    stage_free(stage);
}

static void space_is_left_for_others(void **state)
{
    (void)state;
    struct stage *stage = stage_new(UINT64_MAX / 2);
    assert_false(spool_has_room(stage->fixture.log, 1));
    assert_trouble(stage, TROUBLE_LOW_SPACE);
    assert_int_equal(attempts, 0);
    stage_free(stage);
}

// What its watermark refuses asks for no segment: the log finds out by itself that there is room.
static void who_is_below_the_watermark_gets_in_again(void **state)
{
    (void)state;
    struct stage *stage = stage_new(0);
    assert_int_equal(fixture_append(&stage->fixture, WHOLE, 'a', 1), 0);
    device_error = ENOSPC;
    assert_false(spool_has_room(stage->fixture.log, WHOLE));
    assert_int_equal(fixture_append(&stage->fixture, WHOLE / 8, 'b', 1), 0);
    assert_true(spool_is_above(stage->fixture.log, URGENCY_NORMAL));
    device_error = 0;
    wait_for_room(stage);
    assert_trouble(stage, TROUBLE_COUNT);
    assert_false(spool_is_above(stage->fixture.log, URGENCY_NORMAL));
    stage_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_device_makes_writers_wait_and_ends_by_itself),
        cmocka_unit_test(attempts_are_few),
        cmocka_unit_test(what_was_promised_is_kept),
        cmocka_unit_test(space_is_left_for_others),
        cmocka_unit_test(who_is_below_the_watermark_gets_in_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
