// The replies of a gRPC server: messages with trailers, Trailers-Only errors, plain HTTP refusals.
#include "base/error.h"
#include "grpc/grpc_call.h"
#include "grpc/status_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OK_TRAILER h2_field("grpc-status", SLICE("0"))

static void submitted(struct grpc_call *call, int result)
{
    call->answered = true;
    if (result != 0)
        call->server->failed = true;
}

// As much of prefix and response as this frame takes; the trailers follow the last of it.
static ssize_t response_read(nghttp2_session *session, int32_t stream_id, uint8_t *out,
                             size_t capacity, uint32_t *flags, nghttp2_data_source *source,
                             void *ctx)
{
    (void)ctx;
    struct grpc_call *call = source->ptr;
    size_t n = 0;
    while (n < capacity && call->response_sent < GRPC_PREFIX_SIZE)
        out[n++] = call->response_prefix[call->response_sent++];
    size_t offset = call->response_sent - GRPC_PREFIX_SIZE;
    size_t left = call->response_size - offset;
    size_t take = left < capacity - n ? left : capacity - n;
    if (take > 0)
        memcpy(out + n, call->response + offset, take);
    call->response_sent += take;
    if (take == left) {
        nghttp2_nv trailer = OK_TRAILER;
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (nghttp2_submit_trailer(session, stream_id, &trailer, 1) != 0)
            return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return (ssize_t)(n + take);
}

static int reply_message(struct grpc_call *call, struct slice response)
{
    if (response.size > 0) {
        call->response = malloc(response.size);
        if (!call->response)
            return -ENOMEM;
        memcpy(call->response, response.data, response.size);
    }
    call->response_size = response.size;
    grpc_prefix_write(call->response_prefix, false, response.size);
    nghttp2_nv fields[] = {
        h2_field(":status", SLICE("200")),
        h2_field("content-type", SLICE("application/grpc")),
    };
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = response_read};
    return nghttp2_submit_response(call->server->session, call->stream_id, fields,
                                   sizeof fields / sizeof *fields, &provider);
}

static int reply_error(struct grpc_call *call, const struct grpc_status *status)
{
    char message[STATUS_ENCODED_MAX], details[STATUS_DETAILS_MAX], code[12];
    nghttp2_nv fields[6];
    size_t n = 0;
    int code_size = snprintf(code, sizeof code, "%u", (unsigned)status->code);
    fields[n++] = h2_field(":status", SLICE("200"));
    fields[n++] = h2_field("content-type", SLICE("application/grpc"));
    fields[n++] = h2_field("grpc-status", slice_of(code, (size_t)code_size));
    if (status->message) {
        size_t size = status_message_encode(slice_from(status->message), message);
        fields[n++] = h2_field("grpc-message", slice_of(message, size));
    }
    if (status->retry_delay_ns > 0) {
        size_t size = status_details_encode(status, details);
        fields[n++] = h2_field("grpc-status-details-bin", slice_of(details, size));
    }
    // Tells a client that compressed by something else what it may use instead.
    if (status->code == GRPC_UNIMPLEMENTED && call->encoding == GRPC_ENCODING_OTHER)
        fields[n++] = h2_field("grpc-accept-encoding", SLICE("identity,gzip"));
    return nghttp2_submit_response(call->server->session, call->stream_id, fields, n, NULL);
}

void grpc_reply_submit(struct grpc_call *call, const struct grpc_status *status,
                       struct slice response)
{
    submitted(call,
              status->code == GRPC_OK ? reply_message(call, response) : reply_error(call, status));
}

void grpc_reply_http(struct grpc_call *call, const char *http_status)
{
    nghttp2_nv fields[2] = {h2_field(":status", slice_from(http_status))};
    size_t n = 1;
    if (strcmp(http_status, "405") == 0)
        fields[n++] = h2_field("allow", SLICE("POST"));
    submitted(call,
              nghttp2_submit_response(call->server->session, call->stream_id, fields, n, NULL));
}
