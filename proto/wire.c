// Protobuf's wire bytes, read with bounds first and written without a schema.
#include "proto/wire.h"

#include <errno.h>

#define FIELD_NUMBER_MAX ((1u << 29) - 1)

int wire_next_varint(struct wire_cursor *cursor, uint64_t *value)
{
    uint64_t result = 0;
    const uint8_t *at = cursor->at;
    for (unsigned shift = 0; at < cursor->end && shift < 70; shift += 7) {
        uint8_t byte = *at++;
        if (shift == 63 && byte > 1)
            return -EBADMSG; // beyond 64 bits
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *value = result;
            cursor->at = at;
            return 0;
        }
    }
    return -EBADMSG;
}

static int next_fixed(struct wire_cursor *cursor, unsigned size, uint64_t *value)
{
    if ((size_t)(cursor->end - cursor->at) < size)
        return -EBADMSG;
    uint64_t result = 0;
    for (unsigned i = 0; i < size; i++)
        result |= (uint64_t)cursor->at[i] << (8 * i);
    cursor->at += size;
    *value = result;
    return 0;
}

static int next_bytes(struct wire_cursor *cursor, struct wire_field *field)
{
    uint64_t size;
    if (wire_next_varint(cursor, &size) != 0 || size > (size_t)(cursor->end - cursor->at))
        return -EBADMSG;
    field->data = cursor->at;
    field->size = (size_t)size;
    cursor->at += size;
    return 0;
}

static int next_value(struct wire_cursor *cursor, unsigned type, struct wire_field *field)
{
    switch (type) {
    case WIRE_VARINT:
        return wire_next_varint(cursor, &field->value);
    case WIRE_FIXED64:
        return next_fixed(cursor, 8, &field->value);
    case WIRE_BYTES:
        return next_bytes(cursor, field);
    case WIRE_FIXED32:
        return next_fixed(cursor, 4, &field->value);
    default:
        return -EBADMSG; // groups, and what does not exist
    }
}

int wire_next(struct wire_cursor *cursor, struct wire_field *field)
{
    if (cursor->at == cursor->end)
        return WIRE_END;
    struct wire_field next = {.raw = cursor->at};
    uint64_t tag;
    if (wire_next_varint(cursor, &tag) != 0)
        return -EBADMSG;
    uint64_t number = tag >> 3;
    if (number == 0 || number > FIELD_NUMBER_MAX)
        return -EBADMSG;
    next.number = (uint32_t)number;
    next.type = (enum wire_type)(tag & 7);
    if (next_value(cursor, (unsigned)(tag & 7), &next) != 0)
        return -EBADMSG;
    next.raw_size = (size_t)(cursor->at - next.raw);
    *field = next;
    return 0;
}

size_t wire_varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

size_t wire_bytes_size(uint32_t number, size_t size)
{
    return wire_varint_size((uint64_t)number << 3) + wire_varint_size(size) + size;
}

uint8_t *wire_put_varint(uint8_t *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *out++ = (uint8_t)(value | 0x80);
    *out++ = (uint8_t)value;
    return out;
}

uint8_t *wire_put_tag(uint8_t *out, uint32_t number, enum wire_type type)
{
    return wire_put_varint(out, (uint64_t)number << 3 | (unsigned)type);
}

static uint8_t *put_fixed(uint8_t *out, unsigned size, uint64_t value)
{
    for (unsigned i = 0; i < size; i++)
        *out++ = (uint8_t)(value >> (8 * i));
    return out;
}

uint8_t *wire_put_fixed32(uint8_t *out, uint32_t value)
{
    return put_fixed(out, 4, value);
}

uint8_t *wire_put_fixed64(uint8_t *out, uint64_t value)
{
    return put_fixed(out, 8, value);
}

uint8_t *wire_put_length(uint8_t *out, uint32_t number, size_t size)
{
    return wire_put_varint(wire_put_tag(out, number, WIRE_BYTES), size);
}

uint8_t *wire_put_bytes(uint8_t *out, uint32_t number, const void *data, size_t size)
{
    out = wire_put_length(out, number, size);
    if (size)
        memcpy(out, data, size);
    return out + size;
}
