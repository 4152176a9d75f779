// Pages that are lost under a running agent: whatever was on them, the agent lives, what is whole
// is delivered, and the books say what is not.
#include "spool_fixture.h"

#include "spool/damage.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define SEGMENTS 4
#define RECORDS 3u // in each entry

static char folder[64];
static int empty_file; // a page of it faults
static struct fixture *fixture;

static void open_log(enum spool_level level)
{
    struct spool_config config = fixture_config(fixture, SEGMENTS);
    config.level = level;
    config.folder = folder;
    assert_int_equal(spool_log_new(&fixture->log, &config), 0);
}

// As exporters do, on a thread of theirs or at once.
static void read_payload_of(struct fake_exporter *fake, const struct parcel *parcel)
{
    (void)fake;
    for (size_t i = 0; i < parcel->payload.size; i++)
        (void)((const volatile char *)parcel->payload.data)[i];
}

static int fixture_start(enum spool_level level)
{
    strcpy(folder, "/tmp/sluice-pages-XXXXXX");
    assert_non_null(mkdtemp(folder));
    empty_file = memfd_create("empty", MFD_CLOEXEC);
    assert_true(empty_file >= 0);
    fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_int_equal(loop_new(&fixture->loop), 0);
    fixture->fake.exporter.ops = &fake_exporter_ops;
    fixture->fake.window = SIZE_MAX;
    fixture->fake.on_offer = read_payload_of;
    open_log(level);
    return 0;
}

static int in_folder(void **state)
{
    (void)state;
    return fixture_start(SPOOL_PROCESS);
}

static int in_memory(void **state)
{
    (void)state;
    return fixture_start(SPOOL_MEMORY);
}

// cmocka takes the signal for itself before each test.
static struct sigaction guard_action;

static void take_signal(void **state)
{
    (void)state;
    sigaction(SIGBUS, &guard_action, NULL);
}

static bool has_file(const char *name)
{
    char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

// The next access of this page is a SIGBUS.
static void lose_page(const void *address)
{
    uint8_t *page = (uint8_t *)address - ((uintptr_t)address & (PAGE - 1));
    assert_true(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, empty_file, 0) ==
                page);
}

static struct segment *oldest(void)
{
    assert_true(fixture->log->live_count > 0);
    return fixture->log->live[0];
}

static const uint8_t *payload(const struct segment *segment, uint32_t slot)
{
    const uint8_t *at = segment->data + SEGMENT_HEADER_SIZE + slot * (size_t)SEGMENT_ENTRY_SIZE;
    return segment->data + get_u32le(at + ENTRY_PAYLOAD_OFFSET);
}

// Without a topic, whose one blob at the segment's end all entries would need.
static int append(size_t size, int fill, uint32_t records)
{
    struct spool_slot slot = {NULL, 0};
    struct spool_entry entry = {.records = records};
    int r = spool_reserve(fixture->log, size, &slot);
    if (r != 0)
        return r;
    memset(slot.data, fill, size);
    return spool_commit(fixture->log, size, &entry);
}

// Entries of a page each, all waiting.
static void append_pages(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(append(PAGE, 'a' + (int)i, RECORDS), 0);
    fixture_turn(fixture);
}

static void take_all(void)
{
    fixture->fake.window = SIZE_MAX;
    loop_defer(fixture->loop, &fixture->log->pump);
    fixture_turn(fixture);
}

static void answer_all(enum verdict_kind kind)
{
    size_t first = fixture->fake.taken_count - fixture->fake.held;
    for (size_t i = first, count = fixture->fake.taken_count; i < count; i++)
        fake_answer(&fixture->fake, fixture->fake.taken[i], kind, 0);
    fixture_turn(fixture);
}

static void assert_through(uint64_t delivered, uint64_t damaged)
{
    assert_int_equal(fixture->book.delivered, delivered * RECORDS);
    assert_int_equal(fixture->book.dropped[DROP_DAMAGED], damaged * RECORDS);
    assert_int_equal(fixture->book.held, 0);
    assert_int_equal(fixture->book.trouble[TROUBLE_PAGE_LOST], 0);
    assert_int_equal(fixture->log->pending, 0);
    assert_int_equal(fixture->log->waiting, 0);
    assert_int_equal(books_exporter_gap(&fixture->book), 0);
}

// What comes afterwards is as if nothing had been.
static void assert_goes_on(void)
{
    uint64_t before = fixture->book.delivered;
    append_pages(20); // of two segments
    take_all();
    answer_all(VERDICT_DELIVERED);
    assert_int_equal(fixture->book.delivered, before + (uint64_t)20 * RECORDS);
}

