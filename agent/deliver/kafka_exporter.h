// The Kafka exporter's inside, shared by its sources: the window (kafka.c), the open run of mode
// `lines` (kafka_run.c), the producer's life (kafka_producer.c), what it reports (kafka_reports.c)
// and the files that it was made of (kafka_certificates.c).
//
// A parcel takes a slot of the window when it is offered and gives it up when its verdict is
// emitted. A message's opaque is the address of its first parcel's slot; in mode `lines` the others
// hang on it. Slots whose fate is known wait in `decided` until no librdkafka event is open: the
// sink may offer again from inside a verdict.
#ifndef SLUICE_DELIVER_KAFKA_EXPORTER_H
#define SLUICE_DELIVER_KAFKA_EXPORTER_H

#include "base/loop.h"
#include "deliver/exporter.h"
#include "deliver/kafka.h"
#include "deliver/kafka_certificates.h"
#include "deliver/kafka_run.h"
#include "deliver/kafka_topics.h"
#include "deliver/kafka_worker.h"

#include <librdkafka/rdkafka.h>

enum kafka_state {
    KAFKA_CLOSED,   // no producer: not started, or backing off
    KAFKA_OPEN,     // takes parcels
    KAFKA_RETIRING, // takes none; waits for the reports of what it holds
    KAFKA_REAPING,  // every report is in; a thread waits for librdkafka's threads to end
};

struct kafka_slot {
    uint64_t position;
    const char *reason;      // VERDICT_DEAD
    struct kafka_slot *next; // in free or decided
    struct kafka_slot *more; // the next parcel of the same message
    uint32_t size;           // payload bytes charged to the window
    uint8_t kind;            // enum verdict_kind, once decided
    bool held;               // offered, and its fate not known yet
    bool own_topic;          // the parcel named it
};

struct kafka_exporter {
    struct exporter exporter;
    struct kafka_exporter_config config;
    struct verdict_sink sink;
    enum kafka_state state;
    int wake_fd; // written by librdkafka and the worker
    struct loop_io wake;
    struct loop_deferred again; // settle, outside an offer or after a bounded turn
    struct loop_timer timer;    // CLOSED: the back-off's end; RETIRING: purge what is left

    // the window
    struct kafka_slot *slots; // window_messages of them; those never used are never touched
    struct kafka_slot *free_slots;
    struct kafka_slot *decided_head, *decided_tail;
    size_t taken_bytes;  // payloads in slots that are neither free nor unused
    uint32_t taken;      // such slots
    uint32_t slots_used; // the first so many have been in use
    bool starved;        // an offer was refused since the last "room again"
    size_t starved_size; // of what was refused last
    bool draining;       // flush said so
    bool flushing;       // a flush has been asked of this producer and none was offered since
    bool freeing;

    // mode `lines`
    struct kafka_run run;
    size_t lines_bytes; // the setting, smaller after messages that only together were too large; 0:
                        // the mode is ecs

    // refused batches
    bool alone;           // this producer sends one by one
    bool size_refused;    // a batch was refused for its size
    bool alone_refused;   // and a record was found that is at fault
    bool purging;         // RETIRING: the queue is purged, then what is in flight given up
    uint64_t batch_bytes; // batch.size, smaller after batches that only together were too large
    size_t lines_refused; // the smallest message of many that was refused for its size; 0: none
    uint64_t alone_left;  // parcels still to be sent one by one; 0: batches

    // the producer
    rd_kafka_conf_t *conf; // what each producer starts from
    rd_kafka_t *producer;
    rd_kafka_queue_t *reports;
    struct kafka_topics topics;
    struct kafka_worker worker;
    uint64_t opened_ns;  // monotonic
    uint64_t backoff_ns; // grows with each producer that failed soon
    uint64_t wait_ns;    // before the next producer; 0: none
    struct kafka_certificates certificates;

    // the own log's budget
    uint64_t log_since_ns;
    uint64_t log_suppressed;
    unsigned log_lines;
};

// kafka.c
// A slot for a parcel, charged with so many bytes. The window has room.
struct kafka_slot *kafka_slot_take(struct kafka_exporter *kafka, const struct parcel *parcel,
                                   size_t size);
// A payload's bytes without its final '\n'.
size_t kafka_payload_size(const struct parcel *parcel);
// The fate of a message is known, and so of all its parcels. Emitted by kafka_settle.
void kafka_decide(struct kafka_exporter *kafka, struct kafka_slot *slot, enum verdict_kind kind,
                  const char *reason);
// Emits what was decided and takes the producer's next step. Never from inside offer.
void kafka_settle(struct kafka_exporter *kafka);

#endif
