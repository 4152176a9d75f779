// Faults of the brokers while records flow through a log in a folder: in the end every record is in
// a partition, once or again with the same id, and the books balance all the while.
//
// librdkafka's mock does not look at sequence numbers, so requests behind a failed one are taken
// out of order by it where a real broker would refuse them: order is asserted with one request in
// flight.
#include "broker_stage.h"

#include "base/clock.h"

#include <stdlib.h>

#define RECORDS 4000

static bool nothing(struct stage *stage)
{
    (void)stage;
    return false;
}

static void push(struct stage *stage, int16_t api, unsigned times, rd_kafka_resp_err_t error)
{
    for (unsigned i = 0; i < times; i++)
        rd_kafka_mock_push_request_errors(stage->cluster, api, 1, error);
}

// True each time that so many further records were delivered.
static bool each(struct stage *stage, unsigned records)
{
    if (stage_delivered(stage) < (uint64_t)(stage->step + 1) * records)
        return false;
    stage->step++;
    return true;
}

static bool passed(const struct stage *stage, uint64_t ns)
{
    return clock_monotonic(clock_system()) - stage->since_ns >= ns;
}

static struct stage *delivered(stage_script *script, unsigned window)
{
    struct stage *stage = stage_new(RECORDS);
    stage->window = window;
    stage_open(stage);
    stage_run(stage, script);
    stage_assert_delivered(stage, 0);
    return stage;
}

static void undisturbed_each_comes_once_and_in_order(void **state)
{
    (void)state;
    struct stage *stage = delivered(nothing, 5);
    assert_int_equal(stage->duplicates, 0);
    assert_true(stage->ordered);
    assert_int_equal(stage->book.retries, 0);
    stage_free(stage);
}

static bool move_leaders(struct stage *stage)
{
    if (each(stage, 150))
        rd_kafka_mock_partition_set_leader(stage->cluster, STAGE_TOPIC,
                                           (int32_t)stage->step % STAGE_PARTITIONS,
                                           1 + (int32_t)(stage->step / 2) % STAGE_BROKERS);
    return stage->step < 20;
}

static void leaders_move(void **state)
{
    (void)state;
    struct stage *stage = delivered(move_leaders, 1);
    assert_int_equal(stage->duplicates, 0);
    assert_true(stage->ordered);
    stage_free(stage);
}

// Until all that goes to the other partitions is there.
static bool leaderless(struct stage *stage)
{
    static uint64_t before;
    switch (stage->step) {
    case 0:
        rd_kafka_mock_partition_set_leader(stage->cluster, STAGE_TOPIC, 1, -1);
        stage->step = 1;
        return true;
    case 1:
        if (stage->appended == stage->total && stage->book.delivered > 0 &&
            stage->book.delivered == before && passed(stage, 300 * NS_PER_MS)) {
            assert_true(stage->book.held > 0); // somebody's key leads there
            assert_int_equal(stage->book.retries, 0);
            rd_kafka_mock_partition_set_leader(stage->cluster, STAGE_TOPIC, 1, 2);
            return false;
        }
        if (stage->book.delivered != before)
            stage->since_ns = clock_monotonic(clock_system());
        before = stage->book.delivered;
        return true;
    default:
        return false;
    }
}

static void a_partition_without_a_leader_waits(void **state)
{
    (void)state;
    struct stage *stage = delivered(leaderless, 1);
    assert_int_equal(stage->duplicates, 0);
    assert_true(stage->ordered);
    stage_free(stage);
}

static bool too_few_replicas(struct stage *stage)
{
    if (each(stage, 300))
        push(stage, STAGE_API_PRODUCE, 6,
             stage->step % 2 ? RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS
                             : RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND);
    return stage->step < 10;
}

static void replicas_are_missing(void **state)
{
    (void)state;
    struct stage *stage = delivered(too_few_replicas, 1);
    assert_int_equal(stage->duplicates, 0);
    assert_true(stage->ordered);
    assert_int_equal(stage->book.retries, 0); // librdkafka's own
    stage_free(stage);
}

