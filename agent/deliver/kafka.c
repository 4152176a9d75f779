// The Kafka exporter's window: parcels in, messages to librdkafka, verdicts out.
#include "deliver/kafka.h"

#include "base/error.h"
#include "deliver/kafka_conf.h"
#include "deliver/kafka_exporter.h"
#include "deliver/kafka_message.h"
#include "deliver/kafka_producer.h"
#include "deliver/kafka_reports.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define VERDICTS 64 // told to the sink at a time

static struct kafka_exporter *of(struct exporter *exporter)
{
    return (struct kafka_exporter *)(void *)exporter;
}

struct kafka_slot *kafka_slot_take(struct kafka_exporter *kafka, const struct parcel *parcel,
                                   size_t size)
{
    struct kafka_slot *slot = kafka->free_slots;
    if (slot)
        kafka->free_slots = slot->next;
    else
        slot = &kafka->slots[kafka->slots_used++];
    assert(size <= UINT32_MAX);
    *slot = (struct kafka_slot){.position = parcel->position,
                                .size = (uint32_t)size,
                                .held = true,
                                .own_topic = parcel->topic.size > 0};
    kafka->taken++;
    kafka->taken_bytes += size;
    return slot;
}

static void release_slot(struct kafka_exporter *kafka, struct kafka_slot *slot)
{
    assert(kafka->taken > 0 && kafka->taken_bytes >= slot->size);
    kafka->taken--;
    kafka->taken_bytes -= slot->size;
    slot->held = false;
    slot->next = kafka->free_slots;
    kafka->free_slots = slot;
}

static bool has_room(const struct kafka_exporter *kafka, size_t size)
{
    if (kafka->taken == kafka->config.window_messages)
        return false;
    return kafka->taken == 0 || kafka->taken_bytes + size <= kafka->config.window_bytes;
}

static void decide(struct kafka_exporter *kafka, struct kafka_slot *slot, enum verdict_kind kind,
                   const char *reason)
{
    assert(slot->held);
    slot->held = false;
    slot->kind = (uint8_t)kind;
    slot->reason = reason;
    slot->next = NULL;
    if (kafka->decided_tail)
        kafka->decided_tail->next = slot;
    else
        kafka->decided_head = slot;
    kafka->decided_tail = slot;
}

void kafka_decide(struct kafka_exporter *kafka, struct kafka_slot *slot, enum verdict_kind kind,
                  const char *reason)
{
    for (; slot; slot = slot->more)
        decide(kafka, slot, kind, reason);
}

static void emit(struct kafka_exporter *kafka)
{
    while (kafka->decided_head) {
        struct verdict verdicts[VERDICTS];
        size_t n = 0;
        while (n < VERDICTS && kafka->decided_head) {
            struct kafka_slot *slot = kafka->decided_head;
            kafka->decided_head = slot->next;
            if (!slot->next)
                kafka->decided_tail = NULL;
            verdicts[n++] = (struct verdict){.position = slot->position,
                                             .kind = (enum verdict_kind)slot->kind,
                                             .reason = slot->reason};
            release_slot(kafka, slot);
        }
        kafka->sink.verdict(kafka->sink.ctx, verdicts, n);
    }
}

void kafka_settle(struct kafka_exporter *kafka)
{
    kafka_run_step(kafka);
    emit(kafka);
    kafka_producer_step(kafka);
    if (kafka->draining && kafka->state == KAFKA_OPEN && !kafka->flushing && kafka->taken > 0)
        kafka_producer_flush(kafka);
    // Room for what was refused, not just any: else the pump would come back at once, in vain.
    if (kafka->starved && kafka->state == KAFKA_OPEN && has_room(kafka, kafka->starved_size)) {
        kafka->starved = false;
        kafka->sink.verdict(kafka->sink.ctx, NULL, 0);
    }
}

