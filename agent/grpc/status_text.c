// The text and binary forms a gRPC status takes in header fields.
#include "grpc/status_text.h"

#include "base/clock.h"
#include "grpc/base64.h"
#include "proto/wire.h"

#include <string.h>

#define RETRY_INFO_TYPE "type.googleapis.com/google.rpc.RetryInfo"

static const char hex_digits[] = "0123456789ABCDEF";

size_t status_message_encode(struct slice message, char out[STATUS_ENCODED_MAX])
{
    size_t size = message.size < STATUS_MESSAGE_MAX ? message.size : STATUS_MESSAGE_MAX;
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)message.data[i];
        // A space at either end is legal for gRPC, but no legal field value for RFC 9113.
        bool edge = c == ' ' && (i == 0 || i + 1 == size);
        if (c >= ' ' && c <= '~' && c != '%' && !edge) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex_digits[c >> 4];
        out[n++] = hex_digits[c & 15];
    }
    return n;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t status_message_decode(struct slice encoded, char *out, size_t capacity)
{
    size_t n = 0;
    for (size_t i = 0; i < encoded.size && n < capacity; i++) {
        char c = encoded.data[i];
        int high = c == '%' && i + 2 < encoded.size ? hex_value(encoded.data[i + 1]) : -1;
        int low = high >= 0 ? hex_value(encoded.data[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[n++] = c;
    }
    return n;
}

static uint8_t *put_varint_field(uint8_t *out, uint32_t number, uint64_t value)
{
    return wire_put_varint(wire_put_tag(out, number, WIRE_VARINT), value);
}

size_t status_details_encode(const struct grpc_status *status, char out[STATUS_DETAILS_MAX])
{
    uint8_t duration[24], retry[32], any[96], whole[STATUS_MESSAGE_MAX + 128];
    uint8_t *end = put_varint_field(duration, 1, status->retry_delay_ns / NS_PER_S);
    end = put_varint_field(end, 2, status->retry_delay_ns % NS_PER_S);
    uint8_t *retry_end = wire_put_bytes(retry, 1, duration, (size_t)(end - duration));
    uint8_t *any_end = wire_put_bytes(any, 1, RETRY_INFO_TYPE, sizeof RETRY_INFO_TYPE - 1);
    any_end = wire_put_bytes(any_end, 2, retry, (size_t)(retry_end - retry));

    struct slice message = slice_from(status->message);
    if (message.size > STATUS_MESSAGE_MAX)
        message.size = STATUS_MESSAGE_MAX;
    end = put_varint_field(whole, 1, (uint64_t)status->code);
    if (message.size > 0)
        end = wire_put_bytes(end, 2, message.data, message.size);
    end = wire_put_bytes(end, 3, any, (size_t)(any_end - any));
    return base64_encode(slice_of(whole, (size_t)(end - whole)), out);
}

static bool duration_read(struct wire_cursor duration, uint64_t *ns)
{
    uint64_t seconds = 0, nanos = 0;
    struct wire_field field;
    int r;
    while ((r = wire_next(&duration, &field)) == 0) {
        if (wire_is(&field, 1, WIRE_VARINT))
            seconds = field.value;
        else if (wire_is(&field, 2, WIRE_VARINT))
            nanos = field.value;
    }
    // Negative or absurd delays (over a year) are no advice.
    if (r != WIRE_END || seconds > 366ULL * 86400 || nanos >= NS_PER_S)
        return false;
    *ns = seconds * NS_PER_S + nanos;
    return true;
}

// The first length-delimited field of that number.
static bool bytes_find(struct wire_cursor message, uint32_t number, struct wire_field *out)
{
    while (wire_next(&message, out) == 0)
        if (wire_is(out, number, WIRE_BYTES))
            return true;
    return false;
}

static bool any_retry(struct wire_cursor any, uint64_t *delay_ns)
{
    struct wire_field type, retry, duration;
    if (!bytes_find(any, 1, &type) ||
        !slice_equal(slice_of(type.data, type.size), SLICE(RETRY_INFO_TYPE)))
        return false;
    // Proto3 leaves out what is empty: no delay is a delay of zero, and still advice.
    if (!bytes_find(any, 2, &retry) || !bytes_find(wire_inside(&retry), 1, &duration)) {
        *delay_ns = 0;
        return true;
    }
    return duration_read(wire_inside(&duration), delay_ns);
}

bool status_details_retry(struct slice base64, uint64_t *delay_ns)
{
    uint8_t decoded[4096];
    size_t size;
    if (!base64_decode(base64, decoded, sizeof decoded, &size))
        return false;
    struct wire_cursor status = wire_cursor_of(decoded, size);
    struct wire_field field;
    while (wire_next(&status, &field) == 0)
        if (wire_is(&field, 3, WIRE_BYTES) && any_retry(wire_inside(&field), delay_ns))
            return true;
    return false;
}

enum grpc_code status_code_parse(struct slice text)
{
    unsigned code = 0;
    if (text.size == 0 || text.size > 2)
        return GRPC_UNKNOWN;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return GRPC_UNKNOWN;
        code = code * 10 + (unsigned)(text.data[i] - '0');
    }
    return code <= GRPC_UNAUTHENTICATED ? (enum grpc_code)code : GRPC_UNKNOWN;
}

enum grpc_code status_from_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}
