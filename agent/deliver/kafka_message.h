// What the exporter hands to librdkafka: one message, its payload by reference.
#ifndef SLUICE_DELIVER_KAFKA_MESSAGE_H
#define SLUICE_DELIVER_KAFKA_MESSAGE_H

#include "base/slice.h"

#include <librdkafka/rdkafka.h>

struct kafka_exporter;
struct kafka_slot;

struct kafka_message {
    struct slice payload; // stays where it is until the report
    struct slice topic;   // empty: the exporter's own
    struct slice key;     // empty: none; copied
    struct slice headers; // as kafka.h says; copied
};

// slot comes back with the report. Counts the request. Or why librdkafka does not take it:
// __BAD_MSG: the headers; TOPIC_EXCEPTION: the topic's name.
rd_kafka_resp_err_t kafka_message_send(struct kafka_exporter *kafka,
                                       const struct kafka_message *message,
                                       struct kafka_slot *slot);

#endif
