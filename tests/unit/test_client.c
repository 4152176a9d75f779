// libsluice against a fake agent: what arrives, and what it does when the agent is slow or gone.
#include "native_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void a_log_arrives_with_its_fields(void **state)
{
    struct fixture *f = *state;
    peer_listen(&f->peer);
    open_client(f, 0);
    sluice_log(f->sluice, SLUICE_WARN, "placed",
               SLUICE_FIELDS(sluice_string("order.id", "a\xFF"), sluice_integer("items", -3),
                             sluice_double("total", 9.5), sluice_boolean("paid", true),
                             sluice_bytes("raw", "\0\1", 2)));
    peer_pump(&f->peer);
    assert_string_equal(seen.service, "orders");
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.sequence[0], 1);
    const Sluice__Otlp__ScopeLogs *scope = seen.last->records->logs->scope_logs[0];
    assert_string_equal(scope->scope->name, "orders.api");
    const Sluice__Otlp__LogRecord *record = scope->log_records[0];
    assert_string_equal(record->body->string_value, "placed");
    assert_int_equal(record->severity_number, 13);
    assert_true(record->time_unix_nano > 1500000000000000000);
    assert_int_equal(record->n_attributes, 5);
    assert_string_equal(record->attributes[0]->key, "order.id");
    assert_string_equal(record->attributes[0]->value->string_value, "a\xEF\xBF\xBD");
    assert_int_equal(record->attributes[1]->value->int_value, -3);
    assert_true(record->attributes[2]->value->double_value == 9.5);
    assert_true(record->attributes[3]->value->bool_value);
    assert_memory_equal(record->attributes[4]->value->bytes_value.data, "\0\1", 2);
}

static void text_that_is_no_utf8_is_mended(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"plain", "plain"},
        {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xED\xA0\x80z", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz"},
        {"\xE0\x80\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xF4\x90z", "\xEF\xBF\xBD\xEF\xBF\xBDz"},
        {"x\xE2\x82", "x\xEF\xBF\xBD\xEF\xBF\xBD"},
        {NULL, ""},
    };
    struct fixture *f = *state;
    peer_listen(&f->peer);
    open_client(f, 0);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sluice_log(f->sluice, SLUICE_INFO, cases[i].in, SLUICE_NO_FIELDS);
        peer_pump(&f->peer);
        assert_string_equal(seen.text[i], cases[i].out);
    }
}

static void what_is_logged_before_the_agent_waits_for_it(void **state)
{
    struct fixture *f = *state;
    open_client(f, 0);
    sluice_log(f->sluice, SLUICE_INFO, "early", SLUICE_NO_FIELDS);
    assert_int_equal(stats_of(f).queued, 1);
    assert_int_equal(sluice_flush(f->sluice, 1), -ETIMEDOUT);
    peer_listen(&f->peer);
    start_peer(f);
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    stop_peer(f);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.text[0], "early");
    assert_int_equal(stats_of(f).sent, 1);
    assert_int_equal(stats_of(f).unconfirmed, 0);
}

// Were a call to block here, nobody would ever read and the test would hang.
static void an_agent_that_does_not_read_costs_records_not_time(void **state)
{
    struct fixture *f = *state;
    const unsigned total = 30000;
    peer_listen(&f->peer);
    open_client(f, 65536);
    for (unsigned i = 0; i < total; i++) {
        char text[24];
        snprintf(text, sizeof text, "n%u", i);
        sluice_log(f->sluice, SLUICE_INFO, text, SLUICE_NO_FIELDS);
    }
    struct sluice_stats stats = stats_of(f);
    assert_true(stats.sent > 0 && stats.queued > 0 && stats.dropped > 0);
    assert_int_equal(stats.sent + stats.queued + stats.dropped, total);
    start_peer(f);
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    sluice_log(f->sluice, SLUICE_INFO, "last", SLUICE_NO_FIELDS);
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    stop_peer(f);
    assert_int_equal(seen.dropped, stats.dropped);
    assert_int_equal(seen.count, total - stats.dropped + 1);
    for (unsigned i = 0; i < seen.count; i++)
        assert_int_equal(seen.sequence[i], i + 1); // no gap, no repetition, though runs were merged
    assert_string_equal(seen.text[seen.count - 1], "last");
}

static void what_was_half_written_is_sent_again(void **state)
{
    struct fixture *f = *state;
    // Longer than what a socket buffers at once, so that one is cut in the middle.
    char *long_text = malloc(150000);
    assert_non_null(long_text);
    memset(long_text, 'x', 149999);
    long_text[149999] = '\0';
    peer_listen(&f->peer);
    open_client(f, (size_t)1 << 20);
    sluice_log(f->sluice, SLUICE_INFO, long_text, SLUICE_NO_FIELDS);
    peer_pump(&f->peer); // the welcome: no credits are counted
    while (stats_of(f).queued < 3)
        sluice_log(f->sluice, SLUICE_INFO, long_text, SLUICE_NO_FIELDS);
    free(long_text);
    struct sluice_stats before = stats_of(f);
    // The agent dies without having read all.
    peer_hang_up(&f->peer);
    start_peer(f);
    assert_int_equal(sluice_flush(f->sluice, 20000), -EPIPE);
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    stop_peer(f);
    assert_int_equal(stats_of(f).unconfirmed, before.sent);
    assert_int_equal(stats_of(f).connections, 2);
    assert_int_equal(seen.count, before.queued);
    assert_int_equal(seen.sequence[0], before.sent + 1);
    assert_true(seen.resend[0]);
    assert_false(seen.resend[seen.count - 1]);
    assert_int_equal(seen.sequence[seen.count - 1], before.sent + before.queued);
}

