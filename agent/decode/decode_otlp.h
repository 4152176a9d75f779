// OTLP Export requests in, records to enrich out: in turns, so that a large request does not hold
// the loop.
//
// A request is checked whole before anything of it is appended. Then it is asked whether the logs
// have room; a refusal there is the protocol's. From the first record on it is taken: where a log
// fills up meanwhile, the rest waits for room. Loop thread only. Source: opentelemetry-proto,
// collector services.
#ifndef SLUICE_DECODE_DECODE_OTLP_H
#define SLUICE_DECODE_DECODE_OTLP_H

#include "base/books.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct decoder;
struct otlp_progress;

// What became of a request.
struct otlp_result {
    uint64_t accepted;  // records
    uint64_t rejected;  // records rejected, or shed by full logs (partial success)
    const char *reason; // static text for the client, where rejected > 0 or the request was refused
};

#define DECODE_MALFORMED 1  // not a message of this type: INVALID_ARGUMENT; nothing was appended
#define DECODE_OVERLOADED 2 // a log is full: refused as a whole, RetryInfo; nothing was appended
#define DECODE_AGAIN 3      // this turn's work is done and more is left
#define DECODE_FULL 4       // a log filled up on the way: decoder_wait, then step again

// Begins with a whole ExportTraceServiceRequest, ExportLogsServiceRequest or
// ExportMetricsServiceRequest, which must stay until the end. sent: how many log records its
// connection has brought before, which must stay as well and is moved once the request is taken:
// they are numbered (event.sequence); NULL: they are not. 0 or -ENOMEM; the caller frees *out.
int decode_otlp_begin(struct decoder *decoder, enum signal_kind signal, struct slice message,
                      uint64_t *sent, struct otlp_progress **out);
// One turn's work: about a thousand records or 256 KiB. last: all that is left at once, for an
// agent that ends; what has no room is then shed. Everything is in the books, and *result set,
// after 0, DECODE_MALFORMED and DECODE_OVERLOADED; after DECODE_AGAIN and DECODE_FULL (never where
// last) call it again.
int decode_otlp_step(struct otlp_progress *progress, bool last, struct otlp_result *result);
// NULL is fine. Records that no step has come to are in no book.
void decode_otlp_free(struct otlp_progress *progress);

#endif
