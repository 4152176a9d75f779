// The table of dialects: each row's first bytes, cut at every place, and the texts that only look
// like one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "receive/dialect.h"

struct example {
    struct slice first;
    enum dialect_kind dialect;
    enum foreign_kind foreign;
};

static const struct example examples[] = {
    {SLICE_INIT("\xC1SL\x01\x05"), DIALECT_NATIVE, FOREIGN_NONE},
    {SLICE_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"), DIALECT_OTLP_GRPC, FOREIGN_NONE},
    {SLICE_INIT("POST /v1/traces HTTP/1.1\r\nHost: x"), DIALECT_OTLP_HTTP, FOREIGN_HTTP1},
    {SLICE_INIT("POST /v1/logs HTTP/1.1\r\n"), DIALECT_OTLP_HTTP, FOREIGN_HTTP1},
    {SLICE_INIT("POST /v1/metrics HTTP/1.1\r\n"), DIALECT_OTLP_HTTP, FOREIGN_HTTP1},
    {SLICE_INIT("<0>x"), DIALECT_SYSLOG, FOREIGN_NONE},
    {SLICE_INIT("<191>1 2026"), DIALECT_SYSLOG, FOREIGN_NONE},
    {SLICE_INIT("78 <165>1 2026"), DIALECT_SYSLOG, FOREIGN_NONE},
    {SLICE_INIT("\x16\x03\x01\x05"), DIALECT_FOREIGN, FOREIGN_TLS},
    {SLICE_INIT("\x00\x00\x02\xa6}q"), DIALECT_FOREIGN, FOREIGN_PICKLE},
    {SLICE_INIT("\x00\x00\x02\xa6\x80\x04"), DIALECT_FOREIGN, FOREIGN_PICKLE},
    {SLICE_INIT("\x02\x03"), DIALECT_FOREIGN, FOREIGN_BINARY},
    {SLICE_INIT("{\"event\":1}\n"), DIALECT_LINES, FOREIGN_NONE},
    {SLICE_INIT("hello"), DIALECT_LINES, FOREIGN_NONE},
    {SLICE_INIT("\n{"), DIALECT_LINES, FOREIGN_NONE},
    {SLICE_INIT("\x1b[31mred"), DIALECT_LINES, FOREIGN_NONE},
    {SLICE_INIT("\xc3\xbc"), DIALECT_LINES, FOREIGN_NONE},
};

// Text that starts like another dialect and is not.
static const struct slice traps[] = {
    SLICE_INIT("PRI is the first word of this plain log line\n"),
    SLICE_INIT("POST /v1/traces is what this text line says\n"),
    SLICE_INIT("POST /v1/trace HTTP/1.1\r\n"),
    SLICE_INIT("Pool exhausted\n"),
    SLICE_INIT("<192>not a priority"),
    SLICE_INIT("<>"),
    SLICE_INIT("<1"),
    SLICE_INIT("<12x>"),
    SLICE_INIT("<1234>"),
    SLICE_INIT("78 apples"),
    SLICE_INIT("2026-11-22 12:00:00 INFO x"),
    SLICE_INIT("123456789012 <1>"),
    SLICE_INIT("\xC1SX not native"),
};

static void decided(const struct example *example)
{
    struct dialect_guess guess;
    assert_int_equal(dialect_guess(example->first, false, &guess), 0);
    assert_int_equal(guess.dialect, example->dialect);
    assert_int_equal(guess.foreign, example->foreign);
}

static void each_dialect_is_recognised(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++)
        decided(&examples[i]);
}

// A prefix either decides as the whole does or asks for more; it never decides otherwise.
static void a_prefix_never_misleads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        for (size_t n = 0; n <= examples[i].first.size; n++) {
            struct dialect_guess guess;
            int r = dialect_guess(slice_of(examples[i].first.data, n), false, &guess);
            if (r == DIALECT_UNDECIDED)
                continue;
            assert_int_equal(r, 0);
            assert_int_equal(guess.dialect, examples[i].dialect);
        }
    }
}

static void text_that_looks_like_a_dialect_is_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof traps / sizeof traps[0]; i++) {
        struct dialect_guess guess;
        assert_int_equal(dialect_guess(traps[i], true, &guess), 0);
        assert_int_equal(guess.dialect, DIALECT_LINES);
    }
}

static void the_end_decides(void **state)
{
    (void)state;
    struct dialect_guess guess;
    assert_int_equal(dialect_guess(SLICE("PRI * HTTP"), false, &guess), DIALECT_UNDECIDED);
    assert_int_equal(dialect_guess(SLICE("PRI * HTTP"), true, &guess), 0);
    assert_int_equal(guess.dialect, DIALECT_LINES);
    assert_int_equal(dialect_guess(slice_of(NULL, 0), false, &guess), DIALECT_UNDECIDED);
    assert_int_equal(dialect_guess(slice_of(NULL, 0), true, &guess), 0);
    assert_int_equal(guess.dialect, DIALECT_LINES);
}

static void every_hint_says_something(void **state)
{
    (void)state;
    for (int kind = FOREIGN_TLS; kind <= FOREIGN_BINARY; kind++)
        assert_true(strlen(foreign_hint((enum foreign_kind)kind)) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_dialect_is_recognised),
        cmocka_unit_test(a_prefix_never_misleads),
        cmocka_unit_test(text_that_looks_like_a_dialect_is_lines),
        cmocka_unit_test(the_end_decides),
        cmocka_unit_test(every_hint_says_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
