// The stage of the tests of broker faults.
#include "broker_stage.h"

#include "base/clock.h"
#include "deliver/exporter.h"
#include "deliver/kafka.h"
#include "spool/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD_NS (60 * NS_PER_S) // a hang fails the test instead of the suite
#define TICK_NS NS_PER_MS
#define A_TICK 40 // records appended
#define SEGMENTS 64
#define DOCUMENT_MAX 512
#define KEYS 16
#define READ_MS 20000

static void silent(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

static rd_kafka_t *client_new(rd_kafka_type_t type, const char *brokers)
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

struct stage *stage_new(unsigned total)
{
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage->total = total;
    stage->window = 5;
    stage->seen = calloc(total, sizeof *stage->seen);
    assert_non_null(stage->seen);
    stage->mock_client = client_new(RD_KAFKA_PRODUCER, NULL);
    stage->cluster = rd_kafka_mock_cluster_new(stage->mock_client, STAGE_BROKERS);
    assert_non_null(stage->cluster);
    rd_kafka_mock_topic_create(stage->cluster, STAGE_TOPIC, STAGE_PARTITIONS, STAGE_BROKERS);
    strcpy(stage->folder, "/tmp/sluice-broker-XXXXXX");
    assert_non_null(mkdtemp(stage->folder));
    assert_int_equal(loop_new(&stage->loop), 0);
    return stage;
}

void stage_open(struct stage *stage)
{
    char window[4];
    snprintf(window, sizeof window, "%u", stage->window);
    struct setting_pair pairs[] = {{"max.in.flight.requests.per.connection", window},
                                   {"retry.backoff.ms", "5"},
                                   {"reconnect.backoff.ms", "5"},
                                   {"reconnect.backoff.max.ms", "50"},
                                   {"topic.metadata.refresh.fast.interval.ms", "10"},
                                   {"socket.timeout.ms", "300"},
                                   {"request.timeout.ms", "300"},
                                   {"batch.num.messages", "50"}};
    struct setting_map properties = {pairs, sizeof pairs / sizeof *pairs};
    stage->delivered_before += stage->book.delivered;
    stage->dead_before += stage->book.dead;
    stage->retries_before += stage->book.retries;
    stage->book = (struct exporter_book){0};
    struct kafka_exporter_config kafka = {
        .name = "kafka",
        .brokers = rd_kafka_mock_cluster_bootstraps(stage->cluster),
        .topic = STAGE_TOPIC,
        .partitioner = "consistent",
        .properties = &properties,
        .max_delay_ns = 2 * NS_PER_MS,
        .window_bytes = 262144,
        .window_messages = 1000,
        .loop = stage->loop,
        .clock = clock_system(),
        .book = &stage->book,
    };
    assert_int_equal(kafka_exporter_new(&stage->exporter, &kafka), 0);
    struct spool_config config = {
        .name = "kafka",
        .level = SPOOL_PROCESS,
        .folder = stage->folder,
        .segment_size = SPOOL_SEGMENT_MIN,
        .max_bytes = (uint64_t)SEGMENTS * SPOOL_SEGMENT_MIN,
        .loop = stage->loop,
        .clock = clock_system(),
        .exporter = stage->exporter,
        .book = &stage->book,
    };
    assert_int_equal(spool_log_new(&stage->log, &config), 0);
}

void stage_close(struct stage *stage)
{
    stage->exporter->ops->free(stage->exporter);
    assert_int_equal(books_exporter_gap(&stage->book), 0);
    spool_log_free(stage->log);
    stage->exporter = NULL;
    stage->log = NULL;
}

void stage_free(struct stage *stage)
{
    if (stage->log)
        stage_close(stage);
    rd_kafka_mock_cluster_destroy(stage->cluster);
    rd_kafka_destroy(stage->mock_client);
    loop_free(stage->loop);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", stage->folder);
    assert_int_equal(system(command), 0);
    free(stage->seen);
    free(stage);
}

// ---- records

static void append(struct stage *stage)
{
    struct spool_slot slot;
    unsigned n = stage->appended;
    struct spool_entry entry = {.records = 1, .severity = 9, .time_ns = n + 1};
    char id[33], key[8];
    for (unsigned i = 0; i < 16; i++)
        entry.id[i] = (uint8_t)(i < 12 ? 0xA0 + i : n >> 8 * (15 - i));
    for (unsigned i = 0; i < 16; i++)
        snprintf(id + 2 * i, 3, "%02x", entry.id[i]);
    snprintf(key, sizeof key, "%u", n % KEYS);
    entry.resend.key = slice_from(key);
    assert_int_equal(spool_reserve(stage->log, DOCUMENT_MAX, &slot), 0);
    int size =
        snprintf((char *)slot.data, DOCUMENT_MAX, "{\"n\":%u,\"id\":\"%s\",\"message\":\"%0*u\"}\n",
                 n, id, (int)(20 + n % 200), n);
    spool_commit(stage->log, (size_t)size, &entry);
    stage->appended++;
}

static void on_guard(struct loop_timer *timer)
{
    struct stage *stage = (struct stage *)(void *)((char *)timer - offsetof(struct stage, guard));
    fail_msg("still held after a minute: %llu of %u, step %u", (unsigned long long)stage->book.held,
             stage->total, stage->step);
}

static void on_tick(struct loop_timer *timer)
{
    struct stage *stage = (struct stage *)(void *)((char *)timer - offsetof(struct stage, tick));
    for (unsigned i = 0; i < A_TICK && stage->appended < stage->total; i++)
        if (spool_has_room(stage->log, DOCUMENT_MAX))
            append(stage);
    assert_int_equal(books_exporter_gap(&stage->book), 0);
    if (!stage->scripted)
        stage->scripted = !stage->script(stage);
    if (stage->scripted && stage->appended == stage->total && spool_drained(stage->log))
        loop_stop(stage->loop);
    else
        loop_timer_start(stage->loop, timer, TICK_NS);
}

void stage_run(struct stage *stage, stage_script *script)
{
    stage->script = script;
    stage->scripted = false;
    stage->guard.expired = on_guard;
    stage->tick.expired = on_tick;
    loop_timer_start(stage->loop, &stage->guard, GUARD_NS);
    loop_timer_start(stage->loop, &stage->tick, TICK_NS);
    assert_int_equal(loop_run(stage->loop), 0);
    loop_timer_stop(&stage->guard);
    loop_timer_stop(&stage->tick);
}

// ---- what the brokers have

static void take(struct stage *stage, const rd_kafka_message_t *message, long *last)
{
    static const char head[] = "{\"n\":", middle[] = ",\"id\":\"";
    char text[DOCUMENT_MAX + 1];
    char *end;
    assert_true(message->len > sizeof head && message->len <= DOCUMENT_MAX);
    memcpy(text, message->payload, message->len);
    text[message->len] = '\0';
    assert_memory_equal(text, head, sizeof head - 1);
    unsigned long n = strtoul(text + sizeof head - 1, &end, 10);
    assert_true(n < stage->total);
    assert_memory_equal(end, middle, sizeof middle - 1);
    // The id of a copy is the id of the record.
    assert_int_equal(strtoul(end + sizeof middle - 1 + 24, &end, 16), n);
    assert_int_equal(*end, '"');
    assert_int_equal(text[message->len - 1], '}');
    char key[8];
    assert_int_equal(snprintf(key, sizeof key, "%lu", n % KEYS), message->key_len);
    assert_memory_equal(key, message->key, message->key_len);
    if (stage->seen[n]++ > 0) {
        stage->duplicates++;
        return;
    }
    if ((long)n < *last)
        stage->ordered = false;
    *last = (long)n;
}

static void read_partition(struct stage *stage, rd_kafka_t *client, rd_kafka_topic_t *topic,
                           int32_t partition)
{
    int64_t low, high;
    long last = -1;
    assert_int_equal(
        rd_kafka_query_watermark_offsets(client, STAGE_TOPIC, partition, &low, &high, READ_MS), 0);
    assert_int_equal(low, 0); // the mock keeps a few MiB a partition
    assert_int_equal(rd_kafka_consume_start(topic, partition, RD_KAFKA_OFFSET_BEGINNING), 0);
    for (int64_t n = 0; n < high;) {
        rd_kafka_message_t *message = rd_kafka_consume(topic, partition, READ_MS);
        assert_non_null(message);
        if (!message->err) {
            take(stage, message, &last);
            n++;
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consume_stop(topic, partition);
}

void stage_read_back(struct stage *stage)
{
    rd_kafka_t *client =
        client_new(RD_KAFKA_CONSUMER, rd_kafka_mock_cluster_bootstraps(stage->cluster));
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, STAGE_TOPIC, NULL);
    stage->ordered = true;
    for (int32_t i = 0; i < STAGE_PARTITIONS; i++)
        read_partition(stage, client, topic, i);
    for (unsigned i = 0; i < stage->total; i++)
        stage->missing += stage->seen[i] == 0;
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
}

void stage_assert_delivered(struct stage *stage, unsigned dead)
{
    assert_int_equal(stage->book.held, 0);
    assert_int_equal(stage_delivered(stage) + dead, stage->total);
    assert_int_equal(stage->dead_before + stage->book.dead, dead);
    for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
        assert_int_equal(stage->book.dropped[i], 0);
    assert_int_equal(books_exporter_gap(&stage->book), 0);
    stage_read_back(stage);
    assert_int_equal(stage->missing, dead);
}
