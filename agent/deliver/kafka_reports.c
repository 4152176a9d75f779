// What librdkafka reports: deliveries become verdicts, errors become retirements and log lines.
#include "deliver/kafka_reports.h"

#include "base/clock.h"
#include "base/own_log.h"
#include "deliver/kafka_exporter.h"
#include "deliver/kafka_producer.h"

#include <assert.h>
#include <string.h>

#define EVENTS_A_TURN 32
#define LOG_LINES 5
#define LOG_PERIOD_NS (10 * NS_PER_S)

// What the sink refuses for good, and the verdict's reason. All else is tried again.
static const struct refusal {
    const char *reason;
    rd_kafka_resp_err_t error;
    bool by_size;
} refusals[] = {
    {"message_too_large", RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, true},
    {"message_too_large", RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, true},
    {"message_too_large", RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, true},
    {"invalid_message", RD_KAFKA_RESP_ERR_INVALID_MSG, false},
    {"invalid_record", RD_KAFKA_RESP_ERR_INVALID_RECORD, false},
    {"invalid_timestamp", RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, false},
    {"policy_violation", RD_KAFKA_RESP_ERR_POLICY_VIOLATION, false},
    {"unsupported_format", RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, false},
};

static const struct refusal *refusal_of(rd_kafka_resp_err_t error)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (refusals[i].error == error)
            return &refusals[i];
    return NULL;
}

void kafka_log(struct kafka_exporter *kafka, int level, const char *event, const char *text)
{
    uint64_t now = clock_monotonic(kafka->config.clock);
    if (kafka->log_lines == 0 || now - kafka->log_since_ns > LOG_PERIOD_NS) {
        kafka->log_since_ns = now;
        kafka->log_lines = 0;
    }
    if (kafka->log_lines == LOG_LINES) {
        kafka->log_suppressed++;
        return;
    }
    kafka->log_lines++;
    struct log_field fields[] = {{"exporter", kafka->exporter.name, 0},
                                 {"suppressed", NULL, (long long)kafka->log_suppressed},
                                 {NULL, NULL, 0}};
    kafka->log_suppressed = 0;
    enum log_level own = level <= 3   ? OWN_ERROR
                         : level == 4 ? OWN_WARN
                         : level <= 6 ? OWN_INFO
                                      : OWN_DEBUG;
    own_log_fields(own, event, fields, "%s", text);
}

static unsigned parcels_of(const struct kafka_slot *slot)
{
    unsigned n = 0;
    for (; slot; slot = slot->more)
        n++;
    return n;
}

static void give_back(struct kafka_exporter *kafka, struct kafka_slot *slot)
{
    kafka->exporter.book->retries += parcels_of(slot);
    kafka_decide(kafka, slot, VERDICT_RETURNED, NULL);
}

// A batch was refused for good. Alone in it, a record is at fault; else who is shows when they go
// one by one.
static void on_refused(struct kafka_exporter *kafka, struct kafka_slot *slot,
                       const struct refusal *refusal, bool alone)
{
    kafka->exporter.book->failures++;
    if (alone && !slot->more) {
        kafka->alone_refused = kafka->alone;
        kafka_decide(kafka, slot, VERDICT_DEAD, refusal->reason);
        return;
    }
    if (refusal->by_size) {
        size_t size = 0;
        for (const struct kafka_slot *at = slot; at; at = at->more)
            size += at->size;
        kafka->size_refused = true;
        if (alone && (kafka->lines_refused == 0 || size < kafka->lines_refused))
            kafka->lines_refused = size;
    }
    kafka->alone_left += parcels_of(slot);
    give_back(kafka, slot);
    if (kafka->state == KAFKA_OPEN) {
        kafka_log(kafka, 4, "kafka_batch_refused",
                  "a whole batch was refused; its records go one by one to find which");
        kafka_producer_retire(kafka, false, false);
    }
}

