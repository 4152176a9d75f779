// The Kafka exporter against librdkafka's mock cluster: every parcel gets one final verdict, and
// what was delivered is read back.
#include "kafka_read_back.h"

#include <event2/event.h>
#include <string.h>

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
    run_until(bench, some_failure);
    assert_int_equal(bench->returned, 0);
    rd_kafka_mock_broker_set_up(cluster, 1);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_int_equal(bench->returned, 0); // librdkafka keeps trying; the spool hears nothing
    tear_down(bench);
}

// Else who offers, is refused and flushes would go round for ever.
static void room_is_room_for_what_was_refused(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_broker_set_down(bench->cluster, 1);
    start(bench, NULL, 0, PARCELS); // bytes bind, and what is left is less than a parcel
    pump(bench);
    assert_true(bench->full_seen);
    assert_true(bench->bytes_in_flight < 8192);
    bench->exporter->ops->flush(bench->exporter, true);
    event_base_loop(loop_event_base(bench->loop), EVLOOP_NONBLOCK);
    assert_int_equal(bench->room_told, 0);
    rd_kafka_mock_broker_set_up(bench->cluster, 1);
    run_until(bench, all_final);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivers_each_parcel_once),
        cmocka_unit_test(holds_no_more_than_its_window),
        cmocka_unit_test(waits_for_a_broker_that_is_down),
        cmocka_unit_test(room_is_room_for_what_was_refused),
        cmocka_unit_test(delivers_through_retryable_errors),
        cmocka_unit_test(a_record_above_the_limit_is_dead),
        cmocka_unit_test(a_parcels_impossible_topic_is_dead),
        cmocka_unit_test(a_parcels_own_topic_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
