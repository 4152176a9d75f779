// The wire cursor never reads outside, refuses what is no message, and reads back what the writers
// wrote.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The bytes alone in their allocation, so that a read past the end is one past the heap block.
static int first_field(const char *bytes, size_t size, struct wire_field *field)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    struct wire_cursor cursor = wire_cursor_of(copy, size);
    int r = wire_next(&cursor, field);
    if (r == 0)
        assert_true(field->raw == copy && field->raw_size <= size);
    field->raw = field->data = NULL;
    free(copy);
    return r;
}

#define FIRST(literal, field) first_field((literal), sizeof(literal) - 1, (field))

static void test_end_and_each_type(void **state)
{
    (void)state;
    struct wire_field field;
    assert_int_equal(FIRST("", &field), WIRE_END);
    assert_int_equal(FIRST("\x08\x96\x01", &field), 0);
    assert_true(wire_is(&field, 1, WIRE_VARINT) && field.value == 150 && field.raw_size == 3);
    assert_int_equal(FIRST("\x12\x03"
                           "abc",
                           &field),
                     0);
    assert_true(wire_is(&field, 2, WIRE_BYTES) && field.size == 3);
    assert_int_equal(FIRST("\x19\x01\x02\x03\x04\x05\x06\x07\x08", &field), 0);
    assert_true(wire_is(&field, 3, WIRE_FIXED64) && field.value == 0x0807060504030201u);
    assert_int_equal(FIRST("\x25\x01\x02\x03\x84", &field), 0);
    assert_true(wire_is(&field, 4, WIRE_FIXED32) && field.value == 0x84030201u);
}

