// What the gRPC tests share: a raw HTTP/2 client that may send anything, a server that follows a
// script, and the carrying of bytes
// between two engines in pieces of any size.
#ifndef SLUICE_TESTS_GRPC_FIXTURE_H
#define SLUICE_TESTS_GRPC_FIXTURE_H

#include "grpc/grpc_client.h"
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

#define PEER_NV(name, value)                                                                       \
    {                                                                                              \
        (uint8_t *)(name), (uint8_t *)(value), strlen(name), strlen(value), 0                      \
    }

struct peer_stream *peer_stream(struct peer *peer, int32_t id);
void peer_open(struct peer *peer);
void peer_close(struct peer *peer);
// The provider of a stream's body, for requests made by hand.
ssize_t peer_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t capacity,
                  uint32_t *flags, nghttp2_data_source *source, void *ctx);
// A gRPC request with three fields to vary; NULL leaves encoding out. Returns the stream id.
int32_t peer_request(struct peer *peer, const char *path, const char *content_type,
                     const char *encoding, const void *body, size_t size, bool hold);
// Goes on with a held body: more bytes, or its end.
void peer_continue(struct peer *peer, int32_t id, const void *body, size_t size, bool hold);
// Both directions until neither has anything to say. Returns the server's last feed result.
int peer_carry(struct peer *peer, struct grpc_server *server, size_t piece);

// A scripted server: answers each finished request by its script, or not at all.
struct script {
    nghttp2_session *session;
    const nghttp2_nv *head; // of the response; NULL: silence
    size_t head_count;
    const void *body;
    size_t body_size, body_sent;
    const nghttp2_nv *trailers;
    size_t trailer_count;
    uint32_t reset; // instead of an answer: RST_STREAM with that code
    bool do_reset;
    bool at_headers; // answer as soon as the HEADERS have come
    unsigned requests, resets;
    int32_t last_id;
    char fields[2048]; // of the last request, "name: value\n"
};

void script_open(struct script *script);
int script_carry(struct script *script, struct grpc_client *client, size_t piece);

// A length-prefixed message; malloc'd.
uint8_t *framed(uint8_t flag, const void *message, size_t size);

#endif
