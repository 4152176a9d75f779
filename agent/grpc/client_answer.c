// Reads a gRPC response, and says what it means.
#include "grpc/client_call.h"
#include "grpc/gzip.h"
#include "grpc/status_text.h"

#include <stdlib.h>

void client_response_deinit(struct client_response *response)
{
    free(response->text);
    grpc_message_deinit(&response->message);
    *response = (struct client_response){0};
}

static unsigned http_status_parse(struct slice text)
{
    unsigned status = 0;
    for (size_t i = 0; i < text.size && i < 3; i++)
        status = status * 10 + (unsigned)(unsigned char)(text.data[i] - '0');
    return status;
}

static void text_take(struct client_response *response, struct slice encoded)
{
    free(response->text);
    response->text = malloc(STATUS_MESSAGE_MAX);
    response->text_size =
        response->text ? status_message_decode(encoded, response->text, STATUS_MESSAGE_MAX) : 0;
}

void client_response_header(struct client_response *response, struct slice name, struct slice value)
{
    if (slice_equal(name, SLICE(":status"))) {
        response->http_status = http_status_parse(value);
    } else if (slice_equal(name, SLICE("grpc-status"))) {
        response->status_seen = true;
        response->code = status_code_parse(value);
    } else if (slice_equal(name, SLICE("grpc-message"))) {
        text_take(response, value);
    } else if (slice_equal(name, SLICE("grpc-status-details-bin"))) {
        response->retry = status_details_retry(value, &response->retry_delay_ns);
    } else if (slice_equal(name, SLICE("grpc-encoding"))) {
        response->gzip = slice_equal(value, SLICE("gzip"));
    }
}

void client_response_data(struct client_response *response, const uint8_t *data, size_t size,
                          size_t max)
{
    // An error page's body is no message.
    if (response->unreadable || response->http_status != 200)
        return;
    if (grpc_message_feed(&response->message, data, size, max) != 0) {
        response->unreadable = true;
        grpc_message_deinit(&response->message);
    }
}

// Source: PROTOCOL-HTTP2.md, "HTTP2 Transport Mapping", Errors.
static enum grpc_code code_from_reset(uint32_t error_code)
{
    switch (error_code) {
    case NGHTTP2_CANCEL:
        return GRPC_CANCELLED;
    case NGHTTP2_REFUSED_STREAM:
        return GRPC_UNAVAILABLE;
    case NGHTTP2_ENHANCE_YOUR_CALM:
        return GRPC_RESOURCE_EXHAUSTED;
    case NGHTTP2_INADEQUATE_SECURITY:
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}

static struct slice message_take(const struct client_response *response, size_t max,
                                 uint8_t **inflated)
{
    const struct grpc_message *message = &response->message;
    if (response->unreadable || !grpc_message_whole(message))
        return (struct slice){0};
    struct slice bytes = slice_of(message->data, message->size);
    if (message->prefix[0] == 0)
        return bytes;
    size_t size;
    if (!response->gzip || gzip_inflate(bytes, max, inflated, &size) != 0)
        return (struct slice){0};
    return slice_of(*inflated, size);
}

void client_response_answer(const struct client_response *response, uint32_t error_code, size_t max,
                            struct grpc_answer *answer, uint8_t **inflated)
{
    *answer = (struct grpc_answer){
        .message = slice_of(response->text, response->text_size),
        .retry = response->retry,
        .retry_delay_ns = response->retry_delay_ns,
    };
    if (response->status_seen && (response->code != GRPC_OK || response->http_status == 200)) {
        // A reset after the trailers only ends a request that was answered early.
        answer->code = response->code;
        if (answer->code == GRPC_OK)
            answer->response = message_take(response, max, inflated);
    } else if (error_code != NGHTTP2_NO_ERROR) {
        answer->code = code_from_reset(error_code);
        answer->reset = true;
        answer->message = slice_from(nghttp2_http2_strerror(error_code));
    } else {
        answer->code = status_from_http(response->http_status);
        answer->http_status = response->http_status;
        answer->message = SLICE("an answer without grpc-status");
    }
}
