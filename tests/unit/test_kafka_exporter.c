// The Kafka exporter against librdkafka's mock cluster: every parcel gets one final verdict, and
// what was delivered is read back.
#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/settings.h"
#include "deliver/exporter.h"
#include "deliver/kafka.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOPIC "logs"
#define PARCELS 400
#define GUARD_NS (40 * NS_PER_S) // a hang fails the test instead of the suite
#define API_PRODUCE 0

enum fate { WAITING, OFFERED, DELIVERED, DEAD };

struct bench {
    rd_kafka_t *mock_client;
    rd_kafka_mock_cluster_t *cluster;
    struct loop *loop;
    struct loop_timer guard;
    struct exporter *exporter;
    struct exporter_book book;
    char *payloads[PARCELS];
    char *offered[PARCELS]; // what the exporter points into: a copy that ends with its verdict
    enum fate fates[PARCELS];
    unsigned final, returned, in_flight, most_in_flight, dead;
    size_t bytes_in_flight, most_bytes_in_flight;
    const char *dead_reason;
    bool with_headers, full_seen, guarded;
    const char *topic;            // of each parcel; NULL: the exporter's
    bool (*done)(struct bench *); // asked after verdicts
};

static void silent(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

static rd_kafka_t *new_client(rd_kafka_type_t type, const char *brokers)
{
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, silent);
    if (brokers)
        rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof error);
    rd_kafka_conf_set(conf, "fetch.wait.max.ms", "20", error, sizeof error);
    rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof error);
    assert_non_null(client);
    return client;
}

static struct parcel parcel_of(struct bench *bench, unsigned i)
{
    struct parcel parcel = {.position = i, .payload = slice_from(bench->offered[i]), .records = 1};
    // The position stands in the document: …{"n":123,…; its digits are the key.
    const char *digits = bench->payloads[i] + 5;
    parcel.key = slice_of(digits, strcspn(digits, ","));
    if (bench->with_headers)
        parcel.headers = slice_of("\4\0kind\3\0\0\0log\5\0empty\0\0\0\0", 24);
    if (bench->topic)
        parcel.topic = slice_from(bench->topic);
    return parcel;
}

// What a spool does: offers what waits, oldest first, until the exporter is full.
static void pump(struct bench *bench)
{
    for (unsigned i = 0; i < PARCELS; i++) {
        if (bench->fates[i] != WAITING)
            continue;
        bench->offered[i] = strdup(bench->payloads[i]);
        struct parcel parcel = parcel_of(bench, i);
        int r = bench->exporter->ops->offer(bench->exporter, &parcel);
        assert_true(r == 0 || r == EXPORTER_FULL);
        if (r == EXPORTER_FULL) {
            bench->full_seen = true;
            free(bench->offered[i]);
            return;
        }
        bench->fates[i] = OFFERED;
        bench->bytes_in_flight += parcel.payload.size - 1;
        if (++bench->in_flight > bench->most_in_flight)
            bench->most_in_flight = bench->in_flight;
        if (bench->bytes_in_flight > bench->most_bytes_in_flight)
            bench->most_bytes_in_flight = bench->bytes_in_flight;
    }
}

static void on_verdicts(void *ctx, const struct verdict *verdicts, size_t n)
{
    struct bench *bench = ctx;
    for (size_t i = 0; i < n; i++) {
        const struct verdict *verdict = &verdicts[i];
        assert_true(verdict->position < PARCELS);
        assert_int_equal(bench->fates[verdict->position], OFFERED); // each offer answered once
        free(bench->offered[verdict->position]);                    // a segment is reused now
        bench->in_flight--;
        bench->bytes_in_flight -= strlen(bench->payloads[verdict->position]) - 1;
        if (verdict->kind == VERDICT_RETURNED) {
            bench->fates[verdict->position] = WAITING;
            bench->returned++;
            continue;
        }
        bench->final++;
        bench->fates[verdict->position] = verdict->kind == VERDICT_DEAD ? DEAD : DELIVERED;
        if (verdict->kind == VERDICT_DEAD) {
            bench->dead++;
            bench->dead_reason = verdict->reason;
        }
    }
    pump(bench);
    if (bench->done && bench->done(bench))
        loop_stop(bench->loop);
}

