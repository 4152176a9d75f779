// The JSON scanner: what is JSON, what is broken, and that what comes out is strict.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "decode/json.h"
#include "decode/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>

static struct arena arena;
static struct json_scanner scanner;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 16, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_deinit(&arena);
    return 0;
}

// Scans the whole text as one value, from an allocation of its exact size.
static bool scan(struct slice text, struct json_token *token)
{
    char *copy = arena_alloc(&arena, text.size + 1); // the token's views stay valid
    memcpy(copy, text.data, text.size);
    json_scanner_init(&scanner, &arena, slice_of(copy, text.size), 7);
    return json_scan_value(&scanner, copy, token) == copy + text.size;
}

static bool is_json(const char *text)
{
    struct json_token token;
    return scan(slice_from(text), &token);
}

static void grammar(void **state)
{
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "1",
        "-1.5e+10",
        "0.5",
        "1E3",
        "1e-3",
        "true",
        "false",
        "null",
        "NaN",
        "Infinity",
        "-Infinity",
        "\"\"",
        "\"a\\u00e9\\n\\/\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1,2, [3 ] ]",
        "{\"a\" : {\"b\":[{}]} , \"c\":1}",
        "\"0123456789abcdef0123456789\"",
        "[\"\",\"x\"]",
    };
    static const char *const bad[] = {
        "",       "01",        "+1",          "-",          "1.",         ".5",
        "1e",     "1e+",       "-NaN",        "nan",        "tru",        "nul",
        "\"",     "\"\\x\"",   "\"\\u12g4\"", "\"\\u123\"", "\"\\",       "[",
        "[1",     "[1,",       "[1,]",        "[,1]",       "]",          "{",
        "{\"a\"", "{\"a\":",   "{\"a\":1",    "{\"a\":1,",  "{\"a\":1,}", "{,}",
        "{1:2}",  "{\"a\" 1}", "[1}",         "{\"a\":1]",  "[1 2]",      "Inf",
        "-Inf",   "--1",       "'a'",         "1x",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!is_json(good[i]))
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_json(bad[i]))
            fail_msg("accepted: %s", bad[i]);
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum json_kind kind;
        int64_t integer;
    } cases[] = {
        {"0", JSON_INTEGER, 0},
        {"-0", JSON_NUMBER, 0},
        {"9223372036854775807", JSON_INTEGER, INT64_MAX},
        {"-9223372036854775808", JSON_INTEGER, INT64_MIN},
        {"9223372036854775808", JSON_HUGE, 0},
        {"-9223372036854775809", JSON_HUGE, 0},
        {"18446744073709551616", JSON_HUGE, 0},
        {"99999999999999999999999999", JSON_HUGE, 0},
        {"1.5", JSON_NUMBER, 0},
        {"1e308", JSON_NUMBER, 0},
        {"1e309", JSON_HUGE, 0},
        {"-1e999", JSON_HUGE, 0},
        {"1e-999", JSON_NUMBER, 0},
        {"0.00000000000000000000000000000000000000000000000000000000000000000001", JSON_LONG, 0},
        {"1234567890123456789012345678901234567890123456789012345678901234567890e-9999", JSON_LONG,
         0},
        {"1234567890123456789012345678901234567890123456789012345678901234567890e999", JSON_HUGE,
         0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct json_token token;
        assert_true(scan(slice_from(cases[i].text), &token));
        if (token.kind != cases[i].kind)
            fail_msg("%s is of kind %d", cases[i].text, token.kind);
        if (token.kind == JSON_INTEGER)
            assert_int_equal(token.integer, cases[i].integer);
    }
}

static void check_string(struct slice source, const char *strict, const char *plain)
{
    struct json_token token;
    struct slice out;
    assert_true(scan(source, &token));
    assert_int_equal(token.kind, JSON_STRING);
    assert_true(json_repair_string(&arena, &token, &out));
    assert_int_equal(out.size, strlen(strict));
    assert_memory_equal(out.data, strict, out.size);
    assert_true(json_unescape(&arena, &token, &out));
    assert_int_equal(out.size, strlen(plain));
    assert_memory_equal(out.data, plain, out.size);
}

