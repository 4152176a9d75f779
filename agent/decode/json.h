// JSON in one pass: tokens that are views of the source text, and what makes them fit for output.
//
// The grammar is RFC 8259's, plus what Python writes: NaN, Infinity and -Infinity where a value
// may stand. Raw control characters, invalid UTF-8 and lone surrogates inside strings are accepted
// and flagged; nothing else is. Nesting costs no C stack.
#ifndef SLUICE_DECODE_JSON_H
#define SLUICE_DECODE_JSON_H

#include "base/arena.h"
#include "base/slice.h"
#include "enrich/record.h"

#include <stdbool.h>
#include <stdint.h>

// Containers nested deeper than this inside a value are kept as text: Elasticsearch's flattened
// type takes 20 levels, and app.NAME uses two.
#define JSON_DEPTH_KEPT 16
// Longer numbers are written anew, as the double they are: Jackson, Elasticsearch's parser, refuses
// 1,000 digits. Those of more than JSON_NUMBER_READ, which no double needs, are kept as text.
#define JSON_NUMBER_MAX 64
#define JSON_NUMBER_READ 1200

enum json_kind {
    JSON_NULL,
    JSON_NAN, // NaN, Infinity, -Infinity
    JSON_FALSE,
    JSON_TRUE,
    JSON_INTEGER, // fits 64 signed bits; in .integer
    JSON_NUMBER,  // any other number that a double can hold
    JSON_LONG,    // such a number of more than JSON_NUMBER_MAX characters
    JSON_HUGE,    // an integer beyond 64 bits, a number beyond double's range, or too many digits
    JSON_STRING,
    JSON_OBJECT,
    JSON_ARRAY,
};

#define JSON_ESCAPED 1u // a string with a backslash
#define JSON_BROKEN 2u  // holds what is not strict JSON or not UTF-8, or an object with equal keys
#define JSON_DEEP 4u    // nested deeper than JSON_DEPTH_KEPT

struct json_token {
    uint8_t kind;
    uint8_t flags;
    struct slice text; // source text; of a string what stands between the quotes
    int64_t integer;
};

#define JSON_KEYS_INLINE 128
#define JSON_DEPTH_INLINE 1024

// Scratch of one scan, on the caller's stack.
struct json_scanner {
    const char *begin; // readable bytes
    const char *end;
    struct arena *arena; // for what is too deep or too wide for the scratch
    uint64_t seed;       // of key_hash
    // Of the objects that are open: hashes of the keys so far, to find equal ones.
    uint32_t *keys;
    uint32_t key_count;
    uint32_t key_capacity;
    uint32_t key_first[JSON_DEPTH_KEPT + 1];
    uint64_t *objects; // a bit for each level: 1 is an object
    uint32_t depth_capacity;
    uint32_t keys_inline[JSON_KEYS_INLINE];
    uint64_t objects_inline[JSON_DEPTH_INLINE / 64];
};

void json_scanner_init(struct json_scanner *scanner, struct arena *arena, struct slice text,
                       uint64_t seed);

// A value of any kind, without space before it. Returns what follows, or NULL where it is not JSON.
const char *json_scan_value(struct json_scanner *scanner, const char *at, struct json_token *token);
// A string whose opening quote is at[-1].
const char *json_scan_string(struct json_scanner *scanner, const char *at,
                             struct json_token *token);
// A number or -Infinity.
const char *json_scan_number(const char *at, const char *end, struct json_token *token);

// Walks an object or array that json_scan_value has found to be one.
struct json_walk {
    struct json_scanner *scanner;
    const char *at; // next member
    bool object;
};
void json_walk_init(struct json_walk *walk, struct json_scanner *scanner, struct slice container);
// The next member; key only in objects. False at the end (or where the text is broken).
bool json_walk_next(struct json_walk *walk, struct json_token *key, struct json_token *value);

// The token as a value fit for output: a view where it can be, else repaired in the arena. False
// where memory ran out.
bool json_to_value(struct json_scanner *scanner, const struct json_token *token, struct value *out);
// The double of a JSON_LONG, at full precision.
bool json_shorten(struct arena *arena, const struct json_token *number, struct slice *out);
// A string as plain UTF-8: escapes resolved, broken parts replaced by U+FFFD.
bool json_unescape(struct arena *arena, const struct json_token *string, struct slice *out);
// A string as the inside of a strict JSON string.
bool json_repair_string(struct arena *arena, const struct json_token *string, struct slice *out);
// A container as strict JSON: NaN → null, strings repaired, of equal keys the last, huge numbers
// as strings. Not for JSON_DEEP ones.
bool json_rewrite(struct json_scanner *scanner, const struct json_token *container,
                  struct slice *out);

#endif