static void on_wake(struct loop_io *io, unsigned events)
{
    (void)events;
    struct kafka_exporter *kafka =
        (struct kafka_exporter *)((char *)io - offsetof(struct kafka_exporter, wake));
    uint64_t count;
    if (read(kafka->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN)
        kafka_log(kafka, 3, "kafka_wake_failed", "the event descriptor cannot be read");
    loop_defer(kafka->config.loop, &kafka->again);
}

static void on_again(struct loop_deferred *again)
{
    struct kafka_exporter *kafka =
        (struct kafka_exporter *)((char *)again - offsetof(struct kafka_exporter, again));
    if (kafka_reports_take(kafka))
        loop_defer(kafka->config.loop, &kafka->again);
    kafka_settle(kafka);
}

static int start(struct exporter *exporter, struct verdict_sink sink)
{
    struct kafka_exporter *kafka = of(exporter);
    kafka->sink = sink;
    int r = loop_io_start(kafka->config.loop, &kafka->wake, kafka->wake_fd, LOOP_READ);
    if (r < 0)
        return r;
    kafka_certificates_watch(kafka);
    return kafka_producer_open(kafka);
}

size_t kafka_payload_size(const struct parcel *parcel)
{
    struct slice payload = parcel->payload;
    return payload.size > 0 && payload.data[payload.size - 1] == '\n' ? payload.size - 1
                                                                      : payload.size;
}

static int refuse(struct kafka_exporter *kafka, size_t size)
{
    kafka->starved = true;
    kafka->starved_size = size;
    return EXPORTER_FULL;
}

// A message of its own.
static int send_alone(struct kafka_exporter *kafka, const struct parcel *parcel, size_t size)
{
    struct kafka_slot *slot = kafka_slot_take(kafka, parcel, size);
    struct kafka_message message = {.payload = slice_of(parcel->payload.data, size),
                                    .topic = parcel->topic,
                                    .key = parcel->key,
                                    .headers = parcel->headers};
    rd_kafka_resp_err_t error = kafka_message_send(kafka, &message, slot);
    if (!error || kafka_reports_refused(kafka, slot, error))
        return 0;
    release_slot(kafka, slot);
    return EXPORTER_FULL;
}

static int offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct kafka_exporter *kafka = of(exporter);
    size_t size = kafka_payload_size(parcel);
    if (kafka->state != KAFKA_OPEN || kafka->freeing)
        return refuse(kafka, size);
    bool joins = kafka->lines_bytes > 0 && !kafka->alone;
    if (!has_room(kafka, joins ? parcel->payload.size : size)) {
        // What waits for company would wait for the room that it takes itself.
        kafka_run_close(kafka, kafka->taken == kafka->config.window_messages ? BATCH_RECORDS
                                                                             : BATCH_BYTES);
        return refuse(kafka, parcel->payload.size);
    }
    int r = joins ? kafka_run_take(kafka, parcel) : send_alone(kafka, parcel, size);
    return r == EXPORTER_FULL ? refuse(kafka, parcel->payload.size) : r;
}

static void flush(struct exporter *exporter, bool draining)
{
    struct kafka_exporter *kafka = of(exporter);
    if (!draining)
        return; // linger.ms closes batches, max_delay runs
    kafka->draining = true;
    loop_defer(kafka->config.loop, &kafka->again);
}

// Whatever kafka_producer_close took no report of: librdkafka's threads are gone, nobody knows.
static void return_rest(struct kafka_exporter *kafka)
{
    for (uint32_t i = 0; i < kafka->slots_used; i++)
        if (kafka->slots[i].held)
            decide(kafka, &kafka->slots[i], VERDICT_RETURNED, NULL);
}

static void kafka_free(struct exporter *exporter)
{
    struct kafka_exporter *kafka = of(exporter);
    kafka->freeing = true;
    kafka_certificates_unwatch(kafka);
    kafka_run_deinit(kafka);
    kafka_producer_close(kafka);
    return_rest(kafka);
    emit(kafka);
    loop_io_stop(&kafka->wake);
    loop_deferred_stop(&kafka->again);
    loop_timer_stop(&kafka->timer);
    if (kafka->wake_fd >= 0)
        close(kafka->wake_fd);
    if (kafka->conf)
        rd_kafka_conf_destroy(kafka->conf);
    free(kafka->slots);
    free(kafka);
}

static const struct exporter_ops ops = {
    .type = "kafka", .start = start, .offer = offer, .flush = flush, .free = kafka_free};

int kafka_exporter_new(struct exporter **out, const struct kafka_exporter_config *config)
{
    assert(config->window_messages > 0);
    struct kafka_exporter *kafka = calloc(1, sizeof *kafka);
    if (!kafka)
        return -ENOMEM;
    kafka->exporter = (struct exporter){.ops = &ops, .name = config->name, .book = config->book};
    kafka->config = *config;
    kafka->again.run = on_again;
    kafka->wake.ready = on_wake;
    kafka_run_init(kafka);
    kafka->slots = calloc(config->window_messages, sizeof *kafka->slots);
    kafka->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int r = 0;
    if (!kafka->slots)
        r = -ENOMEM;
    else if (kafka->wake_fd < 0)
        r = error_from_errno();

    char error[512];
    if (r == 0) {
        r = kafka_conf_new(&kafka->conf, config, error, sizeof error);
        if (r < 0)
            kafka_log(kafka, 3, "kafka_property_refused", error);
        else
            kafka->batch_bytes = kafka_conf_number(kafka->conf, "batch.size");
    }
    if (r < 0) {
        kafka_free(&kafka->exporter);
        return r;
    }
    *out = &kafka->exporter;
    return 0;
}
