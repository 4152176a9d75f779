// Splitting a stream into lines: endings, cuts, blanks, limits, back-pressure.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "decode_fixture.h"

#define MAX_LINE 64

static int setup(void **state)
{
    (void)state;
    fixture_open(MAX_LINE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close();
    return 0;
}

#define RAW(text) slice_of((text), sizeof(text) - 1)

static void has_message(size_t record, const char *message)
{
    char expected[512];
    snprintf(expected, sizeof expected, "\"message\":\"%s\"", message);
    assert_true(record < documents.count);
    if (!strstr(documents.text[record], expected))
        fail_msg("%s is not in %s", expected, documents.text[record]);
}

static void endings(void **state)
{
    (void)state;
    decode_stream(RAW("lf\ncrlf\r\nnul\0{\"event\":\"json\"}\r\n\xEF\xBB\xBF{\"event\":\"bom\"}\n"
                      "a\rb\nlast"));
    assert_int_equal(documents.count, 7);
    has_message(0, "lf");
    has_message(1, "crlf");
    has_message(2, "nul");
    has_message(3, "json");
    has_message(4, "bom");
    has_message(5, "a\\rb");
    has_message(6, "last");
}

static void blank_lines_are_no_records(void **state)
{
    (void)state;
    decode_stream(RAW("\n\n \t \n\r\n\0\0  {\"event\":\"a\"}  \n   "));
    assert_int_equal(documents.count, 1);
    has_message(0, "a");
}

static void anything_else_is_text(void **state)
{
    (void)state;
    decode_stream(RAW("[]\n42\n\"str\"\n{\"a\":1} x\n{\"a\":-NaN}\n\x1B[31mred \xFF\x1B[0m\n{}\n"));
    assert_int_equal(documents.count, 7);
    has_message(0, "[]");
    has_message(1, "42");
    has_message(2, "\\\"str\\\"");
    has_message(3, "{\\\"a\\\":1} x");
    has_message(4, "{\\\"a\\\":-NaN}");
    has_message(5, "\\u001b[31mred \xEF\xBF\xBD\\u001b[0m");
    has_message(6, "");
}

static bool is_truncated(size_t record)
{
    return strstr(documents.text[record], "\"flags\":\"truncated\"") != NULL;
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    char line[MAX_LINE + 1 + 32];
    memset(line, 'x', sizeof line);
    line[MAX_LINE] = '\n';
    decode_stream(slice_of(line, MAX_LINE + 1)); // just fits
    assert_int_equal(documents.count, 1);
    assert_false(is_truncated(0));
    line[MAX_LINE] = 'y';
    line[sizeof line - 6] = '\n';
    memcpy(line + sizeof line - 5, "next\n", 5);
    decode_stream(slice_of(line, sizeof line));
    assert_int_equal(documents.count, 3);
    assert_true(is_truncated(1));
    assert_null(strchr(strstr(documents.text[1], "xxx"), 'y'));
    assert_false(is_truncated(2));
    has_message(2, "next");
    assert_int_equal(documents.truncated, 1);
}

static void cuts_part_no_character(void **state)
{
    (void)state;
    char line[2 * MAX_LINE];
    memset(line, 'x', sizeof line);
    memcpy(line + MAX_LINE - 1, "\xC3\xA9", 2);
    decode_stream(slice_of(line, sizeof line));
    assert_int_equal(documents.count, 1);
    assert_null(strstr(documents.text[0], "\xEF\xBF\xBD"));
    assert_null(strchr(documents.text[0], '\xC3'));
}

static void a_cut_object_is_kept_as_text(void **state)
{
    (void)state;
    char line[2 * MAX_LINE];
    memset(line, 'x', sizeof line);
    memcpy(line, "{\"event\":\"", 10);
    decode_stream(slice_of(line, sizeof line));
    assert_int_equal(documents.count, 1);
    assert_true(is_truncated(0));
    assert_non_null(strstr(documents.text[0], "{\\\"event\\\":\\\"xxx"));
}

// Feeds data as a socket would: what was not consumed is offered again with more.
static void feed(struct slice data, size_t first_cut, size_t step)
{
    struct line_state state = {0};
    size_t from = 0, to = first_cut;
    while (true) {
        size_t consumed;
        bool end = to == data.size;
        // An exact copy, so that a read past the end is seen.
        char *copy = malloc(to - from + 1);
        memcpy(copy, data.data + from, to - from);
        assert_int_equal(
            decode_lines(fixture.decoder, &state, slice_of(copy, to - from), end, &consumed),
            DECODE_MORE);
        free(copy);
        from += consumed;
        if (end)
            break;
        assert_true(to - from <= MAX_LINE);
        to = to + step < data.size ? to + step : data.size;
    }
    assert_int_equal(from, data.size);
}

static void any_chunking_gives_the_same_records(void **state)
{
    (void)state;
    static const char text[] =
        "{\"event\":\"a\",\"n\":1}\r\n\nplain \xC3\xA9\xF0\x9F\x99\x82 text\0{\"event\":\"b\"}\n"
        "0123456789012345678901234567890123456789012345678901234567890123456789 long\n"
        "{\"cut\":\"0123456789\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\"}\r\n\xEF\xBB\xBF{\"event\":\"c\"}\nno end";
    struct slice data = RAW(text);
    decode_stream(data);
    struct documents whole = documents;
    documents = (struct documents){.admit_limit = SIZE_MAX};
    assert_int_equal(whole.count, 7);
    assert_int_equal(whole.truncated, 2);
    for (size_t step = 1; step <= 3; step++) {
        for (size_t cut = 0; cut <= data.size; cut++) {
            documents_forget();
            feed(data, cut, step == 3 ? data.size : step);
            assert_int_equal(documents.count, whole.count);
            assert_int_equal(documents.truncated, whole.truncated);
            for (size_t i = 0; i < whole.count; i++)
                assert_string_equal(documents.text[i], whole.text[i]);
        }
    }
    documents_forget();
    documents = whole;
}

static void a_full_log_blocks_before_the_line(void **state)
{
    (void)state;
    struct line_state lines = {0};
    struct slice data = RAW("one\ntwo\nthree\n");
    size_t consumed;
    documents.admit_limit = 1;
    assert_int_equal(decode_lines(fixture.decoder, &lines, data, false, &consumed), DECODE_BLOCKED);
    assert_int_equal(consumed, 4);
    assert_int_equal(documents.count, 1);
    assert_int_equal(decode_lines(fixture.decoder, &lines, slice_of(data.data + 4, data.size - 4),
                                  false, &consumed),
                     DECODE_BLOCKED);
    assert_int_equal(consumed, 0);
    line_state_expire(&lines); // block_for has passed
    assert_int_equal(
        decode_lines(fixture.decoder, &lines, slice_of(data.data + 4, 4), false, &consumed),
        DECODE_MORE);
    assert_int_equal(consumed, 4);
    assert_int_equal(documents.sheds, 1);
    assert_true(lines.gives_up); // still full: the next is shed without waiting
    documents.admit_limit = 2;
    assert_int_equal(
        decode_lines(fixture.decoder, &lines, slice_of(data.data + 8, 6), false, &consumed),
        DECODE_MORE);
    assert_false(lines.gives_up); // there is room: the next full log is waited for again
    has_message(1, "three");
}

static enum decode_stop offer_line(struct line_state *lines, const char *line)
{
    size_t consumed;
    return decode_lines(fixture.decoder, lines, slice_from(line), false, &consumed);
}

// Debug waits for its watermark; who gave that up sheds debug, but still waits for an error.
static void each_level_waits_for_its_own_room(void **state)
{
    (void)state;
    struct line_state lines = {0};
    const char *debug = "{\"level\":\"debug\"}\n";
    const char *info = "{\"level\":\"info\"}\n";
    const char *error = "{\"level\":\"error\"}\n";
    documents.refused_below = URGENCY_NORMAL;
    assert_int_equal(offer_line(&lines, info), DECODE_MORE);
    assert_int_equal(offer_line(&lines, "no level is info\n"), DECODE_MORE);
    assert_int_equal(offer_line(&lines, debug), DECODE_BLOCKED);
    line_state_expire(&lines);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(offer_line(&lines, debug), DECODE_MORE); // shed, without a wait each
        assert_int_equal(offer_line(&lines, error), DECODE_MORE); // kept
    }
    assert_int_equal(documents.sheds, 3);
    assert_int_equal(documents.count, 5);
    documents.refused_below = URGENCY_HIGH;
    assert_int_equal(offer_line(&lines, info), DECODE_BLOCKED);
    line_state_expire(&lines);
    assert_int_equal(offer_line(&lines, info), DECODE_MORE);
    assert_int_equal(offer_line(&lines, error), DECODE_MORE);
    assert_int_equal(offer_line(&lines, info), DECODE_MORE); // an error's room is not its own
    assert_int_equal(documents.sheds, 5);
    documents.refused_below = URGENCY_HIGH + 1;
    assert_int_equal(offer_line(&lines, error), DECODE_BLOCKED); // waits for itself
    line_state_expire(&lines);
    assert_int_equal(offer_line(&lines, error), DECODE_MORE);
    assert_int_equal(documents.sheds, 6);
    documents.refused_below = URGENCY_NORMAL;
    assert_int_equal(offer_line(&lines, info), DECODE_MORE);
    assert_int_equal(offer_line(&lines, debug), DECODE_MORE); // has no room yet
    assert_int_equal(documents.sheds, 7);
    documents.refused_below = URGENCY_HIGH;
    assert_int_equal(offer_line(&lines, info), DECODE_BLOCKED); // had some in between
    documents.refused_below = 0;
    assert_int_equal(offer_line(&lines, debug), DECODE_MORE);
    assert_int_equal(lines.gives_up, 0);
    line_state_finish(&lines);
    assert_int_equal(offer_line(&lines, debug), DECODE_MORE);
    documents.refused_below = URGENCY_HIGH + 1;
    assert_int_equal(offer_line(&lines, error), DECODE_MORE); // shed: nobody waits any more
    assert_int_equal(documents.sheds, 8);
}

