// A segment being written: layout, adjacency, interning, what fills it, verdicts, waiting, reuse.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/exporter.h"
#include "spool/segment.h"
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE ((size_t)65536)

static struct store *store;

static int store_ready(void **state)
{
    (void)state;
    return store_open_memory(&store, "test");
}

static int store_gone(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

static struct segment *segment_fresh(void)
{
    struct segment *segment = NULL;
    assert_int_equal(segment_new(&segment, store, SIZE), 0);
    struct segment_identity identity = {.log_id = "0123456789abcde",
                                        .generation = 1,
                                        .base_position = 1000,
                                        .base_record = 5000,
                                        .created_ns = 77,
                                        .form = SPOOL_FORM_ECS,
                                        .exporter = "kafka"};
    segment_start(segment, &identity);
    return segment;
}

static uint32_t append(struct segment *segment, const char *text, struct spool_resend resend)
{
    struct spool_entry entry = {.records = 2, .time_ns = 9, .severity = 17, .signal = SIGNAL_SPANS};
    entry.resend = resend;
    memcpy(entry.id, "ABCDEFGHabcdefgh", 16);
    memcpy(segment_tail(segment), text, strlen(text));
    return segment_append(segment, (uint32_t)strlen(text), &entry);
}

static void test_memory_is_reserved_and_sealed(void **state)
{
    (void)state;
    struct segment *segment = segment_fresh();
    struct stat stat;
    assert_int_equal(fstat(segment->piece.fd, &stat), 0);
    assert_int_equal(stat.st_size, SIZE);
    assert_true((uint64_t)stat.st_blocks * 512 >= SIZE);
    assert_int_equal(ftruncate(segment->piece.fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(segment->piece.fd, SIZE * 2), -1);
    assert_int_equal(errno, EPERM);
    segment_remove(segment, store);
}

// The format, byte for byte as docs/SPOOL.md shows it: these numbers must never change.
static void test_layout(void **state)
{
    (void)state;
    struct segment *segment = segment_fresh();
    append(segment, "hello\n", (struct spool_resend){SLICE("logs"), SLICE("k"), SLICE("hh")});
    const uint8_t *bytes = segment->data;
    assert_memory_equal(bytes, "SLUICESG\2\0\0\0\0\x10\0\0\0\0\1\0\x40\0\0\0", 24);
    assert_int_equal(get_u32le(bytes + 24), 128);
    assert_int_equal(get_u32le(bytes + 28), 4096 + 128 * 64);
    assert_memory_equal(bytes + 32, "0123456789abcde", 16);
    assert_int_equal(get_u64le(bytes + 48), 1);
    assert_int_equal(get_u64le(bytes + 56), 1000);
    assert_int_equal(get_u64le(bytes + 64), 5000);
    assert_int_equal(get_u64le(bytes + 72), 77);
    assert_int_equal(get_u32le(bytes + 80), 1);
    assert_memory_equal(bytes + 84, "kafka\0", 6);
    assert_int_equal(get_u16le(bytes + 128), 1);
    assert_int_equal(get_u32le(bytes + 132), 2);
    const uint8_t *entry = bytes + 4096;
    assert_memory_equal(entry + 4, "P\x11\1\0ABCDEFGHabcdefgh", 20);
    assert_int_equal(get_u64le(entry + 24), 9);
    assert_int_equal(get_u32le(entry + 44), 2);
    assert_int_equal(get_u32le(entry + 48), 0);
    assert_int_equal(get_u32le(entry + 52), 4096 + 128 * 64);
    assert_int_equal(get_u32le(entry + 56), 6);
    assert_int_equal(get_u32le(entry + 60), SIZE - 15);
    assert_memory_equal(bytes + SIZE - 15, "\4\0\1\0\2\0\0\0logskhh", 15);
    assert_memory_equal(bytes + 12288, "hello\n", 6);
    // Computed from docs/SPOOL.md by other code.
    assert_int_equal(get_u32le(bytes + 124), 0xc8067e58);
    assert_int_equal(get_u16le(bytes + 130), 0x873c);
    assert_int_equal(get_u32le(entry), 0x9b95504a);
    append(segment, "hello\n", (struct spool_resend){{NULL, 0}, {NULL, 0}, {NULL, 0}});
    assert_int_equal(get_u32le(entry + 64), 0xcc63fd88);
    segment_remove(segment, store);
}

static void test_payloads_are_adjacent(void **state)
{
    (void)state;
    struct segment *segment = segment_fresh();
    append(segment, "{\"a\":1}\n", (struct spool_resend){SLICE("logs"), SLICE("1"), {NULL, 0}});
    append(segment, "{}\n", (struct spool_resend){SLICE("logs"), SLICE("2"), {NULL, 0}});
    append(segment, "{\"c\":3}\n", (struct spool_resend){{NULL, 0}, {NULL, 0}, {NULL, 0}});
    struct parcel first, second, third;
    segment_parcel(segment, 0, &first);
    segment_parcel(segment, 1, &second);
    segment_parcel(segment, 2, &third);
    assert_ptr_equal(first.payload.data + first.payload.size, second.payload.data);
    assert_ptr_equal(second.payload.data + second.payload.size, third.payload.data);
    assert_memory_equal(first.payload.data, "{\"a\":1}\n{}\n{\"c\":3}\n", 19);
    segment_remove(segment, store);
}

static void test_parcel_says_what_was_committed(void **state)
{
    (void)state;
    struct segment *segment = segment_fresh();
    append(segment, "x", (struct spool_resend){SLICE("t"), SLICE("key"), SLICE("head")});
    append(segment, "yz", (struct spool_resend){{NULL, 0}, {NULL, 0}, {NULL, 0}});
    struct parcel parcel;
    segment_parcel(segment, 0, &parcel);
    assert_int_equal(parcel.position, 1000);
    assert_int_equal(parcel.records, 2);
    assert_int_equal(parcel.time_ns, 9);
    assert_int_equal(parcel.severity, 17);
    assert_int_equal(parcel.signal, SIGNAL_SPANS);
    assert_memory_equal(parcel.id, "ABCDEFGHabcdefgh", 16);
    assert_true(slice_equal(parcel.topic, SLICE("t")));
    assert_true(slice_equal(parcel.key, SLICE("key")));
    assert_true(slice_equal(parcel.headers, SLICE("head")));
    segment_parcel(segment, 1, &parcel);
    assert_int_equal(parcel.position, 1001);
    assert_true(slice_equal(parcel.payload, SLICE("yz")));
    assert_int_equal(parcel.topic.size + parcel.key.size + parcel.headers.size, 0);
    segment_remove(segment, store);
}

static void test_resend_blobs_are_interned(void **state)
{
    (void)state;
    struct segment *segment = segment_fresh();
    struct spool_resend plain = {SLICE("logs"), {NULL, 0}, SLICE("h")};
    struct spool_resend keyed = {SLICE("logs"), SLICE("h"), {NULL, 0}};
    append(segment, "a", plain);
    uint32_t one = segment->blob_start;
    assert_int_equal(SIZE - one, 8 + 5);
    append(segment, "b", plain);
    append(segment, "c", (struct spool_resend){{NULL, 0}, {NULL, 0}, {NULL, 0}});
    append(segment, "d", plain);
    assert_int_equal(segment->blob_start, one);
    append(segment, "e", keyed); // the same bytes, but not the same
    assert_int_equal(one - segment->blob_start, 8 + 5);
    struct parcel parcel;
    segment_parcel(segment, 4, &parcel);
    assert_true(slice_equal(parcel.key, SLICE("h")));
    segment_parcel(segment, 3, &parcel);
    assert_true(slice_equal(parcel.headers, SLICE("h")));
    segment_remove(segment, store);
}

static void test_a_long_key_is_cut_and_flagged(void **state)
{
    (void)state;
    struct segment *segment = segment_fresh();
    static const char long_key[SPOOL_RESEND_MAX + 1];
    struct slice fits = slice_of(long_key, SPOOL_RESEND_MAX - 4);
    append(segment, "a", (struct spool_resend){SLICE("logs"), fits, {NULL, 0}});
    append(segment, "b", (struct spool_resend){SLICE("logs"), fits, SLICE("h")});
    append(segment, "c",
           (struct spool_resend){slice_of(long_key, sizeof long_key), SLICE("k"), {NULL, 0}});
    struct parcel parcel;
    segment_parcel(segment, 0, &parcel);
    assert_int_equal(parcel.key.size, fits.size);
    assert_int_equal(segment->data[4096 + ENTRY_FLAGS], 0);
    segment_parcel(segment, 1, &parcel);
    assert_true(slice_equal(parcel.topic, SLICE("logs")));
    assert_int_equal(parcel.key.size + parcel.headers.size, 0);
    assert_int_equal(segment->data[4096 + 64 + ENTRY_FLAGS], SEGMENT_FLAG_RESEND_CUT);
    segment_parcel(segment, 2, &parcel);
    assert_int_equal(parcel.topic.size + parcel.key.size, 0);
    segment_remove(segment, store);
}

static void test_full_by_index_payload_and_blobs(void **state)
{
    (void)state;
    struct spool_resend none = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct segment *segment = segment_fresh();
    assert_int_equal(segment_room(segment), segment_payload_max(SIZE));
    for (uint32_t i = 0; i < segment->capacity; i++) {
        assert_true(segment_room(segment) > 0);
        assert_int_equal(append(segment, "x", none), i);
    }
    assert_int_equal(segment_room(segment), 0);
    segment_remove(segment, store);

    segment = segment_fresh();
    struct spool_entry entry = {.records = 1};
    segment_append(segment, segment_payload_max(SIZE) - 10, &entry);
    assert_int_equal(segment_room(segment), 10);
    segment_append(segment, 10, &entry);
    assert_int_equal(segment_room(segment), 0);
    segment_remove(segment, store);

    // Blobs that differ each time use the room up; the largest always still fits.
    segment = segment_fresh();
    static char key[SPOOL_RESEND_MAX];
    uint32_t n = 0;
    while (segment_room(segment) > 0) {
        key[0] = (char)n++;
        append(segment, "x",
               (struct spool_resend){{NULL, 0}, slice_of(key, sizeof key), {NULL, 0}});
        assert_true(segment->payload_end <= segment->blob_start);
    }
    assert_in_range(n, (SIZE - 12288) / 4105, (SIZE - 12288) / 4105 + 1);
    segment_remove(segment, store);
}

static void test_waiting_comes_in_order_and_again(void **state)
{
    (void)state;
    struct spool_resend none = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct segment *segment = segment_fresh();
    for (int i = 0; i < 128; i++)
        append(segment, "x", none);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(segment_take_waiting(segment), i);
    assert_int_equal(segment->waiting, 28);
    segment_set_waiting(segment, 70);
    segment_set_waiting(segment, 3);
    assert_true(segment_is_waiting(segment, 3));
    assert_false(segment_is_waiting(segment, 4));
    assert_int_equal(segment_take_waiting(segment), 3);
    assert_int_equal(segment_take_waiting(segment), 70);
    assert_int_equal(segment_take_waiting(segment), 100);
    segment_remove(segment, store);
}

static void test_verdicts_and_reuse(void **state)
{
    (void)state;
    struct spool_resend resend = {SLICE("logs"), {NULL, 0}, {NULL, 0}};
    struct segment *segment = segment_fresh();
    append(segment, "one", resend);
    append(segment, "two", resend);
    uint32_t before = get_u32le(segment->data + 4096 + ENTRY_CRC);
    segment_take_waiting(segment);
    segment_take_waiting(segment);
    segment_mark(segment, 1, SEGMENT_DEAD, segment_records(segment, 1));
    assert_int_equal(segment->pending, 1);
    segment_mark(segment, 0, SEGMENT_DELIVERED, segment_records(segment, 0));
    assert_int_equal(segment->pending, 0);
    assert_int_equal(segment->data[4096 + 64 * 0 + ENTRY_VERDICT], SEGMENT_DELIVERED);
    assert_int_equal(segment->data[4096 + 64 * 1 + ENTRY_VERDICT], SEGMENT_DEAD);
    assert_int_equal(get_u32le(segment->data + 4096 + ENTRY_CRC), before); // outside the CRC

    struct segment_identity identity = segment->identity;
    identity.generation++;
    segment_start(segment, &identity);
    assert_int_equal(segment->entries, 0);
    assert_int_equal(segment_room(segment), segment_payload_max(SIZE));
    append(segment, "one", resend);
    assert_int_not_equal(get_u32le(segment->data + 4096 + ENTRY_CRC), before);
    segment_remove(segment, store);
}

static void test_small_records_do_not_waste_it(void **state)
{
    (void)state;
    for (uint32_t size = 1u << 20; size <= 1u << 22; size *= 2) {
        // Of payload and index together, what documents of 300 and 800 bytes can use.
        uint32_t max = segment_payload_max(size);
        uint32_t small = segment_capacity(size) * 300;
        uint32_t large = max / 800 * 800;
        assert_true((small < max ? small : max) > size / 4 * 3);
        assert_true(max / 800 < segment_capacity(size));
        assert_true(large > size / 5 * 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_reserved_and_sealed),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_payloads_are_adjacent),
        cmocka_unit_test(test_parcel_says_what_was_committed),
        cmocka_unit_test(test_resend_blobs_are_interned),
        cmocka_unit_test(test_a_long_key_is_cut_and_flagged),
        cmocka_unit_test(test_full_by_index_payload_and_blobs),
        cmocka_unit_test(test_waiting_comes_in_order_and_again),
        cmocka_unit_test(test_verdicts_and_reuse),
        cmocka_unit_test(test_small_records_do_not_waste_it),
    };
    return cmocka_run_group_tests(tests, store_ready, store_gone);
}
