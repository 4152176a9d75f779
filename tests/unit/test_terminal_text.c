// What a terminal would obey never reaches it; everything else does, as it is.
#include "base/terminal_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void puts_as(enum terminal_form form, const char *input, size_t size, const char *expected)
{
    char *text = NULL;
    size_t written;
    FILE *out = open_memstream(&text, &written);
    terminal_text_put(out, slice_of(input, size), form);
    fclose(out);
    assert_string_equal(text, expected);
    assert_int_equal(written, strlen(expected));
    free(text);
}

#define PUTS_AS(input, expected) puts_as(TERMINAL_JSON, input, sizeof(input) - 1, expected)

static void plain_text_stays(void **state)
{
    (void)state;
    PUTS_AS("", "");
    PUTS_AS("{\"message\":\"a \\u001b b\"}", "{\"message\":\"a \\u001b b\"}");
    PUTS_AS("Gr\xC3\xBC\xC3\x9F"
            "e \xE2\x82\xAC \xF0\x9F\x90\xA2",
            "Gr\xC3\xBC\xC3\x9F"
            "e \xE2\x82\xAC \xF0\x9F\x90\xA2");
    PUTS_AS("\xF4\x8F\xBF\xBF \xED\x9F\xBF", "\xF4\x8F\xBF\xBF \xED\x9F\xBF");
}

static void controls_are_written_out(void **state)
{
    (void)state;
    PUTS_AS("\033[2J\a", "\\u001b[2J\\u0007");
    PUTS_AS("a\nb\rc\td", "a\\u000ab\\u000dc\\u0009d");
    PUTS_AS("x\0y\x7F", "x\\u0000y\\u007f");
    PUTS_AS("\xC2\x9B"
            "31m",
            "\\u009b31m"); // C1: CSI in one character
}

static void what_turns_text_around_is_written_out(void **state)
{
    (void)state;
    PUTS_AS("a\xE2\x80\xAE"
            "b\xE2\x81\xA6"
            "c\xE2\x80\x8E",
            "a\\u202eb\\u2066c\\u200e");
    PUTS_AS("\xE2\x80\xA8 \xD8\x9C", "\\u2028 \\u061c");
    PUTS_AS("\xE2\x80\xAF\xE2\x81\xAA\xC2\xA0", "\xE2\x80\xAF\xE2\x81\xAA\xC2\xA0"); // spaces
}

static void each_form_has_its_own_escapes(void **state)
{
    (void)state;
    static const char text[] = "\033[1m\t\n\r\"\\\xC2\x9B\xE2\x80\xAE";
    puts_as(TERMINAL_PLAIN, text, sizeof text - 1, "\\x1b[1m\t\\n\\r\"\\\\x9b\\u202e");
    puts_as(TERMINAL_JSON_STRING, text, sizeof text - 1,
            "\\u001b[1m\\u0009\\u000a\\u000d\\\"\\\\\\u009b\\u202e");
}

#define BAD "\xEF\xBF\xBD"

static void what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
    PUTS_AS("\x9B"
            "31m",
            BAD "31m");
    PUTS_AS("a\xC3", "a" BAD);
    PUTS_AS("\xC3(", BAD "(");
    PUTS_AS("\xC0\x9B", BAD BAD);         // overlong
    PUTS_AS("\xE0\x80\x9B", BAD BAD BAD); // overlong
    PUTS_AS("\xF0\x80\x80\x9B", BAD BAD BAD BAD);
    PUTS_AS("\xED\xA0\x80", BAD BAD BAD);         // a surrogate
    PUTS_AS("\xF4\x90\x80\x80", BAD BAD BAD BAD); // beyond Unicode
    PUTS_AS("\xF8\xFF", BAD BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(controls_are_written_out),
        cmocka_unit_test(what_turns_text_around_is_written_out),
        cmocka_unit_test(each_form_has_its_own_escapes),
        cmocka_unit_test(what_is_no_utf8_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
