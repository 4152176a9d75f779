// Level `node`: what counts as stored, when, and what a device that fails does to that.
#include "spool_fixture.h"

#include "spool/spool_stored.h"
#include "spool/watermark.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS 8
#define WHOLE ((size_t)40000) // each needs a segment of its own
#define SMALL ((size_t)400)

// In front of the C library's: a device that waits until it is told to go on, and may fail.
static pthread_mutex_t device_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t device_changed = PTHREAD_COND_INITIALIZER;
static unsigned allowed; // syncs that may go on
static unsigned entered; // that have begun
static int device_error;
static unsigned folder_syncs;

int fdatasync(int fd)
{
    assert(fd >= 0);
    pthread_mutex_lock(&device_lock);
    entered++;
    pthread_cond_broadcast(&device_changed);
    while (allowed == 0)
        pthread_cond_wait(&device_changed, &device_lock);
    allowed--;
    int error = device_error;
    pthread_mutex_unlock(&device_lock);
    errno = error;
    return error ? -1 : 0;
}

int fsync(int fd)
{
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode))
        __atomic_add_fetch(&folder_syncs, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static void device_allow(unsigned count, int error)
{
    pthread_mutex_lock(&device_lock);
    allowed += count;
    device_error = error;
    pthread_cond_broadcast(&device_changed);
    pthread_mutex_unlock(&device_lock);
}

static void device_await(unsigned count)
{
    pthread_mutex_lock(&device_lock);
    while (entered < count)
        pthread_cond_wait(&device_changed, &device_lock);
    pthread_mutex_unlock(&device_lock);
}

struct stage {
    struct fixture fixture;
    struct sync_thread *sync;
    struct room_waiter waiter;
    unsigned advances;
    size_t answered; // of what was offered, the first so many
};

static char folder[64];

static void advanced(struct room_waiter *waiter)
{
    struct stage *stage = (struct stage *)(void *)((char *)waiter - offsetof(struct stage, waiter));
    stage->advances++;
    loop_stop(stage->fixture.loop);
}

static struct stage *stage_new(void)
{
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    strcpy(folder, "/tmp/sluice-stored-XXXXXX");
    assert_non_null(mkdtemp(folder));
    allowed = entered = folder_syncs = 0;
    device_error = 0;
    stage->waiter.room = advanced;
    struct fixture *fixture = &stage->fixture;
    assert_int_equal(loop_new(&fixture->loop), 0);
    assert_int_equal(sync_thread_new(&stage->sync, fixture->loop), 0);
    fixture->fake.exporter.ops = &fake_exporter_ops;
    fixture->fake.window = SIZE_MAX;
    struct spool_config config = fixture_config(fixture, SEGMENTS);
    config.level = SPOOL_NODE;
    config.folder = folder;
    config.sync = stage->sync;
    assert_int_equal(spool_log_new(&fixture->log, &config), 0);
    return stage;
}

static void stage_free(struct stage *stage)
{
    char command[100];
    struct fake_exporter *fake = &stage->fixture.fake;
    device_allow(1000, 0);
    spool_wait_stored_cancel(stage->fixture.log, &stage->waiter);
    for (size_t i = stage->answered; i < fake->taken_count; i++)
        fake_answer(fake, fake->taken[i], VERDICT_RETURNED, 0);
    spool_log_free(stage->fixture.log);
    sync_thread_free(stage->sync);
    loop_free(stage->fixture.loop);
    free(stage);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0);
}

static uint64_t append(struct stage *stage, size_t size)
{
    uint64_t position = spool_position(stage->fixture.log);
    assert_int_equal(fixture_append(&stage->fixture, size, 'x', 1), 0);
    return position;
}

static bool is_stored(const struct stage *stage, uint64_t position)
{
    return position < spool_stored(stage->fixture.log);
}

static void await_advance(struct stage *stage)
{
    unsigned before = stage->advances;
    spool_wait_stored(stage->fixture.log, &stage->waiter);
    loop_run(stage->fixture.loop);
    assert_int_equal(stage->advances, before + 1);
}

static void deliver_first(struct stage *stage)
{
    struct fake_exporter *fake = &stage->fixture.fake;
    fake_answer(fake, fake->taken[stage->answered++], VERDICT_DELIVERED, 0);
}

static void nothing_is_stored_before_its_sync_is_done(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    uint64_t first = append(stage, SMALL);
    fixture_turn(&stage->fixture);
    device_await(1);
    uint64_t second = append(stage, SMALL); // while the sync of the first one runs
    fixture_turn(&stage->fixture);
    assert_false(is_stored(stage, first));
    device_allow(1, 0);
    await_advance(stage);
    assert_true(is_stored(stage, first));
    assert_false(is_stored(stage, second)); // that sync may have begun without it
    device_allow(1, 0);
    await_advance(stage);
    assert_true(is_stored(stage, second));
    assert_int_equal(folder_syncs, 1); // one file was made
    assert_int_equal(entered, 2);
    stage_free(stage);
}

