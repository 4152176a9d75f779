// The Kafka exporter: a disposable librdkafka producer behind the interface of every exporter.
//
// One parcel is one message, its payload by reference (the spool's segment) without the final '\n';
// in mode `lines` a run of parcels that lie one after the other is (kafka_run.h). The producer is
// idempotent with acks=all and tries for ever; the spool decides how long to keep.
// Whatever leaves the producer unusable (a fatal error, a lost authorization) ends it: what it held
// is returned and a new one is made after a jittered back-off. Returned parcels may have reached
// the broker: their event.id makes the second copy harmless.
//
// Verdicts: the sink's refusal of one record for good (too large, invalid, against a policy) is
// VERDICT_DEAD. Brokers refuse whole batches, so a record is dead only after it was refused in a
// batch of its own: the parcels of a refused batch are returned, and sent one by one. What an
// operator can put right (authorization, credentials, a missing topic) is never dead, it is
// returned and tried again.
//
// Parcel headers: back to back, until the slice ends, little-endian:
//     u16 size of name, name, u32 size of value, value
//
// Loop thread only. Sources: librdkafka 2.0.2 CONFIGURATION.md, rdkafka.h.
#ifndef SLUICE_DELIVER_KAFKA_H
#define SLUICE_DELIVER_KAFKA_H

#include <stddef.h>
#include <stdint.h>

struct clock;
struct exporter;
struct exporter_book;
struct loop;
struct setting_map;

// Everything pointed to is borrowed and must outlive the exporter.
struct kafka_exporter_config {
    const char *name;
    const char *brokers;     // host:port, …
    const char *topic;       // where a parcel names none
    const char *partitioner; // librdkafka's name; NULL: its default
    size_t lines_bytes;      // largest message of many documents; 0: one document a message
    const struct setting_map *properties; // librdkafka's, by name; NULL: none
    uint64_t max_delay_ns;                // linger.ms, unless the properties name it
    size_t window_bytes;      // payload bytes handed over at once; one larger parcel goes alone
    uint32_t window_messages; // parcels handed over at once, at least 1
    struct loop *loop;
    struct clock *clock;
    struct exporter_book *book; // requests: messages handed over; retries: parcels returned after
                                // a failed delivery; failures: errors of brokers and deliveries
};

// Free it by its ops. 0, -ENOMEM, -EINVAL where a property is refused (the own log says which).
int kafka_exporter_new(struct exporter **out, const struct kafka_exporter_config *config);

// The largest document that these properties let through (message.max.bytes less what a message
// costs besides).
size_t kafka_document_max(const struct setting_map *properties);
// message.max.bytes: theirs, or librdkafka's own.
uint64_t kafka_message_max(const struct setting_map *properties);

// 0, or -EINVAL and one line of text in error that names property, value (secrets hidden) and
// reason. Opens the files that the properties name (certificates), no connection.
//
// Properties that would break the contract are refused: acks other than all, a delivery timeout,
// delivery.report.only.error, transactional.id (verdicts would be false); queue.buffering.max.*
// (max_memory says them); statistics.interval.ms (wakes an idle agent for nobody);
// bootstrap.servers, log.queue, enabled_events, internal.termination.signal, test.mock.* (the
// agent's own). enable.idempotence=false is allowed: duplicates keep their event.id, and some
// brokers grant no producer id.
int kafka_exporter_check(const struct setting_map *properties, char *error, size_t size);

#endif