static void a_blocked_cut_is_cut_once(void **state)
{
    (void)state;
    struct line_state lines = {0};
    char line[2 * MAX_LINE];
    size_t consumed;
    memset(line, 'x', sizeof line);
    documents.admit_limit = 0;
    assert_int_equal(
        decode_lines(fixture.decoder, &lines, slice_of(line, sizeof line), false, &consumed),
        DECODE_BLOCKED);
    assert_int_equal(consumed, 0);
    assert_int_equal(documents.truncated, 0);
    documents.admit_limit = SIZE_MAX;
    assert_int_equal(
        decode_lines(fixture.decoder, &lines, slice_of(line, sizeof line), false, &consumed),
        DECODE_MORE);
    assert_int_equal(consumed, sizeof line);
    assert_int_equal(documents.truncated, 1);
    assert_true(lines.skipping);
    decode_lines(fixture.decoder, &lines, RAW("xxx\nafter\n"), false, &consumed);
    assert_int_equal(documents.count, 2);
    has_message(1, "after");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(endings, setup, teardown),
        cmocka_unit_test_setup_teardown(blank_lines_are_no_records, setup, teardown),
        cmocka_unit_test_setup_teardown(anything_else_is_text, setup, teardown),
        cmocka_unit_test_setup_teardown(long_lines_are_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(cuts_part_no_character, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_object_is_kept_as_text, setup, teardown),
        cmocka_unit_test_setup_teardown(any_chunking_gives_the_same_records, setup, teardown),
        cmocka_unit_test_setup_teardown(each_level_waits_for_its_own_room, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_log_blocks_before_the_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_blocked_cut_is_cut_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
