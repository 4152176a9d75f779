// The open run: what joins it, and the five ways that it is closed.
#include "deliver/kafka_run.h"

#include "base/clock.h"
#include "deliver/kafka_exporter.h"
#include "deliver/kafka_reports.h"

static struct kafka_exporter *of(struct kafka_run *run)
{
    return (struct kafka_exporter *)(void *)((char *)run - offsetof(struct kafka_exporter, run));
}

static void forget(struct kafka_run *run)
{
    run->first = run->last = NULL;
    run->end = NULL;
    run->stuck = false;
}

static void give_back(struct kafka_exporter *kafka)
{
    struct kafka_slot *first = kafka->run.first;
    forget(&kafka->run);
    kafka_decide(kafka, first, VERDICT_RETURNED, NULL);
    loop_defer(kafka->config.loop, &kafka->again);
}

void kafka_run_close(struct kafka_exporter *kafka, enum batch_close why)
{
    struct kafka_run *run = &kafka->run;
    if (!run->first)
        return;
    rd_kafka_resp_err_t error = kafka_message_send(kafka, &run->message, run->first);
    if (!error) {
        kafka->exporter.book->closed[why]++;
        forget(run);
    } else if (kafka_reports_refused(kafka, run->first, error)) {
        forget(run); // its parcels are decided
    } else if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        run->stuck = true; // until a report makes room
        run->why = why;
    } else {
        give_back(kafka);
    }
}

static void on_delay(struct loop_timer *timer)
{
    struct kafka_run *run =
        (struct kafka_run *)(void *)((char *)timer - offsetof(struct kafka_run, delay));
    struct kafka_exporter *kafka = of(run);
    if (!run->first || run->stuck || kafka->state != KAFKA_OPEN)
        return;
    // The timer may have been armed for a run that was closed before its time.
    uint64_t age = clock_monotonic(kafka->config.clock) - run->since_ns;
    uint64_t most = kafka->config.max_delay_ns;
    if (age >= most || loop_timer_start(kafka->config.loop, timer, most - age) < 0)
        kafka_run_close(kafka, BATCH_DELAY);
}

static void begin(struct kafka_exporter *kafka, struct kafka_slot *slot,
                  const struct parcel *parcel)
{
    struct kafka_run *run = &kafka->run;
    run->first = run->last = slot;
    run->message = (struct kafka_message){.payload = slice_of(parcel->payload.data, 0),
                                          .topic = parcel->topic,
                                          .key = parcel->key,
                                          .headers = parcel->headers};
    run->since_ns = clock_monotonic(kafka->config.clock);
    // A timer that cannot be had is the next offer's or the end's to make good.
    if (!run->delay.armed)
        (void)loop_timer_start(kafka->config.loop, &run->delay, kafka->config.max_delay_ns);
}

// Why this parcel cannot join the run; BATCH_CLOSE_COUNT: it can.
static enum batch_close parting(const struct kafka_exporter *kafka, const struct parcel *parcel)
{
    const struct kafka_run *run = &kafka->run;
    if (run->end != parcel->payload.data || !slice_equal(run->message.topic, parcel->topic) ||
        !slice_equal(run->message.key, parcel->key) ||
        !slice_equal(run->message.headers, parcel->headers))
        return BATCH_CHANGE;
    size_t size = (size_t)(run->end - run->message.payload.data) + kafka_payload_size(parcel);
    return size > kafka->lines_bytes ? BATCH_BYTES : BATCH_CLOSE_COUNT;
}

int kafka_run_take(struct kafka_exporter *kafka, const struct parcel *parcel)
{
    struct kafka_run *run = &kafka->run;
    enum batch_close why = run->first ? parting(kafka, parcel) : BATCH_CLOSE_COUNT;
    if (why != BATCH_CLOSE_COUNT)
        kafka_run_close(kafka, why);
    if (run->stuck || kafka->state != KAFKA_OPEN)
        return EXPORTER_FULL;

    // With its '\n', which librdkafka's queue counts too.
    struct kafka_slot *slot = kafka_slot_take(kafka, parcel, parcel->payload.size);
    if (run->first) {
        run->last->more = slot;
        run->last = slot;
    } else {
        begin(kafka, slot, parcel);
    }
    const char *data = parcel->payload.data;
    size_t size = kafka_payload_size(parcel);
    run->message.payload.size = (size_t)(data - run->message.payload.data) + size;
    // Without a '\n' between them two documents would be none.
    run->end = size < parcel->payload.size ? data + parcel->payload.size : NULL;
    if (run->message.payload.size >= kafka->lines_bytes)
        kafka_run_close(kafka, BATCH_BYTES);
    return 0;
}

void kafka_run_step(struct kafka_exporter *kafka)
{
    struct kafka_run *run = &kafka->run;
    if (!run->first)
        return;
    if (kafka->state != KAFKA_OPEN)
        give_back(kafka);
    else if (run->stuck)
        kafka_run_close(kafka, run->why);
    else if (kafka->draining)
        kafka_run_close(kafka, BATCH_DRAIN);
}

void kafka_run_init(struct kafka_exporter *kafka)
{
    kafka->run.delay.expired = on_delay;
    kafka->lines_bytes = kafka->config.lines_bytes;
}

void kafka_run_deinit(struct kafka_exporter *kafka)
{
    loop_timer_stop(&kafka->run.delay);
    forget(&kafka->run);
}
