// The mock cluster lives in the consumer's own client, which ends it in the right order.
#include "dev/dev_kafka.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/own_log.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MESSAGES_A_TURN 256

struct dev_kafka {
    struct loop *loop;
    struct dev_kafka_reader reader;
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *messages;
    bool consuming;
    int64_t next_offset;
    int wake_fd;
    struct loop_io wake;
    struct loop_deferred again;
};

// Waits for one message, at most so long. False: none came.
static bool take(struct dev_kafka *kafka, int timeout_ms)
{
    rd_kafka_message_t *message = rd_kafka_consume_queue(kafka->messages, timeout_ms);
    if (!message)
        return false;
    if (!message->err) {
        kafka->next_offset = message->offset + 1;
        kafka->reader.message(kafka->reader.ctx, slice_of(message->payload, message->len));
    }
    rd_kafka_message_destroy(message);
    return true;
}

static void on_again(struct loop_deferred *again)
{
    struct dev_kafka *kafka =
        (struct dev_kafka *)((char *)again - offsetof(struct dev_kafka, again));
    for (unsigned i = 0; i < MESSAGES_A_TURN; i++)
        if (!take(kafka, 0))
            return;
    loop_defer(kafka->loop, &kafka->again);
}

static void on_wake(struct loop_io *io, unsigned events)
{
    (void)events;
    struct dev_kafka *kafka = (struct dev_kafka *)((char *)io - offsetof(struct dev_kafka, wake));
    uint64_t count;
    if (read(kafka->wake_fd, &count, sizeof count) == sizeof count)
        loop_defer(kafka->loop, &kafka->again);
}

static rd_kafka_t *client_new(void)
{
    static const char *const settings[][2] = {
        {"test.mock.num.brokers", "1"},
        {"client.id", "sluice-dev"},
        {"log_level", "0"},           // all it has to say is about itself
        {"fetch.wait.max.ms", "100"}, // how late a document may be seen
        {"auto.offset.reset", "earliest"},
    };
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        rd_kafka_conf_res_t r =
            rd_kafka_conf_set(conf, settings[i][0], settings[i][1], why, sizeof why);
        assert(r == RD_KAFKA_CONF_OK);
        (void)r;
    }
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!client) {
        rd_kafka_conf_destroy(conf);
        own_log(OWN_ERROR, "dev_kafka_failed", "the embedded Kafka did not start: %s", why);
    }
    return client;
}

static int consume(struct dev_kafka *kafka, const char *topic)
{
    rd_kafka_mock_cluster_t *cluster = rd_kafka_handle_mock_cluster(kafka->client);
    if (rd_kafka_mock_topic_create(cluster, topic, 1, 1) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return -EINVAL;
    kafka->topic = rd_kafka_topic_new(kafka->client, topic, NULL);
    if (!kafka->topic)
        return -EINVAL;
    kafka->messages = rd_kafka_queue_new(kafka->client);
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(kafka->messages, kafka->wake_fd, &one, sizeof one);
    if (rd_kafka_consume_start_queue(kafka->topic, 0, RD_KAFKA_OFFSET_BEGINNING, kafka->messages) !=
        0)
        return -EIO;
    kafka->consuming = true;
    return 0;
}

int dev_kafka_new(struct dev_kafka **out, struct loop *loop, const char *topic,
                  struct dev_kafka_reader reader)
{
    struct dev_kafka *kafka = calloc(1, sizeof *kafka);
    if (!kafka)
        return -ENOMEM;
    kafka->loop = loop;
    kafka->reader = reader;
    kafka->wake.ready = on_wake;
    kafka->again.run = on_again;
    int r = 0;
    kafka->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (kafka->wake_fd < 0)
        r = error_from_errno();
    else if (!(kafka->client = client_new()))
        r = -EIO;
    if (r == 0)
        r = consume(kafka, topic);
    if (r == 0)
        r = loop_io_start(loop, &kafka->wake, kafka->wake_fd, LOOP_READ);
    if (r < 0) {
        dev_kafka_free(kafka);
        return r;
    }
    *out = kafka;
    return 0;
}

const char *dev_kafka_brokers(const struct dev_kafka *kafka)
{
    return rd_kafka_mock_cluster_bootstraps(rd_kafka_handle_mock_cluster(kafka->client));
}

void dev_kafka_drain(struct dev_kafka *kafka, uint64_t at_most_ns)
{
    struct clock *clock = clock_system();
    uint64_t deadline = clock_monotonic(clock) + at_most_ns;
    int64_t first, end;
    if (rd_kafka_query_watermark_offsets(kafka->client, rd_kafka_topic_name(kafka->topic), 0,
                                         &first, &end, (int)(at_most_ns / NS_PER_MS)) !=
        RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    while (kafka->next_offset < end) {
        uint64_t now = clock_monotonic(clock);
        if (now >= deadline)
            return;
        take(kafka, (int)((deadline - now) / NS_PER_MS) + 1);
    }
}

void dev_kafka_free(struct dev_kafka *kafka)
{
    if (!kafka)
        return;
    loop_io_stop(&kafka->wake);
    loop_deferred_stop(&kafka->again);
    if (kafka->consuming)
        rd_kafka_consume_stop(kafka->topic, 0);
    if (kafka->messages) {
        rd_kafka_queue_io_event_enable(kafka->messages, -1, NULL, 0);
        rd_kafka_queue_destroy(kafka->messages);
    }
    if (kafka->topic)
        rd_kafka_topic_destroy(kafka->topic);
    if (kafka->client)
        rd_kafka_destroy(kafka->client);
    if (kafka->wake_fd >= 0)
        close(kafka->wake_fd);
    free(kafka);
}
