// One unary call on the client's side, and what its response has said so far.
//
// Shared by grpc_client.c, which owns the session, and client_answer.c, which reads the response.
// Loop thread only.
#ifndef SLUICE_GRPC_CLIENT_CALL_H
#define SLUICE_GRPC_CLIENT_CALL_H

#include "grpc/grpc_client.h"
#include "grpc/h2.h"
#include "grpc/message.h"

struct client_response {
    unsigned http_status;
    bool status_seen; // a grpc-status has come
    enum grpc_code code;
    char *text; // decoded grpc-message; owned
    size_t text_size;
    bool retry;
    uint64_t retry_delay_ns;
    bool gzip;       // grpc-encoding of the response
    bool unreadable; // the message broke the rules or the bound: only the status counts
    struct grpc_message message;
};

struct grpc_client_call {
    struct grpc_client *client;
    struct grpc_client_call *older, *newer;
    int32_t stream_id;
    void *ctx;
    bool given_out; // its HEADERS have left by grpc_client_output: the peer may have seen it
    bool cancelled; // waits for its stream's end only
    bool body_done;
    // the body: prefix, then the parts
    uint8_t prefix[GRPC_PREFIX_SIZE];
    size_t prefix_sent;
    const struct slice *parts;
    size_t part_count, part;
    size_t part_offset;
    struct slice packed_part; // the one part where the body is compressed
    uint8_t *packed;          // owned
    struct client_response response;
};

void client_response_deinit(struct client_response *response);
void client_response_header(struct client_response *response, struct slice name,
                            struct slice value);
void client_response_data(struct client_response *response, const uint8_t *data, size_t size,
                          size_t max);
// The answer of a stream that ended with that HTTP/2 error code. *inflated is the caller's to free.
void client_response_answer(const struct client_response *response, uint32_t error_code, size_t max,
                            struct grpc_answer *answer, uint8_t **inflated);

#endif