static bool all_final(struct bench *bench)
{
    return bench->final == PARCELS;
}

static void on_guard(struct loop_timer *timer)
{
    struct bench *bench = (struct bench *)((char *)timer - offsetof(struct bench, guard));
    bench->guarded = true;
    loop_stop(bench->loop);
}

static void run_until(struct bench *bench, bool (*done)(struct bench *))
{
    bench->done = done;
    bench->guard.expired = on_guard;
    loop_timer_start(bench->loop, &bench->guard, GUARD_NS);
    if (!done(bench))
        assert_int_equal(loop_run(bench->loop), 0);
    loop_timer_stop(&bench->guard);
    assert_false(bench->guarded);
}

static struct bench *set_up(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->mock_client = new_client(RD_KAFKA_PRODUCER, NULL);
    bench->cluster = rd_kafka_mock_cluster_new(bench->mock_client, 1);
    assert_non_null(bench->cluster);
    rd_kafka_mock_topic_create(bench->cluster, TOPIC, 1, 1);
    assert_int_equal(loop_new(&bench->loop), 0);
    for (unsigned i = 0; i < PARCELS; i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"n\":%u,\"message\":\"line %u of the test\"}\n", i, i * 7);
        bench->payloads[i] = strdup(text);
    }
    return bench;
}

static struct exporter *new_exporter(struct bench *bench, struct setting_pair *properties,
                                     size_t count, uint32_t window)
{
    static struct setting_map map;
    map = (struct setting_map){properties, count};
    struct kafka_exporter_config config = {
        .name = "kafka",
        .brokers = rd_kafka_mock_cluster_bootstraps(bench->cluster),
        .topic = TOPIC,
        .properties = &map,
        .max_delay_ns = 5 * NS_PER_MS,
        .window_bytes = 8192,
        .window_messages = window,
        .loop = bench->loop,
        .clock = clock_system(),
        .book = &bench->book,
    };
    struct exporter *exporter = NULL;
    assert_int_equal(kafka_exporter_new(&exporter, &config), 0);
    return exporter;
}

static void start(struct bench *bench, struct setting_pair *properties, size_t count,
                  uint32_t window)
{
    bench->exporter = new_exporter(bench, properties, count, window);
    struct verdict_sink sink = {on_verdicts, bench};
    assert_int_equal(bench->exporter->ops->start(bench->exporter, sink), 0);
}

static void free_exporter(struct bench *bench)
{
    bench->done = NULL;
    bench->exporter->ops->free(bench->exporter);
    bench->exporter = NULL;
    assert_int_equal(bench->in_flight, 0);
}

static void tear_down(struct bench *bench)
{
    if (bench->exporter)
        free_exporter(bench);
    rd_kafka_mock_cluster_destroy(bench->cluster);
    rd_kafka_destroy(bench->mock_client);
    loop_free(bench->loop);
    for (unsigned i = 0; i < PARCELS; i++)
        free(bench->payloads[i]);
    free(bench);
}

static void check_message(struct bench *bench, const rd_kafka_message_t *message, unsigned *seen)
{
    char key[16] = "";
    assert_true(message->key_len < sizeof key);
    memcpy(key, message->key, message->key_len);
    unsigned i = (unsigned)strtoul(key, NULL, 10);
    assert_true(i < PARCELS);
    assert_int_equal(message->len, strlen(bench->payloads[i]) - 1); // without '\n'
    assert_memory_equal(message->payload, bench->payloads[i], message->len);
    seen[i]++;
    if (!bench->with_headers)
        return;
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    assert_int_equal(rd_kafka_message_headers(message, &headers), 0);
    assert_int_equal(rd_kafka_header_get_last(headers, "kind", &value, &size), 0);
    assert_int_equal(size, 3);
    assert_memory_equal(value, "log", 3);
    assert_int_equal(rd_kafka_header_get_last(headers, "empty", &value, &size), 0);
    assert_int_equal(size, 0);
}

