// The client side of gRPC over HTTP/2 (h2c) for one connection: bytes in, bytes out, no I/O of its
// own.
//
// Source: RFC 9113; gRPC over HTTP/2 (PROTOCOL-HTTP2.md), http-grpc-status-mapping.md,
// statuscodes.md. Loop thread only. On nghttp2.
#ifndef SLUICE_GRPC_GRPC_CLIENT_H
#define SLUICE_GRPC_GRPC_CLIENT_H

#include "base/slice.h"
#include "grpc/grpc_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grpc_client;
struct grpc_client_call;

struct grpc_header {
    const char *name; // lower-case
    const char *value;
};

// How a call ended. Views, valid during the callback only.
struct grpc_answer {
    enum grpc_code code;     // HTTP 200 alone never means GRPC_OK: a grpc-status of 0 has come
    bool reset;              // no grpc-status: the stream was reset, as a proxy does
    unsigned http_status;    // no grpc-status, no reset: what stood there instead; else 0
    struct slice message;    // decoded grpc-message, at most 1 KiB; not NUL-terminated
    bool retry;              // the peer sent RetryInfo
    uint64_t retry_delay_ns; // it says so; may be 0
    struct slice response;   // the message, inflated; empty unless GRPC_OK, and where it is missing
                             // or unreadable (the status is the peer's word, not the message)
};

// None of these may free the client; grpc_client_call and _cancel are allowed. call_ctx is the
// caller's own, and its grpc_client_call pointer is already invalid.
struct grpc_client_events {
    void (*answered)(void *call_ctx, const struct grpc_answer *answer);
    // The peer has certainly not processed the call (GOAWAY, REFUSED_STREAM, or never sent): it may
    // go again at once, on another connection.
    void (*unprocessed)(void *call_ctx);
    // No further call can be made here; those in flight may still be answered. May be NULL.
    void (*going_away)(void *ctx);
    void *ctx;
};

// All text is copied.
struct grpc_client_config {
    const char *scheme;    // NULL: http
    const char *authority; // host:port; "localhost" for a Unix socket
    const char *user_agent;
    const struct grpc_header *headers; // sent with every call; see grpc_header_valid
    size_t header_count;
    uint32_t window;     // bytes, of the connection and of each stream; 0: 256 KiB
    size_t max_response; // bytes of an inflated response; larger ones are not kept. 0: 256 KiB
    struct grpc_client_events events;
};

// Whether a caller may send that field: a lower-case token that is neither reserved for gRPC or
// HTTP/2 nor a connection header, and a value without control characters.
bool grpc_header_valid(const char *name, const char *value);

// Preface and SETTINGS are pending at once. 0, -EINVAL (an invalid header) or -ENOMEM.
int grpc_client_new(struct grpc_client **out, const struct grpc_client_config *config);
// Calls left are forgotten, without a callback.
void grpc_client_free(struct grpc_client *client);

struct grpc_request {
    const char *path; // /package.Service/Method; copied
    // The message is what the parts give when put together. Unless gzip is set they are not copied
    // but read as the peer's window opens: they must stay where they are until the call has ended.
    const struct slice *parts;
    size_t part_count;
    bool gzip;           // compress into memory of the call's own, if that makes it smaller
    uint64_t timeout_ns; // told to the peer (grpc-timeout); 0: none. The caller keeps the deadline.
};

#define GRPC_CLIENT_CLOSED 1 // a GOAWAY came or the connection broke: nothing was taken

// Starts a call: exactly one of answered and unprocessed follows, unless it is cancelled.
// 0, GRPC_CLIENT_CLOSED, or -ENOMEM. Output is then pending.
int grpc_client_call(struct grpc_client *client, struct grpc_client_call **out,
                     const struct grpc_request *request, void *call_ctx);
// Resets the call's stream and forgets it: no callback follows, and the parts are free.
void grpc_client_cancel(struct grpc_client_call *call);

// Feeds what was read. 0, or -EPROTO: write what is pending, call grpc_client_lost, and close.
int grpc_client_feed(struct grpc_client *client, const uint8_t *data, size_t size);
// The next bytes to write (0: none); valid until the next grpc_client_output or _free, so that a
// short write can go on later. Call until it gives 0.
size_t grpc_client_output(struct grpc_client *client, const uint8_t **data);
// Whether the peer's SETTINGS have come. Calls made before are sent without knowing how many
// streams it takes at once; a strict peer then ends the connection.
bool grpc_client_ready(const struct grpc_client *client);
// Takes no further call; finished once those in flight have ended.
void grpc_client_retire(struct grpc_client *client);
// Nothing further will come or go: close the connection.
bool grpc_client_finished(const struct grpc_client *client);
// The connection is gone: every call left ends now, unprocessed where no byte of it was ever given
// out, else with GRPC_UNAVAILABLE.
void grpc_client_lost(struct grpc_client *client);

#endif
