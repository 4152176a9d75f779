// The OTLP exporter's inside: the window of batches (otlp.c) and the sending of them (otlp_send.c).
//
// Loop thread only.
#ifndef SLUICE_DELIVER_OTLP_EXPORTER_H
#define SLUICE_DELIVER_OTLP_EXPORTER_H

#include "deliver/otlp.h"
#include "deliver/otlp_backoff.h"
#include "deliver/otlp_batch.h"
#include "deliver/otlp_endpoint.h"

#define OTLP_CONNECTIONS_MAX 8 // one to send on, the others until their last answer

struct otlp_exporter {
    struct exporter base;
    struct otlp_exporter_config config; // with defaults filled in; its headers are ours
    struct otlp_endpoint endpoint;
    struct grpc_client_config client;
    struct verdict_sink sink;
    struct otlp_jitter jitter;

    // the window
    struct otlp_batch *filling[SIGNAL_COUNT]; // in no list
    struct otlp_batch_list ready, flying, waiting, spare;
    unsigned in_flight;
    size_t held_bytes; // payloads of all batches but the spare
    bool draining;
    bool freeing;
    struct loop_timer room_timer; // tries again after an allocation has failed

    // the connections
    struct otlp_connection *current;
    struct otlp_connection *retiring[OTLP_CONNECTIONS_MAX];
    bool answered;          // the current connection has brought an answer
    unsigned failures;      // connections in a row that brought none
    uint64_t not_before_ns; // monotonic; the next connect
    struct loop_timer reconnect;
    struct loop_deferred pump;
    struct otlp_complaint complaint_connect, complaint_dead, complaint_retry, complaint_partial;
};

// otlp.c
// Makes the batches that wait for more parcels ready.
void otlp_batches_close(struct otlp_exporter *exporter);
// Gives the verdict on a batch that is in no list, and recycles it.
void otlp_batch_settle(struct otlp_batch *batch, enum verdict_kind kind, uint64_t refused,
                       const char *reason);

// otlp_send.c
void otlp_send_init(struct otlp_exporter *exporter);
// Sends what is ready as far as concurrency goes, at the end of the loop's turn.
void otlp_send_soon(struct otlp_exporter *exporter);
// Forgets all connections and calls; batches in flight become ready.
void otlp_send_stop(struct otlp_exporter *exporter);

#endif
