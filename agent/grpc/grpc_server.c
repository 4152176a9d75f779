// The server side of gRPC: collects calls from one HTTP/2 connection and hands them to a service.
//
// Memory: what a peer can make this keep is unfinished messages. What those of all connections hold
// together is the pool's (message_pool.h); what one connection holds is bounded here. Each stream's
// window is given back at once, the connection's only while all unfinished messages together leave
// room for a whole window more; so the connection never holds more than `limit`. A peer that fills
// it with messages of which none gets finished would then wait for ever, so the youngest are
// refused (with RetryInfo) until the rest can go on: the oldest always fits.
#include "grpc/grpc_server.h"

#include "base/clock.h"
#include "base/error.h"
#include "grpc/grpc_call.h"
#include "grpc/gzip.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STREAMS_DEFAULT 100
// Calls whose peer has gone while the service still holds them. A peer that makes more of them than
// this is resetting streams on purpose.
#define MAX_ORPHANS 1000
// Resets and empty frames without a message in between: opening and resetting streams is cheap for
// a peer and not for us (CVE-2023-44487).
#define MAX_IDLE 200
// Frames that wait to be sent. A peer that reads its answers never has so many; one that sends what
// must be answered, and nothing else, has them after a few reads.
#define MAX_QUEUED 1000
#define FEED_PIECE ((size_t)4 << 10) // after which the queue is looked at

static void call_unlink(struct grpc_call *call)
{
    struct grpc_server *server = call->server;
    *(call->older ? &call->older->newer : &server->oldest) = call->newer;
    *(call->newer ? &call->newer->older : &server->newest) = call->older;
}

static void call_free(struct grpc_call *call)
{
    grpc_request_drop(call);
    call_unlink(call);
    free(call->response);
    free(call);
}

// A peer that makes work and sends no messages is told to calm down, and read no further.
static void calm(struct grpc_server *server)
{
    if (server->calmed)
        return;
    server->calmed = true;
    if (nghttp2_session_terminate_session(server->session, NGHTTP2_ENHANCE_YOUR_CALM) != 0)
        server->failed = true;
}

static void idle_frame(struct grpc_server *server)
{
    if (++server->idle > MAX_IDLE)
        calm(server);
}

// Gives the connection's window back, refusing the youngest calls where nothing else would free it.
static void window_balance(struct grpc_server *server)
{
    size_t threshold = server->limit - server->window;
    // nghttp2 announces a grant only when it is half a window, so half a window owed may be all.
    bool stuck = server->held > server->limit || server->owed >= server->window / 2;
    for (struct grpc_call *call = server->newest; call && stuck && server->held > threshold;
         call = call->older)
        if (call->message.capacity > 0 && !call->inflating)
            grpc_request_refuse(call, GRPC_RESOURCE_EXHAUSTED,
                                "too many unfinished messages on this connection", true);
    if (server->owed == 0 || server->held > threshold)
        return;
    if (nghttp2_session_consume_connection(server->session, server->owed) != 0)
        server->failed = true;
    server->owed = 0;
}

// Another message needs what this one holds, and it does not get on.
static void call_evicted(struct pool_share *share)
{
    struct grpc_call *call =
        (struct grpc_call *)((char *)share - offsetof(struct grpc_call, share));
    struct grpc_service *service = &call->server->service;
    grpc_request_refuse(call, GRPC_RESOURCE_EXHAUSTED, "the message did not get on", true);
    if (service->wake)
        service->wake(service->wake_ctx);
}

static int begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct grpc_server *server = ctx;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct grpc_call *call = calloc(1, sizeof *call);
    if (!call)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // resets this stream only
    call->server = server;
    call->stream_id = frame->hd.stream_id;
    call->bad_path = true;
    call->share.pool = server->service.pool;
    call->share.evict = call_evicted;
    call->older = server->newest;
    *(server->newest ? &server->newest->newer : &server->oldest) = call;
    server->newest = call;
    nghttp2_session_set_stream_user_data(session, call->stream_id, call);
    return 0;
}

static void path_take(struct grpc_call *call, struct slice value)
{
    call->bad_path = value.size == 0 || value.size >= GRPC_PATH_MAX || value.data[0] != '/' ||
                     memchr(value.data, '\0', value.size) != NULL;
    if (!call->bad_path) {
        memcpy(call->path, value.data, value.size);
        call->path[value.size] = '\0';
    }
}

