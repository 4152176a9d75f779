// The producer's life: opened, retired when it will not deliver, reaped by a thread, opened again.
#include "deliver/kafka_producer.h"

#include "base/clock.h"
#include "base/error.h"
#include "deliver/kafka_conf.h"
#include "deliver/kafka_exporter.h"
#include "deliver/kafka_reports.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define BACKOFF_FIRST_NS (100 * NS_PER_MS)
#define BACKOFF_LAST_NS (30 * NS_PER_S)
#define BACKOFF_FORGET_NS (60 * NS_PER_S) // a producer that lived so long owes nothing
#define PURGE_AGAIN_NS (500 * NS_PER_MS)
// How long a producer that is to go may try to deliver what it holds: what keeps it from doing so
// may be the very thing that its successor has not (an expired certificate).
#define PATIENCE_NS (10 * NS_PER_S)
#define LINES_BYTES_MIN 1024u
#define BATCH_BYTES_MIN 16384u
#define CLOSE_ROUND_MS 100
#define CLOSE_ROUNDS 30

// ---- open

static void purge(struct kafka_exporter *kafka, int what)
{
    rd_kafka_purge(kafka->producer, what | RD_KAFKA_PURGE_F_NON_BLOCKING);
}

static void on_timer(struct loop_timer *timer)
{
    struct kafka_exporter *kafka =
        (struct kafka_exporter *)((char *)timer - offsetof(struct kafka_exporter, timer));
    if (kafka->state == KAFKA_RETIRING && kafka->purging) {
        // What was in flight had its time to be answered. Again and again: a message that moved
        // between two brokers' queues just then was missed.
        purge(kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        loop_timer_start(kafka->config.loop, timer, PURGE_AGAIN_NS);
    } else if (kafka->state == KAFKA_RETIRING) {
        kafka_producer_retire(kafka, true, false);
    } else if (kafka->state == KAFKA_CLOSED) {
        kafka_producer_open(kafka);
        kafka_settle(kafka);
    }
}

// librdkafka blocks all signals in its threads, and the kernel kills a process that cannot take a
// fault: they read our segments, whose handler must run there.
static rd_kafka_resp_err_t on_thread_start(rd_kafka_t *producer, rd_kafka_thread_type_t type,
                                           const char *name, void *opaque)
{
    (void)producer, (void)type, (void)name, (void)opaque;
    sigset_t fault;
    sigemptyset(&fault);
    sigaddset(&fault, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &fault, NULL);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *producer, const rd_kafka_conf_t *conf, void *opaque,
                                  char *error, size_t size)
{
    (void)conf, (void)opaque, (void)error, (void)size;
    return rd_kafka_interceptor_add_on_thread_start(producer, "sluice", on_thread_start, NULL);
}

static rd_kafka_conf_t *next_conf(struct kafka_exporter *kafka)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(kafka->conf);
    rd_kafka_conf_interceptor_add_on_new(conf, "sluice", on_new, NULL); // dup takes none along
    kafka->alone = kafka->alone_left > 0;
    if (kafka->alone)
        kafka_conf_must_set(conf, "batch.num.messages", "1");
    kafka_conf_must_set_number(conf, "batch.size", kafka->batch_bytes);
    if (kafka->draining)
        kafka_conf_must_set(conf, "linger.ms", "0");
    return conf;
}

// Half of the back-off, and as much again at random: a fleet must not come back in one moment.
static uint64_t jittered(uint64_t backoff_ns)
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint64_t)getpid() << 20;
    return backoff_ns / 2 + random % (backoff_ns / 2 + 1);
}

static void back_off(struct kafka_exporter *kafka)
{
    uint64_t lived = clock_monotonic(kafka->config.clock) - kafka->opened_ns;
    uint64_t next = kafka->backoff_ns * 2;
    if (kafka->backoff_ns == 0 || lived > BACKOFF_FORGET_NS)
        next = BACKOFF_FIRST_NS;
    kafka->backoff_ns = next > BACKOFF_LAST_NS ? BACKOFF_LAST_NS : next;
    kafka->wait_ns = jittered(kafka->backoff_ns);
}

int kafka_producer_open(struct kafka_exporter *kafka)
{
    assert(kafka->state == KAFKA_CLOSED && !kafka->producer);
    kafka->timer.expired = on_timer;
    char error[512];
    rd_kafka_conf_t *conf = next_conf(kafka);
    kafka->producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
    if (!kafka->producer) {
        rd_kafka_conf_destroy(conf);
        kafka_log(kafka, 3, "kafka_producer_refused", error);
        back_off(kafka);
        loop_timer_start(kafka->config.loop, &kafka->timer, kafka->wait_ns);
        return -EINVAL;
    }
    kafka->wait_ns = 0;
    kafka->opened_ns = clock_monotonic(kafka->config.clock);
    static const uint64_t one = 1;
    kafka->reports = rd_kafka_queue_get_main(kafka->producer);
    rd_kafka_queue_io_event_enable(kafka->reports, kafka->wake_fd, &one, sizeof one);
    rd_kafka_set_log_queue(kafka->producer, NULL);
    rd_kafka_error_t *none = rd_kafka_sasl_background_callbacks_enable(kafka->producer);
    if (none)
        rd_kafka_error_destroy(none); // not OAUTHBEARER
    kafka->state = KAFKA_OPEN;
    kafka->flushing = false;
    loop_defer(kafka->config.loop, &kafka->again); // what is on the queue already wakes nobody
    return 0;
}

