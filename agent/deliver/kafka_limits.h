// What a Kafka cluster takes: asked of its brokers, for `sluice check --connect`.
#ifndef SLUICE_DELIVER_KAFKA_LIMITS_H
#define SLUICE_DELIVER_KAFKA_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setting_map;

struct kafka_limits {
    uint64_t broker_bytes; // message.max.bytes of a broker; 0: it does not say
    uint64_t topic_bytes;  // max.message.bytes of the topic; 0: no topic, or it does not say
    bool topic_missing;
    bool auto_create; // the broker makes a topic that is missing
};

#define KAFKA_LIMITS_TIMEOUT_MS 10000

// Blocks for KAFKA_LIMITS_TIMEOUT_MS at most. topic NULL: of the brokers alone. A topic that is
// missing is not made by this. 0; -EINVAL (a property), -ETIMEDOUT (no broker answers) or -EPROTO
// (a broker refuses to say), and one line of text in error. Any thread. Source: rdkafka.h, Admin
// API.
int kafka_limits_read(const char *brokers, const struct setting_map *properties, const char *topic,
                      struct kafka_limits *out, char *error, size_t size);

#endif
