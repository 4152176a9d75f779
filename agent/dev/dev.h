// What `sluice run --dev` embeds: a Kafka and an OTLP receiver to deliver to, and eyes to see it.
//
// One broker of librdkafka's mock cluster, whose topic is read back and printed document by
// document as a consumer reads it; a gRPC receiver on a loopback port that the kernel picks, whose
// spans are printed as one tree for each trace. Nothing of it exists without --dev. Loop thread
// only.
#ifndef SLUICE_DEV_DEV_H
#define SLUICE_DEV_DEV_H

#include <stdint.h>
#include <stdio.h>

struct dev;
struct loop;

struct dev_config {
    struct loop *loop;
    FILE *out;         // borrowed; written on the loop, in colour where it is a terminal
    const char *topic; // the one that is read; NULL: logs
    uint64_t quiet_ns; // a trace is printed when no span of it came for so long; 0: 500 ms
};

int dev_new(struct dev **out, const struct dev_config *config);

// For the exporters' settings. Valid as long as dev.
const char *dev_brokers(const struct dev *dev);       // host:port
const char *dev_otlp_endpoint(const struct dev *dev); // http://host:port

// Prints what is left: the topic up to its end (waits for it, five seconds at most), then the
// traces. Call it when the exporters have delivered.
void dev_finish(struct dev *dev);
void dev_free(struct dev *dev);

#endif
