// A raw HTTP/2 client and a scripted server for the gRPC tests.
#include "grpc_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct peer_stream *peer_stream(struct peer *peer, int32_t id)
{
    return &peer->streams[(id - 1) / 2];
}

static void peer_keep(char *out, size_t capacity, const uint8_t *value, size_t size)
{
    size_t n = size < capacity - 1 ? size : capacity - 1;
    memcpy(out, value, n);
    out[n] = '\0';
}

static int peer_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                       void *ctx)
{
    (void)session;
    (void)flags;
    (void)name_size;
    struct peer_stream *stream = peer_stream(ctx, frame->hd.stream_id);
    struct {
        const char *name;
        char *out;
        size_t size;
    } kept[] = {{":status", stream->status, sizeof stream->status},
                {"grpc-status", stream->grpc_status, sizeof stream->grpc_status},
                {"grpc-message", stream->grpc_message, sizeof stream->grpc_message},
                {"grpc-status-details-bin", stream->details, sizeof stream->details},
                {"grpc-accept-encoding", stream->accept_encoding, sizeof stream->accept_encoding},
                {"allow", stream->allow, sizeof stream->allow}};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strcmp((const char *)name, kept[i].name) == 0)
            peer_keep(kept[i].out, kept[i].size, value, value_size);
    return 0;
}

static int peer_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                     size_t size, void *ctx)
{
    (void)session;
    (void)flags;
    struct peer_stream *stream = peer_stream(ctx, id);
    for (size_t i = 0; i < size && stream->data_size < sizeof stream->data; i++)
        stream->data[stream->data_size++] = data[i];
    return 0;
}

static int peer_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    (void)session;
    struct peer *peer = ctx;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        peer->goaway = true;
        peer->goaway_code = frame->goaway.error_code;
        peer->goaway_last = frame->goaway.last_stream_id;
    }
    if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
        for (size_t i = 0; i < frame->settings.niv; i++) {
            if (frame->settings.iv[i].settings_id < 16)
                peer->settings[frame->settings.iv[i].settings_id] = frame->settings.iv[i].value;
            else
                peer->settings_unknown = true;
        }
    if (frame->hd.type == NGHTTP2_HEADERS)
        peer_stream(peer, frame->hd.stream_id)->header_blocks++;
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        peer_stream(peer, frame->hd.stream_id)->ended = true;
    return 0;
}

static int peer_closed(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
    (void)session;
    peer_stream(ctx, id)->closed = true;
    peer_stream(ctx, id)->error_code = code;
    return 0;
}

ssize_t peer_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t capacity,
                  uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    (void)session;
    (void)source;
    struct peer_stream *stream = peer_stream(ctx, id);
    size_t n = stream->body_size - stream->body_sent;
    if (n > capacity)
        n = capacity;
    if (n > 0)
        memcpy(out, stream->body + stream->body_sent, n);
    stream->body_sent += n;
    if (stream->body_sent < stream->body_size)
        return (ssize_t)n;
    if (!stream->hold)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (n == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)n;
}

void peer_open(struct peer *peer)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    memset(peer, 0, sizeof *peer);
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_option_new(&option), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, peer_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, peer_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, peer_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, peer_closed);
    nghttp2_option_set_peer_max_concurrent_streams(option, 1000);
    assert_int_equal(nghttp2_session_client_new2(&peer->session, callbacks, peer, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(peer->session, 0, NULL, 0), 0);
}

void peer_close(struct peer *peer)
{
    nghttp2_session_del(peer->session);
}

// A gRPC request with three fields to vary; NULL leaves encoding out. Returns the stream id.
int32_t peer_request(struct peer *peer, const char *path, const char *content_type,
                     const char *encoding, const void *body, size_t size, bool hold)
{
    nghttp2_nv fields[] = {
        PEER_NV(":method", "POST"),
        PEER_NV(":scheme", "http"),
        PEER_NV(":path", path),
        PEER_NV(":authority", "localhost"),
        PEER_NV("content-type", content_type),
        PEER_NV("te", "trailers"),
        PEER_NV("grpc-encoding", encoding ? encoding : ""),
    };
    nghttp2_data_provider provider = {.read_callback = peer_body};
    int32_t id =
        nghttp2_submit_request(peer->session, NULL, fields, encoding ? 7 : 6, &provider, NULL);
    assert_true(id > 0);
    struct peer_stream *stream = peer_stream(peer, id);
    stream->body = body;
    stream->body_size = size;
    stream->hold = hold;
    return id;
}

