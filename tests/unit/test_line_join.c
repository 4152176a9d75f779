// Records that wait for their next line: limits, memory, full logs, ends.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "decode_fixture.h"

#include "decode/utf8.h"

#define MAX_LINE 4096
#define RAW(text) slice_of((text), sizeof(text) - 1)

static struct line_state lines;

static int setup(void **state)
{
    (void)state;
    lines = (struct line_state){0};
    fixture.join = true;
    fixture_open(MAX_LINE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    line_state_deinit(fixture.decoder, &lines);
    line_state_deinit(fixture.decoder, &lines);
    assert_int_equal(documents.pending, 0);
    assert_int_equal(fixture.read_bytes.used, 0);
    fixture_close();
    return 0;
}

static size_t offer(struct slice data, enum decode_stop expected)
{
    size_t consumed;
    assert_int_equal(decode_lines(fixture.decoder, &lines, data, false, &consumed), expected);
    return consumed;
}

static void has(size_t record, const char *text)
{
    assert_true(record < documents.count);
    if (!strstr(documents.text[record], text))
        fail_msg("%s is not in %s", text, documents.text[record]);
}

static void a_plain_line_waits_and_is_flushed(void **state)
{
    (void)state;
    assert_int_equal(offer(RAW("one\n"), DECODE_MORE), 4);
    assert_true(line_state_pending(&lines));
    assert_int_equal(documents.count, 0);
    assert_int_equal(documents.pending, 1);
    assert_true(fixture.read_bytes.used > 0);
    fixture.now_ns += NS_PER_S; // the record came before
    assert_int_equal(decode_lines_flush(fixture.decoder, &lines), DECODE_MORE);
    assert_false(line_state_pending(&lines));
    assert_int_equal(documents.pending, 0);
    assert_int_equal(fixture.read_bytes.used, 0);
    has(0, "\"message\":\"one\"");
    has(0, "\"@timestamp\":\"2026-11-22T19:16:40.000000000Z\"");
    assert_int_equal(decode_lines_flush(fixture.decoder, &lines), DECODE_MORE); // nothing waits
    assert_int_equal(documents.count, 1);
}

static void the_end_flushes(void **state)
{
    (void)state;
    size_t consumed;
    offer(RAW("one\n  two\n"), DECODE_MORE);
    assert_int_equal(documents.pending, 2);
    assert_int_equal(decode_lines(fixture.decoder, &lines, RAW("  three"), true, &consumed),
                     DECODE_MORE);
    assert_int_equal(consumed, 7);
    has(0, "\"message\":\"one\\n  two\\n  three\"");
    assert_int_equal(documents.joined, 2);
    offer(RAW("four\n"), DECODE_MORE);
    assert_int_equal(decode_lines(fixture.decoder, &lines, RAW(""), true, &consumed), DECODE_MORE);
    has(1, "\"message\":\"four\"");
}

static void json_does_not_wait(void **state)
{
    (void)state;
    offer(RAW("E: failed\n  a\n{\"event\":\"json\"}\n  b\n{\"event\":\"more\"}\n"), DECODE_MORE);
    has(0, "\"message\":\"json\"");
    has(1, "\"message\":\"more\"");
    assert_int_equal(documents.count, 2);
    assert_int_equal(documents.pending, 3);
    offer(RAW("next\n"), DECODE_MORE);
    has(2, "\"message\":\"E: failed\\n  a\\n  b\"");
}

static void what_is_broken_json_is_text(void **state)
{
    (void)state;
    offer(RAW("head\n{\"a\":\n  {\"b\":1},\n}\nnext\n"), DECODE_MORE);
    has(0, "\"message\":\"head\"");
    has(1, "\"message\":\"{\\\"a\\\":\\n  {\\\"b\\\":1},\\n}\"");
    assert_int_equal(documents.count, 2);
}

static void a_joined_record_keeps_to_the_limit(void **state)
{
    (void)state;
    char text[8 * MAX_LINE];
    size_t size = (size_t)sprintf(text, "2026-11-22 ERROR x\njava.io.IOException: reset\n");
    unsigned added = 2;
    while (size + 64 < sizeof text) {
        size += (size_t)sprintf(text + size, "\tat a.B.method%u(B.java:1)\n", added);
        added++;
    }
    for (size_t step = 1000; step <= sizeof text; step += sizeof text - 1000) {
        documents_forget();
        for (size_t from = 0, to; from < size; from = to) {
            to = from + step < size ? from + step : size;
            while (to < size && text[to - 1] != '\n')
                to++;
            offer(slice_of(text + from, to - from), DECODE_MORE);
            assert_true(fixture.read_bytes.used <= 2 * MAX_LINE);
        }
        decode_lines_flush(fixture.decoder, &lines);
        assert_int_equal(documents.count, 9);
        assert_int_equal(documents.count + documents.joined, added);
        has(0, "\"type\":\"java.io.IOException\"");
        has(8, "\"stack_trace\":\"\\tat a.B.method"); // the rest of the same trace
        for (size_t i = 0; i < documents.count; i++) {
            const char *trace = strstr(documents.text[i], "\"stack_trace\":\"");
            assert_non_null(trace);
            assert_true(strlen(trace) < MAX_LINE + MAX_LINE / 4); // escapes, and what follows
        }
    }
}

static void where_nothing_may_be_kept_nothing_waits(void **state)
{
    (void)state;
    fixture.read_bytes.limit = 1500;
    offer(RAW("one\n"), DECODE_MORE);
    assert_int_equal(documents.pending, 1); // 1024 bytes
    struct line_state other = {0};
    size_t consumed;
    decode_lines(fixture.decoder, &other, RAW("two\n  more\n"), false, &consumed);
    assert_false(line_state_pending(&other));
    has(0, "\"message\":\"two\\n  more\"");
    char line[1500];
    memset(line, ' ', sizeof line);
    line[sizeof line - 2] = 'x';
    line[sizeof line - 1] = '\n';
    offer(slice_of(line, sizeof line), DECODE_MORE); // cannot be added: both are emitted
    assert_int_equal(documents.count, 3);
    assert_int_equal(documents.joined, 1);
    has(1, "\"message\":\"one\"");
    assert_false(line_state_pending(&lines));
    offer(RAW("three\n{\"event\":\"json\"}\n"), DECODE_MORE);
    decode_lines_flush(fixture.decoder, &lines);
    assert_int_equal(fixture.read_bytes.used, 0);
}

static void a_full_log_keeps_what_waits(void **state)
{
    (void)state;
    struct slice data = RAW("one\n  a\ntwo\n  b\nthree\n");
    documents.admit_limit = 0;
    assert_int_equal(offer(data, DECODE_BLOCKED), 0); // given back: nothing is in the books
    assert_int_equal(documents.pending, 0);
    documents.admit_limit = 1;
    assert_int_equal(offer(data, DECODE_BLOCKED), 8);
    assert_int_equal(documents.count, 1);
    assert_int_equal(documents.pending, 0);
    documents.admit_limit = 2;
    assert_int_equal(offer(slice_of(data.data + 8, data.size - 8), DECODE_MORE), data.size - 8);
    assert_int_equal(documents.pending, 1); // three
    for (int i = 0; i < 3; i++) {
        assert_int_equal(offer(RAW("four\n"), DECODE_BLOCKED), 0);
        assert_int_equal(decode_lines_flush(fixture.decoder, &lines), DECODE_BLOCKED);
        assert_int_equal(documents.pending, 1);
    }
    assert_int_equal(offer(RAW("  c\nfour\n"), DECODE_BLOCKED), 4); // it may go on meanwhile
    assert_int_equal(documents.pending, 2);
    size_t consumed;
    assert_int_equal(decode_lines(fixture.decoder, &lines, RAW(""), true, &consumed),
                     DECODE_BLOCKED);
    assert_int_equal(offer(RAW("{\"event\":\"json\"}\n"), DECODE_BLOCKED), 0);
    documents.admit_limit = SIZE_MAX;
    assert_int_equal(offer(RAW("{\"event\":\"json\"}\nfour\n"), DECODE_MORE), 22);
    has(2, "\"message\":\"json\"");
    has(3, "\"message\":\"three\\n  c\"");
    assert_int_equal(documents.count + documents.joined + documents.pending, 4 + 3 + 1);
}

static void an_expired_door_sheds_what_waits(void **state)
{
    (void)state;
    offer(RAW("one\n  a\n"), DECODE_MORE);
    documents.admit_limit = 0;
    assert_int_equal(decode_lines_flush(fixture.decoder, &lines), DECODE_BLOCKED);
    line_state_expire(&lines);
    assert_int_equal(decode_lines_flush(fixture.decoder, &lines), DECODE_MORE);
    assert_int_equal(documents.sheds, 1);
    assert_int_equal(documents.pending, 0);
    assert_int_equal(fixture.read_bytes.used, 0);
}

static void a_cut_line_is_alone(void **state)
{
    (void)state;
    char line[MAX_LINE + 100];
    memset(line, ' ', sizeof line);
    line[sizeof line - 1] = '\n';
    offer(RAW("one\n"), DECODE_MORE);
    offer(slice_of(line, sizeof line), DECODE_MORE);
    assert_int_equal(documents.count, 2);
    has(0, "\"message\":\"one\"");
    has(1, "\"flags\":\"truncated\"");
    assert_false(line_state_pending(&lines));
    offer(RAW("  two\n"), DECODE_MORE);
    decode_lines_flush(fixture.decoder, &lines);
    has(2, "\"message\":\"  two\"");
    assert_int_equal(documents.truncated, 1);
}

static void nul_ends_a_record(void **state)
{
    (void)state;
    offer(RAW("<11>failed\nTraceback (most recent call last):\n  File \"a\"\nE: x\0  more\n"),
          DECODE_MORE);
    has(0, "\"stack_trace\":\"Traceback (most recent call last):\\n  File \\\"a\\\"\\nE: x\"");
    decode_lines_flush(fixture.decoder, &lines);
    has(1, "\"message\":\"  more\"");
}

static void crlf_and_blank_lines_within(void **state)
{
    (void)state;
    offer(RAW("panic: x\r\n\r\n \t\r\ngoroutine 1 [running]:\r\nmain.main()\r\n\t/a.go:1\r\n\n\n"),
          DECODE_MORE);
    offer(RAW("bye\r\n"), DECODE_MORE);
    has(0,
        "\"stack_trace\":\"panic: x\\n\\n\\ngoroutine 1 [running]:\\nmain.main()\\n\\t/a.go:1\"");
    offer(RAW("panic: y\n\n\n\n\n\n\n\n\n\n\n\ngoroutine 1 [running]:\n\t/a\n"), DECODE_MORE);
    decode_lines_flush(fixture.decoder, &lines);
    has(2, "\"message\":\"panic: y\"");
    has(3, "\"stack_trace\":\"goroutine 1 [running]:\\n\\t/a\"");
}

static void a_record_does_not_stay_open_for_ever(void **state)
{
    (void)state;
    offer(RAW("progress\n"), DECODE_MORE);
    for (int i = 0; i < 3; i++) {
        fixture.now_ns += NS_PER_S;
        offer(RAW("  more\n{\"event\":\"json\"}\n"), DECODE_MORE);
    }
    has(documents.count - 1, "\"message\":\"progress\\n  more\\n  more\\n  more\"");
    assert_false(line_state_pending(&lines));
}

static void what_leaves_is_utf8(void **state)
{
    (void)state;
    offer(RAW("2026-11-22 ERROR \xC3\nTraceback (most recent call last):\n  File \"\xE2\x82\n"
              "\x9F: \xF0\x9F\x98\nValueError: \xED\xA0\x80\xFF\n"),
          DECODE_MORE);
    decode_lines_flush(fixture.decoder, &lines);
    assert_true(documents.count >= 2);
    for (size_t i = 0; i < documents.count; i++)
        assert_true(utf8_valid(slice_from(documents.text[i])));
    has(0, "ERROR \xEF\xBF\xBD\"");
    // A cut parts no character either.
    documents_forget();
    char line[MAX_LINE];
    for (size_t i = 0; i < sizeof line - 1; i += 3)
        memcpy(line + i, "\xE2\x82\xAC", 3);
    memcpy(line, "  ", 2);
    line[2] = 'x';
    line[sizeof line - 1] = '\n';
    for (int i = 0; i < 4; i++)
        offer(slice_of(line, sizeof line), DECODE_MORE);
    decode_lines_flush(fixture.decoder, &lines);
    for (size_t i = 0; i < documents.count; i++) {
        assert_true(utf8_valid(slice_from(documents.text[i])));
        assert_null(strstr(documents.text[i], "\xEF\xBF\xBD"));
    }
}

static void without_joining_nothing_waits(void **state)
{
    (void)state;
    fixture_close();
    fixture.join = false;
    fixture_open(MAX_LINE);
    offer(RAW("one\n  two\n\tat a.b(c:1)\n"), DECODE_MORE);
    assert_int_equal(documents.count, 3);
    assert_false(line_state_pending(&lines));
    assert_null(strstr(documents.text[2], "\"error\""));
}

static void has_sequence(size_t record, const char *sequence)
{
    char expected[64];
    snprintf(expected, sizeof expected, "\"sequence\":%s", sequence);
    assert_true(record < documents.count);
    const char *at = strstr(documents.text[record], expected);
    if (!at || (at[strlen(expected)] >= '0' && at[strlen(expected)] <= '9'))
        fail_msg("%s is not in %s", expected, documents.text[record]);
}

static void records_are_numbered_as_they_begin(void **state)
{
    (void)state;
    // The JSON line comes out first, but began second.
    offer(RAW("one\n  two\n{\"event\":\"json\"}\n  three\nfour\n"), DECODE_MORE);
    offer(RAW("{\"event\":\"json\"}\n"), DECODE_MORE);
    offer(RAW("{\"ecs.version\":\"8.11.0\",\"event.sequence\":77,\"message\":\"its own\"}\n{}\n"),
          DECODE_MORE);
    decode_lines_flush(fixture.decoder, &lines);
    assert_int_equal(documents.count, 6);
    static const char *const sequences[] = {"2", "1", "4", "77", "6", "3"};
    for (size_t i = 0; i < 6; i++)
        has_sequence(i, sequences[i]);
}

static void what_is_blocked_keeps_its_number(void **state)
{
    (void)state;
    struct slice data = RAW("one\ntwo\n{\"event\":\"json\"}\n");
    documents.admit_limit = 0;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(offer(data, DECODE_BLOCKED), 0);
    documents.admit_limit = SIZE_MAX;
    offer(data, DECODE_MORE);
    decode_lines_flush(fixture.decoder, &lines);
    assert_int_equal(documents.count, 3);
    has_sequence(0, "1");
    has_sequence(1, "3");
    has_sequence(2, "2");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_plain_line_waits_and_is_flushed),
        TEST(the_end_flushes),
        TEST(json_does_not_wait),
        TEST(what_is_broken_json_is_text),
        TEST(a_joined_record_keeps_to_the_limit),
        TEST(where_nothing_may_be_kept_nothing_waits),
        TEST(a_full_log_keeps_what_waits),
        TEST(an_expired_door_sheds_what_waits),
        TEST(a_cut_line_is_alone),
        TEST(nul_ends_a_record),
        TEST(crlf_and_blank_lines_within),
        TEST(a_record_does_not_stay_open_for_ever),
        TEST(what_leaves_is_utf8),
        TEST(without_joining_nothing_waits),
        TEST(records_are_numbered_as_they_begin),
        TEST(what_is_blocked_keeps_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
