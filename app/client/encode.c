// Writes OTLP records with the wire writers, each into the room it is given.
#include "encode.h"

#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <string.h>

static bool has_room(struct sluice_encoder *encoder, size_t size)
{
    if (encoder->full || (size_t)(encoder->end - encoder->at) < size)
        encoder->full = true;
    return !encoder->full;
}

static size_t tag_size(uint32_t number)
{
    return wire_varint_size((uint64_t)number << 3);
}

void sluice_encode_varint(struct sluice_encoder *encoder, uint32_t number, uint64_t value)
{
    if (has_room(encoder, tag_size(number) + wire_varint_size(value)))
        encoder->at = wire_put_varint(wire_put_tag(encoder->at, number, WIRE_VARINT), value);
}

void sluice_encode_fixed64(struct sluice_encoder *encoder, uint32_t number, uint64_t value)
{
    if (has_room(encoder, tag_size(number) + sizeof value))
        encoder->at = wire_put_fixed64(wire_put_tag(encoder->at, number, WIRE_FIXED64), value);
}

void sluice_encode_fixed32(struct sluice_encoder *encoder, uint32_t number, uint32_t value)
{
    if (has_room(encoder, tag_size(number) + sizeof value))
        encoder->at = wire_put_fixed32(wire_put_tag(encoder->at, number, WIRE_FIXED32), value);
}

void sluice_encode_raw(struct sluice_encoder *encoder, const void *data, size_t size)
{
    if (size == 0 || !has_room(encoder, size))
        return;
    memcpy(encoder->at, data, size);
    encoder->at += size;
}

void sluice_encode_bytes(struct sluice_encoder *encoder, uint32_t number, const void *data,
                         size_t size)
{
    if (!has_room(encoder, wire_bytes_size(number, size)))
        return;
    encoder->at = wire_put_length(encoder->at, number, size);
    sluice_encode_raw(encoder, data, size);
}

// Length of the UTF-8 sequence at the start of text, 0 where there is none (RFC 3629).
static size_t sequence_length(const uint8_t *text, size_t size)
{
    uint8_t first = text[0];
    uint8_t low = 0x80;
    uint8_t high = 0xBF;
    size_t length;
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        length = 2;
    else if (first >= 0xE0 && first <= 0xEF)
        length = 3;
    else if (first >= 0xF0 && first <= 0xF4)
        length = 4;
    else
        return 0;
    if (first == 0xE0)
        low = 0xA0; // shorter forms exist
    else if (first == 0xED)
        high = 0x9F; // surrogates
    else if (first == 0xF0)
        low = 0x90;
    else if (first == 0xF4)
        high = 0x8F; // above U+10FFFF
    if (size < length || text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    }
    return length;
}

static size_t valid_prefix(const uint8_t *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        size_t length = sequence_length(text + at, size - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

void sluice_encode_text(struct sluice_encoder *encoder, uint32_t number, const char *text,
                        size_t size)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t valid = text ? valid_prefix(bytes, size) : 0;
    if (!text || valid == size) {
        sluice_encode_bytes(encoder, number, text, text ? size : 0);
        return;
    }
    uint8_t *begin = sluice_encode_begin(encoder, number);
    for (;;) {
        sluice_encode_raw(encoder, bytes, valid);
        bytes += valid;
        size -= valid;
        if (size == 0)
            break;
        sluice_encode_raw(encoder, "\xEF\xBF\xBD", 3);
        bytes++;
        size--;
        valid = valid_prefix(bytes, size);
    }
    sluice_encode_end(encoder, begin);
}

uint8_t *sluice_encode_begin(struct sluice_encoder *encoder, uint32_t number)
{
    if (!has_room(encoder, tag_size(number) + 1))
        return NULL;
    encoder->at = wire_put_tag(encoder->at, number, WIRE_BYTES) + 1;
    return encoder->at;
}

// One byte was left for the length; a longer one moves what was written.
void sluice_encode_end(struct sluice_encoder *encoder, uint8_t *begin)
{
    if (encoder->full)
        return;
    size_t size = (size_t)(encoder->at - begin);
    size_t more = wire_varint_size(size) - 1;
    if (!has_room(encoder, more))
        return;
    if (more > 0)
        memmove(begin + more, begin, size);
    wire_put_varint(begin - 1, size);
    encoder->at += more;
}

static void encode_value(struct sluice_encoder *encoder, const struct sluice_field *field)
{
    uint64_t bits;
    switch (field->type) {
    case SLUICE_STRING:
        sluice_encode_text(encoder, OTLP_ANY_STRING, field->value.data, field->size);
        break;
    case SLUICE_INTEGER:
        sluice_encode_varint(encoder, OTLP_ANY_INT, (uint64_t)field->value.integer);
        break;
    case SLUICE_DOUBLE:
        memcpy(&bits, &field->value.number, sizeof bits);
        sluice_encode_fixed64(encoder, OTLP_ANY_DOUBLE, bits);
        break;
    case SLUICE_BOOLEAN:
        sluice_encode_varint(encoder, OTLP_ANY_BOOL, field->value.boolean);
        break;
    case SLUICE_BYTES:
        sluice_encode_bytes(encoder, OTLP_ANY_BYTES, field->value.data,
                            field->value.data ? field->size : 0);
        break;
    }
}

void sluice_encode_field(struct sluice_encoder *encoder, uint32_t number,
                         const struct sluice_field *field)
{
    uint8_t *pair = sluice_encode_begin(encoder, number);
    sluice_encode_text(encoder, OTLP_KEY_VALUE_KEY, field->name,
                       field->name ? strlen(field->name) : 0);
    uint8_t *value = sluice_encode_begin(encoder, OTLP_KEY_VALUE_VALUE);
    encode_value(encoder, field);
    sluice_encode_end(encoder, value);
    sluice_encode_end(encoder, pair);
}

void sluice_encode_log(struct sluice_encoder *encoder, const void *log_record)
{
    const struct sluice_log_record *record = log_record;
    sluice_encode_fixed64(encoder, OTLP_LOG_TIME_UNIX_NANO, record->time_ns);
    sluice_encode_varint(encoder, OTLP_LOG_SEVERITY_NUMBER, (uint64_t)record->level);
    uint8_t *body = sluice_encode_begin(encoder, OTLP_LOG_BODY);
    sluice_encode_text(encoder, OTLP_ANY_STRING, record->message,
                       record->message ? strlen(record->message) : 0);
    sluice_encode_end(encoder, body);
    for (size_t i = 0; i < record->count; i++)
        sluice_encode_field(encoder, OTLP_LOG_ATTRIBUTES, &record->fields[i]);
    if (!record->context)
        return;
    sluice_encode_fixed32(encoder, OTLP_LOG_FLAGS, record->context->flags);
    sluice_encode_bytes(encoder, OTLP_LOG_TRACE_ID, record->context->trace_id,
                        sizeof record->context->trace_id);
    sluice_encode_bytes(encoder, OTLP_LOG_SPAN_ID, record->context->span_id,
                        sizeof record->context->span_id);
}
