// What the spool hands to and what it gets back: the interface of every exporter.
//
// The spool offers parcels in order; the exporter takes a bounded window of them and answers each
// one exactly once through `verdict`. A parcel's bytes stay where they are (in the spool's segment)
// until its verdict; the exporter keeps no copy and points into them. Loop thread only: an exporter
// with threads of its own crosses back through an event descriptor.
#ifndef SLUICE_DELIVER_EXPORTER_H
#define SLUICE_DELIVER_EXPORTER_H

#include "base/books.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One index entry of a log: a payload in the exporter's own wire form. Views, valid until the
// verdict (the struct itself only during the call).
struct parcel {
    uint64_t position;    // names it in its log; comes back with the verdict
    struct slice payload; // ECS document with its final '\n', or an OTLP fragment
    uint32_t records;     // how many records it holds, at least 1
    uint8_t id[16];       // event.id of the first; the nth is the last 8 bytes (big-endian) + n
    uint64_t time_ns;     // of the first record, since 1970
    uint8_t severity;     // OTel number, the highest of the records; 0 unknown
    uint8_t signal;       // enum signal_kind
    struct slice topic;   // Kafka; empty: the exporter's own
    struct slice key;     // Kafka; empty: none
    struct slice headers; // Kafka; encoded as deliver/kafka.c documents; empty: none
};

enum verdict_kind {
    VERDICT_DELIVERED, // the sink confirmed it; `refused` of its records were turned down by it for
                       // good
    VERDICT_DEAD,      // the sink refused it for good
    VERDICT_RETURNED,  // not sent, or its fate unknown, and given back (a producer was recreated):
                       // offer it again
};

struct verdict {
    uint64_t position;
    enum verdict_kind kind;
    uint32_t refused;   // VERDICT_DELIVERED: records that a partial success counted out
    const char *reason; // VERDICT_DEAD: ASCII of at most 255 bytes, valid during the call
};

// Where verdicts go. n may be 0: "there is room again". The callee may offer again from inside.
struct verdict_sink {
    void (*verdict)(void *ctx, const struct verdict *verdicts, size_t n);
    void *ctx;
};

#define EXPORTER_FULL 1 // offer(): the window is full; a verdict (or n == 0) will say when to go on

struct exporter;

struct exporter_ops {
    const char *type;
    // Sets where verdicts go and connects lazily. Called once, before the first offer.
    int (*start)(struct exporter *exporter, struct verdict_sink sink);
    // 0 taken, EXPORTER_FULL not taken; never a failure: what cannot be sent is answered by a
    // verdict.
    int (*offer)(struct exporter *exporter, const struct parcel *parcel);
    // The spool has no more for now. With draining set nothing further will come: close batches
    // without lingering.
    void (*flush)(struct exporter *exporter, bool draining);
    // Gives every held parcel back (VERDICT_RETURNED or its final verdict) within the call, then
    // frees.
    void (*free)(struct exporter *exporter);
};

// First member of every exporter.
struct exporter {
    const struct exporter_ops *ops;
    const char *name; // as in settings; lives as long as the exporter
    struct exporter_book
        *book; // requests, retries, failures are the exporter's columns; the rest the spool's
};

#endif