// ---- retire

void kafka_producer_retire(struct kafka_exporter *kafka, bool purges, bool backoff)
{
    if (kafka->state != KAFKA_OPEN && kafka->state != KAFKA_RETIRING)
        return;
    if (backoff && kafka->wait_ns == 0)
        back_off(kafka);
    if (kafka->state == KAFKA_OPEN && !purges)
        loop_timer_start(kafka->config.loop, &kafka->timer, PATIENCE_NS);
    kafka->state = KAFKA_RETIRING;
    if (purges && !kafka->purging) {
        kafka->purging = true;
        purge(kafka, RD_KAFKA_PURGE_F_QUEUE);
        loop_timer_start(kafka->config.loop, &kafka->timer, PURGE_AGAIN_NS);
    }
    loop_defer(kafka->config.loop, &kafka->again);
}

// Everything of the producer but its threads. Its reports are in.
static void let_go(struct kafka_exporter *kafka)
{
    kafka_topics_clear(&kafka->topics);
    if (kafka->reports) {
        rd_kafka_queue_io_event_enable(kafka->reports, -1, NULL, 0);
        rd_kafka_queue_destroy(kafka->reports);
    }
    kafka->reports = NULL;
    kafka->purging = false;
    loop_timer_stop(&kafka->timer);
}

// A message of many documents was refused where it stood alone in its batch.
static void learn_lines(struct kafka_exporter *kafka)
{
    size_t half = kafka->lines_refused / 2;
    kafka->lines_bytes = half > LINES_BYTES_MIN ? half : LINES_BYTES_MIN;
    char text[160];
    snprintf(text, sizeof text,
             "the broker takes no message of %zu bytes: lines_bytes is now %zu; set it, or raise "
             "the topic's max.message.bytes",
             kafka->lines_refused, kafka->lines_bytes);
    kafka_log(kafka, 4, "kafka_lines_halved", text);
}

static void learn_batch(struct kafka_exporter *kafka)
{
    kafka->batch_bytes /= 2;
    char text[160];
    snprintf(text, sizeof text,
             "the broker takes no batch of this size: batch.size is now %llu; set it, or raise "
             "the topic's max.message.bytes",
             (unsigned long long)kafka->batch_bytes);
    kafka_log(kafka, 4, "kafka_batch_halved", text);
}

// After a pass one by one that found nobody at fault, the batches themselves were too large.
static void learn(struct kafka_exporter *kafka)
{
    if (!kafka->alone || kafka->alone_left > 0)
        return;
    if (kafka->size_refused && !kafka->alone_refused) {
        if (kafka->lines_refused > LINES_BYTES_MIN)
            learn_lines(kafka);
        else if (kafka->batch_bytes > BATCH_BYTES_MIN)
            learn_batch(kafka);
    }
    kafka->size_refused = kafka->alone_refused = false;
    kafka->lines_refused = 0;
}

static void reap(struct kafka_exporter *kafka)
{
    let_go(kafka);
    learn(kafka);
    kafka->state = KAFKA_REAPING;
    if (!kafka_worker_start(&kafka->worker, KAFKA_DESTROY, kafka->producer, kafka->wake_fd))
        rd_kafka_destroy(kafka->producer); // no thread to be had: the loop waits
    kafka->producer = NULL;
}

void kafka_producer_step(struct kafka_exporter *kafka)
{
    if (kafka->state == KAFKA_RETIRING && kafka->taken == 0) {
        kafka_worker_stop(&kafka->worker); // a flush, if any
        if (kafka_worker_idle(&kafka->worker))
            reap(kafka);
    }
    if (kafka->state != KAFKA_REAPING || !kafka_worker_idle(&kafka->worker))
        return;
    kafka->state = KAFKA_CLOSED;
    if (kafka->wait_ns == 0)
        kafka_producer_open(kafka);
    else
        loop_timer_start(kafka->config.loop, &kafka->timer, kafka->wait_ns);
}

void kafka_producer_flush(struct kafka_exporter *kafka)
{
    if (kafka_worker_idle(&kafka->worker))
        kafka->flushing =
            kafka_worker_start(&kafka->worker, KAFKA_FLUSH, kafka->producer, kafka->wake_fd);
}

void kafka_producer_close(struct kafka_exporter *kafka)
{
    kafka_worker_stop(&kafka->worker);
    kafka_worker_join(&kafka->worker);
    loop_timer_stop(&kafka->timer);
    if (!kafka->producer)
        return;
    // Their fate is asked for first, so that what was delivered just now is not returned.
    kafka->state = KAFKA_RETIRING;
    for (unsigned i = 0; i < CLOSE_ROUNDS && rd_kafka_outq_len(kafka->producer) > 0; i++) {
        purge(kafka, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        kafka_reports_wait(kafka, CLOSE_ROUND_MS);
    }
    let_go(kafka);
    rd_kafka_destroy(kafka->producer);
    kafka->producer = NULL;
}
