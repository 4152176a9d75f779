// Strings read back as they were, numbers exactly, and nothing is written past the limit.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enrich/json_out.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yajl/yajl_tree.h>

static uint64_t seed = 88172645463325252u;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static const char *integer_text(int64_t number)
{
    static uint8_t text[256];
    struct json_out out = json_out_of(text, sizeof text);
    json_integer(&out, number);
    assert_false(out.full);
    *out.at = '\0';
    return (const char *)text;
}

static const char *double_text(double number)
{
    static uint8_t text[256];
    struct json_out out = json_out_of(text, sizeof text);
    json_double(&out, number);
    assert_false(out.full);
    *out.at = '\0';
    return (const char *)text;
}

static void test_integers(void **state)
{
    (void)state;
    char expected[32];
    int64_t number = 1;
    for (unsigned digits = 0; digits < 19; digits++, number *= digits < 19 ? 10 : 1) {
        for (int64_t delta = -1; delta <= 1; delta++) {
            snprintf(expected, sizeof expected, "%" PRId64, number + delta);
            assert_string_equal(integer_text(number + delta), expected);
            snprintf(expected, sizeof expected, "%" PRId64, -(number + delta));
            assert_string_equal(integer_text(-(number + delta)), expected);
        }
    }
    assert_string_equal(integer_text(INT64_MAX), "9223372036854775807");
    assert_string_equal(integer_text(INT64_MIN), "-9223372036854775808");
    for (unsigned i = 0; i < 100000; i++) {
        int64_t any = (int64_t)(random_number() >> (random_number() % 64));
        snprintf(expected, sizeof expected, "%" PRId64, any);
        assert_string_equal(integer_text(any), expected);
    }
    uint8_t digits[JSON_INTEGER_MAX];
    assert_int_equal(json_digits(digits, UINT64_MAX) - digits, 20);
    assert_memory_equal(digits, "18446744073709551615", 20);
}

static void test_doubles_where_people_read_them(void **state)
{
    (void)state;
    assert_string_equal(double_text(0), "0.0");
    assert_string_equal(double_text(-0.0), "-0.0");
    assert_string_equal(double_text(2.5), "2.5");
    assert_string_equal(double_text(0.1), "0.1");
    assert_string_equal(double_text(-12.34), "-12.34");
    assert_string_equal(double_text(1e15), "1000000000000000.0");
    assert_string_equal(double_text(0.1 + 0.2), "0.30000000000000004");
    assert_string_equal(double_text(1e300), "1e+300");
    assert_string_equal(double_text(5e-324), "4.94065645841247e-324");
}

static void same_double(double number)
{
    const char *text = double_text(number);
    double back = strtod(text, NULL);
    if (back != number || signbit(back) != signbit(number))
        fail_msg("%a became %s", number, text);
}

static void test_doubles_read_back_exactly(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t bits = random_number();
        double number;
        memcpy(&number, &bits, sizeof number);
        if (isfinite(number))
            same_double(number);
        same_double((double)(int64_t)(random_number() >> 40) / 1000);
        same_double((double)(random_number() >> 11) / 9007199254740992.0);
    }
}

// Every text of every length around the strides, with bytes that need escapes at every place.
static void test_strings_read_back(void **state)
{
    (void)state;
    static const char special[] = "\"\\\n\x01\x1f\x7f/\t";
    for (size_t size = 0; size < 70; size++) {
        for (unsigned round = 0; round < 40; round++) {
            char *text = malloc(size + 1);
            assert_non_null(text);
            for (size_t i = 0; i < size; i++)
                text[i] = random_number() % 8 && round ? 'a' : special[random_number() % 8];
            text[size] = '\0';
            uint8_t json[1024];
            struct json_out out = json_out_of(json, sizeof json);
            // Exactly size bytes are readable: ASan sees a stride that reads on.
            char *exact = malloc(size ? size : 1);
            memcpy(exact, text, size);
            json_string(&out, slice_of(exact, size));
            free(exact);
            assert_false(out.full);
            *out.at = '\0';
            yajl_val value = yajl_tree_parse((const char *)json, NULL, 0);
            assert_non_null(value);
            assert_string_equal(YAJL_GET_STRING(value), text);
            yajl_tree_free(value);
            free(text);
        }
    }
}

