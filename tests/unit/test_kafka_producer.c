// What ends a producer: refused batches, fatal errors, lost authorizations, the exporter's own end.
#include "kafka_read_back.h"

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

static bool some_returned(struct bench *bench)
{
    return bench->returned > 0;
}

// Whether librdkafka calls them fatal or heals them itself, in whatever state: nothing is dead, and
// all is delivered.
static void fatal_errors_lose_nothing(void **state)
{
    (void)state;
    static const struct {
        rd_kafka_resp_err_t error;
        bool fatal;
    } errors[] = {
        {RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, true},
        {RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, false},
        {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, false},
        {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, false},
        {RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, false},
        {RD_KAFKA_RESP_ERR_UNKNOWN, false},
    };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        struct bench *bench = set_up();
        rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 1, errors[i].error);
        start(bench, NULL, 0, 50);
        pump(bench);
        run_until(bench, all_final);
        assert_int_equal(bench->dead, 0);
        if (errors[i].fatal) {
            assert_true(bench->returned > 0);
            assert_true(bench->book.failures > 0);
        }
        read_back(bench);
        tear_down(bench);
    }
}

#define API_INIT_PRODUCER_ID 22

// A cluster that grants no producer id: fatal before a record was sent.
static void no_producer_id_is_waited_for(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_push_request_errors(bench->cluster, API_INIT_PRODUCER_ID, 2,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_true(bench->returned > 0);
    assert_true(bench->book.failures > 0);
    read_back(bench);
    tear_down(bench);
}

// Told by the metadata already: no request for a record is ever made.
static void a_missing_topic_is_waited_for(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    struct setting_pair properties[] = {{"topic.metadata.propagation.max.ms", "50"},
                                        {"topic.metadata.refresh.fast.interval.ms", "20"}};
    rd_kafka_mock_topic_set_error(bench->cluster, TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    start(bench, properties, 2, 50);
    pump(bench);
    run_until(bench, some_returned);
    assert_int_equal(bench->final, 0);
    rd_kafka_mock_topic_set_error(bench->cluster, TOPIC, RD_KAFKA_RESP_ERR_NO_ERROR);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    read_back(bench);
    tear_down(bench);
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

static void free_gives_everything_back(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    rd_kafka_mock_broker_set_down(bench->cluster, 1);
    start(bench, NULL, 0, 50);
    pump(bench);
    run_until(bench, some_failure);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_bad_record_does_not_kill_its_batch),
        cmocka_unit_test(a_batch_that_is_too_large_loses_nothing),
        cmocka_unit_test(fatal_errors_lose_nothing),
        cmocka_unit_test(no_producer_id_is_waited_for),
        cmocka_unit_test(a_missing_topic_is_waited_for),
        cmocka_unit_test(a_lost_authorization_is_waited_for),
        cmocka_unit_test(free_gives_everything_back),
        cmocka_unit_test(free_in_the_middle_of_everything),
        cmocka_unit_test(draining_does_not_linger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
