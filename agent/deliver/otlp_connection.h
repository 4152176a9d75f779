// One connection to a collector: resolve, connect, and a gRPC client on top, from start to end.
//
// Loop thread only.
#ifndef SLUICE_DELIVER_OTLP_CONNECTION_H
#define SLUICE_DELIVER_OTLP_CONNECTION_H

#include "grpc/grpc_client.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct otlp_connection;
struct otlp_endpoint;
struct otlp_tls_context;

// Called from the loop, never from inside a function here. ctx is the owner's.
struct otlp_connection_events {
    // Connected, and the peer has sent its SETTINGS: it speaks HTTP/2, and how many calls it takes
    // at once is known.
    void (*opened)(void *ctx, struct otlp_connection *connection);
    // A GOAWAY: no further calls here, those in flight go on.
    void (*going_away)(void *ctx, struct otlp_connection *connection);
    // The end; calls left got theirs just before. why is valid during the call, NULL for a clean
    // end. The connection frees itself when this returns.
    void (*closed)(void *ctx, struct otlp_connection *connection, const char *why);
    void *ctx;
};

struct otlp_connection_config {
    struct loop *loop;
    const struct otlp_endpoint *endpoint;    // these three outlive the connection
    const struct grpc_client_config *client; // its events: answered and unprocessed
    struct otlp_tls_context *tls;            // NULL: plain
    uint64_t connect_timeout_ns;
    struct otlp_connection_events events;
};

// Starts to connect: opened or closed follows. 0, -EINVAL or -ENOMEM.
int otlp_connection_new(struct otlp_connection **out, const struct otlp_connection_config *config);
// No event follows; calls in flight are forgotten. Not from inside an event of the gRPC client.
void otlp_connection_free(struct otlp_connection *connection);

// As grpc_client_call; GRPC_CLIENT_CLOSED also before opened and after the end.
int otlp_connection_call(struct otlp_connection *connection, struct grpc_client_call **out,
                         const struct grpc_request *request, void *call_ctx);
// Writes what calls and cancellations have left pending.
void otlp_connection_flush(struct otlp_connection *connection);
bool otlp_connection_is_open(const struct otlp_connection *connection);
// Bytes read so far: what has not moved since a request left is a sign of a dead peer.
uint64_t otlp_connection_received(const struct otlp_connection *connection);
// Whether it ever was open, which tells a failed connect from a lost connection.
bool otlp_connection_was_open(const struct otlp_connection *connection);
// Takes no further call and ends, cleanly, with the last answer: closed follows, later.
void otlp_connection_retire(struct otlp_connection *connection);
// Ends it: closed follows, later. why: static text, or NULL.
void otlp_connection_close(struct otlp_connection *connection, const char *why);

#endif