static void what_comes_during_a_sync_shares_the_next(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    append(stage, SMALL);
    fixture_turn(&stage->fixture);
    device_await(1);
    uint64_t last = 0;
    for (unsigned i = 0; i < 50; i++) {
        last = append(stage, SMALL);
        fixture_turn(&stage->fixture);
    }
    device_allow(2, 0);
    await_advance(stage);
    if (!is_stored(stage, last))
        await_advance(stage);
    assert_true(is_stored(stage, last));
    assert_int_equal(entered, 2);
    assert_int_equal(stage->fixture.book.syncs, 2);
    stage_free(stage);
}

static void a_run_over_many_segments_is_stored_in_order(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    uint64_t positions[5];
    for (unsigned i = 0; i < 5; i++)
        positions[i] = append(stage, WHOLE);
    device_allow(5, 0);
    await_advance(stage);
    for (unsigned i = 0; i < 5; i++)
        assert_true(is_stored(stage, positions[i]));
    stage_free(stage);
}

// After an error nothing of that file is ever called stored, whatever a second sync would say,
// until the sink has it; new records go elsewhere.
static void a_failed_sync_is_never_believed_again(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct fixture *fixture = &stage->fixture;
    uint64_t lost = append(stage, SMALL);
    device_allow(1, EIO);
    while (fixture->book.sync_failures == 0)
        event_base_loop(loop_event_base(fixture->loop), EVLOOP_ONCE);
    assert_false(is_stored(stage, lost));
    assert_int_equal(fixture->book.trouble[TROUBLE_IO], 1);
    log_retry(&fixture->log->retry); // a second later
    assert_true(spool_has_room(fixture->log, SMALL));
    uint64_t next = append(stage, SMALL);
    assert_int_equal(fixture->log->live_count, 2);
    device_allow(1, 0);
    while (fixture->book.syncs < 2)
        event_base_loop(loop_event_base(fixture->loop), EVLOOP_ONCE);
    assert_int_equal(fixture->book.trouble[TROUBLE_IO], 0); // the device works again
    assert_false(is_stored(stage, lost));
    assert_false(is_stored(stage, next)); // receipts are cumulative
    deliver_first(stage);
    assert_true(is_stored(stage, lost));
    assert_true(is_stored(stage, next));
    assert_int_equal(fixture->log->live_count, 1);
    assert_int_equal(fixture->log->free_count, 0); // its file is not used again
    stage_free(stage);
}

// A file that is there already is used at once, whatever its neighbour's sync said; and nothing
// is shed by its level for want of a further one.
static void a_failed_sync_holds_back_new_files_alone(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    struct fixture *fixture = &stage->fixture;
    append(stage, SMALL);
    device_allow(1, EIO);
    assert_true(spool_has_room(fixture->log, 2 * WHOLE)); // makes files ahead
    uint32_t ahead = fixture->log->free_count;
    assert_true(ahead > 0);
    while (fixture->book.sync_failures == 0)
        event_base_loop(loop_event_base(fixture->loop), EVLOOP_ONCE);
    assert_int_equal(fixture->book.trouble[TROUBLE_IO], 1);
    assert_true(spool_keeps(fixture->log, URGENCY_LOW));
    for (uint32_t i = 0; i < ahead; i++) {
        assert_true(spool_has_room(fixture->log, SMALL));
        append(stage, WHOLE);
    }
    assert_true(spool_has_room(fixture->log, SMALL)); // behind the last
    append(stage, SMALL);
    assert_false(spool_has_room(fixture->log, WHOLE));
    assert_true(spool_keeps(fixture->log, URGENCY_LOW));
    log_retry(&fixture->log->retry); // a second later
    assert_true(spool_has_room(fixture->log, WHOLE));
    stage_free(stage);
}

static void what_was_delivered_needs_no_sync(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    uint64_t only = append(stage, SMALL);
    fixture_turn(&stage->fixture);
    device_await(1);
    deliver_first(stage);
    assert_true(is_stored(stage, only));
    stage_free(stage);
}

// While a sync runs, and while one waits for it.
static void a_log_may_end_at_any_time(void **state)
{
    (void)state;
    struct stage *stage = stage_new();
    append(stage, SMALL);
    stage_free(stage);
    stage = stage_new();
    append(stage, SMALL);
    fixture_turn(&stage->fixture);
    device_await(1);
    append(stage, SMALL);
    stage_free(stage);
    assert_true(entered >= 2); // what stays is synced at the end
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_stored_before_its_sync_is_done),
        cmocka_unit_test(what_comes_during_a_sync_shares_the_next),
        cmocka_unit_test(a_run_over_many_segments_is_stored_in_order),
        cmocka_unit_test(a_failed_sync_is_never_believed_again),
        cmocka_unit_test(a_failed_sync_holds_back_new_files_alone),
        cmocka_unit_test(what_was_delivered_needs_no_sync),
        cmocka_unit_test(a_log_may_end_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
