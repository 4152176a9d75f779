// The client side of gRPC: calls, their streams on one HTTP/2 connection, and their one end each.
#include "grpc/grpc_client.h"

#include "base/clock.h"
#include "base/error.h"
#include "grpc/client_call.h"
#include "grpc/client_fields.h"
#include "grpc/gzip.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW_DEFAULT (256u << 10)
#define RESPONSE_DEFAULT (256u << 10)

struct grpc_client {
    nghttp2_session *session;
    struct grpc_client_events events;
    struct client_fields fields;
    size_t max_response;
    struct grpc_client_call *oldest, *newest;
    bool ready;  // the peer's SETTINGS have come
    bool closed; // takes no further call
    bool retired;
    bool failed;
    struct h2_output output;
};

static void call_free(struct grpc_client_call *call)
{
    client_response_deinit(&call->response);
    free(call->packed);
    free(call);
}

static void call_unlink(struct grpc_client_call *call)
{
    struct grpc_client *client = call->client;
    *(call->older ? &call->older->newer : &client->oldest) = call->newer;
    *(call->newer ? &call->newer->older : &client->newest) = call->older;
}

static void call_answer(struct grpc_client_call *call, const struct grpc_answer *answer)
{
    call->client->events.answered(call->ctx, answer);
}

// The stream has ended: tells the owner, once, and forgets the call.
static void call_complete(struct grpc_client_call *call, uint32_t error_code)
{
    struct grpc_client *client = call->client;
    call_unlink(call);
    if (call->cancelled) {
        call_free(call);
        return;
    }
    if (error_code == NGHTTP2_REFUSED_STREAM && !call->response.status_seen) {
        client->events.unprocessed(call->ctx);
    } else {
        struct grpc_answer answer;
        uint8_t *inflated = NULL;
        client_response_answer(&call->response, error_code, client->max_response, &answer,
                               &inflated);
        call_answer(call, &answer);
        free(inflated);
    }
    call_free(call);
}

static void go_away(struct grpc_client *client)
{
    if (client->closed)
        return;
    client->closed = true;
    if (client->events.going_away)
        client->events.going_away(client->events.ctx);
}

static ssize_t body_read(nghttp2_session *session, int32_t stream_id, uint8_t *out, size_t capacity,
                         uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    (void)session;
    (void)stream_id;
    (void)ctx;
    struct grpc_client_call *call = source->ptr;
    if (call->cancelled) // its parts are gone
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    size_t n = 0;
    while (n < capacity && call->prefix_sent < GRPC_PREFIX_SIZE)
        out[n++] = call->prefix[call->prefix_sent++];
    while (n < capacity && call->part < call->part_count) {
        const struct slice *part = &call->parts[call->part];
        size_t take = part->size - call->part_offset;
        if (take > capacity - n)
            take = capacity - n;
        if (take > 0)
            memcpy(out + n, part->data + call->part_offset, take);
        n += take;
        call->part_offset += take;
        if (call->part_offset == part->size) {
            call->part++;
            call->part_offset = 0;
        }
    }
    if (call->prefix_sent == GRPC_PREFIX_SIZE && call->part == call->part_count) {
        call->body_done = true;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)n;
}

static int header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                  size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                  void *ctx)
{
    (void)flags;
    (void)ctx;
    struct grpc_client_call *call =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (call && frame->hd.type == NGHTTP2_HEADERS)
        client_response_header(&call->response, slice_of(name, name_size),
                               slice_of(value, value_size));
    return 0;
}

static int data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                      const uint8_t *data, size_t size, void *ctx)
{
    (void)flags;
    struct grpc_client *client = ctx;
    struct grpc_client_call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    if (call && !call->cancelled)
        client_response_data(&call->response, data, size, client->max_response);
    return 0;
}

static int frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct grpc_client *client = ctx;
    if (frame->hd.type == NGHTTP2_SETTINGS)
        client->ready = true; // an ACK of ours cannot come first
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        go_away(client);
        return 0;
    }
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    struct grpc_client_call *call =
        nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    // Answered before the body's end: the peer does not want the rest, and may never open its
    // window for it.
    if (call && !call->body_done)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_CANCEL);
    return 0;
}

static int invalid_frame_received(nghttp2_session *session, const nghttp2_frame *frame, int error,
                                  void *ctx)
{
    (void)session;
    (void)error;
    // nghttp2 1.52 calls a GOAWAY invalid whose last stream id it does not expect, as in grpc-go's
    // normal end; either way nothing more can be sent here.
    if (frame->hd.type == NGHTTP2_GOAWAY)
        go_away(ctx);
    return 0;
}

static int before_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    (void)ctx;
    if (frame->hd.type == NGHTTP2_HEADERS) {
        struct grpc_client_call *call =
            nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
        if (call)
            call->given_out = true;
    }
    return 0;
}

static int stream_closed(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                         void *ctx)
{
    (void)ctx;
    struct grpc_client_call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    if (call)
        call_complete(call, error_code);
    return 0;
}

static int session_new(struct grpc_client *client)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int r = -ENOMEM;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        goto out;
    nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, invalid_frame_received);
    nghttp2_session_callbacks_set_before_frame_send_callback(callbacks, before_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
    nghttp2_option_set_no_closed_streams(option, 1);
    // gRPC lets a grpc-message begin or end with a space.
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    if (nghttp2_session_client_new2(&client->session, callbacks, client, option) == 0)
        r = 0;
out:
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return r;
}

