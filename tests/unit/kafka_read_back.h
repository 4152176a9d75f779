// A consumer that compares what is in the topic with what the verdicts said.
#ifndef SLUICE_TESTS_KAFKA_READ_BACK_H
#define SLUICE_TESTS_KAFKA_READ_BACK_H

#include "kafka_cluster.h"

// Mode `lines`: every line of the message is a document, whole.
static inline void check_lines(struct bench *bench, const rd_kafka_message_t *message,
                               unsigned *seen)
{
    const char *at = message->payload;
    const char *end = at + message->len;
    assert_int_not_equal(end[-1], '\n');
    if (memchr(at, '\n', message->len))
        assert_true(message->len <= bench->lines_bytes);
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop ? stop : end) - at);
        unsigned i = (unsigned)strtoul(at + 5, NULL, 10); // {"n":…
        assert_true(i < PARCELS);
        assert_int_equal(size, strlen(bench->payloads[i]) - 1);
        assert_memory_equal(at, bench->payloads[i], size);
        seen[i]++;
        at += size + 1;
    }
}

static inline void check_message(struct bench *bench, const rd_kafka_message_t *message,
                                 unsigned *seen)
{
    if (bench->segment) {
        check_lines(bench, message, seen);
        return;
    }
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
static inline void read_back(struct bench *bench)
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

#endif
