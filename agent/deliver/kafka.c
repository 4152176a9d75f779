// The Kafka exporter's window: parcels in, messages to librdkafka, verdicts out.
#include "deliver/kafka.h"

#include "base/error.h"
#include "deliver/kafka_conf.h"
#include "deliver/kafka_exporter.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define VERDICTS 64 // told to the sink at a time

static struct kafka_exporter *of(struct exporter *exporter)
{
    return (struct kafka_exporter *)(void *)exporter;
}

static struct kafka_slot *take_slot(struct kafka_exporter *kafka)
{
    struct kafka_slot *slot = kafka->free_slots;
    if (slot)
        kafka->free_slots = slot->next;
    else
        slot = &kafka->slots[kafka->slots_used++];
    kafka->taken++;
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

void kafka_decide(struct kafka_exporter *kafka, struct kafka_slot *slot, enum verdict_kind kind,
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
    return kafka_producer_open(kafka);
}

// The next field of an encoded header: size bytes after a little-endian width. False: none whole.
static bool take_field(struct slice *rest, size_t width, struct slice *field)
{
    if (rest->size < width)
        return false;
    size_t size = 0;
    for (size_t i = 0; i < width; i++)
        size |= (size_t)(unsigned char)rest->data[i] << (8 * i);
    if (rest->size - width < size)
        return false;
    *field = slice_of(rest->data + width, size);
    *rest = slice_of(rest->data + width + size, rest->size - width - size);
    return true;
}

// NULL: not as kafka.h says.
static rd_kafka_headers_t *decode_headers(struct slice rest)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(4);
    while (rest.size > 0) {
        struct slice name, value;
        if (!take_field(&rest, 2, &name) || !take_field(&rest, 4, &value)) {
            rd_kafka_headers_destroy(headers);
            return NULL;
        }
        rd_kafka_header_add(headers, name.data, (ssize_t)name.size, value.data,
                            (ssize_t)value.size);
    }
    return headers;
}

// By reference: the payload stays in the spool until the report.
static rd_kafka_resp_err_t produce(rd_kafka_topic_t *topic, const struct parcel *parcel,
                                   struct kafka_slot *slot)
{
    if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, (void *)parcel->payload.data, slot->size,
                         parcel->key.size ? parcel->key.data : NULL, parcel->key.size, slot) == 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    return rd_kafka_last_error();
}

static rd_kafka_resp_err_t produce_with_headers(struct kafka_exporter *kafka,
                                                rd_kafka_topic_t *topic,
                                                const struct parcel *parcel,
                                                struct kafka_slot *slot)
{
    rd_kafka_headers_t *headers = decode_headers(parcel->headers);
    if (!headers)
        return RD_KAFKA_RESP_ERR__BAD_MSG;
    rd_kafka_vu_t fields[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_VALUE,
         .u.mem = {.ptr = (void *)parcel->payload.data, .size = slot->size}},
        {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = slot},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
        {.vtype = RD_KAFKA_VTYPE_KEY,
         .u.mem = {.ptr = (void *)parcel->key.data, .size = parcel->key.size}},
    };
    size_t count = sizeof fields / sizeof *fields - (parcel->key.size == 0);
    rd_kafka_error_t *error = rd_kafka_produceva(kafka->producer, fields, count);
    if (!error)
        return RD_KAFKA_RESP_ERR_NO_ERROR; // the message owns the headers
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    rd_kafka_headers_destroy(headers);
    return code;
}

static size_t payload_size(struct slice payload)
{
    return payload.size > 0 && payload.data[payload.size - 1] == '\n' ? payload.size - 1
                                                                      : payload.size;
}

static void refuse(struct kafka_exporter *kafka, size_t size)
{
    kafka->starved = true;
    kafka->starved_size = size;
}

static int offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct kafka_exporter *kafka = of(exporter);
    size_t size = payload_size(parcel->payload);
    assert(size <= UINT32_MAX);
    if (kafka->state != KAFKA_OPEN || kafka->freeing || !has_room(kafka, size)) {
        refuse(kafka, size);
        return EXPORTER_FULL;
    }

    struct kafka_slot *slot = take_slot(kafka);
    *slot = (struct kafka_slot){.position = parcel->position,
                                .size = (uint32_t)size,
                                .held = true,
                                .own_topic = parcel->topic.size > 0};
    kafka->taken_bytes += size;
    rd_kafka_topic_t *topic = kafka_producer_topic(kafka, parcel->topic);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    if (topic)
        error = parcel->headers.size ? produce_with_headers(kafka, topic, parcel, slot)
                                     : produce(topic, parcel, slot);
    if (!error) {
        kafka->exporter.book->requests++;
        kafka->flushing = false;
        return 0;
    }
    if (kafka_reports_refused(kafka, slot, error))
        return 0;
    release_slot(kafka, slot);
    refuse(kafka, size);
    return EXPORTER_FULL;
}

static void flush(struct exporter *exporter, bool draining)
{
    struct kafka_exporter *kafka = of(exporter);
    if (!draining)
        return; // linger.ms closes batches
    kafka->draining = true;
    loop_defer(kafka->config.loop, &kafka->again);
}

// Whatever kafka_producer_close took no report of: librdkafka's threads are gone, nobody knows.
static void return_rest(struct kafka_exporter *kafka)
{
    for (uint32_t i = 0; i < kafka->slots_used; i++)
        if (kafka->slots[i].held)
            kafka_decide(kafka, &kafka->slots[i], VERDICT_RETURNED, NULL);
}

static void kafka_free(struct exporter *exporter)
{
    struct kafka_exporter *kafka = of(exporter);
    kafka->freeing = true;
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
