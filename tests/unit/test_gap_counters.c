// The table of what was dropped and not told: bounded without losing a record, and the same after a
// SIGKILL.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/books.h"
#include "base/clock.h"
#include "base/own_log.h"
#include "spool/gap_counters.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_NS 1795375000000000000u

static uint64_t now_ns;
static char folder[64];
static struct books books;
static unsigned hooked;

static uint64_t clock_now(struct clock *clock)
{
    (void)clock;
    return now_ns;
}

static struct clock test_clock = {clock_now, clock_now};

static void path_of(char out[128], const char *name)
{
    snprintf(out, 128, "%s/%s", folder, name);
}

static int set_up(void **state)
{
    (void)state;
    now_ns = START_NS;
    hooked = 0;
    books = (struct books){0};
    books_add_exporter(&books, "kafka");
    books_add_exporter(&books, "second");
    books_add_exporter(&books, "otlp");
    strcpy(folder, "/tmp/sluice-gaps-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    char path[128];
    (void)state;
    path_of(path, "gaps");
    unlink(path);
    path_of(path, "gaps.damaged");
    unlink(path);
    return rmdir(folder);
}

static struct gap_counters *open_gaps(bool file, uint32_t tellers)
{
    struct gap_counters *gaps = NULL;
    for (unsigned i = 0; i < books.exporter_count; i++)
        books.exporters[i].book.untold = 0;
    struct gap_counters_config config = {
        .folder = file ? folder : NULL, .clock = &test_clock, .books = &books, .tellers = tellers};
    assert_int_equal(gap_counters_new(&gaps, &config), 0);
    return gaps;
}

static void count(struct gap_counters *gaps, enum gap_reason reason, unsigned exporter,
                  uint8_t severity, const char *service, uint64_t records)
{
    struct gap_cause cause = {.reason = reason,
                              .exporter = exporter,
                              .severity = severity,
                              .service = slice_from(service)};
    gap_count(gaps, &cause, records, 0);
}

static unsigned rows_of(const struct gap_counters *gaps)
{
    unsigned rows = 0;
    for (unsigned row = 0; row < GAP_ROWS; row++)
        rows += gap_since(gaps, row) != 0;
    return rows;
}

// Tells everything; how many records that was, and how many to `other`.
static uint64_t tell_all(struct gap_counters *gaps, uint64_t *others)
{
    uint64_t told = 0;
    uint8_t id[16] = {1};
    *others = 0;
    for (unsigned row = 0; row < GAP_ROWS; row++) {
        struct gap gap;
        if (!gap_since(gaps, row))
            continue;
        id[15] = (uint8_t)row;
        gap_take(gaps, row, id, &gap);
        told += gap.records;
        if (slice_equal(gap.cause.service, SLICE("other")))
            *others += gap.records;
        gap_told(gaps, row);
    }
    return told;
}

static struct gap take_only(struct gap_counters *gaps, unsigned *row)
{
    struct gap gap;
    const uint8_t id[16] = "0123456789abcde";
    assert_int_equal(rows_of(gaps), 1);
    for (*row = 0; !gap_since(gaps, *row);)
        ++*row;
    gap_take(gaps, *row, id, &gap);
    return gap;
}

static void a_cause_is_one_count(void **state)
{
    (void)state;
    struct gap_counters *gaps = open_gaps(false, 3);
    unsigned row = 0;
    count(gaps, GAP_SHED, 0, 5, "checkout", 3);
    now_ns += 7 * NS_PER_S;
    count(gaps, GAP_SHED, 0, 7, "checkout", 4); // debug2 is debug
    assert_int_equal(books.exporters[0].book.untold, 7);
    struct gap gap = take_only(gaps, &row);
    assert_int_equal(gap.records, 7);
    assert_int_equal(gap.first_ns, START_NS);
    assert_int_equal(gap.last_ns, START_NS + 7 * NS_PER_S);
    assert_int_equal(gap.cause.severity, 5);
    assert_string_equal(gap.exporter, "kafka");
    assert_true(slice_equal(gap.cause.service, SLICE("checkout")));
    count(gaps, GAP_SHED, 0, 5, "checkout", 2); // while it is being told
    gap_told(gaps, row);
    assert_int_equal(books.exporters[0].book.untold, 2);
    count(gaps, GAP_SHED, 0, 5, "cart", 1);
    count(gaps, GAP_SHED, 0, 9, "checkout", 1);
    count(gaps, GAP_SHED, 1, 5, "checkout", 1);
    count(gaps, GAP_DEAD, 0, 5, "checkout", 1);
    count(gaps, GAP_DEAD, 0, 0, "", 1);
    assert_int_equal(rows_of(gaps), 6);
    gap_counters_switch(gaps, false);
    count(gaps, GAP_LEVEL, 0, 5, "checkout", 1);
    assert_int_equal(rows_of(gaps), 6);
    gap_counters_free(gaps);
}

// What a client claims is not believed to add up.
static void a_count_that_is_full_leaves_nothing_untold(void **state)
{
    (void)state;
    struct gap_counters *gaps = open_gaps(false, 1);
    uint64_t others;
    count(gaps, GAP_CLIENT, GAP_DOOR, 0, "liar", UINT64_MAX - 1);
    count(gaps, GAP_CLIENT, GAP_DOOR, 0, "liar", 10);
    assert_int_equal(books.exporters[0].book.untold, UINT64_MAX);
    assert_int_equal(tell_all(gaps, &others), UINT64_MAX);
    assert_int_equal(books.exporters[0].book.untold, 0);
    gap_counters_free(gaps);
}

static void who_takes_no_logs_is_told_by_all_who_do(void **state)
{
    (void)state;
    struct gap_counters *gaps = open_gaps(false, 3);
    count(gaps, GAP_REFUSED, 2, 0, "", 5);
    count(gaps, GAP_MALFORMED, GAP_DOOR, 0, "", 1);
    assert_int_equal(rows_of(gaps), 4);
    assert_int_equal(books.exporters[0].book.untold, 6);
    assert_int_equal(books.exporters[1].book.untold, 6);
    assert_int_equal(books.exporters[2].book.untold, 0);
    gap_counters_free(gaps);
    gaps = open_gaps(false, 0); // nobody takes logs
    count(gaps, GAP_REFUSED, 2, 0, "", 5);
    assert_int_equal(rows_of(gaps), 0);
    gap_counters_free(gaps);
}

static void what_does_not_fit_goes_to_other_and_is_still_counted(void **state)
{
    (void)state;
    struct gap_counters *gaps = open_gaps(true, 3);
    uint64_t counted = 0, others = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 5000; i++) {
            char service[24];
            snprintf(service, sizeof service, "service-%u", i * 7 + round);
            count(gaps, (enum gap_reason)(i % GAP_OTHER), i % 3, (uint8_t)(i % 25), service, 1 + i);
            counted += (1 + i) * (i % 3 == 2 ? 2 : 1); // the third has two who tell
        }
        assert_true(rows_of(gaps) <= GAP_ROWS);
        assert_true(rows_of(gaps) > GAP_ROWS / 2);
        assert_int_equal(books.exporters[0].book.untold + books.exporters[1].book.untold, counted);
        if (round == 1) { // and the file has all of it
            gap_counters_free(gaps);
            gaps = open_gaps(true, 3);
            assert_int_equal(books.exporters[0].book.untold + books.exporters[1].book.untold,
                             counted);
        }
        assert_int_equal(tell_all(gaps, &others), counted);
        assert_true(others > 0 && others < counted);
        assert_int_equal(rows_of(gaps), 0);
        counted = 0;
    }
    gap_counters_free(gaps);
}