// Reads the topic to its end and compares it with the verdicts. A record may be there more often
// than once only if something was returned.
static void read_back(struct bench *bench)
{
    rd_kafka_t *client =
        new_client(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(bench->cluster));
    int64_t low, high;
    assert_int_equal(rd_kafka_query_watermark_offsets(client, TOPIC, 0, &low, &high, 20000), 0);
    assert_int_equal(low, 0);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, TOPIC, NULL);
    assert_int_equal(rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_BEGINNING), 0);
    unsigned *seen = calloc(PARCELS, sizeof *seen);
    for (int64_t n = 0; n < high;) {
        rd_kafka_message_t *message = rd_kafka_consume(topic, 0, 20000);
        assert_non_null(message);
        if (!message->err) {
            check_message(bench, message, seen);
            n++;
        }
        rd_kafka_message_destroy(message);
    }
    for (unsigned i = 0; i < PARCELS; i++) {
        if (bench->fates[i] == DELIVERED)
            assert_true(bench->returned ? seen[i] >= 1 : seen[i] == 1);
        else
            assert_int_equal(seen[i], 0);
    }
    free(seen);
    rd_kafka_consume_stop(topic, 0);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
}

static void delivers_each_parcel_once(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    bench->with_headers = true;
    struct setting_pair properties[] = {{"compression.type", "lz4"}};
    start(bench, properties, 1, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_int_equal(bench->returned, 0);
    assert_int_equal(bench->book.requests, PARCELS);
    assert_int_equal(bench->book.failures, 0);
    read_back(bench);
    tear_down(bench);
}

static void holds_no_more_than_its_window(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    start(bench, NULL, 0, 50);
    pump(bench);
    assert_true(bench->full_seen);
    assert_int_equal(bench->in_flight, 50);
    run_until(bench, all_final);
    assert_int_equal(bench->most_in_flight, 50);
    free_exporter(bench);

    memset(bench->fates, 0, sizeof bench->fates);
    bench->most_in_flight = bench->final = 0;
    bench->most_bytes_in_flight = 0;
    start(bench, NULL, 0, PARCELS); // bytes bind first
    pump(bench);
    run_until(bench, all_final);
    assert_true(bench->most_bytes_in_flight <= 8192);
    assert_true(bench->most_bytes_in_flight > 8000);
    tear_down(bench);
}

static bool some_failure(struct bench *bench)
{
    return bench->book.failures > 0;
}

struct watch {
    struct loop_timer timer;
    struct bench *bench;
};

// Errors of a broker bring no verdict: look at the books in between.
static void on_poll(struct loop_timer *timer)
{
    struct watch *watch = (struct watch *)(void *)timer;
    if (watch->bench->done(watch->bench))
        loop_stop(watch->bench->loop);
    else
        loop_timer_start(watch->bench->loop, timer, 5 * NS_PER_MS);
}

static void watch_until(struct bench *bench, bool (*done)(struct bench *))
{
    struct watch watch = {.timer.expired = on_poll, .bench = bench};
    loop_timer_start(bench->loop, &watch.timer, 5 * NS_PER_MS);
    run_until(bench, done);
    loop_timer_stop(&watch.timer);
}

static void waits_for_a_broker_that_is_down(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    struct setting_pair properties[] = {{"reconnect.backoff.max.ms", "200"}};
    start(bench, properties, 1, 50);
    pump(bench);
    run_until(bench, all_final); // connected, so that the loss is a loss
    memset(bench->fates, 0, sizeof bench->fates);
    bench->final = 0;
    rd_kafka_mock_cluster_t *cluster = bench->cluster;
    rd_kafka_mock_broker_set_rtt(cluster, 1, 20);
    pump(bench);
    rd_kafka_mock_broker_set_down(cluster, 1);
    watch_until(bench, some_failure);
    assert_int_equal(bench->returned, 0);
    rd_kafka_mock_broker_set_up(cluster, 1);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_int_equal(bench->returned, 0); // librdkafka keeps trying; the spool hears nothing
    tear_down(bench);
}

static void delivers_through_retryable_errors(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    struct setting_pair properties[] = {{"retry.backoff.ms", "10"}};
    rd_kafka_mock_push_request_errors(
        bench->cluster, API_PRODUCE, 4, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    start(bench, properties, 1, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_int_equal(bench->returned, 0);
    read_back(bench);
    tear_down(bench);
}

static void a_record_above_the_limit_is_dead(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    size_t size = 3000;
    char *large = malloc(size + 1);
    memset(large, 'x', size);
    memcpy(large, "{\"n\":7,", 7);
    large[size - 1] = '\n';
    large[size] = '\0';
    free(bench->payloads[7]);
    bench->payloads[7] = large;
    struct setting_pair properties[] = {{"message.max.bytes", "2000"}};
    start(bench, properties, 1, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 1);
    assert_int_equal(bench->fates[7], DEAD);
    assert_string_equal(bench->dead_reason, "message_too_large");
    assert_int_equal(bench->returned, 0);
    read_back(bench);
    tear_down(bench);
}

// The broker refuses a batch, then one of its records when they come one by one.
static void one_bad_record_does_not_kill_its_batch(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 2,
                                      RD_KAFKA_RESP_ERR_INVALID_RECORD,
                                      RD_KAFKA_RESP_ERR_INVALID_RECORD);
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 1);
    assert_string_equal(bench->dead_reason, "invalid_record");
    assert_true(bench->returned >= 2);
    read_back(bench);
    tear_down(bench);
}

static void a_batch_that_is_too_large_loses_nothing(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_true(bench->returned >= 2);
    read_back(bench);
    tear_down(bench);
}

static void a_fatal_error_makes_a_new_producer(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_true(bench->returned > 0);
    assert_true(bench->book.failures > 0);
    read_back(bench);
    tear_down(bench);
}

static bool some_returned(struct bench *bench)
{
    return bench->returned > 0;
}

static void a_lost_authorization_is_waited_for(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 2,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_true(bench->returned > 0);
    read_back(bench);
    tear_down(bench);
}

static void a_parcels_impossible_topic_is_dead(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    char name[301];
    memset(name, 'a', 300);
    name[300] = '\0';
    bench->topic = name;
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, PARCELS);
    assert_string_equal(bench->dead_reason, "invalid_topic");
    tear_down(bench);
}

