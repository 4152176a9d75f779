// The books: what every room counts, so that every record is accounted for.
//
// At the door, per signal:
//   received = routed + joined + duplicate + rejected{reason} + dropped{rule} + pending
// Per exporter:
//   routed + recovered + generated = delivered + dropped{reason} + dead + held
// Retries never enter these sums. Units are records: a log record, a span, a metric data point.
// Loop thread only. The rows of base/metrics.c expose every field here.
#ifndef SLUICE_BASE_BOOKS_H
#define SLUICE_BASE_BOOKS_H

#include <stdbool.h>
#include <stdint.h>

enum signal_kind { SIGNAL_LOGS, SIGNAL_SPANS, SIGNAL_METRICS, SIGNAL_COUNT };

// Why the door refused a record.
enum reject_reason {
    REJECT_MALFORMED,  // not what its dialect says it is (a broken OTLP message, a bad frame)
    REJECT_TOO_LARGE,  // larger than a segment, or than the dialect's limit
    REJECT_UNROUTED,   // no route takes this signal
    REJECT_OVERLOADED, // refused by the protocol's own answer; the client keeps it
    REJECT_COUNT
};

// Why an exporter's copy was dropped.
enum drop_reason {
    DROP_SHED,    // the log was full and the policy is to shed
    DROP_REFUSED, // the sink took the request but refused these records (OTLP partial success)
    DROP_REASON_COUNT
};

// Which dialect a connection spoke.
enum dialect_kind {
    DIALECT_UNKNOWN,
    DIALECT_NATIVE,
    DIALECT_OTLP_GRPC,
    DIALECT_OTLP_HTTP,
    DIALECT_SYSLOG,
    DIALECT_LINES,
    DIALECT_FOREIGN, // TLS, pickle, other control bytes
    DIALECT_COUNT
};

struct door_book {
    uint64_t received;
    uint64_t routed;
    uint64_t joined;
    uint64_t duplicate;
    uint64_t rejected[REJECT_COUNT];
    uint64_t pending; // a gauge
};

struct exporter_book {
    uint64_t routed;
    uint64_t recovered;
    uint64_t generated;
    uint64_t delivered;
    uint64_t dropped[DROP_REASON_COUNT];
    uint64_t dead;
    uint64_t held;       // a gauge: records in the log without a verdict
    uint64_t held_bytes; // a gauge: bytes of segments in use
    uint64_t requests;   // Kafka messages or OTLP requests handed to the network
    uint64_t retries;    // sent again, never part of the balance
    uint64_t failures;   // failed attempts: connection lost, deadline, retryable answer
    uint64_t blocked;    // times a door was paused for this exporter
};

struct receive_book {
    uint64_t connections[DIALECT_COUNT];
    uint64_t open;        // a gauge
    uint64_t bytes;       // read from all sockets
    uint64_t truncated;   // lines cut at max_line
    uint64_t surplus_fds; // descriptors that came with a message and were closed
};

#define EXPORTER_NAME_MAX 64
#define EXPORTER_MAX 16

struct books {
    struct door_book door[SIGNAL_COUNT];
    struct receive_book receive;
    struct {
        char name[EXPORTER_NAME_MAX];
        struct exporter_book book;
    } exporters[EXPORTER_MAX];
    unsigned exporter_count;
};

// Adds an exporter's page. The pointer stays valid as long as books. NULL where EXPORTER_MAX is
// reached.
struct exporter_book *books_add_exporter(struct books *books, const char *name);

// received - (routed + joined + duplicate + rejected + pending): 0 when the door's page balances.
int64_t books_door_gap(const struct door_book *book);
// routed + recovered + generated - (delivered + dropped + dead + held).
int64_t books_exporter_gap(const struct exporter_book *book);
bool books_balanced(const struct books *books);

const char *signal_name(enum signal_kind signal);          // logs, spans, metrics
const char *reject_reason_name(enum reject_reason reason); // too_large …
const char *drop_reason_name(enum drop_reason reason);
const char *dialect_name(enum dialect_kind dialect);

#endif