static void a_name_is_cut_between_characters(void **state)
{
    static const struct {
        const char *given;
        size_t kept;
    } cases[] = {{"caf\xc3\xa9", 5},  {"caf\xc3", 3},          {"a\xff", 1},
                 {"\xed\xa0\x80", 0}, {"\xf4\x90\x80\x80", 0}, {"\xf0\x9f\x90\x98", 4},
                 {"\xc0\x80", 0},     {"\xe0\x80\x80x", 0}};
    char longest[300];
    unsigned row = 0;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gap_counters *gaps = open_gaps(false, 1);
        count(gaps, GAP_SHED, 0, 0, cases[i].given, 1);
        assert_int_equal(take_only(gaps, &row).cause.service.size, cases[i].kept);
        gap_counters_free(gaps);
    }
    for (size_t i = 0; i < sizeof longest - 1; i += 2)
        memcpy(longest + i, "\xc3\xa9", 2);
    longest[sizeof longest - 2] = '\0';
    struct gap_counters *gaps = open_gaps(true, 1);
    count(gaps, GAP_SHED, 0, 0, longest, 1);
    count(gaps, GAP_SHED, 0, 0, longest, 1);
    assert_int_equal(take_only(gaps, &row).cause.service.size, GAP_SERVICE_MAX - 2);
    gap_counters_free(gaps);
}

