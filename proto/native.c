// Reads and writes the native dialect's frames with the wire cursor.
#include "proto/native_write.h"

#include "proto/wire.h"

#include <errno.h>
#include <string.h>

// Field numbers of native.proto.
enum { HELLO_STREAM = 3, HELLO_ACK_LEVEL = 4, HELLO_RESOURCE = 6, HELLO_FEATURES = 7 };
enum { DROP_REPORT_SIGNAL = 1, DROP_REPORT_REASON = 2, DROP_REPORT_COUNT = 3 };
enum { RECORDS_FIRST_SEQUENCE = 1, RECORDS_COUNT = 2, RECORDS_ACK_LEVEL = 6, RECORDS_RESEND = 7 };
enum { FLUSH_TOKEN = 1, FLUSH_LEVEL = 2, FLUSH_DEADLINE_MS = 3 };
enum {
    WELCOME_VERSION = 1,
    WELCOME_MAX_FRAME = 2,
    WELCOME_CREDITS = 3,
    WELCOME_AGENT_ID = 4,
    WELCOME_ACK_LEVEL = 5,
    WELCOME_FEATURES = 6,
    WELCOME_AGENT_VERSION = 7,
};
enum { CREDIT_BYTES = 1 };
enum { FLUSHED_TOKEN = 1, FLUSHED_SEQUENCE = 2, FLUSHED_LEVEL = 3 };
enum { RECEIPT_STREAM = 1, RECEIPT_SEQUENCE = 2, RECEIPT_LEVEL = 3, RECEIPT_REFUSED = 4 };
enum { REFUSED_FIRST = 1, REFUSED_COUNT = 2, REFUSED_CODE = 3 };
enum {
    ERROR_CODE = 1,
    ERROR_MESSAGE = 2,
    ERROR_SEQUENCE = 3,
    ERROR_COUNT = 4,
    ERROR_OPEN = 5,
    ERROR_VERSION = 6
};