static void a_parcels_own_topic_is_used(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    bench->topic = "another";
    rd_kafka_mock_topic_create(bench->cluster, "another", 1, 1);
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, all_final);
    rd_kafka_t *client =
        new_client(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(bench->cluster));
    int64_t low, high;
    assert_int_equal(rd_kafka_query_watermark_offsets(client, "another", 0, &low, &high, 20000), 0);
    assert_int_equal(high, PARCELS);
    rd_kafka_destroy(client);
    tear_down(bench);
}

static void free_gives_everything_back(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_broker_set_down(bench->cluster, 1);
    start(bench, NULL, 0, 50);
    pump(bench);
    watch_until(bench, some_failure);
    assert_int_equal(bench->in_flight, 50);
    free_exporter(bench);
    assert_int_equal(bench->returned, 50);
    assert_int_equal(bench->final, 0);
    tear_down(bench);
}

static void free_in_the_middle_of_everything(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, some_returned); // retiring
    free_exporter(bench);
    start(bench, NULL, 0, 50); // never ran
    free_exporter(bench);
    tear_down(bench);
}

static void draining_does_not_linger(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    struct setting_pair properties[] = {{"linger.ms", "600000"}};
    start(bench, properties, 1, 50);
    bench->exporter->ops->flush(bench->exporter, true);
    pump(bench);
    bench->exporter->ops->flush(bench->exporter, true);
    run_until(bench, all_final);
    read_back(bench);
    tear_down(bench);
}

