// The OTLP exporter against a collector in the same process, on the real loop and a real socket.
#include "base/error.h"
#include "otlp_fixture.h"

static void test_delivers_by_signal(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture_start(&fixture, (struct otlp_exporter_config){0});
    fixture_offer(&fixture, 100, SIGNAL_LOGS);
    fixture_offer(&fixture, 200, SIGNAL_SPANS);
    fixture_offer(&fixture, 300, SIGNAL_METRICS);
    fixture_run(&fixture, 300);
    assert_all(&fixture, 300, VERDICT_DELIVERED);
    assert_int_equal(fixture.refused, 0);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(times_taken(&fixture, i, (enum signal_kind)(i / 100)), 1);
    assert_int_equal(fixture.collector.requests, 3); // a turn's parcels are one request a signal
    assert_int_equal(fixture_book(&fixture)->requests, 3);
    assert_int_equal(fixture_book(&fixture)->retries, 0);
    assert_int_equal(fixture_book(&fixture)->failures, 0);
    fixture_close(&fixture);
}

static void test_request_stays_below_its_size(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture_start(&fixture, (struct otlp_exporter_config){
                                .max_request = 1000, .concurrency = 3, .max_held_bytes = 1u << 20});
    fixture_offer(&fixture, 2000, SIGNAL_SPANS);
    fixture_run(&fixture, 2000);
    assert_all(&fixture, 2000, VERDICT_DELIVERED);
    assert_true(fixture.collector.largest < 1000 && fixture.collector.largest > 900);
    const uint64_t *closed = fixture_book(&fixture)->closed;
    assert_int_equal(closed[BATCH_BYTES] + closed[BATCH_DELAY], fixture.collector.requests);
    assert_true(closed[BATCH_BYTES] > 0 && closed[BATCH_DELAY] == 1); // the last, by its turn's end
    for (size_t i = 0; i < 2000; i += 37)
        assert_int_equal(times_taken(&fixture, i, SIGNAL_SPANS), 1);
    fixture_close(&fixture);
}

static void test_lingers(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    // Longer than any test: only the count of records closes a request, and draining the rest.
    fixture_start(&fixture, (struct otlp_exporter_config){.max_delay_ns = 3600 * NS_PER_S,
                                                          .max_records = 50});
    fixture_offer(&fixture, 120, SIGNAL_LOGS);
    fixture.exporter->ops->flush(fixture.exporter, false);
    fixture_run(&fixture, 100);
    assert_int_equal(fixture.collector.requests, 2);
    assert_int_equal(fixture.settled, 100);
    fixture.exporter->ops->flush(fixture.exporter, true);
    fixture_run(&fixture, 120);
    assert_int_equal(fixture.collector.requests, 3);
    assert_int_equal(fixture_book(&fixture)->closed[BATCH_RECORDS], 2);
    assert_int_equal(fixture_book(&fixture)->closed[BATCH_DRAIN], 1);
    assert_int_equal(fixture_book(&fixture)->closed[BATCH_DELAY], 0);
    assert_all(&fixture, 120, VERDICT_DELIVERED);
    fixture_close(&fixture);
}

static void test_linger_ends(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture_start(&fixture, (struct otlp_exporter_config){.max_delay_ns = 5 * NS_PER_MS});
    fixture_offer(&fixture, 10, SIGNAL_LOGS);
    fixture_run(&fixture, 10);
    assert_all(&fixture, 10, VERDICT_DELIVERED);
    assert_int_equal(fixture.collector.requests, 1);
    assert_int_equal(fixture_book(&fixture)->closed[BATCH_DELAY], 1);
    fixture_close(&fixture);
}

// Scripted answers to one request of ten records; what is left of the books.
static void scripted(const struct collector_step *steps, size_t count, enum verdict_kind kind,
                     uint64_t requests, uint64_t retries, uint64_t failures, const char *reason)
{
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.steps = steps;
    fixture.collector.step_count = count;
    fixture_start(&fixture, (struct otlp_exporter_config){0});
    fixture_offer(&fixture, 10, SIGNAL_SPANS);
    fixture_run(&fixture, 10);
    assert_all(&fixture, 10, kind);
    assert_int_equal(fixture_book(&fixture)->requests, requests);
    assert_int_equal(fixture_book(&fixture)->retries, retries);
    assert_int_equal(fixture_book(&fixture)->failures, failures);
    if (reason)
        if (!strstr(fixture.reasons[0], reason))
            fail_msg("no \"%s\" in \"%s\"", reason, fixture.reasons[0]);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(times_taken(&fixture, i, SIGNAL_SPANS), kind == VERDICT_DELIVERED);
    fixture_close(&fixture);
}

