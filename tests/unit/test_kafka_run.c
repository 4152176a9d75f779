// Mode `lines`: which documents share a message, what closes it, and that each parcel still has one
// verdict, whatever becomes of the message.
#include "deliver/kafka_exporter.h"
#include "kafka_read_back.h"

#include <event2/event.h>

#define WINDOW_BYTES 8192u

static struct bench *set_up_lines(size_t lines_bytes)
{
    struct bench *bench = set_up();
    size_t size = 1;
    for (unsigned i = 0; i < PARCELS; i++)
        size += strlen(bench->payloads[i]);
    bench->segment = calloc(1, size);
    assert_non_null(bench->segment);
    bench->lines_bytes = lines_bytes;
    return bench;
}

static void neighbours_share_a_message(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(1000);
    bench->max_delay_ns = 30 * NS_PER_S; // bytes close, then the end
    start(bench, NULL, 0, PARCELS);
    pump(bench);
    bench->exporter->ops->flush(bench->exporter, true);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_int_equal(bench->returned, 0);
    // 400 documents of about 38 bytes: 25 or so a message.
    assert_true(bench->book.requests > 12 && bench->book.requests < 25);
    assert_true(bench->book.closed[BATCH_BYTES] > 12);
    assert_true(bench->book.closed[BATCH_DRAIN] >= 1);
    assert_int_equal(bench->book.closed[BATCH_CHANGE], 0);
    assert_int_equal(bench->book.closed[BATCH_DELAY], 0);
    assert_int_equal(bench->book.requests,
                     bench->book.closed[BATCH_BYTES] + bench->book.closed[BATCH_DRAIN]);
    read_back(bench);
    tear_down(bench);
}

static void another_key_closes_a_message(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(100000);
    bench->key_every = 8;
    start(bench, NULL, 0, PARCELS);
    pump(bench);
    run_until(bench, all_final);
    assert_true(bench->book.requests >= PARCELS / 8);
    assert_true(bench->book.closed[BATCH_CHANGE] >= PARCELS / 8 - 10);
    assert_true(bench->book.requests < PARCELS / 8 + 10);
    read_back(bench);
    tear_down(bench);
}

static void a_gap_closes_a_message(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(100000);
    bench->stop_at = 100;
    bench->gap_after = 49;
    bench->max_delay_ns = 30 * NS_PER_S;
    start(bench, NULL, 0, PARCELS);
    pump(bench);
    assert_int_equal(bench->book.closed[BATCH_CHANGE], 1);
    assert_int_equal(bench->book.requests, 1);
    free_exporter(bench);
    assert_int_equal(bench->returned + bench->final, 100);
    tear_down(bench);
}

static bool hundred_final(struct bench *bench)
{
    return bench->final == 100;
}

static void delay_closes_a_message(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(100000);
    bench->stop_at = 100;
    start(bench, NULL, 0, PARCELS);
    pump(bench);
    assert_int_equal(bench->book.requests, 0);
    bench->exporter->ops->flush(bench->exporter, false); // nothing to hurry for
    assert_int_equal(bench->book.requests, 0);
    run_until(bench, hundred_final);
    assert_int_equal(bench->book.closed[BATCH_DELAY], 1);
    assert_int_equal(bench->book.requests, 1);
    tear_down(bench);
}

// What waits for company in the whole window would wait for the room that it takes itself.
static void a_full_window_closes_a_message(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(100000);
    bench->max_delay_ns = 30 * NS_PER_S;
    bench->stop_at = 300; // more than the window's bytes
    start(bench, NULL, 0, PARCELS);
    pump(bench);
    assert_true(bench->full_seen);
    assert_true(bench->bytes_in_flight <= WINDOW_BYTES);
    assert_int_equal(bench->book.closed[BATCH_BYTES], 1);
    free_exporter(bench);

    memset(bench->fates, 0, sizeof bench->fates);
    bench->final = 0;
    start(bench, NULL, 0, 50);
    pump(bench);
    assert_int_equal(bench->in_flight, 50);
    assert_int_equal(bench->book.closed[BATCH_RECORDS], 1);
    tear_down(bench);
}

