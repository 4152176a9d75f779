// What the gRPC tests share: a raw HTTP/2 client that may send anything, and the carrying of bytes
// between two engines in pieces of any size.
#ifndef SLUICE_TESTS_GRPC_FIXTURE_H
#define SLUICE_TESTS_GRPC_FIXTURE_H

#include "grpc/grpc_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#define PEER_STREAMS 128

struct peer_stream {
    char status[8], grpc_status[8], grpc_message[256], details[512], accept_encoding[64], allow[16];
    uint8_t data[64];
    size_t data_size;
    unsigned header_blocks;
    bool closed, ended;
    uint32_t error_code;
    // the request's body
    const uint8_t *body;
    size_t body_size, body_sent;
    bool hold; // the body stays open
};

struct peer {
    nghttp2_session *session;
    struct peer_stream streams[PEER_STREAMS]; // by (stream id - 1) / 2
    bool goaway;
    uint32_t goaway_code;
    int32_t goaway_last;
    uint32_t settings[16];
    bool settings_unknown;
};

static inline struct peer_stream *peer_stream(struct peer *peer, int32_t id)
{
    return &peer->streams[(id - 1) / 2];
}

static inline void peer_keep(char *out, size_t capacity, const uint8_t *value, size_t size)
{
    size_t n = size < capacity - 1 ? size : capacity - 1;
    memcpy(out, value, n);
    out[n] = '\0';
}

static inline int peer_header(nghttp2_session *session, const nghttp2_frame *frame,
                              const uint8_t *name, size_t name_size, const uint8_t *value,
                              size_t value_size, uint8_t flags, void *ctx)
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

static inline int peer_data(nghttp2_session *session, uint8_t flags, int32_t id,
                            const uint8_t *data, size_t size, void *ctx)
{
    (void)session;
    (void)flags;
    struct peer_stream *stream = peer_stream(ctx, id);
    for (size_t i = 0; i < size && stream->data_size < sizeof stream->data; i++)
        stream->data[stream->data_size++] = data[i];
    return 0;
}

static inline int peer_frame(nghttp2_session *session, const nghttp2_frame *frame, void *ctx)
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

static inline int peer_closed(nghttp2_session *session, int32_t id, uint32_t code, void *ctx)
{
    (void)session;
    peer_stream(ctx, id)->closed = true;
    peer_stream(ctx, id)->error_code = code;
    return 0;
}

static inline ssize_t peer_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t capacity,
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

static inline void peer_open(struct peer *peer)
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

static inline void peer_close(struct peer *peer)
{
    nghttp2_session_del(peer->session);
}

#define PEER_NV(name, value)                                                                       \
    {                                                                                              \
        (uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), strlen(value),  \
            0                                                                                      \
    }

// A gRPC request with three fields to vary; NULL leaves encoding out. Returns the stream id.
static inline int32_t peer_request(struct peer *peer, const char *path, const char *content_type,
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
static inline void peer_continue(struct peer *peer, int32_t id, const void *body, size_t size,
                                 bool hold)
{
    struct peer_stream *stream = peer_stream(peer, id);
    stream->body = body;
    stream->body_size = size;
    stream->body_sent = 0;
    stream->hold = hold;
    nghttp2_session_resume_data(peer->session, id);
}

// Both directions until neither has anything to say. Returns the server's last feed result.
static inline int peer_carry(struct peer *peer, struct grpc_server *server, size_t piece)
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
static inline uint8_t *framed(uint8_t flag, const void *message, size_t size)
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

#endif