#define ANSWER(...)                                                                                \
    {                                                                                              \
        COLLECTOR_ANSWER, {__VA_ARGS__},                                                           \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

static void test_retries_what_may_be_retried(void **state)
{
    (void)state;
    const enum grpc_code codes[] = {GRPC_CANCELLED,    GRPC_DEADLINE_EXCEEDED, GRPC_ABORTED,
                                    GRPC_OUT_OF_RANGE, GRPC_UNAVAILABLE,       GRPC_DATA_LOSS};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const struct collector_step steps[] = {ANSWER(codes[i], "later", NS_PER_MS)};
        scripted(steps, 1, VERDICT_DELIVERED, 2, 1, 1, NULL);
    }
    const struct collector_step twice[] = {ANSWER(GRPC_UNAVAILABLE, "later", 0),
                                           ANSWER(GRPC_UNAVAILABLE, "later", 0)};
    scripted(twice, 2, VERDICT_DELIVERED, 3, 2, 2, NULL);
    const struct collector_step exhausted[] = {
        ANSWER(GRPC_RESOURCE_EXHAUSTED, "slow down", NS_PER_MS)};
    scripted(exhausted, 1, VERDICT_DELIVERED, 2, 1, 1, NULL);
}

static void test_gives_up_what_is_refused_for_good(void **state)
{
    (void)state;
    const enum grpc_code codes[] = {GRPC_UNKNOWN,
                                    GRPC_INVALID_ARGUMENT,
                                    GRPC_NOT_FOUND,
                                    GRPC_ALREADY_EXISTS,
                                    GRPC_PERMISSION_DENIED,
                                    GRPC_RESOURCE_EXHAUSTED,
                                    GRPC_FAILED_PRECONDITION,
                                    GRPC_UNIMPLEMENTED,
                                    GRPC_INTERNAL,
                                    GRPC_UNAUTHENTICATED};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        const struct collector_step steps[] = {ANSWER(codes[i], "never", 0)};
        const char *reason =
            codes[i] == GRPC_RESOURCE_EXHAUSTED ? "without RetryInfo: never" : ": never";
        scripted(steps, 1, VERDICT_DEAD, 1, 0, 0, reason);
    }
}

static void test_too_large_is_halved(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.limit = 300;
    fixture_start(&fixture, (struct otlp_exporter_config){.concurrency = 3});
    fixture_offer(&fixture, 1000, SIGNAL_METRICS);
    fixture_run(&fixture, 1000);
    assert_all(&fixture, 1000, VERDICT_DELIVERED);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(times_taken(&fixture, i, SIGNAL_METRICS), 1);
    // 3890 bytes: sixteen pieces below 300, and what had to be refused to learn that.
    assert_int_equal(fixture_book(&fixture)->requests, 31);
    assert_int_equal(fixture_book(&fixture)->failures, 0);
    fixture_close(&fixture);
}

static void test_learns_what_is_too_large(void **state)
{
    (void)state;
    static char payload[40000];
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.limit = 5 * sizeof payload;
    fixture_start(&fixture, (struct otlp_exporter_config){0});
    struct parcel parcel = {
        .payload = slice_of(payload, sizeof payload), .records = 1, .signal = SIGNAL_LOGS};
    unsigned refused = 0;
    for (size_t round = 1; round <= 2; round++) {
        for (size_t i = 0; i < 50; i++) {
            parcel.position = fixture.offered++;
            assert_int_equal(fixture.exporter->ops->offer(fixture.exporter, &parcel), 0);
        }
        fixture_run(&fixture, round * 50);
        refused = round == 1 ? fixture.collector.too_large : refused;
    }
    assert_all(&fixture, 100, VERDICT_DELIVERED);
    assert_true(refused > 0);
    assert_int_equal(fixture.collector.too_large, refused); // none in the second round
    fixture_close(&fixture);
}

static void test_too_large_alone_is_dead(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.limit = 2; // "9;" passes, "10;" does not
    fixture_start(&fixture, (struct otlp_exporter_config){0});
    fixture_offer(&fixture, 20, SIGNAL_LOGS);
    fixture_run(&fixture, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(fixture.kinds[i], i < 10 ? VERDICT_DELIVERED : VERDICT_DEAD);
        if (i >= 10)
            assert_non_null(strstr(fixture.reasons[i], "too large"));
    }
    fixture_close(&fixture);
}

static void test_partial_success(void **state)
{
    (void)state;
    const struct collector_step steps[] = {
        {COLLECTOR_ANSWER, {0}, SLICE("\x0a\x09\x08\x03\x12\x05wrong")}};
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.steps = steps;
    fixture.collector.step_count = 1;
    fixture_start(&fixture, (struct otlp_exporter_config){0});
    fixture_offer(&fixture, 10, SIGNAL_SPANS);
    fixture_run(&fixture, 10);
    assert_all(&fixture, 10, VERDICT_DELIVERED);
    assert_int_equal(fixture.refused, 3);
    assert_int_equal(fixture.collector.requests, 1); // never sent again
    fixture_close(&fixture);
}