static bool content_type_is_grpc(struct slice value)
{
    struct slice grpc = SLICE("application/grpc");
    if (value.size < grpc.size || memcmp(value.data, grpc.data, grpc.size) != 0)
        return false;
    // Not application/grpc-web, which frames its trailers otherwise.
    return value.size == grpc.size || value.data[grpc.size] == '+' || value.data[grpc.size] == ';';
}

static int header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name_data,
                  size_t name_size, const uint8_t *value_data, size_t value_size, uint8_t flags,
                  void *ctx)
{
    (void)flags;
    (void)ctx;
    struct grpc_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!call || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct slice name = slice_of(name_data, name_size), value = slice_of(value_data, value_size);
    call->header_bytes += name_size + value_size + 32;
    if (slice_equal(name, SLICE(":path")))
        path_take(call, value);
    else if (slice_equal(name, SLICE(":method")))
        call->post = slice_equal(value, SLICE("POST"));
    else if (slice_equal(name, SLICE("content-type")))
        call->grpc = content_type_is_grpc(value);
    else if (slice_equal(name, SLICE("grpc-encoding")))
        call->encoding = slice_equal(value, SLICE("gzip"))       ? GRPC_ENCODING_GZIP
                         : slice_equal(value, SLICE("identity")) ? GRPC_ENCODING_IDENTITY
                                                                 : GRPC_ENCODING_OTHER;
    return 0;
}

static void headers_check(struct grpc_call *call)
{
    if (call->header_bytes > H2_HEADER_LIST_MAX)
        grpc_reply_http(call, "431");
    else if (!call->post)
        grpc_reply_http(call, "405");
    else if (!call->grpc)
        grpc_reply_http(call, "415");
    else if (call->bad_path)
        grpc_request_refuse(call, GRPC_UNIMPLEMENTED, "no such method", false);
}

static int data_chunk(nghttp2_session *session, uint8_t flags, int32_t stream_id,
                      const uint8_t *data, size_t size, void *ctx)
{
    (void)flags;
    struct grpc_server *server = ctx;
    struct grpc_call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    server->owed += size;
    if (nghttp2_session_consume_stream(session, stream_id, size) != 0)
        server->failed = true;
    if (call && !call->answered)
        grpc_request_data(call, data, size);
    window_balance(server);
    return 0;
}

static void reset_received(struct grpc_server *server, int32_t stream_id)
{
    const struct grpc_call *call = nghttp2_session_get_stream_user_data(server->session, stream_id);
    if (!call || !call->answered) // what was refused early may be reset
        idle_frame(server);
}

static void submit_goaway(struct grpc_server *server)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(server->session);
    if (nghttp2_submit_goaway(server->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL,
                              0) != 0)
        server->failed = true;
}

static void ping_received(struct grpc_server *server, const nghttp2_frame *frame)
{
    // The peer has seen the notice: what it sends from now on, it sends elsewhere.
    if (server->ending && frame->hd.flags & NGHTTP2_FLAG_ACK)
        submit_goaway(server);
}

static int frame_received(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct grpc_server *server = ctx;
    if (frame->hd.type == NGHTTP2_PING)
        ping_received(server, frame);
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        reset_received(server, frame->hd.stream_id);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct grpc_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!call)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        headers_check(call);
    if (frame->hd.length == 0 && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        idle_frame(server);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        grpc_request_end(call);
        window_balance(server);
    }
    return 0;
}

static int frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    struct grpc_server *server = ctx;
    if (frame->hd.type == NGHTTP2_GOAWAY)
        server->broken |= frame->goaway.error_code != NGHTTP2_NO_ERROR;
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        return 0;
    // A reply before the request's end: the rest is of no use to us (RFC 9113, 8.1).
    struct grpc_call *call = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (call && !call->ended)
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_NO_ERROR);
    return 0;
}

static int stream_closed(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                         void *ctx)
{
    (void)error_code;
    struct grpc_server *server = ctx;
    struct grpc_call *call = nghttp2_session_get_stream_user_data(session, stream_id);
    if (!call)
        return 0;
    if (call->delivered && !call->answered) {
        call->stream_id = 0;
        if (++server->orphans > MAX_ORPHANS)
            calm(server);
        return 0;
    }
    call_free(call);
    window_balance(server);
    return 0;
}

static int session_new(struct grpc_server *server)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int r = -ENOMEM;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
        goto out;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, data_chunk);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, frame_received);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, stream_closed);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_option_set_no_closed_streams(option, 1);
    // nghttp2 judges :authority (a bare socket path has '/'), and clients put any text there. What
    // matters of a request is checked here.
    nghttp2_option_set_no_http_messaging(option, 1);
    if (nghttp2_session_server_new2(&server->session, callbacks, server, option) == 0)
        r = 0;
