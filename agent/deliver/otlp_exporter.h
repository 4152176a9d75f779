// The OTLP exporter's inside: the window of batches (otlp.c), the sending of them (otlp_send.c),
// and the connections that they go over (otlp_dial.c).
//
// Loop thread only.
#ifndef SLUICE_DELIVER_OTLP_EXPORTER_H
#define SLUICE_DELIVER_OTLP_EXPORTER_H

#include "deliver/otlp.h"
#include "deliver/otlp_backoff.h"
#include "deliver/otlp_batch.h"
#include "deliver/otlp_endpoint.h"

#define OTLP_CONNECTIONS_MAX 8 // one to send on, the others until their last answer

struct file_watch;
struct otlp_tls_context;

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
    size_t held_bytes; // payloads of all batches but the spare
    unsigned in_flight;
    bool draining;
    bool freeing;

    // the connections
    bool answered;                   // the current one has brought an answer
    unsigned failures;               // in a row that brought none
    uint64_t not_before_ns;          // monotonic; the next connect
    struct otlp_tls_context *tls;    // https; else NULL
    struct file_watch *certificates; // of tls
    struct otlp_connection *current;
    struct otlp_connection *retiring[OTLP_CONNECTIONS_MAX];
    struct loop_timer reconnect;
    struct loop_timer room_timer; // the window's: tries again after an allocation has failed
    struct loop_deferred pump;
    struct otlp_complaint complaint_connect, complaint_dead, complaint_retry, complaint_partial,
        complaint_size;
};

// otlp.c
// Makes the batches that wait for more parcels ready.
void otlp_batches_close(struct otlp_exporter *exporter, enum batch_close why);
// Gives the verdict on a batch that is in no list, and recycles it.
void otlp_batch_settle(struct otlp_batch *batch, enum verdict_kind kind, uint64_t refused,
                       const char *reason);
// An empty batch, in no list. NULL: no memory.
struct otlp_batch *otlp_batch_obtain(struct otlp_exporter *exporter);

// otlp_send.c
void otlp_send_init(struct otlp_exporter *exporter);
// Sends what is ready as far as concurrency goes, at the end of the loop's turn.
void otlp_send_soon(struct otlp_exporter *exporter);
// Forgets all connections and calls; batches in flight become ready.
void otlp_send_stop(struct otlp_exporter *exporter);

// otlp_dial.c
// TLS where the endpoint asks for it. 0, -EINVAL (told in the own log) or -ENOMEM.
int otlp_dial_init(struct otlp_exporter *exporter, const struct otlp_tls *tls);
// Connects, now or when the back-off is over: a connection is wanted and there is none.
void otlp_dial(struct otlp_exporter *exporter);
// The current connection takes no further call.
void otlp_dial_retire(struct otlp_exporter *exporter);
// The current connection has brought an answer: its collector lives.
void otlp_dial_answered(struct otlp_exporter *exporter);
// Forgets all connections.
void otlp_dial_stop(struct otlp_exporter *exporter);
void otlp_dial_deinit(struct otlp_exporter *exporter);
// A line in the own log, if this kind of trouble was not told of a moment ago.
void otlp_complain(struct otlp_exporter *exporter, struct otlp_complaint *complaint,
                   const char *event, const char *what, struct slice said);

#endif
