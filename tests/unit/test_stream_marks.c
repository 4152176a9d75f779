// Streams are remembered, told apart, and given up when there are too many; over a kill, but not
// over a boot.
#include "spool_fixture.h"

#include "spool/spool_streams.h"
#include "spool/stream_marks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// In front of the C library's: how many entries there were when a file was made last, and whether a
// file was set aside while marks could tell of it.
static struct fixture *watched;
static uint64_t entries_then;
static bool marks_then;

int posix_fallocate(int fd, off_t offset, off_t size)
{
    entries_then = watched && watched->log ? watched->log->pending : 0;
    return fallocate(fd, 0, offset, size) < 0 ? errno : 0;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    marks_then = faccessat(from_folder, STREAM_MARKS_FILE, F_OK, 0) == 0;
    return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
}

static const uint8_t one[8] = "stream-1", two[8] = "stream-2";
static char folder[64];
static int folder_fd;

static int folder_new(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/sluice-streams-XXXXXX");
    assert_non_null(mkdtemp(folder));
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
    assert_true(folder_fd >= 0);
    return 0;
}

static int folder_gone(void **state)
{
    (void)state;
    char command[100];
    close(folder_fd);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static struct stream_marks *marks_open(enum stream_marks_found expected)
{
    enum stream_marks_found found;
    struct stream_marks *marks;
    assert_int_equal(stream_marks_new(&marks, folder_fd, &found), 0);
    assert_int_equal(found, expected);
    return marks;
}

static void a_stream_only_rises(void **state)
{
    (void)state;
    enum stream_marks_found found;
    struct stream_marks *marks;
    assert_int_equal(stream_marks_new(&marks, -1, &found), 0);
    assert_int_equal(stream_marks_last(marks, one), 0);
    stream_marks_store(marks, one, 7);
    stream_marks_store(marks, two, 1);
    stream_marks_store(marks, one, 5);
    assert_int_equal(stream_marks_last(marks, one), 7);
    assert_int_equal(stream_marks_last(marks, two), 1);
    stream_marks_forget(marks);
    assert_int_equal(stream_marks_last(marks, one), 0);
    stream_marks_free(marks);
}

static void the_one_heard_of_last_stays(void **state)
{
    (void)state;
    struct stream_marks *marks = marks_open(STREAM_MARKS_NONE);
    uint8_t other[8];
    for (uint64_t i = 1; i < 5u * STREAM_MARKS; i++) {
        memcpy(other, &i, sizeof other);
        stream_marks_store(marks, other, i);
        stream_marks_store(marks, one, i);
        assert_int_equal(stream_marks_last(marks, other), i);
    }
    memcpy(other, &(uint64_t){1}, sizeof other);
    assert_int_equal(stream_marks_last(marks, other), 0);
    stream_marks_free(marks);
    marks = marks_open(STREAM_MARKS_TAKEN);
    assert_int_equal(stream_marks_last(marks, one), 5u * STREAM_MARKS - 1);
    stream_marks_free(marks);
}

// Writes over bytes of the file where `old` stands, once.
static void overwrite(const void *old, size_t size, size_t behind, const void *fresh, size_t count)
{
    uint8_t data[STREAM_MARKS * 64];
    int fd = openat(folder_fd, STREAM_MARKS_FILE, O_RDWR);
    ssize_t n = read(fd, data, sizeof data);
    assert_true(n > 0);
    const uint8_t *at = memmem(data, (size_t)n, old, size);
    assert_non_null(at);
    off_t where = at - data + (off_t)behind;
    assert_int_equal(pwrite(fd, fresh, count, where), count);
    close(fd);
}

static void a_half_written_mark_leaves_the_one_before(void **state)
{
    (void)state;
    struct stream_marks *marks = marks_open(STREAM_MARKS_NONE);
    stream_marks_store(marks, one, 7);
    stream_marks_store(marks, one, 9);
    stream_marks_free(marks);
    uint64_t cut = 11; // in the place of the lower mark, without its check
    overwrite(one, 8, 16, &cut, sizeof cut);
    marks = marks_open(STREAM_MARKS_TAKEN);
    assert_int_equal(stream_marks_last(marks, one), 9);
    stream_marks_free(marks);
}

static void what_is_damaged_is_set_aside(void **state)
{
    (void)state;
    struct stat status;
    struct stream_marks *marks = marks_open(STREAM_MARKS_NONE);
    stream_marks_store(marks, one, 7);
    stream_marks_store(marks, one, 9);
    stream_marks_free(marks);
    uint64_t both[2] = {11, 13};
    overwrite(one, 8, 16, both, sizeof both);
    marks = marks_open(STREAM_MARKS_DAMAGED);
    assert_int_equal(stream_marks_last(marks, one), 0);
    stream_marks_store(marks, one, 3);
    stream_marks_free(marks);
    assert_int_equal(fstatat(folder_fd, STREAM_MARKS_FILE ".damaged", &status, 0), 0);
    marks = marks_open(STREAM_MARKS_TAKEN);
    assert_int_equal(stream_marks_last(marks, one), 3);
    stream_marks_free(marks);
    overwrite("SLUICEST", 8, 0, "no marks", 8);
    stream_marks_free(marks_open(STREAM_MARKS_DAMAGED));
}

static void another_boot_knows_nothing(void **state)
{
    (void)state;
    char boot[36];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY);
    assert_int_equal(read(fd, boot, sizeof boot), sizeof boot);
    close(fd);
    struct stream_marks *marks = marks_open(STREAM_MARKS_NONE);
    stream_marks_store(marks, one, 7);
    stream_marks_free(marks);
    overwrite(boot, sizeof boot, 0, "x", 1);
    marks = marks_open(STREAM_MARKS_NONE);
    assert_int_equal(stream_marks_last(marks, one), 0);
    stream_marks_free(marks);
}