#define RAW(text) slice_of((text), sizeof(text) - 1)
#define FFFD "\xEF\xBF\xBD"

static void strings_are_repaired(void **state)
{
    (void)state;
    check_string(RAW("\"plain\""), "plain", "plain");
    check_string(RAW("\"\\u00e9\\ud83d\\ude42\\\"\\b\\f\\n\\r\\t\\\\\\/\""),
                 "\\u00e9\\ud83d\\ude42\\\"\\b\\f\\n\\r\\t\\\\\\/",
                 "\xC3\xA9\xF0\x9F\x99\x82\"\b\f\n\r\t\\/");
    check_string(RAW("\"a\\udcffb\""), "a\\ufffdb", "a" FFFD "b");
    check_string(RAW("\"\\ud83d\""), "\\ufffd", FFFD);
    check_string(RAW("\"\\ud83d\\ud83d\\ude42\""), "\\ufffd\\ud83d\\ude42",
                 FFFD "\xF0\x9F\x99\x82");
    check_string(RAW("\"\\ud83dx\\n\""), "\\ufffdx\\n", FFFD "x\n");
    check_string(RAW("\"a\xFF\x62\""), "a" FFFD "b", "a" FFFD "b");
    check_string(RAW("\"\xC0\x80\""), FFFD FFFD, FFFD FFFD);
    check_string(RAW("\"\xED\xA0\x80\""), FFFD FFFD FFFD, FFFD FFFD FFFD);
    check_string(RAW("\"\xF0\x9F\x99\""), FFFD, FFFD);
    check_string(RAW("\"\xF4\x90\x80\x80\""), FFFD FFFD FFFD FFFD, FFFD FFFD FFFD FFFD);
    check_string(RAW("\"a\tb\x1F\""), "a\\u0009b\\u001f", "a\tb\x1F");
    check_string(RAW("\"\xE6\x97\xA5\xEF\xBF\xBF\""), "\xE6\x97\xA5\xEF\xBF\xBF",
                 "\xE6\x97\xA5\xEF\xBF\xBF");
}

static void check_container(const char *source, const char *strict)
{
    struct json_token token;
    struct value value;
    assert_true(scan(slice_from(source), &token));
    assert_true(json_to_value(&scanner, &token, &value));
    assert_int_equal(value.kind, VALUE_JSON);
    if (value.text.size != strlen(strict) || memcmp(value.text.data, strict, value.text.size) != 0)
        fail_msg("%s became %.*s", source, (int)value.text.size, value.text.data);
}

static void containers_become_strict(void **state)
{
    (void)state;
    check_container("[NaN,1,{\"x\":-Infinity}]", "[null,1,{\"x\":null}]");
    check_container("{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}");
    check_container("{\"a\":1,\"\\u0061\":[true, false]}", "{\"\\u0061\":[true, false]}");
    check_container("[18446744073709551616,1e999]", "[\"18446744073709551616\",\"1e999\"]");
    check_container("[0.000000000000000000000000000000000000000000000000000000000000000000015,"
                    "1.0]",
                    "[1.5e-68,1.0]");
    check_container("{\"\xFF\":\"\xFE\"}", "{\"" FFFD "\":\"" FFFD "\"}");
    check_container("{\"a\" : [ 1 , {} ]}", "{\"a\" : [ 1 , {} ]}"); // untouched
    check_container("[[],{},[NaN]]", "[[],{},[null]]");
}

static void clean_containers_are_views(void **state)
{
    (void)state;
    struct json_token token;
    struct value value;
    assert_true(scan(slice_from("{\"a\":[1,2,{\"b\":\"\\n\"}]}"), &token));
    assert_int_equal(token.flags, 0);
    assert_true(json_to_value(&scanner, &token, &value));
    assert_ptr_equal(value.text.data, token.text.data);
}

