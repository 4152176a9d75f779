// Lines that are as large or as odd as they can be: time in proportion to their size, no memory
// kept.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "decode_fixture.h"
#include "flat_document.h"

#include <time.h>

#define MAX_LINE ((size_t)256 << 10)

static int setup(void **state)
{
    (void)state;
    fixture.join = true;
    fixture_open(MAX_LINE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_close();
    return 0;
}

static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

// The least of a few runs, in milliseconds.
static double time_of(const char *text, size_t size)
{
    double best = 1e9;
    for (int i = 0; i < 5; i++) {
        documents_forget();
        double begin = cpu_ms();
        decode_stream(slice_of(text, size));
        double took = cpu_ms() - begin;
        best = took < best ? took : best;
    }
    return best;
}

static size_t print_keys(char *text, const char *format, unsigned keys)
{
    size_t size = (size_t)sprintf(text, "{\"event\":\"e\"");
    for (unsigned i = 0; i < keys; i++)
        size += (size_t)sprintf(text + size, format, i, i);
    return size + (size_t)sprintf(text + size, "}\n");
}

// Twice the keys take about twice the time; with four times, a square would be told from noise.
static void many_keys_take_time_in_proportion(void **state)
{
    (void)state;
    static const char *const formats[] = {
        ",\"k%u\":\"v%u\"",           // labels
        ",\"a.b.%u\":%u",             // names to be changed
        ",\"a b\":\"%u\",\"a.b\":%u", // the same names again and again
        ",\"error.x%u\":{\"y\":%u}",  // objects of ECS
        ",\"err\":{\"z%u\":%u}",
    };
    char *text = malloc(1 << 20);
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        double few = time_of(text, print_keys(text, formats[i], 2500));
        size_t size = print_keys(text, formats[i], 10000);
        if (size > MAX_LINE)
            size = print_keys(text, formats[i], 9000);
        double many = time_of(text, size);
        assert_int_equal(documents.count + documents.rejected, 1);
        print_message("%s: %.2f ms, %.2f ms\n", formats[i], few, many);
        assert_true(many < 12 * few + 5);
    }
    free(text);
}

static void distinct_keys_all_arrive(void **state)
{
    (void)state;
    char *text = malloc(1 << 20);
    size_t size = print_keys(text, ",\"k%u\":\"v%u\"", 10000);
    assert_true(size <= MAX_LINE);
    decode_stream(slice_of(text, size));
    assert_int_equal(documents.count, 1);
    assert_non_null(strstr(documents.text[0], "\"k0\":\"v0\""));
    assert_non_null(strstr(documents.text[0], "\"k9999\":\"v9999\""));
    free(text);
}

static void deep_nesting_is_text(void **state)
{
    (void)state;
    enum { DEPTH = 120000 };
    char *text = malloc(8 * DEPTH);
    static const char *const opens[] = {"[", "{\"a\":"}, *const closes[] = {"]", "}"};
    for (unsigned kind = 0; kind < 2; kind++) {
        size_t depth = kind ? 40000 : DEPTH; // a line of MAX_LINE bytes holds no more
        size_t size = (size_t)sprintf(text, "{\"event\":\"deep\",\"v\":");
        for (size_t i = 0; i < depth; i++)
            size += (size_t)sprintf(text + size, "%s", opens[kind]);
        size += (size_t)sprintf(text + size, "1");
        for (size_t i = 0; i < depth; i++)
            size += (size_t)sprintf(text + size, "%s", closes[kind]);
        size += (size_t)sprintf(text + size, "}\n");
        assert_true(size <= MAX_LINE);
        decode_stream(slice_of(text, size));
        assert_int_equal(documents.count, 1);
        assert_non_null(strstr(documents.text[0], "\"message\":\"deep\""));
        assert_non_null(strstr(documents.text[0], kind ? "\"v\":\"{" : "\"v\":\"["));
        documents_forget();
    }
    free(text);
}

// 200,000 opening brackets are more than a line may have: it is cut, and text.
static void too_deep_for_a_line(void **state)
{
    (void)state;
    size_t depth = 200000, size = 2 * depth + 8;
    char *text = malloc(size);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    memcpy(text + 2 * depth, "\n{\"a\":1}", 8);
    memcpy(text, "{\"v\":", 5);
    decode_stream(slice_of(text, size));
    assert_int_equal(documents.count, 2);
    assert_int_equal(documents.truncated, 1);
    free(text);
}

static void no_line_end_keeps_no_memory(void **state)
{
    (void)state;
    enum { PIECE = 1 << 20, PIECES = 400 };
    char *piece = malloc(PIECE);
    struct line_state lines = {0};
    size_t consumed;
    memset(piece, 'x', PIECE);
    double begin = cpu_ms();
    for (int i = 0; i < PIECES; i++) {
        assert_int_equal(
            decode_lines(fixture.decoder, &lines, slice_of(piece, PIECE), false, &consumed),
            DECODE_MORE);
        assert_int_equal(consumed, PIECE);
        assert_int_equal(fixture.read_bytes.used, 0);
    }
    print_message("400 MiB without an end: %.0f ms\n", cpu_ms() - begin);
    assert_true(lines.skipping);
    assert_int_equal(documents.count, 1);
    assert_int_equal(documents.truncated, 1);
    assert_true(strlen(documents.text[0]) < MAX_LINE + 1024);
    decode_lines(fixture.decoder, &lines, slice_from("\nnext\n"), true, &consumed);
    assert_int_equal(documents.count, 2);
    free(piece);
}

static double time_to_join(char *text, const char *head, const char *line, size_t most)
{
    size_t size = (size_t)sprintf(text, "%s\n", head);
    while (size < most)
        size += (size_t)sprintf(text + size, "%s\n", line);
    return time_of(text, size);
}

// Lines that ask for all that the joining looks at, in records up to the limit.
static void joining_takes_time_in_proportion(void **state)
{
    (void)state;
    static const char *const heads[] = {"2026-11-22 ERROR x", "Error: x", "panic: x", "  x"};
    static const char *const lines[] = {
        "  y", "\tat a.b(c:1)", "app.Odd: z",    "task: <x",    "\n",
        "}",   "ValueError: x", "a.rb:1:in 'x'", "main.f(0x1)", "{\"a\":"};
    char *text = malloc(MAX_LINE + 64);
    for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
        for (size_t l = 0; l < sizeof lines / sizeof *lines; l++) {
            double few = time_to_join(text, heads[h], lines[l], MAX_LINE / 8);
            double many = time_to_join(text, heads[h], lines[l], MAX_LINE);
            if (many > 24 * few + 20)
                fail_msg("%s, %s: %.2f ms, %.2f ms", heads[h], lines[l], few, many);
        }
    }
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(many_keys_take_time_in_proportion),
        TEST(distinct_keys_all_arrive),
        TEST(deep_nesting_is_text),
        TEST(too_deep_for_a_line),
        TEST(no_line_end_keeps_no_memory),
        TEST(joining_takes_time_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