static struct fixture *log_open_here(void)
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

static void put(struct fixture *fixture, const uint8_t stream[8], uint8_t sequence,
                uint32_t records)
{
    struct spool_slot slot;
    struct spool_entry entry = {.records = records, .source_position = sequence, .sequenced = true};
    memcpy(entry.id, stream, 8);
    entry.id[15] = sequence;
    assert_int_equal(spool_reserve(fixture->log, 10, &slot), 0);
    memset(slot.data, 'x', 10);
    spool_commit(fixture->log, 10, &entry);
}

// A kill between the entry and its mark: the mark is made up from the segment.
static void a_log_knows_what_its_last_segment_holds(void **state)
{
    (void)state;
    struct fixture *fixture = log_open_here();
    put(fixture, one, 1, 4);
    put(fixture, two, 1, 1);
    fixture_free(fixture);
    struct stream_marks *marks = marks_open(STREAM_MARKS_TAKEN);
    stream_marks_forget(marks);
    stream_marks_free(marks);
    fixture = log_open_here();
    assert_int_equal(spool_stream_last(fixture->log, one), 4);
    assert_int_equal(spool_stream_last(fixture->log, two), 1);
    fixture_free(fixture);
}

// A kill right behind the first entry of all must find a file of marks.
static void the_file_is_made_before_the_first_entry(void **state)
{
    (void)state;
    watched = log_open_here();
    put(watched, one, 1, 1);
    assert_int_equal(entries_then, 0);
    assert_int_equal(spool_stream_last(watched->log, one), 1);
    fixture_free(watched);
    watched = NULL;
}

// Where something of the log cannot be read, nothing may count as here.
static void a_log_that_lost_something_knows_nothing(void **state)
{
    (void)state;
    struct fixture *fixture = log_open_here();
    put(fixture, one, 1, 4);
    fixture_free(fixture);
    int fd = openat(folder_fd, "00000001.segment", O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 12), 1);
    close(fd);
    fixture = log_open_here();
    assert_int_equal(fixture->book.set_aside, 1);
    assert_false(marks_then); // nor in the run after a kill here
    assert_int_equal(spool_stream_last(fixture->log, one), 0);
    fixture_free(fixture);
}

static void damage(const char *file, off_t at)
{
    int fd = openat(folder_fd, file, O_RDWR);
    assert_int_equal(pwrite(fd, "y", 1, at), 1);
    close(fd);
}

// At the start only the last segment is read. What is found out later makes the marks wrong too:
// they told of records that are gone.
static void what_a_backlog_lost_is_welcome_again(void **state)
{
    (void)state;
    struct fixture *fixture = log_open_here();
    put(fixture, one, 1, 4);
    off_t payload = segment_tail(fixture->log->live[0]) - fixture->log->live[0]->data - 5;
    fixture->log->live[0]->sealed = true;
    put(fixture, two, 1, 1);
    fixture_free(fixture);
    damage("00000001.segment", payload);
    fixture = log_open_here();
    fixture->fake.window = SIZE_MAX;
    assert_int_equal(spool_stream_last(fixture->log, one), 4); // nobody knows yet
    fixture_turn(fixture);
    assert_int_equal(fixture->book.damaged, 1);
    assert_int_equal(spool_stream_last(fixture->log, one), 0);
    assert_int_equal(spool_stream_last(fixture->log, two), 0);
    put(fixture, one, 1, 4);
    assert_int_equal(spool_stream_last(fixture->log, one), 4);
    for (size_t i = 0; i < fixture->fake.taken_count; i++)
        fake_answer(&fixture->fake, fixture->fake.taken[i], VERDICT_RETURNED, 0);
    fixture_free(fixture);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, folder_new, folder_gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_stream_only_rises),
        CASE(the_one_heard_of_last_stays),
        CASE(a_half_written_mark_leaves_the_one_before),
        CASE(what_is_damaged_is_set_aside),
        CASE(another_boot_knows_nothing),
        CASE(a_log_knows_what_its_last_segment_holds),
        CASE(the_file_is_made_before_the_first_entry),
        CASE(a_log_that_lost_something_knows_nothing),
        CASE(what_a_backlog_lost_is_welcome_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