int grpc_client_new(struct grpc_client **out, const struct grpc_client_config *config)
{
    struct grpc_client *client = calloc(1, sizeof *client);
    if (!client)
        return -ENOMEM;
    uint32_t window = config->window ? config->window : WINDOW_DEFAULT;
    client->events = config->events;
    client->max_response = config->max_response ? config->max_response : RESPONSE_DEFAULT;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEADER_LIST_MAX},
    };
    int r = client_fields_init(&client->fields, config);
    if (r == 0)
        r = session_new(client);
    if (r == 0)
        r = h2_announce(client->session, settings, sizeof settings / sizeof *settings, window);
    if (r < 0) {
        grpc_client_free(client);
        return r;
    }
    *out = client;
    return 0;
}

void grpc_client_free(struct grpc_client *client)
{
    if (!client)
        return;
    nghttp2_session_del(client->session);
    for (struct grpc_client_call *call = client->oldest, *next; call; call = next) {
        next = call->newer;
        call_free(call);
    }
    client_fields_deinit(&client->fields);
    free(client);
}

// The call's body as parts: the caller's, or one compressed part of our own where that is smaller.
static int body_prepare(struct grpc_client_call *call, const struct grpc_request *request)
{
    size_t size = 0;
    for (size_t i = 0; i < request->part_count; i++)
        size += request->parts[i].size;
    assert(size <= UINT32_MAX);
    call->parts = request->parts;
    call->part_count = request->part_count;
    if (request->gzip && size > 0) {
        size_t packed_size;
        int r = gzip_deflate(request->parts, request->part_count, &call->packed, &packed_size);
        if (r < 0)
            return r;
        if (packed_size < size) {
            call->packed_part = slice_of(call->packed, packed_size);
            call->parts = &call->packed_part;
            call->part_count = 1;
            size = packed_size;
        } else {
            free(call->packed);
            call->packed = NULL;
        }
    }
    grpc_prefix_write(call->prefix, call->packed != NULL, size);
    return 0;
}

int grpc_client_call(struct grpc_client *client, struct grpc_client_call **out,
                     const struct grpc_request *request, void *call_ctx)
{
    if (client->closed || client->failed)
        return GRPC_CLIENT_CLOSED;
    struct grpc_client_call *call = calloc(1, sizeof *call);
    if (!call)
        return -ENOMEM;
    call->client = client;
    call->ctx = call_ctx;
    int r = body_prepare(call, request);
    if (r < 0) {
        call_free(call);
        return r;
    }
    nghttp2_nv fields[CLIENT_FIELDS_MAX];
    char timeout[CLIENT_TIMEOUT_SIZE];
    size_t n = client_fields_write(&client->fields, request->path, request->timeout_ns,
                                   call->packed != NULL, timeout, fields);
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = body_read};
    call->stream_id = nghttp2_submit_request(client->session, NULL, fields, n, &provider, call);
    if (call->stream_id < 0) {
        r = call->stream_id == NGHTTP2_ERR_NOMEM ? -ENOMEM : GRPC_CLIENT_CLOSED;
        call_free(call);
        if (r == GRPC_CLIENT_CLOSED) // out of stream ids
            go_away(client);
        return r;
    }
    call->older = client->newest;
    *(client->newest ? &client->newest->newer : &client->oldest) = call;
    client->newest = call;
    *out = call;
    return 0;
}

void grpc_client_cancel(struct grpc_client_call *call)
{
    assert(!call->cancelled);
    // It stays until nghttp2 has let go of its stream, but touches the caller's memory no more.
    call->cancelled = true;
    call->parts = NULL;
    call->part_count = 0;
    if (nghttp2_submit_rst_stream(call->client->session, NGHTTP2_FLAG_NONE, call->stream_id,
                                  NGHTTP2_CANCEL) != 0)
        call->client->failed = true;
}

int grpc_client_feed(struct grpc_client *client, const uint8_t *data, size_t size)
{
    int r = client->failed ? -EPROTO : h2_feed(client->session, data, size);
    if (r < 0)
        client->failed = true;
    return client->failed ? -EPROTO : 0;
}

size_t grpc_client_output(struct grpc_client *client, const uint8_t **data)
{
    return h2_output_next(&client->output, client->session, data, &client->failed);
}

bool grpc_client_ready(const struct grpc_client *client)
{
    return client->ready;
}

void grpc_client_retire(struct grpc_client *client)
{
    client->closed = true;
    client->retired = true;
}

bool grpc_client_finished(const struct grpc_client *client)
{
    if (client->failed)
        return client->output.carried_size == 0;
    if (client->retired && !client->oldest && !h2_output_pending(&client->output, client->session))
        return true;
    return !h2_output_pending(&client->output, client->session) &&
           !nghttp2_session_want_read(client->session);
}

void grpc_client_lost(struct grpc_client *client)
{
    client->closed = true;
    client->failed = true;
    // A callback may cancel another call, which stays in the list, but can start none.
    for (struct grpc_client_call *call = client->oldest, *next; call; call = next) {
        next = call->newer;
        if (!call->cancelled && !call->given_out) {
            client->events.unprocessed(call->ctx);
        } else if (!call->cancelled) {
            struct grpc_answer answer = {.code = GRPC_UNAVAILABLE,
                                         .message = SLICE("the connection was lost")};
            call_answer(call, &answer);
        }
        call_free(call);
    }
    client->oldest = client->newest = NULL;
}
