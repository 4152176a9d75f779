// The handler of SIGBUS: which faults it takes, and that all others end the process as ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/page_guard.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

static int empty_file; // a page of it faults

// cmocka takes the signal for itself before each test.
static struct sigaction guard_action;

static void take_signal(void **state)
{
    (void)state;
    sigaction(SIGBUS, &guard_action, NULL);
}

static void *read_byte(void *address)
{
    return *(volatile uint8_t *)address ? address : NULL;
}

static void a_lost_page_reads_as_zeros_and_is_counted(void **state)
{
    take_signal(state);
    struct page_guard *guard;
    uint8_t *data = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, empty_file, 0);
    pthread_t thread;
    void *value = data;
    uint32_t mine = page_guard_mine();
    assert_true(data != MAP_FAILED);
    assert_int_equal(ftruncate(empty_file, 2 * PAGE), 0);
    assert_int_equal(page_guard_add(&guard, data, 4 * PAGE), 0);
    memset(data, 'x', 2 * PAGE);
    assert_int_equal(page_guard_lost(guard), 0);
    assert_int_equal(ftruncate(empty_file, PAGE), 0);
    assert_int_equal(*(volatile uint8_t *)data, 'x');
    assert_null(read_byte(data + 2 * PAGE - 1));
    assert_int_equal(page_guard_lost(guard), 1);
    assert_int_equal(page_guard_mine(), mine + 1);
    // Another thread, of a library that knows nothing of this.
    assert_int_equal(pthread_create(&thread, NULL, read_byte, data + 3 * PAGE), 0);
    assert_int_equal(pthread_join(thread, &value), 0);
    assert_null(value);
    assert_int_equal(page_guard_lost(guard), 2);
    assert_int_equal(page_guard_mine(), mine + 1);
    page_guard_remove(guard);
    munmap(data, 4 * PAGE);
    assert_int_equal(ftruncate(empty_file, 0), 0);
}

static void many_mappings_are_told_apart(void **state)
{
    take_signal(state);
    enum { COUNT = 1000 }; // several pieces of the table
    static struct page_guard *guards[COUNT];
    uint8_t *data = mmap(NULL, COUNT * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, empty_file, 0);
    assert_true(data != MAP_FAILED);
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(page_guard_add(&guards[i], data + i * PAGE, PAGE), 0);
    for (size_t i = 0; i < COUNT; i += 7)
        assert_null(read_byte(data + i * PAGE));
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(page_guard_lost(guards[i]), i % 7 == 0);
    for (size_t i = 0; i < COUNT; i++)
        page_guard_remove(guards[i]);
    munmap(data, COUNT * PAGE);
}

// How a child that does this ends.
static int end_of_child(void (*act)(uint8_t *page))
{
    int status = 0;
    uint8_t *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, empty_file, 0);
    assert_true(page != MAP_FAILED);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        // What was there before it, a sanitizer's own handler among them, is not asked about here.
        alarm(10);
        close(STDERR_FILENO);
        act(page);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    munmap(page, PAGE);
    return status;
}

static void touch(uint8_t *page)
{
    (void)read_byte(page);
}

static void touch_removed(uint8_t *page)
{
    struct page_guard *guard;
    if (page_guard_add(&guard, page, PAGE) == 0)
        page_guard_remove(guard);
    (void)read_byte(page);
}

static void send_signal(uint8_t *page)
{
    struct page_guard *guard;
    (void)page_guard_add(&guard, page, PAGE);
    kill(getpid(), SIGBUS);
}

static void any_other_fault_ends_the_process(void **state)
{
    take_signal(state);
    void (*const acts[])(uint8_t *) = {touch, touch_removed, send_signal};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        int status = end_of_child(acts[i]);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
        assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0); // its report, then its exit
#else
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGBUS);
#endif
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_page_reads_as_zeros_and_is_counted),
        cmocka_unit_test(many_mappings_are_told_apart),
        cmocka_unit_test(any_other_fault_ends_the_process),
    };
    empty_file = memfd_create("empty", MFD_CLOEXEC);
    if (empty_file < 0 || page_guard_install() < 0 || sigaction(SIGBUS, NULL, &guard_action) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
