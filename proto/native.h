// The native dialect's frames as bytes: their numbers, and what the agent reads of a client's.
//
// Bounded, without allocation and without state: views into the bytes given. Any thread.
// Source: proto/native.proto, docs/PROTOCOL.md. The numbers below are those of native.proto.
#ifndef SLUICE_PROTO_NATIVE_H
#define SLUICE_PROTO_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NATIVE_VERSION 1
#define NATIVE_PREAMBLE "\xC1SL\x01"
#define NATIVE_PREAMBLE_SIZE 4
#define NATIVE_LENGTH_SIZE 4                 // before each frame, little-endian
#define NATIVE_MAX_FRAME ((uint32_t)1 << 20) // bytes of a Frame; what Welcome announces
#define NATIVE_STREAM_SIZE 8
#define NATIVE_AGENT_ID_SIZE 16
#define NATIVE_MAX_RESOURCE ((size_t)16 << 10) // bytes of a Hello's resource

// Field numbers of Frame.body.
enum native_kind {
    NATIVE_NONE = 0, // no body that this version knows
    NATIVE_HELLO = 1,
    NATIVE_RECORDS = 2,
    NATIVE_FLUSH = 3,
    NATIVE_GOODBYE = 4,
    NATIVE_DROP_REPORT = 5,
    NATIVE_RING_OFFER = 6,
    NATIVE_RING_READY = 7,
    NATIVE_WELCOME = 32,
    NATIVE_FLUSHED = 33,
    NATIVE_RECEIPT = 34,
    NATIVE_CREDIT = 35,
    NATIVE_ERROR = 36,
    NATIVE_LEVEL_CHANGE = 37,
    NATIVE_RING_MEMORY = 38,
    NATIVE_GOAWAY = 39,
};

enum native_ack_level {
    NATIVE_ACK_NONE,
    NATIVE_ACK_RECEIVED,
    NATIVE_ACK_STORED,
    NATIVE_ACK_DELIVERED,
};

enum native_error_code {
    NATIVE_ERROR_NONE,
    NATIVE_ERROR_VERSION,
    NATIVE_ERROR_MALFORMED,
    NATIVE_ERROR_TOO_LARGE,
    NATIVE_ERROR_ORDER,
    NATIVE_ERROR_OVERLOADED,
    NATIVE_ERROR_REFUSED,
    NATIVE_ERROR_INTERNAL,
};

#define NATIVE_MORE 1      // the frame is not whole yet
#define NATIVE_TOO_LARGE 2 // its length is above the limit

// A frame at the start of data. 0: *frame points behind its length, *size bytes long.
int native_frame(const uint8_t *data, size_t available, size_t max_frame, const uint8_t **frame,
                 size_t *size);

// The last body in a frame, as protobuf has it for a oneof: its kind and bytes. A frame without a
// body that is known here is NATIVE_NONE. 0 or -EBADMSG.
int native_body(const uint8_t *frame, size_t size, enum native_kind *kind, const uint8_t **body,
                size_t *body_size);

struct native_hello {
    const uint8_t *stream; // 8 bytes, or NULL: the client has none
    uint32_t ack_level;    // an unknown one counts as the highest known
    const uint8_t *resource;
    size_t resource_size; // at most NATIVE_MAX_RESOURCE
    uint64_t features;
};
// 0, or -EBADMSG (a stream of another length and a resource above the limit included).
int native_read_hello(const uint8_t *body, size_t size, struct native_hello *hello);

struct native_records {
    uint64_t first_sequence; // 0: no sequences
    uint32_t count;          // as the sender says; 0: it does not
    int payload_field;       // 3 logs, 4 spans, 5 metrics; 0: none that is known here
    const uint8_t *payload;
    size_t payload_size;
    int ack_level; // NATIVE_ACK_… for this run alone; -1: as the connection has it
    bool resend;
};
enum { NATIVE_RECORDS_LOGS = 3, NATIVE_RECORDS_SPANS = 4, NATIVE_RECORDS_METRICS = 5 };
// 0, or -EBADMSG (a count that runs past the last sequence included).
int native_read_records(const uint8_t *body, size_t size, struct native_records *records);

struct native_flush {
    uint64_t token;
    uint32_t level;       // NATIVE_ACK_…; NONE means RECEIVED
    uint32_t deadline_ms; // 0: none
};
// 0 or -EBADMSG.
int native_read_flush(const uint8_t *body, size_t size, struct native_flush *flush);

// Numbers as in native.proto; unknown ones as they came.
struct native_drop_report {
    uint64_t signal;
    uint64_t reason;
    uint64_t count;
};
// 0 or -EBADMSG.
int native_read_drop_report(const uint8_t *body, size_t size, struct native_drop_report *report);

#endif