// Goes on with a held body: more bytes, or its end.
void peer_continue(struct peer *peer, int32_t id, const void *body, size_t size, bool hold)
{
    struct peer_stream *stream = peer_stream(peer, id);
    stream->body = body;
    stream->body_size = size;
    stream->body_sent = 0;
    stream->hold = hold;
    nghttp2_session_resume_data(peer->session, id);
}

// Both directions until neither has anything to say. Returns the server's last feed result.
int peer_carry(struct peer *peer, struct grpc_server *server, size_t piece)
{
    const uint8_t *data;
    int result = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        ssize_t n;
        while ((n = nghttp2_session_mem_send(peer->session, &data)) > 0) {
            moved = true;
            for (size_t at = 0; at < (size_t)n; at += piece)
                result = grpc_server_feed(server, data + at,
                                          (size_t)n - at < piece ? (size_t)n - at : piece);
        }
        size_t size;
        while ((size = grpc_server_output(server, &data)) > 0) {
            moved = true;
            for (size_t at = 0; at < size; at += piece)
                if (nghttp2_session_mem_recv(peer->session, data + at,
                                             size - at < piece ? size - at : piece) < 0)
                    return result;
        }
    }
    return result;
}

// A length-prefixed message of size bytes of fill; malloc'd.
uint8_t *framed(uint8_t flag, const void *message, size_t size)
{
    uint8_t *out = malloc(5 + size);
    assert_non_null(out);
    out[0] = flag;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    if (size > 0)
        memcpy(out + 5, message, size);
    return out;
}

static ssize_t script_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t capacity,
                           uint32_t *flags, nghttp2_data_source *source, void *ctx)
{
    (void)source;
    struct script *script = ctx;
    size_t n = script->body_size - script->body_sent;
    n = n < capacity ? n : capacity;
    if (n > 0)
        memcpy(out, (const uint8_t *)script->body + script->body_sent, n);
    script->body_sent += n;
    if (script->body_sent == script->body_size) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (script->trailers) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_submit_trailer(session, id, script->trailers, script->trailer_count);
        }
    }
    return (ssize_t)n;
}

static void script_answer(struct script *script, int32_t id)
{
    if (script->do_reset) {
        nghttp2_submit_rst_stream(script->session, 0, id, script->reset);
        return;
    }
    if (!script->head)
        return;
    nghttp2_data_provider provider = {.read_callback = script_body};
    bool data = script->body || script->trailers;
    script->body_sent = 0;
    nghttp2_submit_response(script->session, id, script->head, script->head_count,
                            data ? &provider : NULL);
}

static int script_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
{
    (void)session;
    struct script *script = ctx;
    if (frame->hd.type == NGHTTP2_RST_STREAM)
        script->resets++;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        script->last_id = frame->hd.stream_id;
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (script->at_headers ? frame->hd.type == NGHTTP2_HEADERS : end) {
        script->requests++;
        script_answer(script, frame->hd.stream_id);
    }
    return 0;
}

static int script_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                         size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
                         void *ctx)
{
    (void)session;
    (void)flags;
    struct script *script = ctx;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST && strcmp((const char *)name, ":method") == 0)
        script->fields[0] = '\0';
    size_t used = strlen(script->fields);
    snprintf(script->fields + used, sizeof script->fields - used, "%.*s: %.*s\n", (int)name_size,
             name, (int)value_size, value);
    return 0;
}

void script_open(struct script *script)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    memset(script, 0, sizeof *script);
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_http_messaging(option, 1);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, script_frame);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, script_header);
    assert_int_equal(nghttp2_session_server_new2(&script->session, callbacks, script, option), 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(script->session, 0, NULL, 0);
}

int script_carry(struct script *script, struct grpc_client *client, size_t piece)
{
    const uint8_t *data;
    int result = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        size_t size;
        ssize_t n;
        while ((size = grpc_client_output(client, &data)) > 0) {
            moved = true;
            for (size_t at = 0; at < size; at += piece)
                if (nghttp2_session_mem_recv(script->session, data + at,
                                             size - at < piece ? size - at : piece) < 0)
                    return result;
        }
        while ((n = nghttp2_session_mem_send(script->session, &data)) > 0) {
            moved = true;
            for (size_t at = 0; at < (size_t)n; at += piece)
                result = grpc_client_feed(client, data + at,
                                          (size_t)n - at < piece ? (size_t)n - at : piece);
        }
    }
    return result;
}
