// A bounded cursor over protobuf's wire bytes, and the few writers that need no generated code.
//
// The cursor never reads outside the bytes it was given and keeps nothing: every field is a view
// into them. Both ends link it: no allocation, no state, any thread.
// Source: protobuf.dev/programming-guides/encoding.
#ifndef SLUICE_PROTO_WIRE_H
#define SLUICE_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Groups (3 and 4) are refused: no message of OTLP or of the native dialect has them.
enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct wire_cursor {
    const uint8_t *at; // ≤ end
    const uint8_t *end;
};

struct wire_field {
    uint32_t number; // 1 … 2^29-1
    enum wire_type type;
    uint64_t value;      // WIRE_VARINT, WIRE_FIXED64, WIRE_FIXED32; else 0
    const uint8_t *data; // WIRE_BYTES: the value; else NULL
    size_t size;         // bytes of data
    const uint8_t *raw;  // the whole field with its tag: what a pass-through copies
    size_t raw_size;
};

#define WIRE_END 1 // wire_next(): no field is left

static inline struct wire_cursor wire_cursor_of(const void *data, size_t size)
{
    const uint8_t *at = size ? data : NULL;
    return (struct wire_cursor){at, size ? at + size : NULL};
}

// The next field. 0, WIRE_END, or -EBADMSG where the bytes are no message: a value that ends
// outside, a varint of more than 64 bits, field number 0, a wire type that does not exist, a group.
// After -EBADMSG the cursor must not be used again. A padded varint of up to ten bytes is legal.
int wire_next(struct wire_cursor *cursor, struct wire_field *field);
// A bare varint, as in a packed field. 0 or -EBADMSG.
int wire_next_varint(struct wire_cursor *cursor, uint64_t *value);

// Whether the field is of that number and type. A known number with another type is an unknown
// field, as protobuf has it.
static inline bool wire_is(const struct wire_field *field, uint32_t number, enum wire_type type)
{
    return field->number == number && field->type == type;
}

static inline struct wire_cursor wire_inside(const struct wire_field *field)
{
    return wire_cursor_of(field->data, field->size);
}

static inline double wire_double(const struct wire_field *field)
{
    double number;
    memcpy(&number, &field->value, sizeof number);
    return number;
}

#define WIRE_VARINT_MAX 10 // bytes

// Bytes that a varint, or a whole length-delimited field, takes.
size_t wire_varint_size(uint64_t value);
size_t wire_bytes_size(uint32_t number, size_t size);

// Writers: out must have room (the sizes above; 8 or 4 for the fixed ones). Each returns the end of
// what it wrote.
uint8_t *wire_put_varint(uint8_t *out, uint64_t value);
uint8_t *wire_put_tag(uint8_t *out, uint32_t number, enum wire_type type);
uint8_t *wire_put_fixed32(uint8_t *out, uint32_t value);
uint8_t *wire_put_fixed64(uint8_t *out, uint64_t value);
// Tag and length of a length-delimited field whose size bytes the caller writes next.
uint8_t *wire_put_length(uint8_t *out, uint32_t number, size_t size);
// The whole field.
uint8_t *wire_put_bytes(uint8_t *out, uint32_t number, const void *data, size_t size);

#endif
