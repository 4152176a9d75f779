// The frames that the agent writes: each whole, with its length. Returns its size, or 0 where it
// does not fit.
//
// Without allocation and without state. Any thread. Source: proto/native.proto, docs/PROTOCOL.md.
#ifndef SLUICE_PROTO_NATIVE_WRITE_H
#define SLUICE_PROTO_NATIVE_WRITE_H

#include "proto/native.h"

struct native_welcome {
    uint32_t max_frame;
    const uint8_t *agent_id; // 16 bytes, or NULL
    uint64_t credits;        // 0: left out
    uint32_t ack_level;
    uint64_t features;
    const char *agent_version;
};
size_t native_write_welcome(uint8_t *out, size_t capacity, const struct native_welcome *welcome);

struct native_error {
    enum native_error_code code;
    const char *message;
    uint64_t sequence; // of the run at fault; 0: none
    uint64_t count;
    bool open; // false: the agent closes behind it
};
size_t native_write_error(uint8_t *out, size_t capacity, const struct native_error *error);

struct native_refused {
    uint64_t first;
    uint64_t count;
    enum native_error_code code;
};

struct native_receipt {
    const uint8_t *stream; // NATIVE_STREAM_SIZE bytes
    uint64_t sequence;     // everything up to here has reached level
    enum native_ack_level level;
    const struct native_refused *refused; // except these
    size_t refused_count;
};
size_t native_write_receipt(uint8_t *out, size_t capacity, const struct native_receipt *receipt);

#define NATIVE_FEATURE_RECEIPTS ((uint64_t)1)
#define NATIVE_FEATURE_CREDITS ((uint64_t)2)

// Bytes of Records frames that may be sent beyond those granted before.
size_t native_write_credit(uint8_t *out, size_t capacity, uint64_t bytes);

size_t native_write_flushed(uint8_t *out, size_t capacity, uint64_t token, uint64_t sequence,
                            enum native_ack_level level);

#endif