static void check_says(const char *name, const char *value, const char *text)
{
    char value_copy[128], name_copy[128], error[512] = "";
    snprintf(name_copy, sizeof name_copy, "%s", name);
    snprintf(value_copy, sizeof value_copy, "%s", value);
    struct setting_pair pair = {name_copy, value_copy};
    struct setting_map map = {&pair, 1};
    int r = kafka_exporter_check(&map, error, sizeof error);
    assert_int_equal(r, text ? -EINVAL : 0);
    if (text && !strstr(error, text))
        fail_msg("\"%s\" lacks \"%s\"", error, text);
}

static void properties_are_checked(void **state)
{
    (void)state;
    check_says("compression.type", "lz4", NULL);
    check_says("acks", "-1", NULL);
    check_says("enable.idempotence", "false", NULL);
    check_says("linger.ms", "soon", "property \"linger.ms\" = \"soon\": ");
    check_says("no.such", "1", "No such configuration property");
    check_says("compression.type", "rar", "rar");
    check_says("acks", "1", "replicas");
    check_says("delivery.timeout.ms", "1000", "spool");
    check_says("queue.buffering.max.messages", "10", "max_memory");
    check_says("bootstrap.servers", "a:1", "brokers");
    check_says("max.in.flight", "10", "max.in.flight"); // with idempotence: only a client judges
    char ca[] = "ssl.ca.location", path[] = "/nonexistent/ca.pem";
    char protocol[] = "security.protocol", ssl[] = "ssl";
    struct setting_pair pairs[] = {{protocol, ssl}, {ca, path}};
    struct setting_map map = {pairs, 2};
    char error[512];
    assert_int_equal(kafka_exporter_check(&map, error, sizeof error), -EINVAL);
    assert_non_null(strstr(error, "ssl.ca.location"));
    check_says("ssl.key.passwordx", "hunter2", "(hidden)");
}

static void a_refused_property_refuses_the_exporter(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    char name[] = "acks", value[] = "0";
    struct setting_pair pair = {name, value};
    struct setting_map map = {&pair, 1};
    struct kafka_exporter_config config = {.name = "kafka",
                                           .brokers = "127.0.0.1:1",
                                           .topic = TOPIC,
                                           .properties = &map,
                                           .window_bytes = 1,
                                           .window_messages = 1,
                                           .loop = bench->loop,
                                           .clock = clock_system(),
                                           .book = &bench->book};
    struct exporter *exporter = NULL;
    assert_int_equal(kafka_exporter_new(&exporter, &config), -EINVAL);
    assert_null(exporter);
    tear_down(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivers_each_parcel_once),
        cmocka_unit_test(holds_no_more_than_its_window),
        cmocka_unit_test(waits_for_a_broker_that_is_down),
        cmocka_unit_test(delivers_through_retryable_errors),
        cmocka_unit_test(a_record_above_the_limit_is_dead),
        cmocka_unit_test(one_bad_record_does_not_kill_its_batch),
        cmocka_unit_test(a_batch_that_is_too_large_loses_nothing),
        cmocka_unit_test(a_fatal_error_makes_a_new_producer),
        cmocka_unit_test(a_lost_authorization_is_waited_for),
        cmocka_unit_test(a_parcels_impossible_topic_is_dead),
        cmocka_unit_test(a_parcels_own_topic_is_used),
        cmocka_unit_test(free_gives_everything_back),
        cmocka_unit_test(free_in_the_middle_of_everything),
        cmocka_unit_test(draining_does_not_linger),
        cmocka_unit_test(properties_are_checked),
        cmocka_unit_test(a_refused_property_refuses_the_exporter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