static void larger_than_a_message_goes_alone(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(20); // each is larger
    start(bench, NULL, 0, PARCELS);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->book.requests, PARCELS);
    assert_int_equal(bench->book.closed[BATCH_BYTES], PARCELS);
    read_back(bench);
    tear_down(bench);
}

// The broker refuses a message of many, then one of its documents when they come one by one.
static void one_bad_document_does_not_kill_its_message(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(1000);
    rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 2,
                                      RD_KAFKA_RESP_ERR_INVALID_RECORD,
                                      RD_KAFKA_RESP_ERR_INVALID_RECORD);
    start(bench, NULL, 0, PARCELS);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 1);
    assert_string_equal(bench->dead_reason, "invalid_record");
    assert_true(bench->returned >= 2);
    assert_int_equal(bench->book.retries, bench->returned);
    read_back(bench);
    tear_down(bench);
}

// lines_bytes is more than librdkafka takes: smaller ones are found, and nothing is lost.
static void too_large_a_message_becomes_smaller_ones(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(4000);
    struct setting_pair properties[] = {{"message.max.bytes", "1500"}, {"batch.size", "1500"}};
    start(bench, properties, 2, PARCELS);
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_true(bench->returned >= 2);
    read_back(bench);
    // What it learned holds: no message of the next round is refused.
    unsigned returned = bench->returned;
    uint64_t requests = bench->book.requests;
    memset(bench->fates, 0, sizeof bench->fates);
    bench->final = 0;
    pump(bench);
    run_until(bench, all_final);
    assert_int_equal(bench->returned, returned);
    assert_true(bench->book.requests - requests < 40);
    tear_down(bench);
}

static uint64_t before; // when the first producer was opened; the next may have its address

static bool another_is_open(struct bench *bench)
{
    struct kafka_exporter *kafka = (struct kafka_exporter *)(void *)bench->exporter;
    return kafka->state == KAFKA_OPEN && kafka->opened_ns != before;
}

static void a_fatal_error_gives_the_open_message_back(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(1000);
    rd_kafka_mock_push_request_errors(bench->cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    bench->max_delay_ns = 30 * NS_PER_S; // it would stay open for longer than the test waits
    bench->stop_at = 150;                // within the window: the last message stays open
    start(bench, NULL, 0, PARCELS);
    before = ((struct kafka_exporter *)(void *)bench->exporter)->opened_ns;
    pump(bench);
    run_until(bench, another_is_open); // which waits for all that the old one's message held
    bench->stop_at = 0;
    pump(bench);
    bench->exporter->ops->flush(bench->exporter, true);
    run_until(bench, all_final);
    assert_int_equal(bench->dead, 0);
    assert_true(bench->returned > 0);
    read_back(bench);
    tear_down(bench);
}

static void free_gives_the_open_message_back(void **state)
{
    (void)state;
    struct bench *bench = set_up_lines(100000);
    bench->stop_at = 10;
    bench->max_delay_ns = 30 * NS_PER_S;
    start(bench, NULL, 0, PARCELS);
    pump(bench);
    assert_int_equal(bench->in_flight, 10);
    free_exporter(bench);
    assert_int_equal(bench->returned, 10);
    tear_down(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_share_a_message),
        cmocka_unit_test(another_key_closes_a_message),
        cmocka_unit_test(a_gap_closes_a_message),
        cmocka_unit_test(delay_closes_a_message),
        cmocka_unit_test(a_full_window_closes_a_message),
        cmocka_unit_test(larger_than_a_message_goes_alone),
        cmocka_unit_test(one_bad_document_does_not_kill_its_message),
        cmocka_unit_test(too_large_a_message_becomes_smaller_ones),
        cmocka_unit_test(a_fatal_error_gives_the_open_message_back),
        cmocka_unit_test(free_gives_the_open_message_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
