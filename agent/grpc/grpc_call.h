// One unary call on the server's side, from its first HEADERS frame to its last byte out.
//
// Shared by grpc_server.c, which receives it, and grpc_reply.c, which answers it. Loop thread only.
#ifndef SLUICE_GRPC_GRPC_CALL_H
#define SLUICE_GRPC_GRPC_CALL_H

#include "grpc/grpc_server.h"
#include "grpc/h2.h"
#include "grpc/message.h"

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
    size_t held;     // bytes of unfinished messages
    size_t limit;    // that they may reach
    size_t owed;     // connection window bytes not given back yet
    uint32_t window; // of the connection and of each stream
    unsigned orphans;
    bool failed;
    bool ending; // a shutdown was asked for
    struct h2_output output;
};

// Answers with HEADERS, message and trailers, or Trailers-Only where the code is not GRPC_OK.
// Marks the call answered; a failure marks the server failed.
void grpc_reply_submit(struct grpc_call *call, const struct grpc_status *status,
                       struct slice response);
// Answers what is no gRPC request at all.
void grpc_reply_http(struct grpc_call *call, const char *http_status);

#endif
