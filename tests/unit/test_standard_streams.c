// The standard streams: closed ones are filled, a stdout that nobody reads does not hold us.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/standard_streams.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASIDE 100 // where a stream waits meanwhile; F_DUPFD gives that number or more

static void closed_streams_are_filled(void **state)
{
    (void)state;
    struct stat null, filled[3];
    int aside[3], result[3];
    assert_int_equal(stat("/dev/null", &null), 0);
    for (int fd = 0; fd < 3; fd++) {
        aside[fd] = fcntl(fd, F_DUPFD_CLOEXEC, ASIDE);
        close(fd);
    }
    standard_streams_fill();
    for (int fd = 0; fd < 3; fd++) {
        result[fd] = fstat(fd, &filled[fd]);
        dup2(aside[fd], fd); // before any assertion has something to say
        close(aside[fd]);
    }
    for (int fd = 0; fd < 3; fd++) {
        assert_int_equal(result[fd], 0);
        assert_int_equal(filled[fd].st_rdev, null.st_rdev);
    }
}

static void open_streams_are_left(void **state)
{
    (void)state;
    struct stat before, after;
    assert_int_equal(fstat(STDOUT_FILENO, &before), 0);
    standard_streams_fill();
    assert_int_equal(fstat(STDOUT_FILENO, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
}

static void a_full_stdout_holds_nobody(void **state)
{
    (void)state;
    static const char page[4096];
    char taken[sizeof page];
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fflush(stdout);
    int aside = dup(STDOUT_FILENO);
    dup2(fds[1], STDOUT_FILENO);
    close(fds[1]);
    fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK);
    while (write(STDOUT_FILENO, page, sizeof page) > 0)
        continue;
    fcntl(STDOUT_FILENO, F_SETFL, 0);
    standard_streams_say("lost\n", 1);
    ssize_t first = read(fds[0], taken, sizeof taken);
    standard_streams_say("said\n", 1);
    dup2(aside, STDOUT_FILENO);
    close(aside);
    ssize_t got, last = 0;
    while ((got = read(fds[0], taken, sizeof taken)) > 0)
        last = got;
    close(fds[0]);
    assert_int_equal(first, sizeof taken);
    assert_true(last >= 5);
    assert_memory_equal(taken + last - 5, "said\n", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_streams_are_filled),
        cmocka_unit_test(open_streams_are_left),
        cmocka_unit_test(a_full_stdout_holds_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
