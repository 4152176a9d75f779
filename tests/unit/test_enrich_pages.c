// A page that another thread loses between the first log's copy of a document and the second's.
#include "enrich_fixture.h"

#include "spool/page_guard.h"
#include "spool/spool_log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct sigaction guard_action;
static struct house *house;
static unsigned losses;

static void *read_byte(void *at)
{
    (void)*(const volatile char *)at;
    return NULL;
}

// The document's page in the first log.
static void lose_page(void)
{
    pthread_t reader;
    const struct segment *segment = house->sinks[0].log->live[0];
    uint8_t *page = segment->data + SEGMENT_HEADER_SIZE + segment->capacity * SEGMENT_ENTRY_SIZE;
    int empty = memfd_create("empty", MFD_CLOEXEC);
    assert_true(empty >= 0);
    assert_true(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, empty, 0) == page);
    close(empty);
    assert_int_equal(pthread_create(&reader, NULL, read_byte, page), 0);
    assert_int_equal(pthread_join(reader, NULL), 0);
    losses++;
}

// In front of the C library's: the second log's first segment is made between the two copies.
int fallocate(int fd, int mode, off_t offset, off_t size)
{
    if (house && house->count == 2 && house->sinks[0].log->live_count == 1 && losses == 0)
        lose_page();
    return (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

static void the_second_log_gets_no_zeros(void **state)
{
    (void)state;
    struct arena arena;
    struct record record = {0};
    assert_int_equal(sigaction(SIGBUS, &guard_action, NULL), 0); // cmocka takes it for itself
    house = house_new();
    house_add(house, "first", SPOOL_SEGMENT_MIN, 4 * SPOOL_SEGMENT_MIN, SPOOL_WHEN_FULL_AUTO);
    house_add(house, "second", SPOOL_SEGMENT_MIN, 4 * SPOOL_SEGMENT_MIN, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 3, 0);
    arena_init(&arena, 4096, 0);
    fields_clear(&record.own);
    fields_set(&record.own, ECS_MESSAGE,
               (struct value){.kind = VALUE_TEXT, .text = SLICE("whole")});
    assert_int_equal(enrich_log(house->enrich, &record), 0);
    arena_deinit(&arena);
    assert_int_equal(losses, 1);
    house_turn(house);
    assert_int_equal(house->sinks[0].count, 0);
    assert_int_equal(house->sinks[0].book->dropped[DROP_DAMAGED], 1);
    assert_int_equal(house->sinks[1].count, 1);
    assert_non_null(strstr(house->sinks[1].items[0].payload.data, "\"whole\""));
    house_confirm(house);
    house_free(house);
    house = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_second_log_gets_no_zeros)};
    if (page_guard_install() < 0 || sigaction(SIGBUS, NULL, &guard_action) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
