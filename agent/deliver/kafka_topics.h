// A producer's topics by name, so that a message costs a look-up of ours and no scan of
// librdkafka's.
//
// librdkafka never forgets a topic while its producer lives, and finds one by comparing names in a
// row: what it was asked for is kept here, up to KAFKA_TOPICS_MAX. Beyond that all are let go of
// (librdkafka keeps those that messages are on their way to) and asked for again.
#ifndef SLUICE_DELIVER_KAFKA_TOPICS_H
#define SLUICE_DELIVER_KAFKA_TOPICS_H

#include "base/slice.h"

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#define KAFKA_TOPICS_MAX 16384u // more than a template may make

struct kafka_topic {
    rd_kafka_topic_t *topic; // NULL: a free place
    uint32_t hash;
    uint32_t size; // of its name
};

// Zeroed: none.
struct kafka_topics {
    struct kafka_topic *table; // open addressing, at most half full
    uint32_t capacity;         // a power of two, or 0
    uint32_t count;
};

// 0 and the topic, which the table owns; RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION where no topic may have
// that name, __CRIT_SYS_RESOURCE without memory.
rd_kafka_resp_err_t kafka_topics_find(struct kafka_topics *topics, rd_kafka_t *producer,
                                      struct slice name, rd_kafka_topic_t **out);
// Lets go of all of them.
void kafka_topics_clear(struct kafka_topics *topics);

#endif
