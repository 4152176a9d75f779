// A log in a folder: what a run left is sent by the next one, the oldest first, whatever ended it.
#include "spool_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD ((size_t)400)
#define PER_SEGMENT 128 // about: 170 slots, 50 KiB of payload

struct run {
    struct fixture fixture;
    unsigned numbers[TAKEN_MAX]; // of the records that were offered, in order
    size_t count;
    bool done[TAKEN_MAX]; // has its verdict
    bool answers;         // each offer is delivered at once
};

static char folder[64];

static int folder_new(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/sluice-backlog-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static void shell(const char *format, const char *a, const char *b)
{
    char command[300];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(command, sizeof command, format, a, b);
#pragma GCC diagnostic pop
    assert_int_equal(system(command), 0);
}

static int folder_gone(void **state)
{
    (void)state;
    shell("rm -rf '%s' '%s.copy'", folder, folder);
    return 0;
}

static void answer(struct run *run, size_t index, enum verdict_kind kind)
{
    run->done[index] = true;
    fake_answer(&run->fixture.fake, run->fixture.fake.taken[index], kind, 0);
}

static void offered(struct fake_exporter *fake, const struct parcel *parcel)
{
    struct run *run = fake->ctx;
    run->numbers[run->count++] = (unsigned)strtoul(parcel->payload.data, NULL, 10);
    if (run->answers)
        answer(run, fake->taken_count - 1, VERDICT_DELIVERED);
}

static int run_try(struct run *run, const char *where, uint64_t segments)
{
    struct spool_config config = fixture_config(&run->fixture, segments);
    config.level = SPOOL_PROCESS;
    config.folder = where;
    return spool_log_new(&run->fixture.log, &config);
}

static struct run *run_start(const char *where, uint64_t segments, size_t window)
{
    struct run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    assert_int_equal(loop_new(&run->fixture.loop), 0);
    run->fixture.fake.exporter.ops = &fake_exporter_ops;
    run->fixture.fake.window = window;
    run->fixture.fake.on_offer = offered;
    run->fixture.fake.ctx = run;
    run->answers = true;
    assert_int_equal(run_try(run, where, segments), 0);
    return run;
}

// Ends a run as the agent does: what the exporter holds is given back.
static void run_end(struct run *run)
{
    struct fake_exporter *fake = &run->fixture.fake;
    for (size_t i = 0; i < fake->taken_count; i++)
        if (!run->done[i])
            answer(run, i, VERDICT_RETURNED);
    spool_log_free(run->fixture.log);
    loop_free(run->fixture.loop);
    free(run);
}

static void put(struct run *run, unsigned number)
{
    struct spool_slot slot;
    assert_int_equal(spool_reserve(run->fixture.log, RECORD, &slot), 0);
    memset(slot.data, ' ', RECORD);
    snprintf((char *)slot.data, RECORD, "%u", number);
    slot.data[RECORD - 1] = '\n';
    struct spool_entry entry = {
        .records = 1, .resend.topic = SLICE("logs"), .resend.key = SLICE("key")};
    spool_commit(run->fixture.log, RECORD, &entry);
}

static void turns(struct run *run)
{
    do
        event_base_loop(loop_event_base(run->fixture.loop), EVLOOP_NONBLOCK);
    while (run->fixture.log->resume.armed || run->fixture.log->pump.queued);
    assert_int_equal(books_exporter_gap(&run->fixture.book), 0);
}

static void assert_numbers(const struct run *run, unsigned from, unsigned to)
{
    assert_int_equal(run->count, to - from);
    for (unsigned i = from; i < to; i++)
        assert_int_equal(run->numbers[i - from], i);
}

static void what_is_pending_is_sent_first_and_in_order(void **state)
{
    (void)state;
    struct run *run = run_start(folder, 16, 0); // takes nothing
    for (unsigned i = 0; i < 5 * PER_SEGMENT; i++)
        put(run, i);
    turns(run);
    run_end(run);
    run = run_start(folder, 16, SIZE_MAX);
    assert_true(run->fixture.book.backlog_segments >= 5);
    for (unsigned i = 5 * PER_SEGMENT; i < 6 * PER_SEGMENT; i++)
        put(run, i);
    turns(run);
    assert_numbers(run, 0, 6 * PER_SEGMENT);
    assert_int_equal(run->fixture.book.recovered, 5 * PER_SEGMENT);
    assert_int_equal(run->fixture.book.held, 0);
    assert_int_equal(run->fixture.book.backlog_segments, 0);
    run_end(run);
    run = run_start(folder, 16, SIZE_MAX);
    turns(run);
    assert_int_equal(run->count, 0);
    assert_int_equal(run->fixture.book.recovered, 0);
    run_end(run);
}

static void a_kill_at_any_moment_loses_nothing(void **state)
{
    (void)state;
    char copy[80];
    snprintf(copy, sizeof copy, "%s.copy", folder);
    struct run *run = run_start(folder, 16, SIZE_MAX);
    run->answers = false;
    for (unsigned i = 0; i < 3 * PER_SEGMENT; i++)
        put(run, i);
    turns(run);
    // Every third has its verdict; the kill finds the rest in the files.
    for (unsigned i = 0; i < 3 * PER_SEGMENT; i += 3)
        answer(run, i, VERDICT_DELIVERED);
    shell("cp -r '%s' '%s'", folder, copy);
    struct run *next = run_start(copy, 16, SIZE_MAX);
    turns(next);
    assert_int_equal(next->count, 2 * PER_SEGMENT);
    for (unsigned i = 0; i < 2 * PER_SEGMENT; i++)
        assert_int_equal(next->numbers[i], i / 2 * 3 + 1 + i % 2);
    assert_true(slice_equal(next->fixture.fake.last.key, SLICE("key")));
    run_end(next);
    run_end(run);
}

static void a_folder_has_one_owner(void **state)
{
    (void)state;
    struct run *run = run_start(folder, 4, SIZE_MAX);
    struct run other = {.fixture.loop = run->fixture.loop};
    assert_int_equal(run_try(&other, folder, 4), -EWOULDBLOCK);
    run_end(run);
}

// The backlog is larger than the window: only a few segments are loaded at a time.
static void a_large_backlog_is_loaded_piece_by_piece(void **state)
{
    (void)state;
    struct run *run = run_start(folder, 64, 0);
    for (unsigned i = 0; i < 50 * PER_SEGMENT; i++)
        put(run, i);
    run_end(run);
    run = run_start(folder, 64, 2 * PER_SEGMENT);
    run->answers = false;
    turns(run);
    assert_true(run->fixture.log->live_count <= 5);
    assert_true(run->fixture.book.backlog_segments > 40);
    assert_int_equal(run->fixture.book.held_bytes,
                     (run->fixture.book.backlog_segments + run->fixture.log->live_count) *
                         FIXTURE_SEGMENT);
    uint32_t most = 0;
    for (size_t answered = 0; answered < 50 * PER_SEGMENT; answered++) {
        assert_true(answered < run->count);
        answer(run, answered, VERDICT_DELIVERED);
        turns(run);
        if (run->fixture.log->live_count > most)
            most = run->fixture.log->live_count;
    }
    assert_true(most <= 5);
    assert_numbers(run, 0, 50 * PER_SEGMENT);
    run_end(run);
}

static void flip(const char *file, off_t at)
{
    char path[128];
    uint8_t byte;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void damage_is_counted_and_hurts_nothing_else(void **state)
{
    (void)state;
    struct run *run = run_start(folder, 16, 0);
    for (unsigned i = 0; i < 3 * PER_SEGMENT; i++)
        put(run, i);
    uint32_t in_second = run->fixture.log->live[1]->entries;
    run_end(run);
    flip("00000001.segment", SEGMENT_HEADER_SIZE + 64 * 170 + 10); // a payload
    flip("00000002.segment", 20);                                  // the header
    shell("echo nonsense > '%s/00000077.segment'; touch '%s/00000078.segment'", folder, folder);
    // 78 is what a kill leaves between a file's making and its reservation: nothing.
    run = run_start(folder, 16, SIZE_MAX);
    turns(run);
    assert_int_equal(run->fixture.book.damaged, 1);
    assert_int_equal(run->fixture.book.damaged_records, 1);
    assert_int_equal(run->fixture.book.set_aside, 3); // the first too, once the rest of it is sent
    assert_int_equal(run->count, 3 * PER_SEGMENT - 1 - in_second);
    run_end(run);
    run = run_start(folder, 16, SIZE_MAX); // and never looked at again
    turns(run);
    assert_int_equal(run->fixture.book.set_aside, 0);
    run_end(run);
    shell("test $(ls '%s' | grep -c damaged) = 3 && ! test -e '%s/00000078.segment'", folder,
          folder);
}

// What a disk made zeros of takes its records along, told; what a kill left of a segment that was
// being started has none.
static void a_lost_header_is_no_unused_segment(void **state)
{
    (void)state;
    struct run *run = run_start(folder, 16, 0);
    for (unsigned i = 0; i < 4 * PER_SEGMENT; i++)
        put(run, i);
    assert_true(run->fixture.log->live_count >= 4);
    run_end(run);
    shell("dd if=/dev/zero of='%s/00000001.segment' bs=4096 count=1 conv=notrunc 2>'%s/noise'",
          folder, folder);
    shell("dd if=/dev/zero of='%s/00000002.segment' bs=8 count=1 conv=notrunc 2>'%s/noise'", folder,
          folder);
    shell(": > '%s/00000003.segment'; truncate -s 65536 '%s/00000090.segment'", folder, folder);
    run = run_start(folder, 16, SIZE_MAX);
    turns(run);
    assert_int_equal(run->fixture.book.set_aside, 2);
    run_end(run);
    shell("test -e '%s/00000001.damaged' && ! test -e '%s/00000002.segment'", folder, folder);
    shell("test -e '%s/00000003.damaged' && ! test -e '%s/00000090.segment'", folder, folder);
}

// Files are used again, not made anew: steady traffic stays on the same pages of the disk.
static void steady_traffic_reuses_its_files(void **state)
{
    (void)state;
    struct run *run = run_start(folder, 8, SIZE_MAX);
    for (unsigned i = 0; i < 20 * PER_SEGMENT; i++) {
        put(run, i);
        if (i % 50 == 49)
            turns(run);
    }
    turns(run);
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/00000003.segment", folder);
    assert_int_equal(stat(path, &status), -1);
    run_end(run);
}

static void a_backlog_above_max_bytes_is_sent_all_the_same(void **state)
{
    (void)state;
    struct run *run = run_start(folder, 20, 0);
    for (unsigned i = 0; i < 12 * PER_SEGMENT; i++)
        put(run, i);
    run_end(run);
    run = run_start(folder, 2, 10);
    run->answers = false;
    struct spool_slot slot;
    assert_false(spool_has_room(run->fixture.log, 100));
    assert_int_equal(spool_reserve(run->fixture.log, 100, &slot), SPOOL_FULL);
    turns(run);
    for (size_t i = 0; i < 12 * PER_SEGMENT; i++) {
        answer(run, i, VERDICT_DELIVERED);
        turns(run);
    }
    assert_true(spool_has_room(run->fixture.log, 100));
    assert_numbers(run, 0, 12 * PER_SEGMENT);
    run_end(run);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, folder_new, folder_gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_pending_is_sent_first_and_in_order),
        TEST(a_kill_at_any_moment_loses_nothing),
        TEST(a_folder_has_one_owner),
        TEST(a_large_backlog_is_loaded_piece_by_piece),
        TEST(damage_is_counted_and_hurts_nothing_else),
        TEST(a_lost_header_is_no_unused_segment),
        TEST(steady_traffic_reuses_its_files),
        TEST(a_backlog_above_max_bytes_is_sent_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
