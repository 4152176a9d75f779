// One unary call on the server's side, from its first HEADERS frame to its last byte out.
//
// Shared by grpc_server.c (the session), grpc_request.c (its message) and grpc_reply.c (the
// answer). Loop thread only.
#ifndef SLUICE_GRPC_GRPC_CALL_H
#define SLUICE_GRPC_GRPC_CALL_H

#include "grpc/grpc_server.h"
#include "grpc/h2.h"
#include "grpc/message.h"
#include "grpc/message_pool.h"

#define GRPC_PATH_MAX 256 // the longest OTLP path has 62 bytes

enum grpc_encoding { GRPC_ENCODING_IDENTITY, GRPC_ENCODING_GZIP, GRPC_ENCODING_OTHER };

struct grpc_call {
    struct grpc_server *server;
    struct grpc_call *older, *newer;
    int32_t stream_id; // 0: an orphan, its stream has gone while the service still thinks
    // the request
    char path[GRPC_PATH_MAX];
    size_t header_bytes; // as SETTINGS_MAX_HEADER_LIST_SIZE counts them
    enum grpc_encoding encoding;
    bool post;
    bool grpc;      // content-type is application/grpc…
    bool bad_path;  // too long, or no path at all
    bool ended;     // END_STREAM has come
    bool delivered; // the service has it
    bool answered;  // a reply is submitted; what still comes is thrown away
    struct grpc_message message;
    struct pool_share share; // all that the call holds
    struct gzip_inflater *inflater;
    size_t taken;   // bytes at the message's front that were inflated
    bool inflating; // in the server's queue
    struct grpc_call *next_inflating;
    struct grpc_body *lent; // during grpc_service.call
    // the reply's DATA
    uint8_t response_prefix[GRPC_PREFIX_SIZE];
    uint8_t *response; // owned
    size_t response_size;
    size_t response_sent; // of prefix and response together
};

struct grpc_server {
    nghttp2_session *session;
    struct grpc_service service;
    struct grpc_call *oldest, *newest;
    size_t held;                                  // bytes of unfinished messages
    size_t limit;                                 // that they may reach
    size_t owed;                                  // connection window bytes not given back yet
    uint32_t window;                              // of the connection and of each stream
    struct grpc_call *inflating, **inflating_end; // whole compressed messages, in order
    unsigned orphans;
    unsigned idle; // resets and empty frames since the last message
    bool calmed;   // the peer was told to calm down: nothing of it is read any more
    bool failed;
    bool broken; // a GOAWAY with an error was sent
    bool ending; // a shutdown was asked for
    bool ended;  // the last words are said
    struct h2_output output;
};

// grpc_request.c
void grpc_request_data(struct grpc_call *call, const uint8_t *data, size_t size);
void grpc_request_end(struct grpc_call *call);
// One step of inflating those that wait for it.
void grpc_request_inflate(struct grpc_server *server);
// Frees what the call holds of its request.
void grpc_request_drop(struct grpc_call *call);
// Answers a call that was not delivered and frees what it holds. retry: it may succeed later.
void grpc_request_refuse(struct grpc_call *call, enum grpc_code code, const char *why, bool retry);

// Answers with HEADERS, message and trailers, or Trailers-Only where the code is not GRPC_OK.
// Marks the call answered; a failure marks the server failed.
void grpc_reply_submit(struct grpc_call *call, const struct grpc_status *status,
                       struct slice response);
// Answers what is no gRPC request at all.
void grpc_reply_http(struct grpc_call *call, const char *http_status);

#endif