static void *read_byte(void *address)
{
    return *(volatile uint8_t *)address ? address : NULL;
}

static void a_cut_file_gives_what_is_left_of_it(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    append_pages(8);
    struct segment *segment = oldest();
    assert_int_equal(ftruncate(segment->piece.fd, payload(segment, 5) - segment->data), 0);
    take_all();
    assert_int_equal(fixture->fake.held, 6); // the one that it ran into
    assert_int_equal(fixture->book.dropped[DROP_DAMAGED], 3 * RECORDS);
    assert_int_equal(fixture->book.trouble[TROUBLE_PAGE_LOST], 1);
    assert_true(fixture->book.pages_lost >= 3);
    append_pages(1); // elsewhere, while the other is not through
    assert_int_equal(fixture->log->live_count, 2);
    answer_all(VERDICT_DELIVERED);
    assert_through(6, 3);
    assert_goes_on();
    assert_true(has_file("00000001.damaged"));
    assert_false(has_file("00000001.segment"));
    assert_int_equal(fixture->book.set_aside, 1);
}

static void a_file_cut_to_nothing_loses_what_it_held(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    append_pages(8);
    assert_int_equal(ftruncate(oldest()->piece.fd, 0), 0);
    take_all();
    answer_all(VERDICT_DELIVERED);
    assert_through(0, 8);
    assert_goes_on();
}

static void a_lost_payload_is_dropped_alone(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    append_pages(8);
    lose_page(payload(oldest(), 3));
    take_all();
    assert_int_equal(fixture->fake.held, 8);
    answer_all(VERDICT_DELIVERED);
    assert_through(7, 1);
    assert_goes_on();
}

static void a_lost_index_page_loses_its_entries(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(append(100, 'a', RECORDS), 0);
    lose_page(oldest()->data + SEGMENT_HEADER_SIZE); // the first 64 entries
    take_all();
    assert_int_equal(fixture->fake.held, 36);
    assert_int_equal(fixture->book.dropped[DROP_DAMAGED], 64 * RECORDS);
    answer_all(VERDICT_DELIVERED);
    assert_through(36, 64);
    assert_goes_on();
}

static void an_index_page_lost_in_the_exporters_hand_keeps_the_books(void **state)
{
    take_signal(state);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(append(100, 'a', 1 + i), 0);
    take_all();
    assert_int_equal(fixture->fake.held, 100);
    lose_page(oldest()->data + SEGMENT_HEADER_SIZE);
    answer_all(VERDICT_DELIVERED);
    assert_int_equal(fixture->book.dropped[DROP_DAMAGED], 64 * 65 / 2);
    assert_int_equal(fixture->book.delivered, 100 * 101 / 2 - 64 * 65 / 2);
    assert_int_equal(fixture->book.held, 0);
    assert_goes_on();
}

static void a_lost_header_refuses_the_record_that_finds_it(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    append_pages(4);
    lose_page(oldest()->data);
    struct spool_slot slot;
    struct spool_entry entry = {.records = RECORDS};
    assert_int_equal(spool_reserve(fixture->log, PAGE, &slot), 0);
    memset(slot.data, 'x', PAGE);
    assert_int_equal(spool_commit(fixture->log, PAGE, &entry), SPOOL_DAMAGED);
    assert_int_equal(fixture->book.dropped[DROP_DAMAGED], RECORDS);
    take_all();
    answer_all(VERDICT_DELIVERED);
    assert_through(4, 1);
    assert_goes_on();
}

static void a_record_whose_page_goes_while_it_is_written_is_refused(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    append_pages(2);
    for (unsigned tail = 0; tail < 2; tail++) { // written before the page goes; written behind it
        struct spool_slot slot;
        struct spool_entry entry = {.records = RECORDS};
        assert_int_equal(spool_reserve(fixture->log, 2 * PAGE, &slot), 0);
        memset(slot.data, 'x', PAGE);
        lose_page(slot.data + tail * PAGE);
        memset(slot.data + PAGE, 'x', PAGE);
        assert_int_equal(spool_commit(fixture->log, 2 * PAGE, &entry), SPOOL_DAMAGED);
        assert_int_equal(append(PAGE, 'y', RECORDS), 0);
    }
    take_all();
    answer_all(VERDICT_DELIVERED);
    assert_through(4, 2);
    assert_goes_on();
}