// What is beyond the credit stays in the queue, which drops as ever where it is full.
static void credit_is_kept_to(void **state)
{
    struct fixture *f = *state;
    char text[1025];
    memset(text, 'x', 1024);
    text[1024] = '\0';
    f->peer.credits = 80000;
    peer_listen(&f->peer);
    open_client(f, (size_t)1 << 20);
    for (unsigned i = 0; i < 200; i++) { // more than 64 KiB before the welcome
        sluice_log(f->sluice, SLUICE_INFO, text, SLUICE_NO_FIELDS);
        if (i == 100) {
            assert_true(stats_of(f).sent > 0 && stats_of(f).sent < 64);
            peer_pump(&f->peer);
        }
    }
    peer_pump(&f->peer);
    unsigned first = seen.count;
    assert_true(first > 0 && first < 80);
    Sluice__Native__Frame frame = SLUICE__NATIVE__FRAME__INIT;
    Sluice__Native__Credit credit = SLUICE__NATIVE__CREDIT__INIT;
    frame.body_case = SLUICE__NATIVE__FRAME__BODY_CREDIT;
    frame.credit = &credit;
    credit.bytes = 300000;
    peer_say(&f->peer, &frame);
    start_peer(f);
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    stop_peer(f);
    assert_int_equal(seen.count, 200);
    assert_int_equal(stats_of(f).dropped, 0);
    assert_int_equal(stats_of(f).connections, 1);
}

// What the agent takes in no frame would wait for credit for ever.
static void what_no_frame_takes_is_dropped(void **state)
{
    struct fixture *f = *state;
    static char text[80001];
    memset(text, 'x', sizeof text - 1);
    f->peer.credits = 200000;
    f->peer.max_frame = 70000;
    peer_listen(&f->peer);
    open_client(f, (size_t)1 << 20);
    sluice_log(f->sluice, SLUICE_INFO, text, SLUICE_NO_FIELDS); // waits for the welcome
    start_peer(f);
    for (unsigned i = 0; i < 3; i++)
        sluice_log(f->sluice, SLUICE_INFO, "short", SLUICE_NO_FIELDS);
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    stop_peer(f);
    assert_int_equal(seen.count, 3);
    assert_int_equal(stats_of(f).dropped, 1);
}

static void the_stream_outlives_its_connections(void **state)
{
    struct fixture *f = *state;
    uint8_t stream[8];
    peer_listen(&f->peer);
    open_client(f, 0);
    sluice_log(f->sluice, SLUICE_INFO, "one", SLUICE_NO_FIELDS);
    peer_pump(&f->peer);
    memcpy(stream, seen.stream, 8);
    peer_hang_up(&f->peer);
    start_peer(f);
    sluice_log(f->sluice, SLUICE_INFO, "two", SLUICE_NO_FIELDS);
    sluice_flush(f->sluice, 20000); // -EPIPE where "one" was not yet confirmed
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    stop_peer(f);
    assert_int_equal(f->peer.hellos, 2);
    assert_memory_equal(seen.stream, stream, 8);
    assert_string_equal(seen.text[1], "two");
    assert_int_equal(seen.sequence[1], 2);
}

static void a_flush_is_not_answered_by_silence(void **state)
{
    struct fixture *f = *state;
    peer_listen(&f->peer);
    f->peer.mute = true;
    open_client(f, 0);
    sluice_log(f->sluice, SLUICE_INFO, "x", SLUICE_NO_FIELDS);
    start_peer(f);
    assert_int_equal(sluice_flush(f->sluice, 60), -ETIMEDOUT);
    stop_peer(f);
}

