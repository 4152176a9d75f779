// An embedded Kafka: one mock broker, and a consumer of one topic from its beginning.
#ifndef SLUICE_DEV_DEV_KAFKA_H
#define SLUICE_DEV_DEV_KAFKA_H

#include "base/slice.h"

#include <stdint.h>

struct dev_kafka;
struct loop;

struct dev_kafka_reader {
    void (*message)(void *ctx, struct slice payload); // on the loop; valid during the call
    void *ctx;
};

// The topic has one partition, so that its order is the order of delivery. The broker keeps about
// 5 MB of it. 0, -ENOMEM, or -EIO (the own log says why).
int dev_kafka_new(struct dev_kafka **out, struct loop *loop, const char *topic,
                  struct dev_kafka_reader reader);
const char *dev_kafka_brokers(const struct dev_kafka *kafka);
// Reads up to what is the end of the topic now, blocking, for at most so long.
void dev_kafka_drain(struct dev_kafka *kafka, uint64_t at_most_ns);
void dev_kafka_free(struct dev_kafka *kafka);

#endif