out:
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return r;
}

static void limits_derive(struct grpc_server *server)
{
    struct grpc_service *service = &server->service;
    size_t limit = service->max_connection ? service->max_connection : 2 * service->max_message;
    size_t window = limit / 2;
    if (window > H2_WINDOW_MAX)
        window = H2_WINDOW_MAX;
    if (window < H2_WINDOW_DEFAULT) // RFC 9113 grants that much before any SETTINGS
        window = H2_WINDOW_DEFAULT;
    // The largest message and a window must fit, or nothing could ever be finished.
    if (limit < service->max_message + window)
        limit = service->max_message + window;
    server->limit = limit;
    server->window = (uint32_t)window;
    if (service->max_streams == 0)
        service->max_streams = MAX_STREAMS_DEFAULT;
}

int grpc_server_new(struct grpc_server **out, const struct grpc_service *service)
{
    struct grpc_server *server = calloc(1, sizeof *server);
    if (!server)
        return -ENOMEM;
    server->service = *service;
    server->inflating_end = &server->inflating;
    limits_derive(server);
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, server->service.max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, server->window},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, H2_FRAME_MAX},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEADER_LIST_MAX},
    };
    int r = session_new(server);
    if (r == 0)
        r = h2_announce(server->session, settings, sizeof settings / sizeof *settings,
                        server->window);
    if (r < 0) {
        grpc_server_free(server);
        return r;
    }
    *out = server;
    return 0;
}

void grpc_server_free(struct grpc_server *server)
{
    if (!server)
        return;
    nghttp2_session_del(server->session);
    for (struct grpc_call *call = server->oldest, *next; call; call = next) {
        next = call->newer;
        call_free(call);
    }
    assert(server->held == 0);
    free(server);
}

int grpc_server_feed(struct grpc_server *server, const uint8_t *data, size_t size)
{
    while (size > 0 && !server->failed && !server->calmed) {
        size_t piece = size < FEED_PIECE ? size : FEED_PIECE;
        if (h2_feed(server->session, data, piece) < 0)
            server->failed = true;
        else if (nghttp2_session_get_outbound_queue_size(server->session) > MAX_QUEUED)
            calm(server);
        data += piece;
        size -= piece;
    }
    if (server->inflating && !server->failed)
        grpc_server_step(server);
    while (server->inflating && !server->failed && !server->service.in_turns)
        grpc_server_step(server);
    return server->failed ? -EPROTO : 0;
}

bool grpc_server_busy(const struct grpc_server *server)
{
    return server->inflating && !server->failed;
}

void grpc_server_step(struct grpc_server *server)
{
    grpc_request_inflate(server);
    window_balance(server);
}

size_t grpc_server_output(struct grpc_server *server, const uint8_t **data)
{
    return h2_output_next(&server->output, server->session, data, &server->failed);
}

bool grpc_server_finished(const struct grpc_server *server)
{
    if (server->failed)
        return server->output.carried_size == 0;
    return !h2_output_pending(&server->output, server->session) &&
           !nghttp2_session_want_read(server->session);
}

void grpc_server_shutdown(struct grpc_server *server)
{
    if (server->ending)
        return;
    server->ending = true;
    // Two steps, so that no request crosses our GOAWAY on the way: a notice, and the real one when
    // the peer has answered a PING that followed it.
    if (nghttp2_submit_shutdown_notice(server->session) != 0 ||
        nghttp2_submit_ping(server->session, NGHTTP2_FLAG_NONE, NULL) != 0)
        server->failed = true;
}

void grpc_server_end(struct grpc_server *server)
{
    if (server->failed || server->calmed || server->ended)
        return;
    server->ended = true;
    for (struct grpc_call *call = server->oldest; call; call = call->newer)
        if (!call->delivered && !call->answered)
            grpc_request_refuse(call, GRPC_UNAVAILABLE, "the agent ends", true);
    submit_goaway(server);
}

bool grpc_server_broken(const struct grpc_server *server)
{
    return server->failed || server->calmed || server->broken;
}

void grpc_call_reply(struct grpc_call *call, const struct grpc_status *status,
                     struct slice response)
{
    assert(call->delivered && !call->answered);
    if (call->stream_id == 0) {
        call->server->orphans--;
        call_free(call);
        return;
    }
    grpc_reply_submit(call, status, response);
}