static void on_report(struct kafka_exporter *kafka, const rd_kafka_message_t *message, bool alone)
{
    struct kafka_slot *slot = message->_private;
    assert(slot >= kafka->slots && slot < kafka->slots + kafka->slots_used);
    if (!message->err) {
        kafka_decide(kafka, slot, VERDICT_DELIVERED, NULL);
    } else if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE) {
        kafka_decide(kafka, slot, VERDICT_RETURNED, NULL); // never sent
        if (kafka->state == KAFKA_OPEN) // a fatal error purges before it is announced
            kafka_producer_retire(kafka, true, true);
        return;
    } else if (refusal_of(message->err)) {
        on_refused(kafka, slot, refusal_of(message->err), alone);
    } else if (message->err == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION && slot->own_topic) {
        kafka->exporter.book->failures++;
        kafka_decide(kafka, slot, VERDICT_DEAD, "invalid_topic");
    } else {
        kafka->exporter.book->failures++;
        give_back(kafka, slot);
        if (kafka->state == KAFKA_OPEN) {
            kafka_log(kafka, 4, "kafka_delivery_failed", rd_kafka_err2str(message->err));
            kafka_producer_retire(kafka, false, true);
        }
        return;
    }
    // One of those that go one by one has its answer; after the last of them, batches again.
    if (kafka->alone && kafka->alone_left > 0 && --kafka->alone_left == 0 &&
        kafka->state == KAFKA_OPEN)
        kafka_producer_retire(kafka, false, false);
}

bool kafka_reports_refused(struct kafka_exporter *kafka, struct kafka_slot *slot,
                           rd_kafka_resp_err_t error)
{
    if (error == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return false;
    loop_defer(kafka->config.loop, &kafka->again);
    if (refusal_of(error) && slot->more) {
        on_refused(kafka, slot, refusal_of(error), true);
        return true;
    }
    kafka->exporter.book->failures++;
    const char *reason = NULL;
    if (refusal_of(error))
        reason = refusal_of(error)->reason;
    else if (error == RD_KAFKA_RESP_ERR__BAD_MSG)
        reason = "invalid_headers";
    else if (error == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION && slot->own_topic)
        reason = "invalid_topic";
    if (reason) {
        kafka_decide(kafka, slot, VERDICT_DEAD, reason);
        return true;
    }
    kafka_log(kafka, 4, "kafka_not_taken", rd_kafka_err2str(error));
    kafka_producer_retire(kafka, error == RD_KAFKA_RESP_ERR__FATAL, true);
    return false;
}

static void on_error(struct kafka_exporter *kafka, rd_kafka_event_t *event)
{
    kafka->exporter.book->failures++;
    char text[512];
    if (rd_kafka_fatal_error(kafka->producer, text, sizeof text) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        kafka_log(kafka, 4, "kafka_error", rd_kafka_event_error_string(event));
        return;
    }
    kafka_log(kafka, 3, "kafka_producer_lost", text);
    kafka_producer_retire(kafka, true, true);
}

// Those that come as an error event as well.
static bool is_told_twice(const char *facility)
{
    return strcmp(facility, "FAIL") == 0 || strcmp(facility, "ERROR") == 0 ||
           strcmp(facility, "FATAL") == 0;
}

static void on_event(struct kafka_exporter *kafka, rd_kafka_event_t *event)
{
    const rd_kafka_message_t *message;
    const char *facility, *text;
    int level;
    bool alone;
    switch (rd_kafka_event_type(event)) {
    case RD_KAFKA_EVENT_DR:
        // One report is one batch.
        alone = rd_kafka_event_message_count(event) == 1;
        while ((message = rd_kafka_event_message_next(event)))
            on_report(kafka, message, alone);
        break;
    case RD_KAFKA_EVENT_ERROR:
        on_error(kafka, event);
        break;
    case RD_KAFKA_EVENT_LOG:
        if (rd_kafka_event_log(event, &facility, &text, &level) == 0 && !is_told_twice(facility))
            kafka_log(kafka, level, "librdkafka", text);
        break;
    default:
        break;
    }
    rd_kafka_event_destroy(event);
}

bool kafka_reports_take(struct kafka_exporter *kafka)
{
    for (unsigned i = 0; i < EVENTS_A_TURN; i++) {
        rd_kafka_event_t *event = kafka->reports ? rd_kafka_queue_poll(kafka->reports, 0) : NULL;
        if (!event)
            return false;
        on_event(kafka, event);
    }
    return true;
}

void kafka_reports_wait(struct kafka_exporter *kafka, int timeout_ms)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(kafka->reports, timeout_ms);
    if (event)
        on_event(kafka, event);
}