static void test_refuses_what_is_no_message(void **state)
{
    (void)state;
    struct wire_field field;
    assert_int_equal(FIRST("\x08", &field), -EBADMSG);     // no value
    assert_int_equal(FIRST("\x80", &field), -EBADMSG);     // half a tag
    assert_int_equal(FIRST("\x08\xff", &field), -EBADMSG); // half a varint
    assert_int_equal(FIRST("\x12\x04"
                           "abc",
                           &field),
                     -EBADMSG); // longer than what there is
    assert_int_equal(FIRST("\x19\x01\x02\x03\x04\x05\x06\x07", &field), -EBADMSG);
    assert_int_equal(FIRST("\x25\x01\x02\x03", &field), -EBADMSG);
    assert_int_equal(FIRST("\x00\x01", &field), -EBADMSG); // field number 0
    assert_int_equal(FIRST("\x0b\x0c", &field), -EBADMSG); // a group
    assert_int_equal(FIRST("\x0c", &field), -EBADMSG);     // its end
    assert_int_equal(FIRST("\x0e\x01", &field), -EBADMSG); // types that do not exist
    assert_int_equal(FIRST("\x0f\x01", &field), -EBADMSG);
    // A length of 2^64-1 and one of 2^63 must not wrap around the end.
    assert_int_equal(FIRST("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &field), -EBADMSG);
    assert_int_equal(FIRST("\x12\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", &field), -EBADMSG);
}

static void test_varints_at_their_limits(void **state)
{
    (void)state;
    struct wire_field field;
    assert_int_equal(FIRST("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &field), 0);
    assert_true(field.value == UINT64_MAX);
    assert_int_equal(FIRST("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", &field), 0); // padded
    assert_true(field.value == 0);
    assert_int_equal(FIRST("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", &field), -EBADMSG);
    assert_int_equal(FIRST("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", &field), -EBADMSG);
    // The largest field number, and one more.
    assert_int_equal(FIRST("\xf8\xff\xff\xff\x0f\x01", &field), 0);
    assert_int_equal(field.number, (1u << 29) - 1);
    assert_int_equal(FIRST("\x80\x80\x80\x80\x10\x01", &field), -EBADMSG);
}

static void test_refusal_leaves_the_output(void **state)
{
    (void)state;
    struct wire_field field = {.number = 77};
    struct wire_cursor cursor = wire_cursor_of("\x12\x04z", 3);
    assert_int_equal(wire_next(&cursor, &field), -EBADMSG);
    assert_int_equal(field.number, 77);
}

static uint64_t seed = 88172645463325252u;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint64_t random_sized(void)
{
    return random_number() >> (random_number() % 64);
}

struct written {
    uint32_t number;
    enum wire_type type;
    uint64_t value;
    size_t size;
};

static uint8_t *write_random(uint8_t *out, struct written *field)
{
    static const enum wire_type types[] = {WIRE_VARINT, WIRE_FIXED64, WIRE_BYTES, WIRE_FIXED32};
    static const uint8_t filler[300] = {0xff, 0x80};
    *field = (struct written){.number = (uint32_t)(random_sized() % ((1u << 29) - 1)) + 1,
                              .type = types[random_number() % 4]};
    if (field->type == WIRE_BYTES) {
        field->size = random_number() % sizeof filler;
        assert_int_equal(wire_bytes_size(field->number, field->size),
                         wire_put_bytes(out, field->number, filler, field->size) - out);
        return wire_put_bytes(out, field->number, filler, field->size);
    }
    field->value = random_sized();
    if (field->type == WIRE_FIXED32)
        field->value &= UINT32_MAX;
    out = wire_put_tag(out, field->number, field->type);
    if (field->type == WIRE_VARINT)
        return wire_put_varint(out, field->value);
    return field->type == WIRE_FIXED64 ? wire_put_fixed64(out, field->value)
                                       : wire_put_fixed32(out, (uint32_t)field->value);
}

static void test_reads_back_what_was_written(void **state)
{
    (void)state;
    static uint8_t buffer[64 * 320];
    for (unsigned round = 0; round < 2000; round++) {
        struct written fields[64];
        unsigned count = (unsigned)(random_number() % 64);
        uint8_t *end = buffer;
        for (unsigned i = 0; i < count; i++)
            end = write_random(end, &fields[i]);
        struct wire_cursor cursor = wire_cursor_of(buffer, (size_t)(end - buffer));
        struct wire_field field;
        const uint8_t *at = buffer;
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(wire_next(&cursor, &field), 0);
            assert_true(wire_is(&field, fields[i].number, fields[i].type));
            assert_true(field.value == fields[i].value && field.size == fields[i].size);
            assert_true(field.raw == at); // fields lie end to end
            at += field.raw_size;
        }
        assert_int_equal(wire_next(&cursor, &field), WIRE_END);
    }
}

// Every prefix and every one-byte change ends in WIRE_END or -EBADMSG within the bytes.
static void test_damage_ends(void **state)
{
    (void)state;
    uint8_t buffer[4 * 320];
    for (unsigned round = 0; round < 300; round++) {
        struct written field;
        uint8_t *end = buffer;
        for (unsigned i = 0; i < 4; i++)
            end = write_random(end, &field);
        size_t size = (size_t)(random_number() % (uint64_t)(end - buffer));
        uint8_t *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, buffer, size);
        if (size)
            copy[random_number() % size] ^= (uint8_t)random_number();
        struct wire_cursor cursor = wire_cursor_of(copy, size);
        struct wire_field got;
        unsigned steps = 0;
        int r;
        while ((r = wire_next(&cursor, &got)) == 0) {
            assert_true(got.raw >= copy && got.raw + got.raw_size <= copy + size);
            assert_true(++steps <= size);
        }
        assert_true(r == WIRE_END || r == -EBADMSG);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_end_and_each_type),
        cmocka_unit_test(test_refuses_what_is_no_message),
        cmocka_unit_test(test_varints_at_their_limits),
        cmocka_unit_test(test_refusal_leaves_the_output),
        cmocka_unit_test(test_reads_back_what_was_written),
        cmocka_unit_test(test_damage_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
