// The message of a call: collected, inflated in steps, handed to the service. Charged before it is
// kept.
#include "base/clock.h"
#include "base/error.h"
#include "grpc/grpc_call.h"
#include "grpc/gzip.h"

#include <stdlib.h>

static const char no_room[] = "too many unfinished messages in the agent";
static const char too_large[] = "message larger than this server accepts";

// A second, and up to a quarter more, so that those who were refused together do not come back
// together.
static uint64_t retry_delay(const struct grpc_call *call)
{
    uint32_t mixed = ((uint32_t)call->stream_id + (uint32_t)(uintptr_t)call->server) * 2654435761u;
    return NS_PER_S + (mixed >> 24) % 250 * NS_PER_MS;
}

void grpc_request_refuse(struct grpc_call *call, enum grpc_code code, const char *why, bool retry)
{
    struct grpc_status status = {code, why, retry ? retry_delay(call) : 0};
    grpc_request_drop(call);
    grpc_reply_submit(call, &status, (struct slice){0});
}

static bool take(struct grpc_call *call, size_t bytes)
{
    if (!pool_take(&call->share, bytes))
        return false;
    call->server->held += bytes;
    return true;
}

static void give(struct grpc_call *call, size_t bytes)
{
    call->server->held -= bytes;
    pool_give(&call->share, bytes);
}

// Takes the call out of the queue of those to be inflated.
static void unqueue(struct grpc_call *call)
{
    struct grpc_server *server = call->server;
    struct grpc_call **link = &server->inflating;
    if (!call->inflating)
        return;
    while (*link != call)
        link = &(*link)->next_inflating;
    *link = call->next_inflating;
    if (!*link)
        server->inflating_end = link;
    call->inflating = false;
}

void grpc_request_drop(struct grpc_call *call)
{
    unqueue(call);
    grpc_message_deinit(&call->message);
    gzip_inflater_free(call->inflater);
    call->inflater = NULL;
    give(call, call->share.bytes);
}

static int collect(struct grpc_call *call, const uint8_t *data, size_t size)
{
    struct grpc_message *message = &call->message;
    size_t max = call->server->service.max_message;
    while (message->prefix_size < GRPC_PREFIX_SIZE && size > 0) {
        int r = grpc_message_feed(message, data++, 1, max);
        if (r != 0)
            return r;
        size--;
    }
    if (size == 0)
        return 0;
    if (size > message->declared - message->size)
        return GRPC_MESSAGE_SURPLUS;
    if (!take(call, grpc_message_growth(message, size)))
        return -ENOBUFS;
    pool_came(&call->share, size);
    return grpc_message_feed(message, data, size, max);
}

void grpc_request_data(struct grpc_call *call, const uint8_t *data, size_t size)
{
    int r = collect(call, data, size);
    if (r == GRPC_MESSAGE_TOO_LARGE)
        grpc_request_refuse(call, GRPC_RESOURCE_EXHAUSTED, too_large, false);
    else if (r == GRPC_MESSAGE_SURPLUS)
        grpc_request_refuse(call, GRPC_INTERNAL, "bytes after the one message of a unary call",
                            false);
    else if (r == GRPC_MESSAGE_BAD_FLAG)
        grpc_request_refuse(call, GRPC_INTERNAL, "the compressed flag is neither 0 nor 1", false);
    else if (r < 0)
        grpc_request_refuse(call, GRPC_RESOURCE_EXHAUSTED,
                            r == -ENOBUFS ? no_room : "out of memory", true);
}

// The bytes now belong to the body: neither a reply nor a reset can free them under the service.
static void deliver(struct grpc_call *call, uint8_t *data, size_t size)
{
    struct grpc_server *server = call->server;
    struct grpc_body body = {.data = data, .size = size};
    server->held -= call->share.bytes;
    pool_hand_over(&call->share, &body.share);
    server->idle = 0;
    call->delivered = true;
    call->lent = &body;
    server->service.call(server->service.ctx, call, call->path, slice_of(data, size));
    grpc_body_free(&body);
}

void grpc_call_take(struct grpc_call *call, struct grpc_body *out)
{
    struct grpc_body *lent = call->lent;
    *out = (struct grpc_body){.data = lent->data, .size = lent->size};
    pool_hand_over(&lent->share, &out->share);
    lent->data = NULL;
}

void grpc_body_free(struct grpc_body *body)
{
    free(body->data);
    body->data = NULL;
    pool_give(&body->share, body->share.bytes);
}