static void test_partial_success_beyond_what_was_sent(void **state)
{
    (void)state;
    const struct collector_step steps[] = {{COLLECTOR_ANSWER, {0}, SLICE("\x0a\x02\x08\x64")}};
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.steps = steps;
    fixture.collector.step_count = 1;
    fixture_start(&fixture, (struct otlp_exporter_config){0});
    fixture_offer(&fixture, 10, SIGNAL_SPANS);
    fixture_run(&fixture, 10);
    assert_int_equal(fixture.refused, 10);
    fixture_close(&fixture);
}

static void test_goaway_loses_nothing(void **state)
{
    (void)state;
    struct collector_step steps[64];
    for (size_t i = 0; i < 64; i++)
        steps[i] = (struct collector_step){.move = i % 2 ? COLLECTOR_GOAWAY : COLLECTOR_ANSWER};
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.steps = steps;
    fixture.collector.step_count = 64;
    fixture_start(&fixture, (struct otlp_exporter_config){.max_records = 10, .concurrency = 5});
    fixture_offer(&fixture, 300, SIGNAL_SPANS);
    fixture_run(&fixture, 300);
    assert_all(&fixture, 300, VERDICT_DELIVERED);
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(times_taken(&fixture, i, SIGNAL_SPANS), 1);
    assert_true(fixture.collector.accepted > 1);
    assert_int_equal(fixture_book(&fixture)->failures, 0);
    fixture_close(&fixture);
}

static void test_lost_connection_is_tried_again(void **state)
{
    (void)state;
    const struct collector_step steps[] = {{.move = COLLECTOR_HANG_UP},
                                           {.move = COLLECTOR_HANG_UP}};
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.steps = steps;
    fixture.collector.step_count = 2;
    fixture_start(&fixture, (struct otlp_exporter_config){.concurrency = 1});
    fixture_offer(&fixture, 10, SIGNAL_SPANS);
    fixture_run(&fixture, 10);
    assert_all(&fixture, 10, VERDICT_DELIVERED);
    assert_int_equal(fixture.collector.requests, 3);
    assert_int_equal(fixture.collector.accepted, 3);
    assert_int_equal(fixture_book(&fixture)->retries, 2);
    assert_int_equal(fixture_book(&fixture)->failures, 2);
    fixture_close(&fixture);
}

static void test_never_answering(void **state)
{
    (void)state;
    const struct collector_step steps[] = {{.move = COLLECTOR_SILENCE},
                                           {.move = COLLECTOR_SILENCE}};
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.steps = steps;
    fixture.collector.step_count = 2;
    fixture_start(&fixture, (struct otlp_exporter_config){.timeout_ns = 30 * NS_PER_MS});
    fixture_offer(&fixture, 10, SIGNAL_SPANS);
    fixture_run(&fixture, 10);
    assert_all(&fixture, 10, VERDICT_DELIVERED);
    assert_int_equal(times_taken(&fixture, 7, SIGNAL_SPANS), 1);
    assert_true(fixture_book(&fixture)->failures >= 2);
    assert_true(fixture_book(&fixture)->retries >= 2);
    // Not a byte after the second request: the connection was given up with it.
    assert_true(fixture.collector.accepted >= 2);
    fixture_close(&fixture);
}

struct starter {
    struct fixture *fixture;
    struct loop_timer poll;
};

static void start_when_refused(struct loop_timer *timer)
{
    struct starter *starter =
        (struct starter *)(void *)((char *)timer - offsetof(struct starter, poll));
    if (fixture_book(starter->fixture)->failures >= 2)
        collector_listen(&starter->fixture->collector);
    else
        loop_timer_start(starter->fixture->loop, timer, NS_PER_MS);
}

static void test_refused_then_up(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    fixture_start(&fixture, (struct otlp_exporter_config){0});
    struct starter starter = {&fixture, {.expired = start_when_refused}};
    loop_timer_start(fixture.loop, &starter.poll, NS_PER_MS);
    fixture_offer(&fixture, 10, SIGNAL_SPANS);
    fixture_run(&fixture, 10);
    assert_all(&fixture, 10, VERDICT_DELIVERED);
    assert_true(fixture_book(&fixture)->failures >= 2);
    assert_int_equal(fixture_book(&fixture)->requests, 1);
    assert_int_equal(fixture_book(&fixture)->retries, 0);
    fixture_close(&fixture);
}