// Of two logs the second copies the document out of the first one's segment.
static void a_record_copied_from_a_lost_page_is_refused(void **state)
{
    take_signal(state);
    struct page_guard *guard;
    struct spool_slot slot;
    struct spool_entry entry = {.records = RECORDS};
    uint8_t *other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, empty_file, 0);
    assert_true(other != MAP_FAILED);
    assert_int_equal(page_guard_add(&guard, other, PAGE), 0);
    assert_int_equal(spool_reserve(fixture->log, PAGE, &slot), 0);
    memcpy(slot.data, other, 100);
    assert_int_equal(spool_commit(fixture->log, 100, &entry), SPOOL_DAMAGED);
    page_guard_remove(guard);
    munmap(other, PAGE);
    assert_through(0, 1);
    assert_int_equal(fixture->book.pages_lost, 0); // not this log's
    assert_goes_on();
}

static void an_abandoned_slot_on_a_lost_page_harms_nothing(void **state)
{
    take_signal(state);
    struct spool_slot slot;
    assert_int_equal(spool_reserve(fixture->log, PAGE, &slot), 0);
    lose_page(slot.data);
    memset(slot.data, 'x', PAGE);
    spool_abort(fixture->log);
    assert_goes_on();
    assert_int_equal(fixture->book.dropped[DROP_DAMAGED], 0);
    assert_int_equal(fixture->book.pages_lost, 1);
}

static void *read_payload(void *data)
{
    size_t sum = 0;
    for (size_t i = 0; i < PAGE; i++)
        sum += ((volatile uint8_t *)data)[i];
    return sum ? data : NULL;
}

static void no_verdict_counts_for_bytes_that_were_lost(void **state)
{
    take_signal(state);
    static const enum verdict_kind kinds[] = {VERDICT_DELIVERED, VERDICT_DEAD, VERDICT_RETURNED};
    for (size_t i = 0; i < 3; i++) {
        pthread_t thread;
        append_pages(3);
        assert_int_equal(fixture->fake.held, 3);
        lose_page(payload(oldest(), 1));
        void *sum = fixture;
        void *data = (void *)payload(oldest(), 1);
        assert_int_equal(pthread_create(&thread, NULL, read_payload, data), 0);
        assert_int_equal(pthread_join(thread, &sum), 0);
        answer_all(kinds[i]);
        if (kinds[i] == VERDICT_RETURNED)
            answer_all(VERDICT_DELIVERED); // the two that are whole were offered again
        assert_int_equal(fixture->book.dropped[DROP_DAMAGED], (i + 1) * RECORDS);
        assert_int_equal(fixture->book.held, 0);
        assert_int_equal(fixture->fake.held, 0);
    }
    assert_int_equal(fixture->book.delivered, 4 * RECORDS);
    assert_int_equal(fixture->book.dead, 2 * RECORDS);
}

// The exporter refuses an offer, and its answer from inside is what finds the loss.
static void lose_while_full(struct fake_exporter *fake)
{
    fake->on_full = NULL;
    lose_page(payload(oldest(), 0));
    lose_page(payload(oldest(), 1));
    (void)read_byte((void *)payload(oldest(), 0));
    fake_answer(fake, fake->taken[0], VERDICT_DELIVERED, 0);
}

static void a_refused_offer_may_find_its_entry_lost(void **state)
{
    take_signal(state);
    fixture->fake.window = 1;
    fixture->fake.on_full = lose_while_full;
    append_pages(3);
    assert_int_equal(fixture->book.dropped[DROP_DAMAGED], 2 * RECORDS);
    take_all();
    answer_all(VERDICT_DELIVERED);
    assert_through(1, 2);
    assert_goes_on();
}

// No signal says so: the file was cut and grew again, and is zeros now.
static void an_index_of_zeros_is_no_record(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    append_pages(4);
    struct segment *segment = oldest();
    memset(segment->data + SEGMENT_HEADER_SIZE, 0, (size_t)2 * SEGMENT_ENTRY_SIZE);
    take_all();
    answer_all(VERDICT_DELIVERED);
    assert_through(2, 2);
    append_pages(4);
    memset(oldest()->data + SEGMENT_HEADER_SIZE, 0, (size_t)2 * SEGMENT_ENTRY_SIZE);
    answer_all(VERDICT_DELIVERED);
    assert_through(4, 4);
    assert_goes_on();
}

static void an_idle_segment_that_was_cut_is_not_used(void **state)
{
    take_signal(state);
    append_pages(30); // three segments
    answer_all(VERDICT_DELIVERED);
    assert_true(fixture->log->free_count > 0);
    for (struct segment *idle = fixture->log->free; idle; idle = idle->next)
        assert_int_equal(ftruncate(idle->piece.fd, 0), 0);
    assert_int_equal(ftruncate(oldest()->piece.fd, 0), 0);       // the active one, empty
    assert_int_equal(append(PAGE, 'x', RECORDS), SPOOL_DAMAGED); // the one that found it
    append_pages(30);
    answer_all(VERDICT_DELIVERED);
    assert_through(60, 1);
}

