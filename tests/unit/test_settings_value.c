// Sizes, durations, integers and modes: what parses, what does not, what overflows, and back.
#include "base/settings_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

typedef int parse_fn(const char *, uint64_t *);

struct row {
    parse_fn *parse;
    const char *text;
    int result;
    uint64_t number;
};

static const struct row rows[] = {
    {value_parse_bytes, "0", 0, 0},
    {value_parse_bytes, "4096", 0, 4096},
    {value_parse_bytes, "12B", 0, 12},
    {value_parse_bytes, "256KiB", 0, 262144},
    {value_parse_bytes, "256 KiB", 0, 262144},
    {value_parse_bytes, "64mib", 0, 67108864},
    {value_parse_bytes, "3GiB", 0, 3221225472},
    {value_parse_bytes, "3KB", 0, 3000},
    {value_parse_bytes, "3MB", 0, 3000000},
    {value_parse_bytes, "2GB", 0, 2000000000},
    {value_parse_bytes, "18446744073709551615", 0, UINT64_MAX},
    {value_parse_bytes, "18446744073709551616", VALUE_OVERFLOW, 7},
    {value_parse_bytes, "184467440737095516160000", VALUE_OVERFLOW, 7},
    {value_parse_bytes, "17179869184GiB", VALUE_OVERFLOW, 7},
    {value_parse_bytes, "", VALUE_SYNTAX, 7},
    {value_parse_bytes, "KiB", VALUE_SYNTAX, 7},
    {value_parse_bytes, "-1", VALUE_SYNTAX, 7},
    {value_parse_bytes, "+1", VALUE_SYNTAX, 7},
    {value_parse_bytes, " 1", VALUE_SYNTAX, 7},
    {value_parse_bytes, "1.5MiB", VALUE_SYNTAX, 7},
    {value_parse_bytes, "0x10", VALUE_SYNTAX, 7},
    {value_parse_bytes, "5 bananas", VALUE_SYNTAX, 7},
    {value_parse_duration, "0", 0, 0},
    {value_parse_duration, "1ns", 0, 1},
    {value_parse_duration, "7us", 0, 7000},
    {value_parse_duration, "200ms", 0, 200000000},
    {value_parse_duration, "2s", 0, 2000000000},
    {value_parse_duration, "3m", 0, 180000000000},
    {value_parse_duration, "1h", 0, 3600000000000},
    {value_parse_duration, "200", VALUE_SYNTAX, 7},
    {value_parse_duration, "s", VALUE_SYNTAX, 7},
    {value_parse_duration, "1d", VALUE_SYNTAX, 7},
    {value_parse_duration, "99999999999h", VALUE_OVERFLOW, 7},
    {value_parse_integer, "64", 0, 64},
    {value_parse_integer, "6 4", VALUE_SYNTAX, 7},
    {value_parse_integer, "99999999999999999999", VALUE_OVERFLOW, 7},
    {value_parse_mode, "0660", 0, 0660},
    {value_parse_mode, "660", 0, 0660},
    {value_parse_mode, "0o600", 0, 0600},
    {value_parse_mode, "0999", VALUE_SYNTAX, 7},
    {value_parse_mode, "7777777777777777777777777", VALUE_OVERFLOW, 7},
};

static void values_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t number = 7; // untouched on failure
        int result = rows[i].parse(rows[i].text, &number);
        if (result != rows[i].result || number != rows[i].number)
            fail_msg("\"%s\": %d, %llu", rows[i].text, result, (unsigned long long)number);
    }
}

static void numbers_print_as_the_largest_exact_unit(void **state)
{
    (void)state;
    static const struct {
        uint64_t number;
        const char *bytes, *duration;
    } prints[] = {
        {0, "0B", "0s"},
        {1, "1B", "1ns"},
        {1024, "1KiB", "1024ns"},
        {200000000, "200000000B", "200ms"},
        {3600000000000, "3515625000KiB", "1h"},
        {67108864, "64MiB", "67108864ns"},
        {90000000000, "87890625KiB", "90s"},
        {UINT64_MAX, "18446744073709551615B", "18446744073709551615ns"},
    };
    for (size_t i = 0; i < sizeof prints / sizeof *prints; i++) {
        char text[40];
        uint64_t back;
        value_format_duration(prints[i].number, text, sizeof text);
        assert_string_equal(text, prints[i].duration);
        assert_int_equal(value_parse_duration(text, &back), 0);
        assert_true(back == prints[i].number);
        value_format_bytes(prints[i].number, text, sizeof text);
        assert_int_equal(value_parse_bytes(text, &back), 0);
        assert_true(back == prints[i].number);
        assert_string_equal(text, prints[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_parse),
        cmocka_unit_test(numbers_print_as_the_largest_exact_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
