// Writes JSON tokens straight into a spool slot, with a capacity check at each token.
//
// A token that does not fit sets `full` and writes nothing; whoever reserved the slot then throws
// the document away and tries again with more room. Loop thread only.
#ifndef SLUICE_ENRICH_JSON_OUT_H
#define SLUICE_ENRICH_JSON_OUT_H

#include "base/slice.h"
#include "enrich/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Bytes past `limit` that may be scribbled on: copies in fixed strides beat exact ones.
#define JSON_SLACK 64

struct json_out {
    uint8_t *at;    // ≤ limit
    uint8_t *limit; // the slot's end - JSON_SLACK
    bool full;
};

// capacity must be at least JSON_SLACK.
static inline struct json_out json_out_of(uint8_t *data, size_t capacity)
{
    return (struct json_out){.at = data, .limit = data + capacity - JSON_SLACK};
}

static inline bool json_room(struct json_out *out, size_t size)
{
    if ((size_t)(out->limit - out->at) >= size)
        return true;
    out->full = true;
    return false;
}

// memcpy for the short text that documents are made of: overlapping words in place of a call.
static inline void json_copy(uint8_t *to, const void *from, size_t size)
{
    const uint8_t *bytes = from;
    if (size > 32) {
        memcpy(to, bytes, size);
    } else if (size >= 16) {
        memcpy(to, bytes, 16);
        memcpy(to + size - 16, bytes + size - 16, 16);
    } else if (size >= 8) {
        memcpy(to, bytes, 8);
        memcpy(to + size - 8, bytes + size - 8, 8);
    } else if (size >= 4) {
        memcpy(to, bytes, 4);
        memcpy(to + size - 4, bytes + size - 4, 4);
    } else if (size) {
        to[0] = bytes[0];
        to[size / 2] = bytes[size / 2];
        to[size - 1] = bytes[size - 1];
    }
}

static inline void json_raw(struct json_out *out, const void *data, size_t size)
{
    if (json_room(out, size)) {
        json_copy(out->at, data, size);
        out->at += size;
    }
}

static inline void json_byte(struct json_out *out, char byte)
{
    if (json_room(out, 1))
        *out->at++ = (uint8_t)byte;
}

// The inside of a JSON string for valid UTF-8 text: what JSON forbids becomes escapes.
void json_escape(struct json_out *out, struct slice text);
// "text"
void json_string(struct json_out *out, struct slice text);
void json_integer(struct json_out *out, int64_t number);
// The shortest form that reads back as the same number, in fixed notation where it is short.
// Finite only.
void json_double(struct json_out *out, double number);
// A value as what it is; booleans as true and false.
void json_value(struct json_out *out, const struct value *value);
// A value as a JSON string whatever it is, null excepted: what `labels` takes.
void json_label_value(struct json_out *out, const struct value *value);

#define JSON_INTEGER_MAX 20 // characters
// Writes number in decimal at out; returns the end.
uint8_t *json_digits(uint8_t *out, uint64_t number);
// The last digits of number with leading zeros.
uint8_t *json_digits_padded(uint8_t *out, uint64_t number, unsigned digits);
// All nine of a number below 10^9: the fraction of a second.
void json_nine_digits(uint8_t *out, uint32_t number);
// 16 hexadecimal digits for 8 bytes.
void json_hex_8(uint8_t *out, const uint8_t bytes[8]);

#endif
