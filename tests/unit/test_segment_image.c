// Reading a segment as recovery will: whole, damaged at each byte, cut, recycled, killed mid-way.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "spool/crc32c.h"
#include "spool/segment_image.h"
#include "spool/spool.h"

#include <stdlib.h>

#define SIZE ((size_t)16384)
#define ENTRIES 5

static struct store *store;
static struct segment *segment;

static void start(uint64_t generation)
{
    struct segment_identity identity = {.log_id = "log",
                                        .generation = generation,
                                        .base_position = 100,
                                        .base_record = 700,
                                        .form = SPOOL_FORM_OTLP,
                                        .exporter = "a-name-of-forty-characters-and-no-moreok"};
    segment_start(segment, &identity);
}

static void append(uint32_t records, const char *text, const char *key)
{
    struct spool_entry entry = {
        .records = records, .source = 3, .source_position = records * UINT64_C(10)};
    entry.resend.topic = SLICE("logs");
    entry.resend.key = slice_from(key);
    memcpy(segment_tail(segment), text, strlen(text));
    segment_append(segment, (uint32_t)strlen(text), &entry);
}

static int fresh(void **state)
{
    (void)state;
    assert_int_equal(store_open_memory(&store, "image"), 0);
    assert_int_equal(segment_new(&segment, store, SIZE), 0);
    start(1);
    append(1, "first\n", "a");
    append(2, "second\n", "a");
    append(3, "third\n", "b");
    append(4, "fourth\n", "b");
    append(5, "fifth\n", "c");
    return 0;
}

static int gone(void **state)
{
    (void)state;
    segment_remove(segment, store);
    store_close(store);
    return 0;
}

static void finish(uint32_t slot, enum segment_verdict verdict)
{
    while (segment_is_waiting(segment, slot))
        segment_take_waiting(segment);
    segment_mark(segment, slot, verdict, segment_records(segment, slot));
}

struct reading {
    unsigned good;
    uint64_t records;
    uint64_t first_position;
    uint64_t last_position;
    struct segment_image image;
};

static struct reading read_all(const void *data, size_t size)
{
    struct reading reading = {0};
    assert_int_equal(segment_check(&reading.image, data, size), 0);
    struct segment_entry entry;
    while (segment_entry(&reading.image, &entry)) {
        if (reading.good++ == 0)
            reading.first_position = entry.position;
        reading.records += entry.records;
        reading.last_position = entry.position;
    }
    assert_false(segment_entry(&reading.image, &entry));
    return reading;
}

static uint8_t *entry_of(uint32_t slot)
{
    return segment->data + SEGMENT_HEADER_SIZE + (size_t)slot * SEGMENT_ENTRY_SIZE;
}

static void test_whole(void **state)
{
    (void)state;
    finish(1, SEGMENT_DELIVERED);
    finish(2, SEGMENT_DEAD);
    entry_of(3)[ENTRY_VERDICT] = SEGMENT_DEAD_OLDEST; // means nothing in this version
    struct segment_image image;
    assert_int_equal(segment_check(&image, segment->data, SIZE), 0);
    assert_memory_equal(image.identity.log_id, "log", 4);
    assert_int_equal(image.identity.generation, 1);
    assert_int_equal(image.version, SEGMENT_VERSION);
    assert_int_equal(image.identity.form, SPOOL_FORM_OTLP);
    assert_string_equal(image.identity.exporter, "a-name-of-forty-characters-and-no-moreok");
    assert_true(image.count_known);
    assert_int_equal(image.entries, ENTRIES);
    assert_int_equal(image.records, 15);
    struct segment_entry entry;
    assert_true(segment_entry(&image, &entry));
    assert_int_equal(entry.verdict, SEGMENT_PENDING);
    assert_int_equal(entry.position, 100);
    assert_int_equal(entry.first_record, 700);
    assert_int_equal(entry.source, 3);
    assert_int_equal(entry.source_position, 10);
    assert_true(slice_equal(entry.payload, SLICE("first\n")));
    assert_true(slice_equal(entry.topic, SLICE("logs")));
    assert_true(slice_equal(entry.key, SLICE("a")));
    assert_true(segment_entry(&image, &entry));
    assert_int_equal(entry.verdict, SEGMENT_DELIVERED);
    assert_int_equal(entry.first_record, 701);
    assert_true(segment_entry(&image, &entry));
    assert_int_equal(entry.verdict, SEGMENT_DEAD);
    assert_true(segment_entry(&image, &entry));
    assert_int_equal(entry.verdict, SEGMENT_PENDING);
    assert_true(segment_entry(&image, &entry));
    assert_true(slice_equal(entry.key, SLICE("c")));
    assert_false(segment_entry(&image, &entry));
    assert_int_equal(image.damaged, 0);
    assert_int_equal(image.lost_records, 0);
}

