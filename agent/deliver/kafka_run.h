// Mode `lines`: documents that lie one after the other in a segment become one message.
//
// Nothing is copied: the message is the stretch of the segment from the first document to the last,
// without the last '\n'. The slots of its parcels are a chain; each gets its own verdict when the
// message has its report. A refused message is not judged as one: its documents go again, one by
// one, as those of a refused batch do (kafka_reports.c).
//
// Parcels that are taken and wait for company are the exporter's only ones that librdkafka does not
// have: they go back when the producer ends.
#ifndef SLUICE_DELIVER_KAFKA_RUN_H
#define SLUICE_DELIVER_KAFKA_RUN_H

#include "base/book_reasons.h"
#include "base/loop.h"
#include "base/slice.h"
#include "deliver/kafka_message.h"

struct parcel;

struct kafka_run {
    struct kafka_slot *first, *last; // NULL: no run is open
    struct kafka_message message;    // its payload grows
    const char *end;                 // where the next document must begin; NULL: nowhere
    uint64_t since_ns;               // monotonic, when its first parcel was taken
    struct loop_timer delay;         // armed for an earlier run perhaps
    enum batch_close why;            // stuck
    bool stuck;                      // closed, and librdkafka's queue was full
};

void kafka_run_init(struct kafka_exporter *kafka);
void kafka_run_deinit(struct kafka_exporter *kafka);
// 0 or EXPORTER_FULL, as offer. The window has room, and the producer is open.
int kafka_run_take(struct kafka_exporter *kafka, const struct parcel *parcel);
// Sends what is open, if anything is.
void kafka_run_close(struct kafka_exporter *kafka, enum batch_close why);
// The run's next step, from kafka_settle: sent where it was stuck or the agent ends, given back
// where the producer is gone.
void kafka_run_step(struct kafka_exporter *kafka);

#endif