static void an_exporter_that_is_gone_is_told_by_another(void **state)
{
    (void)state;
    unsigned row = 0;
    struct gap_counters *gaps = open_gaps(true, 2);
    count(gaps, GAP_SHED, 1, 9, "a", 4);
    gap_counters_free(gaps);
    strcpy(books.exporters[1].name, "renamed");
    gaps = open_gaps(true, 1);
    assert_int_equal(books.exporters[0].book.untold, 4);
    struct gap gap = take_only(gaps, &row);
    assert_int_equal(gap.teller, 0);
    assert_string_equal(gap.exporter, "second");
    gap_counters_free(gaps);
    gaps = open_gaps(true, 0); // nobody yet: it waits
    assert_int_equal(rows_of(gaps), 0);
    gap_counters_free(gaps);
    gaps = open_gaps(true, 1);
    assert_int_equal(take_only(gaps, &row).records, 4);
    gap_counters_free(gaps);
}

static void told_twice_has_one_id(void **state)
{
    (void)state;
    unsigned row = 0;
    struct gap gap;
    const uint8_t other[16] = "another id here";
    struct gap_counters *gaps = open_gaps(true, 1);
    count(gaps, GAP_SHED, 0, 9, "a", 4);
    take_only(gaps, &row);
    count(gaps, GAP_SHED, 0, 9, "a", 3);
    gap_counters_free(gaps); // as killed between the document and gap_told
    gaps = open_gaps(true, 1);
    gap_take(gaps, row, other, &gap);
    assert_int_equal(gap.records, 4);
    assert_memory_equal(gap.id, "0123456789abcde", 16);
    now_ns += 5;
    gap_told(gaps, row);
    assert_int_equal(gap_since(gaps, row), now_ns); // the rest waits its own interval
    gap_take(gaps, row, other, &gap);
    assert_int_equal(gap.records, 3);
    assert_memory_equal(gap.id, other, 16);
    gap_counters_free(gaps);
}

