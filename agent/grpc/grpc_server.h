// The server side of gRPC over HTTP/2 (h2c) for one connection: bytes in, bytes out, no I/O of its
// own.
//
// Source: RFC 9113, gRPC over HTTP/2 (PROTOCOL-HTTP2.md). Loop thread only. On nghttp2.
#ifndef SLUICE_GRPC_GRPC_SERVER_H
#define SLUICE_GRPC_GRPC_SERVER_H

#include "base/slice.h"
#include "grpc/grpc_status.h"
#include "grpc/message_pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grpc_server;
struct grpc_call;

struct grpc_service {
    // A whole request message, inflated. The callee answers by grpc_call_reply, now or later;
    // message is valid only during the call, unless it is taken over (grpc_call_take).
    void (*call)(void *ctx, struct grpc_call *call, const char *path, struct slice message);
    void *ctx;
    size_t max_message;    // bytes, inflated; larger is RESOURCE_EXHAUSTED
    size_t max_connection; // bytes of request bodies one connection may hold; 0: 2 × max_message
    uint32_t max_streams;  // concurrent; 0: 100
    bool in_turns; // large messages are inflated by grpc_server_step; else all at once in feed
    struct message_pool *pool; // what the messages of all connections may hold; NULL: no such limit
    // Output is pending though nobody fed, stepped or replied: a call was evicted. May be NULL.
    void (*wake)(void *wake_ctx);
    void *wake_ctx;
};

// Sends SETTINGS at once (some clients wait for them). The peer's preface must be fed with the
// first bytes.
int grpc_server_new(struct grpc_server **out, const struct grpc_service *service);
// Calls that were not answered are forgotten: their grpc_call pointers become invalid.
void grpc_server_free(struct grpc_server *server);

// Feeds what was read. 0, or -EPROTO: write what grpc_server_output gives, then close.
int grpc_server_feed(struct grpc_server *server, const uint8_t *data, size_t size);
// Whether compressed messages wait to be inflated (service.in_turns): feed nothing more, let others
// have their turn, and call grpc_server_step until it is not. A step makes 256 KiB at most.
bool grpc_server_busy(const struct grpc_server *server);
void grpc_server_step(struct grpc_server *server);
// The next bytes to write (0: none); valid until the next grpc_server_output or _free, so that a
// short write can go on later. Call until it gives 0. Not from inside grpc_service.call.
size_t grpc_server_output(struct grpc_server *server, const uint8_t **data);
// Nothing further will come or go: close the connection.
bool grpc_server_finished(const struct grpc_server *server);
// Announces the end (GOAWAY); calls in flight are still answered.
void grpc_server_shutdown(struct grpc_server *server);
// The last words: calls whose message is not whole are refused as UNAVAILABLE, and GOAWAY says
// which were seen at all. Write the output, then close.
void grpc_server_end(struct grpc_server *server);
// Whether the session failed, or was ended for what the peer did.
bool grpc_server_broken(const struct grpc_server *server);

// A request message that its service has taken over, and what is charged for it.
struct grpc_body {
    uint8_t *data;
    size_t size;
    struct pool_share share;
};
// Only from inside grpc_service.call: the message's bytes stay where they are until grpc_body_free.
void grpc_call_take(struct grpc_call *call, struct grpc_body *out);
void grpc_body_free(struct grpc_body *body);

// Answers a call, once. response may be empty (an empty message still goes out with GRPC_OK). After
// this the call pointer is invalid. Output is then pending: the owner of the connection must pull
// it.
void grpc_call_reply(struct grpc_call *call, const struct grpc_status *status,
                     struct slice response);

#endif