// Every byte that an entry's CRC covers, flipped: that entry is skipped and its records counted.
static void test_each_covered_byte(void **state)
{
    (void)state;
    uint32_t at = SEGMENT_HEADER_SIZE + 2 * SEGMENT_ENTRY_SIZE;
    uint32_t payload = get_u32le(entry_of(2) + ENTRY_PAYLOAD_OFFSET);
    uint32_t blob = get_u32le(entry_of(2) + ENTRY_RESEND_OFFSET);
    uint32_t ranges[][2] = {{at, at + 4}, {at + 5, at + 64}, {payload, payload + 6}};
    for (size_t i = 0; i < 3; i++)
        for (uint32_t k = ranges[i][0]; k < ranges[i][1]; k++) {
            segment->data[k] ^= 0x41;
            struct reading reading = read_all(segment->data, SIZE);
            assert_int_equal(reading.good, ENTRIES - 1);
            assert_int_equal(reading.image.damaged, 1);
            assert_int_equal(reading.image.lost_records, 3);
            segment->data[k] ^= 0x41;
        }
    for (uint32_t k = blob; k < blob + 8 + 5; k++) { // two entries share it
        segment->data[k] ^= 0x41;
        struct reading reading = read_all(segment->data, SIZE);
        assert_int_equal(reading.good, ENTRIES - 2);
        assert_int_equal(reading.image.damaged, 2);
        assert_int_equal(reading.image.lost_records, 7);
        segment->data[k] ^= 0x41;
    }
    assert_int_equal(read_all(segment->data, SIZE).good, ENTRIES);
}

static void test_damage_at_the_ends(void **state)
{
    (void)state;
    entry_of(0)[ENTRY_TIME] ^= 1;
    entry_of(4)[ENTRY_TIME] ^= 1;
    struct reading reading = read_all(segment->data, SIZE);
    assert_int_equal(reading.good, 3);
    assert_int_equal(reading.first_position, 101);
    assert_int_equal(reading.image.damaged, 2);
    assert_int_equal(reading.image.lost_records, 6);
}

static void test_entry_in_anothers_place(void **state)
{
    (void)state;
    memcpy(entry_of(2), entry_of(3), SEGMENT_ENTRY_SIZE);
    struct reading reading = read_all(segment->data, SIZE);
    assert_int_equal(reading.good, ENTRIES - 1);
    assert_int_equal(reading.image.damaged, 1);
    assert_int_equal(reading.image.lost_records, 3);
}

// Under a good checksum, an entry that counts its records from before its neighbour's.
static void test_records_must_grow(void **state)
{
    (void)state;
    segment->records = 2;
    append(1, "x", NULL);
    struct reading reading = read_all(segment->data, SIZE);
    assert_int_equal(reading.good, ENTRIES);
    assert_int_equal(reading.image.damaged, 1);
}

static void test_header(void **state)
{
    (void)state;
    struct segment_image image = {.slot = 42};
    assert_int_equal(segment_check(&image, NULL, 0), SEGMENT_FOREIGN);
    assert_int_equal(segment_check(&image, segment->data, 4095), SEGMENT_FOREIGN);
    static const uint8_t zeros[SIZE];
    assert_int_equal(segment_check(&image, zeros, SIZE), SEGMENT_FOREIGN);
    for (uint32_t k = 12; k < 128; k++) {
        segment->data[k] ^= 4;
        assert_int_equal(segment_check(&image, segment->data, SIZE), SEGMENT_BAD_HEADER);
        segment->data[k] ^= 4;
    }
    segment->data[HEADER_VERSION] = SEGMENT_VERSION + 1;
    assert_int_equal(segment_check(&image, segment->data, SIZE), SEGMENT_NEWER);
    assert_int_equal(image.slot, 42); // written only on success
}

// Sizes that no writer would give, under a good checksum.
static void test_insane_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t field;
        uint32_t value;
    } lies[] = {{HEADER_VERSION, 0},
                {HEADER_HEADER_SIZE, 128},
                {HEADER_SEGMENT_SIZE, 0},
                {HEADER_SEGMENT_SIZE, SIZE + 1},
                {HEADER_SEGMENT_SIZE, 1u << 31},
                {HEADER_ENTRY_SIZE, 0},
                {HEADER_CAPACITY, 0},
                {HEADER_CAPACITY, 0x4000040},
                {HEADER_CAPACITY, UINT32_MAX},
                {HEADER_PAYLOAD_START, 0}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        uint32_t truth = get_u32le(segment->data + lies[i].field);
        put_u32le(segment->data + lies[i].field, lies[i].value);
        put_u32le(segment->data + HEADER_CRC, crc32c(0, segment->data, HEADER_CRC));
        struct segment_image image;
        assert_int_equal(segment_check(&image, segment->data, SIZE), SEGMENT_BAD_HEADER);
        put_u32le(segment->data + lies[i].field, truth);
    }
}