static bool too_large(struct stage *stage)
{
    if (each(stage, 1000))
        push(stage, STAGE_API_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    return stage->step < 3;
}

static void a_batch_is_too_large(void **state)
{
    (void)state;
    struct stage *stage = stage_new(RECORDS);
    stage->window = 1;
    stage_open(stage);
    stage_run(stage, too_large);
    // A batch may happen to be of one record, which is then rightly dead.
    unsigned dead = (unsigned)stage->book.dead;
    stage_assert_delivered(stage, dead);
    assert_int_equal(stage->duplicates, 0);
    assert_true(stage_retries(stage) + dead > 0 && dead <= 3);
    stage_free(stage);
}

// Whatever is refused next, until it is a record alone.
static bool record_too_large(struct stage *stage)
{
    if (stage->book.dead == 0 && stage->book.retries >= stage->random) {
        push(stage, STAGE_API_PRODUCE, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
        stage->random = stage->book.retries + 1;
    }
    return stage->book.dead == 0;
}

static void one_record_is_too_large(void **state)
{
    (void)state;
    struct stage *stage = stage_new(RECORDS);
    stage->window = 1;
    stage_open(stage);
    stage_run(stage, record_too_large);
    stage_assert_delivered(stage, 1);
    assert_int_equal(stage->duplicates, 0);
    assert_int_equal(stage->book.dead_letters_lost, 1); // no file is set
    stage_free(stage);
}

static bool throttled(struct stage *stage)
{
    if (stage->step == 0)
        rd_kafka_mock_broker_set_rtt(stage->cluster, -1, 15);
    if (each(stage, 500))
        push(stage, STAGE_API_PRODUCE, 1, RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED);
    return stage->step < 3;
}

static void brokers_throttle(void **state)
{
    (void)state;
    struct stage *stage = delivered(throttled, 1);
    stage_free(stage);
}

static bool fatal_errors(struct stage *stage)
{
    if (each(stage, 700))
        push(stage, STAGE_API_PRODUCE, 1, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    return stage->step < 4;
}

static void the_producer_is_lost_and_made_again(void **state)
{
    (void)state;
    struct stage *stage = delivered(fatal_errors, 1);
    assert_true(stage_retries(stage) > 0);
    assert_int_equal(stage->duplicates, 0); // what failed was never taken
    assert_true(stage->ordered);
    stage_free(stage);
}

// librdkafka gives the batch up and goes on with the next: what is sent again comes behind.
static bool identity_lost(struct stage *stage)
{
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
                                                 RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID,
                                                 RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING};
    if (each(stage, 600))
        push(stage, STAGE_API_PRODUCE, 1, errors[stage->step % 3]);
    return stage->step < 5;
}

static void the_broker_forgets_the_producer(void **state)
{
    (void)state;
    struct stage *stage = delivered(identity_lost, 1);
    assert_true(stage_retries(stage) > 0);
    assert_int_equal(stage->duplicates, 0);
    stage_free(stage);
}

static void the_producers_id_is_refused(void **state)
{
    (void)state;
    struct stage *stage = stage_new(RECORDS);
    stage->window = 1;
    push(stage, STAGE_API_INIT_PRODUCER_ID, 2, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE);
    push(stage, STAGE_API_INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED);
    push(stage, STAGE_API_INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR__TRANSPORT);
    stage_open(stage);
    stage_run(stage, nothing);
    stage_assert_delivered(stage, 0);
    assert_int_equal(stage->duplicates, 0);
    assert_true(stage->ordered);
    assert_true(stage->book.failures > 0);
    stage_free(stage);
}

// All brokers, for several times the longest of librdkafka's timeouts as they are set here.
static bool away(struct stage *stage)
{
    if (stage->step == 0 && stage->book.delivered > 500) {
        rd_kafka_mock_broker_set_down(stage->cluster, -1);
        stage->since_ns = clock_monotonic(clock_system());
        stage->step = 1;
    }
    if (stage->step < 1 || !passed(stage, 1500 * NS_PER_MS) || stage->appended < stage->total)
        return true;
    assert_true(stage->book.held > 0);
    assert_true(stage->book.failures > 0);
    rd_kafka_mock_broker_set_up(stage->cluster, -1);
    return false;
}

static void brokers_are_away_for_longer_than_any_timeout(void **state)
{
    (void)state;
    struct stage *stage = delivered(away, 5);
    assert_int_equal(stage->book.dead, 0);
    stage_free(stage);
}

static bool cut(struct stage *stage)
{
    if (each(stage, 200))
        push(stage, STAGE_API_PRODUCE, 2, RD_KAFKA_RESP_ERR__TRANSPORT);
    return stage->step < 15;
}

static void connections_are_cut_within_a_request(void **state)
{
    (void)state;
    struct stage *stage = delivered(cut, 1);
    assert_true(stage->ordered);
    stage_free(stage);
}

// Taken, and answered when the request has timed out: a copy, with the same id.
static bool late(struct stage *stage)
{
    if (each(stage, 1000))
        for (int32_t broker = 1; broker <= STAGE_BROKERS; broker++)
            rd_kafka_mock_broker_push_request_error_rtts(stage->cluster, broker, STAGE_API_PRODUCE,
                                                         1, RD_KAFKA_RESP_ERR_NO_ERROR, 3000);
    return stage->step < 1;
}

static void answers_come_after_the_timeout(void **state)
{
    (void)state;
    struct stage *stage = delivered(late, 1);
    assert_true(stage->duplicates > 0); // else nothing was late
    assert_true(stage->ordered);
    stage_free(stage);
}

// The agent ends normally while a partition has no leader, and another goes on.
static bool until_half(struct stage *stage)
{
    if (stage->step == 0)
        rd_kafka_mock_partition_set_leader(stage->cluster, STAGE_TOPIC, 2, -1);
    stage->step = 1;
    if (stage->appended < stage->total / 2)
        return true;
    loop_stop(stage->loop);
    return true;
}

static void an_agent_after_another_sends_what_was_held(void **state)
{
    (void)state;
    struct stage *stage = stage_new(RECORDS);
    stage->window = 1;
    stage_open(stage);
    stage_run(stage, until_half);
    stage_close(stage);
    uint64_t held = stage->book.held;
    assert_true(held > 0);
    rd_kafka_mock_partition_set_leader(stage->cluster, STAGE_TOPIC, 2, 1);
    stage_open(stage);
    stage_run(stage, nothing);
    assert_int_equal(stage->book.recovered, held);
    stage_assert_delivered(stage, 0);
    stage_free(stage);
}

static uint64_t next(struct stage *stage)
{
    stage->random = stage->random * 6364136223846793005u + 1442695040888963407u;
    return stage->random >> 33;
}

// One after the other, and several at once; what passes by itself.
static bool anything(struct stage *stage)
{
    static const rd_kafka_resp_err_t errors[] = {
        RD_KAFKA_RESP_ERR__TRANSPORT,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
        RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
        RD_KAFKA_RESP_ERR_UNKNOWN,
    };
    if (!each(stage, 150))
        return stage->step < 20;
    int32_t broker = 1 + (int32_t)(next(stage) % STAGE_BROKERS);
    int32_t partition = (int32_t)(next(stage) % STAGE_PARTITIONS);
    rd_kafka_mock_broker_set_up(stage->cluster, -1);
    switch (next(stage) % 4) {
    case 0:
        rd_kafka_mock_broker_set_down(stage->cluster, broker);
        rd_kafka_mock_partition_set_leader(stage->cluster, STAGE_TOPIC, partition,
                                           1 + broker % STAGE_BROKERS);
        break;
    case 1:
        rd_kafka_mock_partition_set_leader(stage->cluster, STAGE_TOPIC, partition, broker);
        break;
    default:
        push(stage, STAGE_API_PRODUCE, 1 + (unsigned)(next(stage) % 3),
             errors[next(stage) % (sizeof errors / sizeof *errors)]);
    }
    return stage->step < 20;
}

static void faults_of_all_kinds(void **state)
{
    (void)state;
    const char *seed = getenv("SLUICE_SEED");
    struct stage *stage = stage_new(RECORDS);
    stage->random = seed ? strtoull(seed, NULL, 10) : 5;
    stage_open(stage);
    stage_run(stage, anything);
    stage_assert_delivered(stage, 0);
    stage_free(stage);
}

int main(void)
{

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undisturbed_each_comes_once_and_in_order),
        cmocka_unit_test(leaders_move),
        cmocka_unit_test(a_partition_without_a_leader_waits),
        cmocka_unit_test(replicas_are_missing),
        cmocka_unit_test(a_batch_is_too_large),
        cmocka_unit_test(one_record_is_too_large),
        cmocka_unit_test(brokers_throttle),
        cmocka_unit_test(the_producer_is_lost_and_made_again),
        cmocka_unit_test(the_broker_forgets_the_producer),
        cmocka_unit_test(the_producers_id_is_refused),
        cmocka_unit_test(brokers_are_away_for_longer_than_any_timeout),
        cmocka_unit_test(connections_are_cut_within_a_request),
        cmocka_unit_test(answers_come_after_the_timeout),
        cmocka_unit_test(an_agent_after_another_sends_what_was_held),
        cmocka_unit_test(faults_of_all_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