static void an_agent_that_leaves_is_left(void **state)
{
    struct fixture *f = *state;
    Sluice__Native__Frame frame = SLUICE__NATIVE__FRAME__INIT;
    Sluice__Native__Error error = SLUICE__NATIVE__ERROR__INIT;
    Sluice__Native__Goaway goaway = SLUICE__NATIVE__GOAWAY__INIT;
    char long_text[3000];
    memset(long_text, 'e', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    peer_listen(&f->peer);
    open_client(f, 0);
    sluice_log(f->sluice, SLUICE_INFO, "one", SLUICE_NO_FIELDS);
    peer_pump(&f->peer);
    // Longer than the client's buffer: it has to be skipped, and what follows understood.
    frame.body_case = SLUICE__NATIVE__FRAME__BODY_ERROR;
    frame.error = &error;
    error.message = long_text;
    error.open = true;
    peer_say(&f->peer, &frame);
    frame.body_case = SLUICE__NATIVE__FRAME__BODY_GOAWAY;
    frame.goaway = &goaway;
    peer_say(&f->peer, &frame);
    sluice_flush(f->sluice, 0); // reads
    sluice_log(f->sluice, SLUICE_INFO, "two", SLUICE_NO_FIELDS);
    while (peer_pump(&f->peer))
        ;
    peer_hang_up(&f->peer);
    assert_int_equal(seen.count, 1);
    start_peer(f);
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    stop_peer(f);
    assert_int_equal(seen.count, 2);
}

static void what_is_too_large_is_dropped_alone(void **state)
{
    struct fixture *f = *state;
    size_t size = 300000;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'y', size - 1);
    text[size - 1] = '\0';
    peer_listen(&f->peer);
    open_client(f, (size_t)1 << 20);
    sluice_log(f->sluice, SLUICE_INFO, text, SLUICE_NO_FIELDS);
    struct sluice_span *span = sluice_span_start(f->sluice, "wide", SLUICE_INTERNAL, NULL);
    for (unsigned i = 0; i < 20; i++)
        sluice_span_set(span, SLUICE_FIELDS(sluice_bytes("part", text, 5000)));
    sluice_span_end(span);
    peer_pump(&f->peer);
    assert_int_equal(stats_of(f).dropped, 1);
    assert_int_equal(seen.dropped, 1);
    assert_int_equal(seen.count, 1);
    const Sluice__Otlp__Span *arrived = seen.last->records->spans->scope_spans[0]->spans[0];
    assert_true(arrived->n_attributes >= 10);
    assert_int_equal(arrived->n_attributes + arrived->dropped_attributes_count, 20);
    free(text);
}

static void close_says_goodbye_and_counts_what_is_lost(void **state)
{
    struct fixture *f = *state;
    open_client(f, 0);
    sluice_log(f->sluice, SLUICE_INFO, "nobody is there", SLUICE_NO_FIELDS);
    assert_int_equal(sluice_close(f->sluice), 1);
    peer_listen(&f->peer);
    open_client(f, 0);
    sluice_log(f->sluice, SLUICE_INFO, "x", SLUICE_NO_FIELDS);
    assert_int_equal(sluice_close(f->sluice), 0);
    f->sluice = NULL;
    while (peer_pump(&f->peer))
        ;
    assert_int_equal(seen.count, 1);
    assert_int_equal(f->peer.goodbyes, 1);
}

static void every_call_takes_null(void **state)
{
    (void)state;
    char path[200];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    errno = 0;
    assert_null(sluice_open(&(struct sluice_options){.socket_path = path}));
    assert_int_equal(errno, ENAMETOOLONG);
    sluice_log(NULL, SLUICE_INFO, "x", SLUICE_NO_FIELDS);
    assert_null(sluice_span_start(NULL, "x", SLUICE_INTERNAL, NULL));
    assert_null(sluice_span_context(NULL));
    sluice_span_set(NULL, SLUICE_FIELDS(sluice_boolean("x", true)));
    sluice_span_status(NULL, SLUICE_OK, NULL);
    sluice_span_log(NULL, SLUICE_INFO, "x", SLUICE_NO_FIELDS);
    sluice_span_end(NULL);
    struct sluice_stats stats;
    sluice_stats(NULL, &stats);
    assert_int_equal(stats.sent, 0);
    assert_int_equal(sluice_flush(NULL, 0), 0);
    assert_int_equal(sluice_close(NULL), 0);
}

static void *log_many(void *arg)
{
    struct fixture *f = arg;
    for (unsigned i = 0; i < 500; i++) {
        sluice_log(f->sluice, SLUICE_INFO, "t", SLUICE_FIELDS(sluice_integer("i", i)));
        sluice_span_end(sluice_span_start(f->sluice, "s", SLUICE_INTERNAL, NULL));
    }
    assert_int_equal(sluice_flush(f->sluice, 20000), 0);
    return NULL;
}

static void threads_share_a_handle(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[4];
    peer_listen(&f->peer);
    open_client(f, (size_t)4 << 20);
    start_peer(f);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, f), 0);
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    stop_peer(f);
    assert_int_equal(stats_of(f).dropped, 0);
    assert_int_equal(seen.count, 4000);
    for (unsigned i = 0; i < seen.count; i++)
        assert_int_equal(seen.sequence[i], i + 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_log_arrives_with_its_fields),
        CASE(text_that_is_no_utf8_is_mended),
        CASE(what_is_logged_before_the_agent_waits_for_it),
        CASE(an_agent_that_does_not_read_costs_records_not_time),
        CASE(what_was_half_written_is_sent_again),
        CASE(credit_is_kept_to),
        CASE(what_no_frame_takes_is_dropped),
        CASE(the_stream_outlives_its_connections),
        CASE(a_flush_is_not_answered_by_silence),
        CASE(an_agent_that_leaves_is_left),
        CASE(what_is_too_large_is_dropped_alone),
        CASE(close_says_goodbye_and_counts_what_is_lost),
        CASE(every_call_takes_null),
        CASE(threads_share_a_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