static void wide_objects_keep_the_last_of_equal_keys(void **state)
{
    (void)state;
    size_t size = 1;
    char *text = malloc(1 << 17);
    text[0] = '{';
    for (int i = 0; i < 4000; i++)
        size += (size_t)sprintf(text + size, "\"k%d\":%d,", i % 3999, i);
    text[size - 1] = '}';
    struct json_token token;
    struct value value;
    assert_true(scan(slice_of(text, size), &token));
    assert_true(token.flags & JSON_BROKEN);
    assert_true(json_to_value(&scanner, &token, &value));
    free(text);
    text = strndup(value.text.data, value.text.size);
    yajl_val tree = yajl_tree_parse(text, NULL, 0);
    assert_non_null(tree);
    assert_int_equal(tree->u.object.len, 3999);
    const char *path[] = {"k0", NULL};
    assert_int_equal(YAJL_GET_INTEGER(yajl_tree_get(tree, path, yajl_t_any)), 3999);
    yajl_tree_free(tree);
    free(text);
}

static void nesting_costs_no_stack(void **state)
{
    (void)state;
    const size_t depth = 200000;
    char *text = malloc(2 * depth);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    struct json_token token;
    struct value value;
    assert_true(scan(slice_of(text, 2 * depth), &token));
    assert_true(token.flags & JSON_DEEP);
    assert_true(json_to_value(&scanner, &token, &value));
    assert_int_equal(value.kind, VALUE_TEXT);
    assert_int_equal(value.text.size, 2 * depth);
    assert_false(scan(slice_of(text, 2 * depth - 1), &token));
    text[depth] = '}';
    assert_false(scan(slice_of(text, 2 * depth), &token));
    free(text);
}

static void depth_kept(void **state)
{
    (void)state;
    char text[2 * (JSON_DEPTH_KEPT + 1)];
    struct json_token token;
    for (size_t depth = JSON_DEPTH_KEPT; depth <= JSON_DEPTH_KEPT + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_true(scan(slice_of(text, 2 * depth), &token));
        assert_int_equal(token.flags & JSON_DEEP, depth > JSON_DEPTH_KEPT ? JSON_DEEP : 0);
    }
}

static void out_of_memory_is_told(void **state)
{
    (void)state;
    struct arena small;
    struct json_token token;
    struct value value;
    assert_true(scan(slice_from("[NaN,\"\xFF\",{\"a\":1,\"a\":2}]"), &token));
    for (size_t limit = 1; limit < 4096; limit += 64) {
        arena_init(&small, 1, limit);
        scanner.arena = &small;
        bool done = json_to_value(&scanner, &token, &value);
        arena_deinit(&small);
        assert_true(!done || limit > 256);
    }
    arena_init(&small, 1, 1);
    scanner.arena = &small;
    assert_true(scan(slice_from("\"\\n\""), &token));
    struct slice out;
    assert_false(json_unescape(&small, &token, &out));
    arena_deinit(&small);
}

static void utf8_cuts_between_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_cut("a\xC3\xA9", 2), 1);
    assert_int_equal(utf8_cut("a\xC3\xA9", 3), 3);
    assert_int_equal(utf8_cut("\xF0\x9F\x99\x82", 3), 0);
    assert_int_equal(utf8_cut("abc", 3), 3);
    assert_int_equal(utf8_cut("\x80\x80\x80\x80\x80", 5), 5);
    assert_int_equal(utf8_cut("", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(grammar, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(strings_are_repaired, setup, teardown),
        cmocka_unit_test_setup_teardown(containers_become_strict, setup, teardown),
        cmocka_unit_test_setup_teardown(clean_containers_are_views, setup, teardown),
        cmocka_unit_test_setup_teardown(wide_objects_keep_the_last_of_equal_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting_costs_no_stack, setup, teardown),
        cmocka_unit_test_setup_teardown(depth_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory_is_told, setup, teardown),
        cmocka_unit_test(utf8_cuts_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
