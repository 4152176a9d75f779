// The message collector and gzip: sizes, cuts, bounds.
#include "grpc/gzip.h"
#include "grpc/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_every_cut(void **state)
{
    (void)state;
    uint8_t bytes[5 + 40];
    grpc_prefix_write(bytes, true, 40);
    for (uint8_t i = 0; i < 40; i++)
        bytes[5 + i] = i;
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        struct grpc_message message = {0};
        assert_int_equal(grpc_message_feed(&message, bytes, cut, 40), 0);
        assert_int_equal(grpc_message_whole(&message), cut == sizeof bytes);
        assert_int_equal(grpc_message_feed(&message, bytes + cut, sizeof bytes - cut, 40), 0);
        assert_true(grpc_message_whole(&message));
        assert_int_equal(message.prefix[0], 1);
        assert_memory_equal(message.data, bytes + 5, 40);
        assert_int_equal(grpc_message_feed(&message, bytes, 1, 40), GRPC_MESSAGE_SURPLUS);
        grpc_message_deinit(&message);
        grpc_message_deinit(&message);
    }
}

static void test_a_promise_costs_nothing(void **state)
{
    (void)state;
    uint8_t bytes[6];
    struct grpc_message message = {0};
    grpc_prefix_write(bytes, false, 16u << 20);
    assert_int_equal(grpc_message_feed(&message, bytes, sizeof bytes, 16u << 20), 0);
    assert_true(message.capacity <= 4096);
    grpc_message_deinit(&message);
    assert_int_equal(grpc_message_feed(&message, bytes, 5, (16u << 20) - 1),
                     GRPC_MESSAGE_TOO_LARGE);
    grpc_message_deinit(&message);
    bytes[0] = 2;
    assert_int_equal(grpc_message_feed(&message, bytes, 5, 16u << 20), GRPC_MESSAGE_BAD_FLAG);
    grpc_message_deinit(&message);
}

static void test_capacity_follows_what_came(void **state)
{
    (void)state;
    uint8_t bytes[5], chunk[1000] = {0};
    struct grpc_message message = {0};
    grpc_prefix_write(bytes, false, 100000);
    assert_int_equal(grpc_message_feed(&message, bytes, 5, 100000), 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(grpc_message_feed(&message, chunk, sizeof chunk, 100000), 0);
        assert_true(message.capacity <= 4096 || message.capacity <= 2 * message.size);
    }
    assert_int_equal(message.capacity, 100000); // never beyond what was announced
    grpc_message_deinit(&message);
}

static void round_trip(size_t size, uint32_t seed)
{
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        text[i] = (char)(seed >> 28); // compressible by half
    }
    struct slice parts[] = {
        slice_of(text, size / 3), {0}, slice_of(text + size / 3, size - size / 3)};
    uint8_t *packed, *back;
    size_t packed_size, back_size;
    assert_int_equal(gzip_deflate(parts, 3, &packed, &packed_size), 0);
    struct slice in = slice_of(packed, packed_size);
    assert_int_equal(gzip_inflate(in, size, &back, &back_size), 0);
    assert_int_equal(back_size, size);
    assert_memory_equal(back, text, size);
    free(back);
    if (size > 0)
        assert_int_equal(gzip_inflate(in, size - 1, &back, &back_size), GZIP_TOO_LARGE);
    for (size_t cut = 0; cut < packed_size; cut += packed_size / 50 + 1)
        assert_int_equal(gzip_inflate(slice_of(packed, cut), size, &back, &back_size), GZIP_BROKEN);
    free(packed);
    free(text);
}

static void test_gzip_sizes(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 2, 4095, 4096, 4097, 8192, 100000, 1u << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        round_trip(sizes[i], (uint32_t)i);
}

static void test_gzip_members(void **state)
{
    (void)state;
    struct slice a = SLICE("one "), b = SLICE("two");
    uint8_t *one, *two, *back, both[200];
    size_t one_size, two_size, size;
    assert_int_equal(gzip_deflate(&a, 1, &one, &one_size), 0);
    assert_int_equal(gzip_deflate(&b, 1, &two, &two_size), 0);
    memcpy(both, one, one_size);
    memcpy(both + one_size, two, two_size);
    assert_int_equal(gzip_inflate(slice_of(both, one_size + two_size), 7, &back, &size), 0);
    assert_int_equal(size, 7);
    assert_memory_equal(back, "one two", 7);
    free(back);
    assert_int_equal(gzip_inflate(slice_of(both, one_size + two_size), 6, &back, &size),
                     GZIP_TOO_LARGE);
    both[one_size] = 'x'; // junk after a member
    assert_int_equal(gzip_inflate(slice_of(both, one_size + two_size), 7, &back, &size),
                     GZIP_BROKEN);
    free(one);
    free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_a_promise_costs_nothing),
        cmocka_unit_test(test_capacity_follows_what_came),
        cmocka_unit_test(test_gzip_sizes),
        cmocka_unit_test(test_gzip_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