static void test_recycled_bytes_do_not_come_back(void **state)
{
    (void)state;
    uint8_t old[2 * SEGMENT_ENTRY_SIZE];
    for (uint32_t i = 0; i < ENTRIES; i++)
        finish(i, SEGMENT_DELIVERED);
    memcpy(old, entry_of(1), sizeof old);
    start(2);
    struct reading reading = read_all(segment->data, SIZE);
    assert_int_equal(reading.good + reading.image.damaged, 0);
    // The very same record: only the generation tells the new entry from the old ones.
    append(1, "first\n", "a");
    assert_memory_equal(entry_of(1), old, sizeof old);
    reading = read_all(segment->data, SIZE);
    assert_int_equal(reading.good, 1);
    assert_int_equal(reading.image.damaged, 0);
    // Also where the count is not known: what an older generation left is no damage.
    segment->data[HEADER_COMMIT] ^= 1;
    reading = read_all(segment->data, SIZE);
    assert_false(reading.image.count_known);
    assert_int_equal(reading.good, 1);
    assert_int_equal(reading.image.damaged, 0);
}

static void test_commit_word_lost(void **state)
{
    (void)state;
    segment->data[HEADER_COMMIT + 4] ^= 1;
    struct reading reading = read_all(segment->data, SIZE);
    assert_false(reading.image.count_known);
    assert_int_equal(reading.good, ENTRIES);
    entry_of(2)[ENTRY_ID] ^= 1;
    reading = read_all(segment->data, SIZE);
    assert_int_equal(reading.good, ENTRIES - 1);
    assert_int_equal(reading.image.damaged, 1); // between good ones: it was there
    assert_int_equal(reading.image.lost_records, 3);
}

// SIGKILL between an entry and the commit word that counts it; or before the entry was whole.
static void test_killed_in_a_commit(void **state)
{
    (void)state;
    uint8_t word[8];
    memcpy(word, segment->data + HEADER_COMMIT, 8);
    append(1, "sixth\n", "c");
    memcpy(segment->data + HEADER_COMMIT, word, 8);
    struct reading reading = read_all(segment->data, SIZE);
    assert_int_equal(reading.good, ENTRIES + 1);
    assert_int_equal(reading.image.damaged, 0);
    assert_int_equal(reading.image.lost_records, 0);
    entry_of(ENTRIES)[ENTRY_RECORDS] = 9;
    reading = read_all(segment->data, SIZE);
    assert_int_equal(reading.good, ENTRIES);
    assert_int_equal(reading.image.damaged, 0);
}

static void test_cut_at_every_length(void **state)
{
    (void)state;
    unsigned before = 0;
    for (size_t size = SEGMENT_HEADER_SIZE; size <= SIZE; size += 7) {
        uint8_t *cut = malloc(size); // exactly, so that ASan sees a read beyond
        assert_non_null(cut);
        memcpy(cut, segment->data, size);
        struct reading reading = read_all(cut, size);
        assert_int_equal(reading.good + reading.image.damaged, ENTRIES);
        assert_int_equal(reading.records + reading.image.lost_records, 15);
        assert_true(reading.good >= before);
        before = reading.good;
        free(cut);
    }
}

// A segment of version 1: what it wrote for dead counts as that.
static void test_oldest_verdict(void **state)
{
    (void)state;
    struct segment_image image;
    struct segment_entry entry;
    finish(0, SEGMENT_DEAD);
    entry_of(0)[ENTRY_VERDICT] = SEGMENT_DEAD_OLDEST;
    memset(segment->data + HEADER_FORM, 0, HEADER_EXPORTER_END - HEADER_FORM);
    put_u32le(segment->data + HEADER_VERSION, 1);
    put_u32le(segment->data + HEADER_CRC, crc32c(0, segment->data, HEADER_CRC));
    assert_int_equal(segment_check(&image, segment->data, SIZE), 0);
    assert_true(segment_entry(&image, &entry));
    assert_int_equal(entry.verdict, SEGMENT_DEAD);
    assert_true(segment_entry(&image, &entry));
    assert_int_equal(entry.verdict, SEGMENT_PENDING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_oldest_verdict, fresh, gone),
        cmocka_unit_test_setup_teardown(test_whole, fresh, gone),
        cmocka_unit_test_setup_teardown(test_each_covered_byte, fresh, gone),
        cmocka_unit_test_setup_teardown(test_damage_at_the_ends, fresh, gone),
        cmocka_unit_test_setup_teardown(test_entry_in_anothers_place, fresh, gone),
        cmocka_unit_test_setup_teardown(test_records_must_grow, fresh, gone),
        cmocka_unit_test_setup_teardown(test_header, fresh, gone),
        cmocka_unit_test_setup_teardown(test_insane_sizes, fresh, gone),
        cmocka_unit_test_setup_teardown(test_recycled_bytes_do_not_come_back, fresh, gone),
        cmocka_unit_test_setup_teardown(test_commit_word_lost, fresh, gone),
        cmocka_unit_test_setup_teardown(test_killed_in_a_commit, fresh, gone),
        cmocka_unit_test_setup_teardown(test_cut_at_every_length, fresh, gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