static void the_rest_of_a_damaged_file_is_found_at_the_next_start(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    append_pages(8);
    struct segment *segment = oldest();
    assert_int_equal(ftruncate(segment->piece.fd, payload(segment, 5) - segment->data), 0);
    fixture->fake.window = 2;
    loop_defer(fixture->loop, &fixture->log->pump);
    fixture_turn(fixture);
    // Cut, but nobody has come to its end yet: an exporter that is freed gives all back.
    (void)read_byte(segment->data + FIXTURE_SEGMENT - 1);
    answer_all(VERDICT_RETURNED);
    assert_int_equal(fixture->book.dropped[DROP_DAMAGED], 3 * RECORDS);
    fixture->fake.window = 0;
    answer_all(VERDICT_RETURNED);
    spool_log_free(fixture->log);
    assert_true(has_file("00000001.segment"));
    fixture->book = (struct exporter_book){0};
    open_log(SPOOL_PROCESS);
    take_all();
    answer_all(VERDICT_DELIVERED);
    assert_int_equal(fixture->book.recovered, 5 * RECORDS);
    assert_int_equal(fixture->book.delivered, 5 * RECORDS);
    assert_int_equal(fixture->book.damaged, 3);
}

static void a_file_that_cannot_be_read_at_the_start_ends_nothing(void **state)
{
    take_signal(state);
    fixture->fake.window = 0;
    append_pages(20);
    spool_log_free(fixture->log);
    fixture->book = (struct exporter_book){0};
    open_log(SPOOL_PROCESS);
    fixture->fake.window = 2;
    fixture_turn(fixture); // the first is loaded, the second is not
    char path[100];
    snprintf(path, sizeof path, "%s/00000002.segment", folder);
    assert_int_equal(truncate(path, 40000), 0);
    while (fixture->fake.held > 0) {
        answer_all(VERDICT_DELIVERED);
        take_all();
    }
    assert_int_equal(fixture->book.held, 0);
    assert_true(fixture->book.delivered > 10 * RECORDS);
    assert_int_equal(fixture->book.delivered + fixture->book.damaged_records, 20 * RECORDS);
}

static int fixture_end(void **state)
{
    (void)state;
    char command[100];
    fixture->fake.window = 0;
    answer_all(VERDICT_RETURNED); // of a test that failed
    fixture_free(fixture);
    close(empty_file);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, in_folder, fixture_end)
#define IN_MEMORY(test) cmocka_unit_test_setup_teardown(test, in_memory, fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_cut_file_gives_what_is_left_of_it),
        IN_FOLDER(a_file_cut_to_nothing_loses_what_it_held),
        IN_FOLDER(a_lost_payload_is_dropped_alone),
        IN_MEMORY(a_lost_payload_is_dropped_alone),
        IN_FOLDER(a_lost_index_page_loses_its_entries),
        IN_MEMORY(a_lost_index_page_loses_its_entries),
        IN_FOLDER(an_index_page_lost_in_the_exporters_hand_keeps_the_books),
        IN_FOLDER(a_lost_header_refuses_the_record_that_finds_it),
        IN_MEMORY(a_lost_header_refuses_the_record_that_finds_it),
        IN_FOLDER(a_record_whose_page_goes_while_it_is_written_is_refused),
        IN_MEMORY(a_record_whose_page_goes_while_it_is_written_is_refused),
        IN_FOLDER(a_record_copied_from_a_lost_page_is_refused),
        IN_FOLDER(an_abandoned_slot_on_a_lost_page_harms_nothing),
        IN_FOLDER(no_verdict_counts_for_bytes_that_were_lost),
        IN_MEMORY(no_verdict_counts_for_bytes_that_were_lost),
        IN_FOLDER(a_refused_offer_may_find_its_entry_lost),
        IN_FOLDER(an_index_of_zeros_is_no_record),
        IN_FOLDER(an_idle_segment_that_was_cut_is_not_used),
        IN_FOLDER(the_rest_of_a_damaged_file_is_found_at_the_next_start),
        IN_FOLDER(a_file_that_cannot_be_read_at_the_start_ends_nothing),
    };
    if (page_guard_install() < 0 || sigaction(SIGBUS, NULL, &guard_action) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