static void test_strides_of_escapes(void **state)
{
    (void)state;
    uint8_t json[1024];
    struct json_out out = json_out_of(json, sizeof json);
    json_string(&out, SLICE("\b\t\n\f\r\x01\x1b\"\\ \xc3\xbc\x7f"));
    assert_memory_equal(json, "\"\\b\\t\\n\\f\\r\\u0001\\u001b\\\"\\\\ \xc3\xbc\x7f\"",
                        (size_t)(out.at - json));
    assert_int_equal(out.at - json, 2 + 10 + 12 + 4 + 4);
}

// However little room there is, the bytes past it stay, and the cursor stays within.
static void test_never_past_the_slot(void **state)
{
    (void)state;
    const struct value values[] = {
        {.kind = VALUE_TEXT, .text = SLICE("plain text that is longer than a stride of sixteen")},
        {.kind = VALUE_TEXT, .text = SLICE("\x01\x02\x03\x04\x05\x06\x07\x0e\x0f\x10\x11\x12\x13")},
        {.kind = VALUE_ESCAPED, .text = SLICE("already \\n escaped")},
        {.kind = VALUE_JSON, .text = SLICE("{\"a\":[1,2,3]}")},
        {.kind = VALUE_INTEGER, .integer = INT64_MIN},
        {.kind = VALUE_DOUBLE, .number = 0.1 + 0.2},
        {.kind = VALUE_BOOLEAN, .boolean = false},
        {.kind = VALUE_NULL},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        for (size_t room = 0; room < 120; room++) {
            uint8_t *slot = malloc(JSON_SLACK + room);
            assert_non_null(slot);
            struct json_out out = json_out_of(slot, JSON_SLACK + room);
            json_value(&out, &values[i]);
            json_label_value(&out, &values[i]);
            assert_true(out.at <= out.limit);
            free(slot);
        }
    }
}

static void test_labels_are_strings(void **state)
{
    (void)state;
    uint8_t json[512];
    struct json_out out = json_out_of(json, sizeof json);
    json_label_value(&out, &(struct value){.kind = VALUE_BOOLEAN, .boolean = true});
    json_label_value(&out, &(struct value){.kind = VALUE_INTEGER, .integer = -7});
    json_label_value(&out, &(struct value){.kind = VALUE_JSON, .text = SLICE("[\"x\"]")});
    json_label_value(&out, &(struct value){.kind = VALUE_NULL});
    *out.at = '\0';
    assert_string_equal((const char *)json, "\"true\"\"-7\"\"[\\\"x\\\"]\"null");
}

static void test_digits_of_times_and_ids(void **state)
{
    (void)state;
    char expected[32];
    uint8_t text[16];
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t number = (uint32_t)(random_number() % 1000000000);
        snprintf(expected, sizeof expected, "%09u", number);
        json_nine_digits(text, number);
        assert_memory_equal(text, expected, 9);
    }
    static const uint8_t bytes[8] = {0x00, 0x9a, 0xaf, 0xf0, 0x12, 0x34, 0xcd, 0xff};
    json_hex_8(text, bytes);
    assert_memory_equal(text, "009aaff01234cdff", 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_doubles_where_people_read_them),
        cmocka_unit_test(test_doubles_read_back_exactly),
        cmocka_unit_test(test_strings_read_back),
        cmocka_unit_test(test_strides_of_escapes),
        cmocka_unit_test(test_never_past_the_slot),
        cmocka_unit_test(test_labels_are_strings),
        cmocka_unit_test(test_digits_of_times_and_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