int native_frame(const uint8_t *data, size_t available, size_t max_frame, const uint8_t **frame,
                 size_t *size)
{
    if (available < NATIVE_LENGTH_SIZE)
        return NATIVE_MORE;
    size_t length =
        (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
    if (length > max_frame)
        return NATIVE_TOO_LARGE;
    if (length > available - NATIVE_LENGTH_SIZE)
        return NATIVE_MORE;
    *frame = data + NATIVE_LENGTH_SIZE;
    *size = length;
    return 0;
}

static bool is_kind(uint32_t number)
{
    return (number >= NATIVE_HELLO && number <= NATIVE_RING_READY) ||
           (number >= NATIVE_WELCOME && number <= NATIVE_GOAWAY);
}

int native_body(const uint8_t *frame, size_t size, enum native_kind *kind, const uint8_t **body,
                size_t *body_size)
{
    struct wire_cursor cursor = wire_cursor_of(frame, size);
    struct wire_field field;
    enum native_kind found = NATIVE_NONE;
    const uint8_t *data = NULL;
    size_t data_size = 0;
    int r;
    while ((r = wire_next(&cursor, &field)) == 0) {
        if (field.type != WIRE_BYTES || !is_kind(field.number))
            continue;
        found = (enum native_kind)field.number;
        data = field.data;
        data_size = field.size;
    }
    if (r < 0)
        return r;
    *kind = found;
    *body = data;
    *body_size = data_size;
    return 0;
}

// One that this version does not know counts as the highest that it does.
static uint32_t ack_level_of(uint64_t value)
{
    return value < NATIVE_ACK_DELIVERED ? (uint32_t)value : (uint32_t)NATIVE_ACK_DELIVERED;
}

static uint32_t bounded_u32(uint64_t value)
{
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

int native_read_hello(const uint8_t *body, size_t size, struct native_hello *hello)
{
    struct wire_cursor cursor = wire_cursor_of(body, size);
    struct wire_field field;
    struct native_hello found = {0};
    int r;
    while ((r = wire_next(&cursor, &field)) == 0) {
        if (wire_is(&field, HELLO_STREAM, WIRE_BYTES)) {
            if (field.size != 0 && field.size != NATIVE_STREAM_SIZE)
                return -EBADMSG;
            found.stream = field.size ? field.data : NULL;
        } else if (wire_is(&field, HELLO_ACK_LEVEL, WIRE_VARINT)) {
            found.ack_level = ack_level_of(field.value);
        } else if (wire_is(&field, HELLO_RESOURCE, WIRE_BYTES)) {
            if (field.size > NATIVE_MAX_RESOURCE)
                return -EBADMSG;
            found.resource = field.data;
            found.resource_size = field.size;
        } else if (wire_is(&field, HELLO_FEATURES, WIRE_VARINT)) {
            found.features = field.value;
        }
    }
    if (r < 0)
        return r;
    *hello = found;
    return 0;
}

int native_read_records(const uint8_t *body, size_t size, struct native_records *records)
{
    struct wire_cursor cursor = wire_cursor_of(body, size);
    struct wire_field field;
    struct native_records found = {.ack_level = -1};
    uint64_t count = 0;
    int r;
    while ((r = wire_next(&cursor, &field)) == 0) {
        if (wire_is(&field, RECORDS_FIRST_SEQUENCE, WIRE_VARINT)) {
            found.first_sequence = field.value;
        } else if (wire_is(&field, RECORDS_COUNT, WIRE_VARINT)) {
            count = field.value;
        } else if (field.type == WIRE_BYTES && field.number >= NATIVE_RECORDS_LOGS &&
                   field.number <= NATIVE_RECORDS_METRICS) {
            found.payload_field = (int)field.number;
            found.payload = field.data;
            found.payload_size = field.size;
        } else if (wire_is(&field, RECORDS_ACK_LEVEL, WIRE_VARINT)) {
            found.ack_level = (int)ack_level_of(field.value);
        } else if (wire_is(&field, RECORDS_RESEND, WIRE_VARINT)) {
            found.resend = field.value != 0;
        }
    }
    if (r < 0)
        return r;
    if (count > UINT32_MAX || (count > 0 && found.first_sequence > UINT64_MAX - (count - 1)))
        return -EBADMSG;
    found.count = (uint32_t)count;
    *records = found;
    return 0;
}

int native_read_flush(const uint8_t *body, size_t size, struct native_flush *flush)
{
    struct wire_cursor cursor = wire_cursor_of(body, size);
    struct wire_field field;
    struct native_flush found = {0};
    int r;
    while ((r = wire_next(&cursor, &field)) == 0) {
        if (wire_is(&field, FLUSH_TOKEN, WIRE_VARINT))
            found.token = field.value;
        else if (wire_is(&field, FLUSH_LEVEL, WIRE_VARINT))
            found.level = bounded_u32(field.value);
        else if (wire_is(&field, FLUSH_DEADLINE_MS, WIRE_VARINT))
            found.deadline_ms = bounded_u32(field.value);
    }
    if (r < 0)
        return r;
    *flush = found;
    return 0;
}

int native_read_drop_report(const uint8_t *body, size_t size, struct native_drop_report *report)
{
    struct wire_cursor cursor = wire_cursor_of(body, size);
    struct wire_field field;
    struct native_drop_report found = {0, 0, 0};
    int r;
    while ((r = wire_next(&cursor, &field)) == 0) {
        if (wire_is(&field, DROP_REPORT_SIGNAL, WIRE_VARINT))
            found.signal = field.value;
        else if (wire_is(&field, DROP_REPORT_REASON, WIRE_VARINT))
            found.reason = field.value;
        else if (wire_is(&field, DROP_REPORT_COUNT, WIRE_VARINT))
            found.count = field.value;
    }
    if (r < 0)
        return r;
    *report = found;
    return 0;
}

// A field that proto3 leaves out where it is zero.
static size_t varint_field_size(uint32_t number, uint64_t value)
{
    return value ? wire_varint_size((uint64_t)number << 3) + wire_varint_size(value) : 0;
}

static uint8_t *put_varint_field(uint8_t *out, uint32_t number, uint64_t value)
{
    return value ? wire_put_varint(wire_put_tag(out, number, WIRE_VARINT), value) : out;
}

static size_t text_field_size(uint32_t number, const void *data, size_t size)
{
    return data && size ? wire_bytes_size(number, size) : 0;
}

static uint8_t *put_text_field(uint8_t *out, uint32_t number, const void *data, size_t size)
{
    return data && size ? wire_put_bytes(out, number, data, size) : out;
}

// The length and the tag of a body of `size` bytes, which the caller writes next. NULL where the
// whole frame does not fit; else *frame_size is its size with the length.
static uint8_t *start_frame(uint8_t *out, size_t capacity, enum native_kind kind, size_t size,
                            size_t *frame_size)
{
    size_t frame = wire_bytes_size((uint32_t)kind, size);
    if (frame + NATIVE_LENGTH_SIZE > capacity)
        return NULL;
    *frame_size = frame + NATIVE_LENGTH_SIZE;
    return wire_put_length(wire_put_fixed32(out, (uint32_t)frame), (uint32_t)kind, size);
}

size_t native_write_welcome(uint8_t *out, size_t capacity, const struct native_welcome *welcome)
{
    size_t id = welcome->agent_id ? NATIVE_AGENT_ID_SIZE : 0;
    size_t version = welcome->agent_version ? strlen(welcome->agent_version) : 0;
    size_t size = varint_field_size(WELCOME_VERSION, NATIVE_VERSION) +
                  varint_field_size(WELCOME_MAX_FRAME, welcome->max_frame) +
                  varint_field_size(WELCOME_CREDITS, welcome->credits) +
                  text_field_size(WELCOME_AGENT_ID, welcome->agent_id, id) +
                  varint_field_size(WELCOME_ACK_LEVEL, welcome->ack_level) +
                  varint_field_size(WELCOME_FEATURES, welcome->features) +
                  text_field_size(WELCOME_AGENT_VERSION, welcome->agent_version, version);
    size_t total;
    uint8_t *at = start_frame(out, capacity, NATIVE_WELCOME, size, &total);
    if (!at)
        return 0;
    at = put_varint_field(at, WELCOME_VERSION, NATIVE_VERSION);
    at = put_varint_field(at, WELCOME_MAX_FRAME, welcome->max_frame);
    at = put_varint_field(at, WELCOME_CREDITS, welcome->credits);
    at = put_text_field(at, WELCOME_AGENT_ID, welcome->agent_id, id);
    at = put_varint_field(at, WELCOME_ACK_LEVEL, welcome->ack_level);
    at = put_varint_field(at, WELCOME_FEATURES, welcome->features);
    put_text_field(at, WELCOME_AGENT_VERSION, welcome->agent_version, version);
    return total;
}

size_t native_write_error(uint8_t *out, size_t capacity, const struct native_error *error)
{
    size_t message = error->message ? strlen(error->message) : 0;
    size_t size = varint_field_size(ERROR_CODE, error->code) +
                  text_field_size(ERROR_MESSAGE, error->message, message) +
                  varint_field_size(ERROR_SEQUENCE, error->sequence) +
                  varint_field_size(ERROR_COUNT, error->count) +
                  varint_field_size(ERROR_OPEN, error->open) +
                  varint_field_size(ERROR_VERSION, NATIVE_VERSION);
    size_t total;
    uint8_t *at = start_frame(out, capacity, NATIVE_ERROR, size, &total);
    if (!at)
        return 0;
    at = put_varint_field(at, ERROR_CODE, error->code);
    at = put_text_field(at, ERROR_MESSAGE, error->message, message);
    at = put_varint_field(at, ERROR_SEQUENCE, error->sequence);
    at = put_varint_field(at, ERROR_COUNT, error->count);
    at = put_varint_field(at, ERROR_OPEN, error->open);
    put_varint_field(at, ERROR_VERSION, NATIVE_VERSION);
    return total;
}

size_t native_write_credit(uint8_t *out, size_t capacity, uint64_t bytes)
{
    size_t total;
    uint8_t *at =
        start_frame(out, capacity, NATIVE_CREDIT, varint_field_size(CREDIT_BYTES, bytes), &total);
    if (!at)
        return 0;
    put_varint_field(at, CREDIT_BYTES, bytes);
    return total;
}

size_t native_write_flushed(uint8_t *out, size_t capacity, uint64_t token, uint64_t sequence,
                            enum native_ack_level level)
{
    size_t size = varint_field_size(FLUSHED_TOKEN, token) +
                  varint_field_size(FLUSHED_SEQUENCE, sequence) +
                  varint_field_size(FLUSHED_LEVEL, level);
    size_t total;
    uint8_t *at = start_frame(out, capacity, NATIVE_FLUSHED, size, &total);
    if (!at)
        return 0;
    at = put_varint_field(at, FLUSHED_TOKEN, token);
    at = put_varint_field(at, FLUSHED_SEQUENCE, sequence);
    put_varint_field(at, FLUSHED_LEVEL, level);
    return total;
}

static size_t refused_size(const struct native_refused *refused)
{
    return varint_field_size(REFUSED_FIRST, refused->first) +
           varint_field_size(REFUSED_COUNT, refused->count) +
           varint_field_size(REFUSED_CODE, refused->code);
}

size_t native_write_receipt(uint8_t *out, size_t capacity, const struct native_receipt *receipt)
{
    size_t size = text_field_size(RECEIPT_STREAM, receipt->stream, NATIVE_STREAM_SIZE) +
                  varint_field_size(RECEIPT_SEQUENCE, receipt->sequence) +
                  varint_field_size(RECEIPT_LEVEL, receipt->level);
    for (size_t i = 0; i < receipt->refused_count; i++)
        size += wire_bytes_size(RECEIPT_REFUSED, refused_size(&receipt->refused[i]));
    size_t total;
    uint8_t *at = start_frame(out, capacity, NATIVE_RECEIPT, size, &total);
    if (!at)
        return 0;
    at = put_text_field(at, RECEIPT_STREAM, receipt->stream, NATIVE_STREAM_SIZE);
    at = put_varint_field(at, RECEIPT_SEQUENCE, receipt->sequence);
    at = put_varint_field(at, RECEIPT_LEVEL, receipt->level);
    for (size_t i = 0; i < receipt->refused_count; i++) {
        const struct native_refused *refused = &receipt->refused[i];
        at = wire_put_length(at, RECEIPT_REFUSED, refused_size(refused));
        at = put_varint_field(at, REFUSED_FIRST, refused->first);
        at = put_varint_field(at, REFUSED_COUNT, refused->count);
        at = put_varint_field(at, REFUSED_CODE, refused->code);
    }
    return total;
}
