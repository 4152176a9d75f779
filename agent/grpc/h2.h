// What both sides share of HTTP/2: the settings they announce and how output is pulled.
//
// Source: RFC 9113, on nghttp2. Loop thread only.
#ifndef SLUICE_GRPC_H2_H
#define SLUICE_GRPC_H2_H

#include "base/slice.h"

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define H2_WINDOW_DEFAULT 65535u
#define H2_WINDOW_MAX (4u << 20)
#define H2_FRAME_MAX (256u << 10)
#define H2_HEADER_LIST_MAX (16u << 10)

// Frames that were serialized but not handed out: small ones travel together.
struct h2_output {
    const uint8_t *carried; // a frame that did not fit the buffer; nghttp2's memory
    size_t carried_size;
    uint8_t buffer[2048];
};

// SETTINGS (and the connection's window). 0 or -ENOMEM.
int h2_announce(nghttp2_session *session, const nghttp2_settings_entry *settings, size_t count,
                uint32_t window);

// The next bytes to write, 0: none. Valid until the next call on this session.
size_t h2_output_next(struct h2_output *output, nghttp2_session *session, const uint8_t **data,
                      bool *broken);
// Whether h2_output_next would give bytes.
bool h2_output_pending(const struct h2_output *output, nghttp2_session *session);

// A field that nghttp2 copies. name is lower-case.
nghttp2_nv h2_field(const char *name, struct slice value);

// Feeds a session: 0, -EPROTO (nghttp2 gave up) or -ENOMEM.
int h2_feed(nghttp2_session *session, const uint8_t *data, size_t size);

#endif
