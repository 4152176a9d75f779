// Spans of libsluice against a fake agent: their ids, their parents, what is recorded.
#include "native_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void spans_nest_and_carry_their_trace(void **state)
{
    struct fixture *f = *state;
    struct sluice_context caller;
    assert_true(
        sluice_context_parse(&caller, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    peer_listen(&f->peer);
    open_client(f, 0);
    struct sluice_span *outer = sluice_span_start(f->sluice, "outer", SLUICE_SERVER, &caller);
    struct sluice_span *inner =
        sluice_span_start(f->sluice, "inner", SLUICE_CLIENT, sluice_span_context(outer));
    sluice_span_set(inner, SLUICE_FIELDS(sluice_string("db.system", "sqlite")));
    sluice_span_status(inner, SLUICE_FAILED, "no such table");
    uint8_t inner_id[8];
    memcpy(inner_id, sluice_span_context(inner)->span_id, 8);
    sluice_span_log(inner, SLUICE_ERROR, "query failed", SLUICE_NO_FIELDS);
    peer_pump(&f->peer);
    const Sluice__Otlp__LogRecord *log = seen.last->records->logs->scope_logs[0]->log_records[0];
    assert_memory_equal(log->trace_id.data, caller.trace_id, 16);
    assert_memory_equal(log->span_id.data, inner_id, 8);
    sluice_span_end(inner);
    peer_pump(&f->peer);
    const Sluice__Otlp__Span *span = seen.last->records->spans->scope_spans[0]->spans[0];
    assert_string_equal(span->name, "inner");
    assert_memory_equal(span->trace_id.data, caller.trace_id, 16);
    assert_memory_equal(span->span_id.data, inner_id, 8);
    assert_memory_equal(span->parent_span_id.data, sluice_span_context(outer)->span_id, 8);
    assert_int_equal(span->kind, SLUICE_CLIENT);
    assert_int_equal(span->status->code, SLUICE_FAILED);
    assert_string_equal(span->status->message, "no such table");
    assert_string_equal(span->attributes[0]->value->string_value, "sqlite");
    assert_true(span->end_time_unix_nano >= span->start_time_unix_nano);
    sluice_span_end(outer);
    peer_pump(&f->peer);
    span = seen.last->records->spans->scope_spans[0]->spans[0];
    assert_string_equal(span->name, "outer");
    assert_memory_equal(span->parent_span_id.data, caller.span_id, 8);
    assert_null(span->status);
    assert_int_equal(seen.sequence[2], 3);
}

static void an_unsampled_parent_silences_its_children(void **state)
{
    struct fixture *f = *state;
    struct sluice_context caller;
    assert_true(
        sluice_context_parse(&caller, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
    peer_listen(&f->peer);
    open_client(f, 0);
    sluice_span_end(sluice_span_start(f->sluice, "quiet", SLUICE_SERVER, &caller));
    sluice_span_end(sluice_span_start(f->sluice, "root", SLUICE_SERVER, NULL));
    peer_pump(&f->peer);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.text[0], "root");
    assert_int_equal(seen.last->records->spans->scope_spans[0]->spans[0]->parent_span_id.len, 0);
}

static void contexts_are_read_and_written_as_w3c_says(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
        "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319cxb7ad6b7169203331-01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
    };
    static const char good[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    struct sluice_context context = {.flags = 7};
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(sluice_context_parse(&context, bad[i]));
    assert_false(sluice_context_parse(&context, NULL));
    assert_int_equal(context.flags, 7);
    assert_true(sluice_context_parse(
        &context, "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later"));
    assert_true(sluice_context_parse(&context, good));
    char text[SLUICE_TRACEPARENT_SIZE];
    sluice_context_format(&context, text);
    assert_string_equal(text, good);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(spans_nest_and_carry_their_trace),
        CASE(an_unsampled_parent_silences_its_children),
        CASE(contexts_are_read_and_written_as_w3c_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
