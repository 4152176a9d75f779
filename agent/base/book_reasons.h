// What the books are kept by: signals, dialects, and the reasons for everything that did not go on.
//
// Names are settled: they are label values of the metrics. Any thread.
#ifndef SLUICE_BASE_BOOK_REASONS_H
#define SLUICE_BASE_BOOK_REASONS_H

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
    DROP_LEVEL,   // room was kept for more severe records: the log was above its watermark
    DROP_DAMAGED, // the device lost the page that held them
    DROP_REASON_COUNT
};

// Why a batch was closed: a request to a collector, a message of mode `lines`. (librdkafka closes
// its own batches and does not say why.)
enum batch_close {
    BATCH_RECORDS, // as many records as a request may have
    BATCH_BYTES,   // as many bytes
    BATCH_DELAY,   // max_delay passed
    BATCH_DRAIN,   // the agent ends
    BATCH_CHANGE,  // the next record goes elsewhere: another topic, key, headers or segment
    BATCH_CLOSE_COUNT
};

// Why a log cannot have a further segment, though its size would allow it.
enum spool_trouble {
    TROUBLE_NO_SPACE,  // the device is full, or a quota is
    TROUBLE_LOW_SPACE, // less than spool.min_free would be left on the device
    TROUBLE_NO_MEMORY, // the kernel gives no memory
    TROUBLE_IO,        // the device fails, or the folder is not writable any more
    TROUBLE_PAGE_LOST, // it can, but a segment lost pages and is not through yet
    TROUBLE_COUNT
};

// Why the agent closed a connection of its own accord.
enum close_reason {
    CLOSE_TOO_MANY,    // max_connections
    CLOSE_NOT_ALLOWED, // socket.allowed_uids, socket.allowed_gids
    CLOSE_SILENT,      // no first byte in time, while connections are scarce
    CLOSE_STALLED,     // held memory that others need, and sent nothing more
    CLOSE_UNREAD,      // never read our answers
    CLOSE_BROKEN,      // broke its dialect
    CLOSE_TLS,         // foreign bytes, by kind
    CLOSE_PICKLE,
    CLOSE_HTTP1,
    CLOSE_BINARY,
    CLOSE_REASON_COUNT
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

const char *signal_name(enum signal_kind signal);          // logs, spans, metrics
const char *reject_reason_name(enum reject_reason reason); // too_large …
const char *drop_reason_name(enum drop_reason reason);
const char *dialect_name(enum dialect_kind dialect);
const char *batch_close_name(enum batch_close why);   // records, bytes, delay …
const char *close_reason_name(enum close_reason why); // too_many, silent …

const char *spool_trouble_name(enum spool_trouble trouble); // no_space …

#endif
