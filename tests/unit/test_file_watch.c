// Files that are written, replaced, swapped under a link, or appear later.
#include "base/clock.h"
#include "base/file_watch.h"
#include "base/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct bench {
    struct loop *loop;
    struct file_watch *watch;
    struct loop_timer bound;
    char folder[64], file[96], other[96];
    unsigned changes;
};

static void changed(void *ctx)
{
    struct bench *bench = ctx;
    bench->changes++;
    loop_stop(bench->loop);
}

static void bound_passed(struct loop_timer *timer)
{
    loop_stop(((struct bench *)(void *)((char *)timer - offsetof(struct bench, bound)))->loop);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void watch(struct bench *bench, const char *path)
{
    const char *paths[] = {"", path};
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(file_watch_new(&bench->watch, bench->loop, paths, 2, changed, bench), 0);
}

static void begin(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    strcpy(bench->folder, "/tmp/sluice-watch-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->file, sizeof bench->file, "%s/file", bench->folder);
    snprintf(bench->other, sizeof bench->other, "%s/other", bench->folder);
    bench->bound.expired = bound_passed;
}

static void finish(struct bench *bench)
{
    char command[128];
    file_watch_free(bench->watch);
    loop_timer_stop(&bench->bound);
    loop_free(bench->loop);
    snprintf(command, sizeof command, "rm -rf '%s'", bench->folder);
    assert_int_equal(system(command), 0);
}

// Until a change is told, or far too long.
static unsigned changes_told(struct bench *bench, uint64_t bound_ns)
{
    bench->changes = 0;
    loop_timer_start(bench->loop, &bench->bound, bound_ns);
    loop_run(bench->loop);
    return bench->changes;
}

#define LONG (30 * NS_PER_S)

static void a_write_is_told_once(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench);
    write_file(bench.file, "a");
    watch(&bench, bench.file);
    write_file(bench.file, "b");
    write_file(bench.file, "c");
    assert_int_equal(changes_told(&bench, LONG), 1);
    finish(&bench);
}

static void a_rename_over_it_and_a_late_birth_are_told(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench);
    watch(&bench, bench.file); // not there yet
    write_file(bench.file, "born");
    assert_int_equal(changes_told(&bench, LONG), 1);
    write_file(bench.other, "new");
    assert_int_equal(rename(bench.other, bench.file), 0);
    assert_int_equal(changes_told(&bench, LONG), 1);
    finish(&bench);
}

static void another_file_is_not_told(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench);
    write_file(bench.file, "a");
    watch(&bench, bench.file);
    write_file(bench.other, "b");
    assert_int_equal(changes_told(&bench, 300 * NS_PER_MS), 0);
    finish(&bench);
}

// As the kubelet does: file -> ..data/file, ..data -> ..1; then a new folder and the link swapped.
static void a_swapped_volume_is_told(void **state)
{
    (void)state;
    struct bench bench;
    char path[128], link[128], swap[128];
    begin(&bench);
    snprintf(path, sizeof path, "%s/..1", bench.folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/..1/file", bench.folder);
    write_file(path, "one");
    snprintf(link, sizeof link, "%s/..data", bench.folder);
    assert_int_equal(symlink("..1", link), 0);
    assert_int_equal(symlink("..data/file", bench.file), 0);
    watch(&bench, bench.file);
    for (unsigned round = 2; round < 4; round++) {
        snprintf(path, sizeof path, "%s/..%u", bench.folder, round);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/..%u/file", bench.folder, round);
        write_file(path, "next");
        snprintf(path, sizeof path, "..%u", round);
        snprintf(swap, sizeof swap, "%s/..data_tmp", bench.folder);
        assert_int_equal(symlink(path, swap), 0);
        assert_int_equal(rename(swap, link), 0);
        assert_int_equal(changes_told(&bench, LONG), 1);
    }
    finish(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_is_told_once),
        cmocka_unit_test(a_rename_over_it_and_a_late_birth_are_told),
        cmocka_unit_test(another_file_is_not_told),
        cmocka_unit_test(a_swapped_volume_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
