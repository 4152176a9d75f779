// What librdkafka reports, for the exporter's other files.
#ifndef SLUICE_DELIVER_KAFKA_REPORTS_H
#define SLUICE_DELIVER_KAFKA_REPORTS_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct kafka_exporter;
struct kafka_slot;

// Takes events that are there, a bounded number. True: there may be more.
bool kafka_reports_take(struct kafka_exporter *kafka);
// Waits for one event.
void kafka_reports_wait(struct kafka_exporter *kafka, int timeout_ms);
// A message that librdkafka did not take. True: its parcels are decided. False: the window is full,
// or the producer just retired; they are the caller's.
bool kafka_reports_refused(struct kafka_exporter *kafka, struct kafka_slot *slot,
                           rd_kafka_resp_err_t error);
// A line in the own log, a few in ten seconds. level: syslog's, as librdkafka counts.
void kafka_log(struct kafka_exporter *kafka, int level, const char *event, const char *text);

#endif