// One step of a compressed message. 0 when it is whole, or what gzip.h says, or -ENOBUFS.
static int inflate_step(struct grpc_call *call, size_t most)
{
    struct grpc_message *message = &call->message;
    size_t max = call->server->service.max_message;
    if (!call->inflater) {
        if (!take(call, GZIP_STATE))
            return -ENOBUFS;
        int r = gzip_inflater_new(&call->inflater, max);
        if (r < 0)
            return r;
    }
    if (!take(call, gzip_inflater_growth(call->inflater)))
        return -ENOBUFS;
    struct slice in = slice_of(message->data + call->taken, message->size - call->taken);
    int r = gzip_inflater_step(call->inflater, &in, most);
    call->taken = message->size - in.size;
    // A quarter of it is worth moving the rest, so a message holds little more than its larger
    // form.
    if (r == GZIP_AGAIN && call->taken > message->size / 4 && call->taken > GZIP_STEP / 4) {
        size_t before = message->capacity;
        grpc_message_shrink(message, call->taken);
        give(call, before - message->capacity);
        call->taken = 0;
    }
    // No compressor makes more of the rest than the rest; what does is made to hold memory.
    if (gzip_inflater_made(call->inflater) + in.size > max + max / 512 + 4096)
        return GZIP_TOO_LARGE;
    return r;
}

static void inflated(struct grpc_call *call)
{
    struct gzip_inflater *inflater = call->inflater;
    size_t size = gzip_inflater_made(inflater);
    size_t kept = gzip_inflater_capacity(inflater);
    uint8_t *data = gzip_inflater_take(inflater);
    unqueue(call);
    gzip_inflater_free(inflater);
    call->inflater = NULL;
    grpc_message_deinit(&call->message);
    give(call, call->share.bytes - kept);
    deliver(call, data, size);
}

// What the step says but for 0 and GZIP_AGAIN.
static void inflate_failed(struct grpc_call *call, int why)
{
    if (why == GZIP_TOO_LARGE)
        grpc_request_refuse(call, GRPC_RESOURCE_EXHAUSTED, too_large, false);
    else if (why == GZIP_BROKEN)
        grpc_request_refuse(call, GRPC_INTERNAL, "the message is not what grpc-encoding says",
                            false);
    else
        grpc_request_refuse(call, GRPC_RESOURCE_EXHAUSTED,
                            why == -ENOBUFS ? no_room : "out of memory", true);
}

void grpc_request_inflate(struct grpc_server *server)
{
    // What a step takes counts as well: it may make nothing of it.
    size_t left = GZIP_STEP;
    while (server->inflating && left > 0) {
        struct grpc_call *call = server->inflating;
        size_t made = call->inflater ? gzip_inflater_made(call->inflater) : 0;
        size_t size = call->message.size - call->taken;
        int r = inflate_step(call, left);
        size_t cost = size - (call->message.size - call->taken) + 1024;
        if (call->inflater)
            cost += gzip_inflater_made(call->inflater) - made;
        left -= left > cost ? cost : left;
        if (r == 0)
            inflated(call);
        else if (r != GZIP_AGAIN)
            inflate_failed(call, r);
    }
}

static void queue_compressed(struct grpc_call *call)
{
    struct grpc_server *server = call->server;
    if (call->encoding == GRPC_ENCODING_OTHER) {
        grpc_request_refuse(call, GRPC_UNIMPLEMENTED, "grpc-encoding is not supported", false);
        return;
    }
    if (call->encoding == GRPC_ENCODING_IDENTITY) {
        grpc_request_refuse(call, GRPC_INTERNAL, "a compressed message without grpc-encoding",
                            false);
        return;
    }
    call->inflating = true;
    call->next_inflating = NULL;
    *server->inflating_end = call;
    server->inflating_end = &call->next_inflating;
}

void grpc_request_end(struct grpc_call *call)
{
    struct grpc_message *message = &call->message;
    call->ended = true;
    if (call->answered)
        return;
    if (!grpc_message_whole(message)) {
        grpc_request_refuse(call, GRPC_INTERNAL, "the request ended within its message", false);
        return;
    }
    pool_settle(&call->share);
    if (message->prefix[0] == 1) {
        queue_compressed(call);
        return;
    }
    struct grpc_message whole = *message;
    *message = (struct grpc_message){0};
    deliver(call, whole.data, whole.size);
}
