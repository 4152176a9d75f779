// A mock cluster and an exporter to it.
#ifndef SLUICE_TESTS_KAFKA_CLUSTER_H
#define SLUICE_TESTS_KAFKA_CLUSTER_H

#include "base/settings.h"
#include "deliver/kafka.h"
#include "kafka_wait.h"

#include <stdio.h>

static inline void silent(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

static inline rd_kafka_t *new_client(rd_kafka_type_t type, const char *brokers)
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

static inline struct bench *set_up(void)
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

static inline struct exporter *new_exporter(struct bench *bench, struct setting_pair *properties,
                                            size_t count, uint32_t window)
{
    static struct setting_map map;
    map = (struct setting_map){properties, count};
    struct kafka_exporter_config config = {
        .name = "kafka",
        .brokers = rd_kafka_mock_cluster_bootstraps(bench->cluster),
        .topic = TOPIC,
        .properties = &map,
        .lines_bytes = bench->lines_bytes,
        .max_delay_ns = bench->max_delay_ns ? bench->max_delay_ns : 5 * NS_PER_MS,
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

static inline void start(struct bench *bench, struct setting_pair *properties, size_t count,
                         uint32_t window)
{
    bench->exporter = new_exporter(bench, properties, count, window);
    struct verdict_sink sink = {on_verdicts, bench};
    assert_int_equal(bench->exporter->ops->start(bench->exporter, sink), 0);
}

static inline void free_exporter(struct bench *bench)
{
    bench->done = NULL;
    bench->exporter->ops->free(bench->exporter);
    bench->exporter = NULL;
    assert_int_equal(bench->in_flight, 0);
}

static inline void tear_down(struct bench *bench)
{
    if (bench->exporter)
        free_exporter(bench);
    rd_kafka_mock_cluster_destroy(bench->cluster);
    rd_kafka_destroy(bench->mock_client);
    loop_free(bench->loop);
    for (unsigned i = 0; i < PARCELS; i++)
        free(bench->payloads[i]);
    free(bench->segment);
    free(bench);
}

static inline bool some_failure(struct bench *bench)
{
    return bench->book.failures > 0;
}

#endif
