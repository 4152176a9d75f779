// The Kafka exporter's inside, shared by its three sources: the window (kafka.c), the producer's
// life (kafka_producer.c) and what it reports (kafka_reports.c).
//
// A parcel takes a slot of the window when it is offered and gives it up when its verdict is
// emitted. The slot's address is the message's opaque. Slots whose fate is known wait in `decided`
// until no librdkafka event is open: the sink may offer again from inside a verdict.
#ifndef SLUICE_DELIVER_KAFKA_EXPORTER_H
#define SLUICE_DELIVER_KAFKA_EXPORTER_H

#include "base/loop.h"
#include "deliver/exporter.h"
#include "deliver/kafka.h"
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
    uint32_t size;           // payload bytes charged to the window
    uint8_t kind;            // enum verdict_kind, once decided
    bool held;               // offered, and its fate not known yet
    bool own_topic;          // the parcel named it
};

#define KAFKA_TOPICS 16

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

    // refused batches
    bool alone;           // this producer sends one by one
    bool size_refused;    // a batch was refused for its size
    bool alone_refused;   // and a record was found that is at fault
    bool purging;         // RETIRING: the queue is purged, then what is in flight given up
    uint64_t batch_bytes; // batch.size, smaller after batches that only together were too large
    uint64_t alone_left;  // parcels still to be sent one by one; 0: batches

    // the producer
    rd_kafka_conf_t *conf; // what each producer starts from
    rd_kafka_t *producer;
    rd_kafka_queue_t *reports;
    rd_kafka_topic_t *topics[KAFKA_TOPICS]; // [0]: the exporter's own
    struct kafka_worker worker;
    uint64_t opened_ns;  // monotonic
    uint64_t backoff_ns; // grows with each producer that failed soon
    uint64_t wait_ns;    // before the next producer; 0: none

    // the own log's budget
    uint64_t log_since_ns;
    uint64_t log_suppressed;
    unsigned log_lines;
    unsigned topics_next; // the next topic to be replaced
};

// kafka.c
// The parcel's fate is known. Emitted by kafka_settle.
void kafka_decide(struct kafka_exporter *kafka, struct kafka_slot *slot, enum verdict_kind kind,
                  const char *reason);
// Emits what was decided and takes the producer's next step. Never from inside offer.
void kafka_settle(struct kafka_exporter *kafka);

// kafka_producer.c
int kafka_producer_open(struct kafka_exporter *kafka);
// Takes no more parcels and makes a new producer once the reports are in: at once, or after a
// back-off. purge is for a producer that will deliver nothing more: its queue is given back, and
// what is in flight when it had a moment to be answered.
void kafka_producer_retire(struct kafka_exporter *kafka, bool purge, bool backoff);
// Goes on with a retirement. From kafka_settle.
void kafka_producer_step(struct kafka_exporter *kafka);
// Sends what is held without lingering.
void kafka_producer_flush(struct kafka_exporter *kafka);
// Ends everything, blocking: afterwards nothing points into a parcel. Reports are taken.
void kafka_producer_close(struct kafka_exporter *kafka);
// NULL where librdkafka refuses the name.
rd_kafka_topic_t *kafka_producer_topic(struct kafka_exporter *kafka, struct slice name);

// kafka_reports.c
// Takes events that are there, a bounded number. True: there may be more.
bool kafka_reports_take(struct kafka_exporter *kafka);
// Waits for one event.
void kafka_reports_wait(struct kafka_exporter *kafka, int timeout_ms);
// A message that librdkafka did not take. False: the window is full, or the producer just retired.
bool kafka_reports_refused(struct kafka_exporter *kafka, struct kafka_slot *slot,
                           rd_kafka_resp_err_t error);
// A line in the own log, a few in ten seconds.
void kafka_log(struct kafka_exporter *kafka, int level, const char *event, const char *text);

#endif