static void test_free_gives_everything_back(void **state)
{
    (void)state;
    const struct collector_step steps[] = {{.move = COLLECTOR_SILENCE},
                                           {.move = COLLECTOR_SILENCE},
                                           ANSWER(GRPC_UNAVAILABLE, "later", 3600 * NS_PER_S)};
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture.collector.steps = steps;
    fixture.collector.step_count = 3;
    // In flight, waiting for its back-off, ready (beyond the concurrency), and lingering.
    fixture_start(&fixture, (struct otlp_exporter_config){.max_records = 10,
                                                          .concurrency = 3,
                                                          .max_delay_ns = 3600 * NS_PER_S});

    fixture_offer(&fixture, 45, SIGNAL_SPANS);
    fixture_run(&fixture, 10); // the fourth request is answered once the third waits
    assert_int_equal(fixture.settled, 10);
    fixture.exporter->ops->free(fixture.exporter);
    fixture.exporter = NULL;
    assert_int_equal(fixture.settled, 45);
    size_t returned = 0;
    for (size_t i = 0; i < 45; i++)
        returned += fixture.kinds[i] == VERDICT_RETURNED;
    assert_int_equal(returned, 35);
    fixture_close(&fixture);
}

static void test_window_is_bounded(void **state)
{
    (void)state;
    struct fixture fixture;
    fixture_open(&fixture);
    collector_listen(&fixture.collector);
    fixture_start(&fixture, (struct otlp_exporter_config){.max_held_bytes = 200,
                                                          .max_delay_ns = 3600 * NS_PER_S});
    fixture_offer(&fixture, 1000, SIGNAL_SPANS);
    assert_true(fixture.offered > 40 && fixture.offered < 110);
    // A full window does not wait for its linger; the sink offers the rest from its verdicts.
    fixture.offer_limit = 1000;
    fixture_run(&fixture, 900);
    fixture.exporter->ops->flush(fixture.exporter, true);
    fixture_run(&fixture, 1000);
    assert_all(&fixture, 1000, VERDICT_DELIVERED);
    assert_true(fixture.collector.largest <= 200);
    fixture_close(&fixture);
}

static void test_gzip_and_tcp(void **state)
{
    (void)state;
    const char *hosts[] = {"127.0.0.1", "localhost"};
    for (int i = 0; i < 2; i++) {
        const struct grpc_header headers[] = {{"X-Tenant", "blue"}};
        struct fixture fixture;
        fixture_open(&fixture);
        collector_listen_tcp(&fixture.collector, hosts[i]);
        fixture_start(&fixture, (struct otlp_exporter_config){
                                    .gzip = true, .headers = headers, .header_count = 1});
        fixture_offer(&fixture, 3000, SIGNAL_LOGS);
        fixture_run(&fixture, 3000);
        assert_all(&fixture, 3000, VERDICT_DELIVERED);
        for (size_t k = 0; k < 3000; k += 111)
            assert_int_equal(times_taken(&fixture, k, SIGNAL_LOGS), 1);
        fixture_close(&fixture);
    }
}

static void test_bad_configuration(void **state)
{
    (void)state;
    struct exporter_book book = {0};
    struct exporter *exporter;
    struct grpc_header header = {"te", "x"};
    struct otlp_exporter_config config = {
        .name = "otlp", .endpoint = "h:4317", .book = &book, .clock = clock_system()};
    assert_int_equal(otlp_exporter_new(&exporter, &config), -EINVAL);
    config.endpoint = "http://h:4317";
    config.headers = &header;
    config.header_count = 1;
    assert_int_equal(otlp_exporter_new(&exporter, &config), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delivers_by_signal),
        cmocka_unit_test(test_request_stays_below_its_size),
        cmocka_unit_test(test_lingers),
        cmocka_unit_test(test_linger_ends),
        cmocka_unit_test(test_retries_what_may_be_retried),
        cmocka_unit_test(test_gives_up_what_is_refused_for_good),
        cmocka_unit_test(test_too_large_is_halved),
        cmocka_unit_test(test_learns_what_is_too_large),
        cmocka_unit_test(test_too_large_alone_is_dead),
        cmocka_unit_test(test_partial_success),
        cmocka_unit_test(test_partial_success_beyond_what_was_sent),
        cmocka_unit_test(test_goaway_loses_nothing),
        cmocka_unit_test(test_lost_connection_is_tried_again),
        cmocka_unit_test(test_never_answering),
        cmocka_unit_test(test_refused_then_up),
        cmocka_unit_test(test_free_gives_everything_back),
        cmocka_unit_test(test_window_is_bounded),
        cmocka_unit_test(test_gzip_and_tcp),
        cmocka_unit_test(test_bad_configuration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
