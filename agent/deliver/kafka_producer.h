// The producer's life, for the exporter's other files.
#ifndef SLUICE_DELIVER_KAFKA_PRODUCER_H
#define SLUICE_DELIVER_KAFKA_PRODUCER_H

#include <stdbool.h>

struct kafka_exporter;

int kafka_producer_open(struct kafka_exporter *kafka);
// Takes no more parcels and makes a new producer once the reports are in: at once, or after a
// back-off. purge is for a producer that will deliver nothing more: its queue is given back, and
// what is in flight when it had a moment to be answered. Without it, it has ten seconds to deliver
// what it holds.
void kafka_producer_retire(struct kafka_exporter *kafka, bool purge, bool backoff);
// Goes on with a retirement. From kafka_settle.
void kafka_producer_step(struct kafka_exporter *kafka);
// Sends what is held without lingering.
void kafka_producer_flush(struct kafka_exporter *kafka);
// Ends everything, blocking: afterwards nothing points into a parcel. Reports are taken.
void kafka_producer_close(struct kafka_exporter *kafka);

#endif
