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

#include "base/book_reasons.h"
#include "base/byte_budget.h"

#include <stdbool.h>
#include <stdint.h>

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
    uint64_t closed[BATCH_CLOSE_COUNT];
    uint64_t cut;                    // documents shortened to what the sink takes
    uint64_t dead_letters;           // of dead, records written to the dead-letter file
    uint64_t dead_letters_lost;      // of dead, records that it had no room for, or none was set
    uint64_t backlog_segments;       // a gauge: of an earlier run, not read yet
    uint64_t damaged;                // entries of an earlier run that cannot be read
    uint64_t damaged_records;        // records in them, as far as is known
    uint64_t trouble[TROUBLE_COUNT]; // gauges: 1 while the log cannot grow for that reason
    uint64_t set_aside;              // whole segments that cannot be read
    uint64_t pages_lost;             // of segments in use: replaced by zeros after SIGBUS
    uint64_t syncs;                  // at level node: rounds written through to the device
    uint64_t sync_failures;          // of these, files that could not be
    uint64_t resends_cut;            // entries whose key and headers were too long to be kept
    uint64_t untold; // a gauge: dropped, and to be told by a gap document of this log
};

struct receive_book {
    uint64_t connections[DIALECT_COUNT];
    uint64_t open;        // a gauge
    uint64_t bytes;       // read from all sockets
    uint64_t truncated;   // lines cut at max_line
    uint64_t surplus_fds; // descriptors that came with a message and were closed
    uint64_t closed[CLOSE_REASON_COUNT];
    uint64_t credit_waits;            // times a native writer got no further credit: a log fills up
    uint64_t paused;                  // times a connection was not read because memory was used up
    struct byte_budget read_bytes;    // kept of all connections: unfinished lines, frames, answers
    struct byte_budget message_bytes; // of all unfinished OTLP messages, compressed and inflated
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

#endif