static void flip(off_t at, uint8_t bits)
{
    char path[128];
    uint8_t byte = 0;
    path_of(path, "gaps");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= bits;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

// Wherever a bit is wrong: the count is right, or older by one drop, or gone; never another one.
static void a_flipped_bit_invents_nothing(void **state)
{
    (void)state;
    char path[128], aside[128];
    path_of(path, "gaps");
    path_of(aside, "gaps.damaged");
    unsigned gone = 0;
    for (unsigned at = 0; at < 4096 + 512; at += at < 24 || at >= 4096 ? 1 : 509) {
        unlink(path);
        unlink(aside);
        struct gap_counters *gaps = open_gaps(true, 1);
        count(gaps, GAP_SHED, 0, 9, "a", 4);
        count(gaps, GAP_SHED, 0, 9, "a", 3);
        gap_counters_free(gaps);
        flip((off_t)at, (uint8_t)(1u << at % 8));
        gaps = open_gaps(true, 1);
        uint64_t left = books.exporters[0].book.untold;
        assert_true(left == 7 || left == 4 || left == 0);
        gone += left == 0;
        assert_int_equal(access(aside, F_OK) == 0, at < 24);
        count(gaps, GAP_SHED, 0, 9, "a", 1); // and it goes on
        assert_int_equal(books.exporters[0].book.untold, left + 1);
        gap_counters_free(gaps);
    }
    assert_true(gone > 250); // header and cause
}

static void what_cannot_be_had_leaves_it_in_memory(void **state)
{
    (void)state;
    char path[128];
    struct gap_counters *first = open_gaps(true, 1);
    struct gap_counters *second = open_gaps(true, 1); // the file is locked
    count(second, GAP_SHED, 0, 9, "a", 4);
    assert_int_equal(books.exporters[0].book.untold, 4);
    gap_counters_free(second);
    gap_counters_free(first);
    first = open_gaps(true, 1);
    assert_int_equal(rows_of(first), 0);
    gap_counters_free(first);
    path_of(path, "gaps");
    assert_int_equal(truncate(path, 5000), 0);
    first = open_gaps(true, 1);
    assert_int_equal(rows_of(first), 0);
    gap_counters_free(first);
    path_of(path, "gaps.damaged");
    assert_int_equal(access(path, F_OK), 0);
}

// --- killed ---

#define DOCUMENTS 100000
struct ledger {
    volatile uint64_t counted; // records, after each count
    volatile uint64_t documents;
    volatile uint64_t told[DOCUMENTS]; // records by id: a document told again is the same one
};

static void tell_into(struct gap_counters *gaps, struct ledger *ledger)
{
    for (unsigned row = 0; row < GAP_ROWS; row++) {
        struct gap gap;
        uint8_t id[16] = {0};
        uint64_t number = ledger->documents;
        if (!gap_since(gaps, row) || number >= DOCUMENTS)
            continue;
        memcpy(id, &number, sizeof number);
        ledger->documents = number + 1;
        gap_take(gaps, row, id, &gap);
        memcpy(&number, gap.id, sizeof number);
        assert_true(number < DOCUMENTS);
        ledger->told[number] = gap.records;
        gap_told(gaps, row);
    }
}

static void run_until_killed(struct ledger *ledger)
{
    struct gap_counters *gaps = open_gaps(true, 1);
    for (uint64_t i = 0;; i++) {
        while (ledger->documents > DOCUMENTS / 2)
            ; // a slow machine: the parent needs the rest
        char service[2] = {(char)('a' + i % 7), '\0'};
        count(gaps, GAP_SHED, 0, 9, service, 3);
        ledger->counted += 3;
        if (i % 64 == 63)
            tell_into(gaps, ledger);
    }
}

static void nothing_is_lost_or_told_twice_by_sigkill(void **state)
{
    (void)state;
    struct ledger *ledger =
        mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(ledger != MAP_FAILED);
    for (unsigned kill_number = 0; kill_number < 60; kill_number++) {
        memset((void *)ledger, 0, sizeof *ledger);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            run_until_killed(ledger);
        while (ledger->counted < 3 * (1 + 97 * kill_number % 500))
            ;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        struct gap_counters *gaps = open_gaps(true, 1);
        uint64_t told = 0;
        tell_into(gaps, ledger); // what was being told
        tell_into(gaps, ledger); // what came after that
        assert_int_equal(books.exporters[0].book.untold, 0);
        for (uint64_t i = 0; i < ledger->documents; i++)
            told += ledger->told[i];
        // The last count may be in the file and not in the ledger.
        assert_true(told == ledger->counted || told == ledger->counted + 3);
        gap_counters_free(gaps);
    }
    munmap(ledger, sizeof *ledger);
}

static void on_counted(void *ctx)
{
    assert_ptr_equal(ctx, &hooked);
    hooked++;
}

static void the_watcher_hears_of_the_first_of_a_cause(void **state)
{
    (void)state;
    uint64_t others = 0;
    struct gap_counters *gaps = open_gaps(false, 1);
    gap_counters_watch(gaps, on_counted, &hooked);
    count(gaps, GAP_SHED, 0, 9, "a", 1);
    count(gaps, GAP_SHED, 0, 9, "a", 1);
    assert_int_equal(hooked, 1);
    tell_all(gaps, &others);
    count(gaps, GAP_SHED, 0, 9, "a", 1);
    assert_int_equal(hooked, 2);
    gap_counters_free(gaps);
}

static void a_file_goes_when_all_of_it_is_told(void **state)
{
    unsigned row = 0;
    (void)state;
    assert_int_equal(gap_counters_remove(folder), 0); // there is none, and none is made
    struct gap_counters *gaps = open_gaps(true, 1);
    count(gaps, GAP_SHED, 0, 9, "checkout", 3);
    assert_int_equal(gap_counters_remove(folder), -EWOULDBLOCK);
    gap_counters_free(gaps);
    assert_int_equal(gap_counters_remove(folder), GAP_UNTOLD);
    gaps = open_gaps(true, 1);
    assert_int_equal(take_only(gaps, &row).records, 3);
    gap_counters_free(gaps);
    assert_int_equal(gap_counters_remove(folder), GAP_UNTOLD); // taken is not told
    gaps = open_gaps(true, 1);
    take_only(gaps, &row);
    gap_told(gaps, row);
    gap_counters_free(gaps);
    assert_int_equal(gap_counters_remove(folder), 0);
    gaps = open_gaps(true, 1);
    assert_int_equal(rows_of(gaps), 0);
    gap_counters_free(gaps);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_cause_is_one_count),
        CASE(a_count_that_is_full_leaves_nothing_untold),
        CASE(who_takes_no_logs_is_told_by_all_who_do),
        CASE(what_does_not_fit_goes_to_other_and_is_still_counted),
        CASE(a_file_goes_when_all_of_it_is_told),
        CASE(a_name_is_cut_between_characters),
        CASE(an_exporter_that_is_gone_is_told_by_another),
        CASE(told_twice_has_one_id),
        CASE(a_flipped_bit_invents_nothing),
        CASE(what_cannot_be_had_leaves_it_in_memory),
        CASE(nothing_is_lost_or_told_twice_by_sigkill),
        CASE(the_watcher_hears_of_the_first_of_a_cause),
    };
    own_log_threshold(OWN_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
