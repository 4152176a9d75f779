// What a collector's answer means for the request: delivered, again later, smaller, or never.
//
// Source: OTLP specification, OTLP/gRPC Response: Failures (retryable codes), Partial Success,
// Throttling; docs/OTLP.md where this goes beyond it. Pure; any thread.
#ifndef SLUICE_DELIVER_OTLP_ANSWER_H
#define SLUICE_DELIVER_OTLP_ANSWER_H

#include "grpc/grpc_client.h"

enum otlp_fate {
    OTLP_DELIVERED,
    OTLP_RETRY,
    OTLP_RETRY_SOME, // a few times: it may be a broken hop, or this very request
    OTLP_TOO_LARGE,  // the message, not the records: smaller ones may pass
    OTLP_DEAD,
};

enum otlp_fate otlp_answer_fate(const struct grpc_answer *answer);

struct otlp_partial {
    uint64_t rejected;    // records
    struct slice message; // in the response
};

// Reads an ExportTrace…, ExportLogs… or ExportMetricsServiceResponse (their field numbers agree).
// False: no partial success in it, or the bytes are no such message.
bool otlp_partial_read(struct slice response, struct otlp_partial *out);

#define OTLP_REASON_SIZE 256

// The reason of a dead letter with that answer: the code, and the collector's words in what of them
// is printable ASCII. Returns out.
const char *otlp_dead_reason(const struct grpc_answer *answer, char out[OTLP_REASON_SIZE]);

#endif
