// One Export request: its parcels, and where it stands. Each batch is in one list, its state.
//
// Loop thread only.
#ifndef SLUICE_DELIVER_OTLP_BATCH_H
#define SLUICE_DELIVER_OTLP_BATCH_H

#include "base/loop.h"
#include "deliver/exporter.h"
#include "grpc/grpc_client.h"

#include <sys/queue.h>

struct otlp_connection;
struct otlp_exporter;

struct otlp_held {
    uint64_t position;
    uint32_t records;
};

struct otlp_batch {
    TAILQ_ENTRY(otlp_batch) link;
    struct otlp_exporter *exporter;
    uint8_t signal;
    struct otlp_held *held; // the parcels …
    struct slice *parts;    // … and their payloads, in the spool's memory
    size_t count, capacity;
    size_t bytes;
    uint64_t records;
    // Filling: the linger. In flight: the deadline. Waiting: the back-off. Else not armed.
    struct loop_timer timer;
    struct grpc_client_call *call;      // in flight
    struct otlp_connection *connection; // in flight
    uint64_t received_before;           // what the connection had read when the request left
    unsigned attempts;
    unsigned failures;    // in a row, that a back-off counts
    unsigned unprocessed; // times in a row it came back untouched
    unsigned resets;      // streams of it that were reset without a status
};

TAILQ_HEAD(otlp_batch_list, otlp_batch);

struct otlp_batch *otlp_batch_new(struct otlp_exporter *exporter); // NULL: no memory
void otlp_batch_free(struct otlp_batch *batch);
// Empties it, keeping its memory.
void otlp_batch_reset(struct otlp_batch *batch);
// 0 or -ENOMEM.
int otlp_batch_add(struct otlp_batch *batch, const struct parcel *parcel);
// Moves the second half of the parcels, of which there are at least two, to other, which is empty.
// 0 or -ENOMEM: nothing has moved.
int otlp_batch_halve(struct otlp_batch *batch, struct otlp_batch *other);
// Tells the sink the fate of all its parcels; refused is spread over them from the first on.
void otlp_batch_verdict(const struct otlp_batch *batch, const struct verdict_sink *sink,
                        enum verdict_kind kind, uint64_t refused, const char *reason);
// The Export method for the batch's signal.
const char *otlp_batch_path(const struct otlp_batch *batch);

#endif
