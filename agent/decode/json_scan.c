// The one-pass JSON scanner: values, strings and containers.
//
// Design: the hot loop is json_skip_plain, which looks at 16 bytes at a time for one that needs
// thought. Containers are walked by a loop with one bit a level; the hashes of the keys of open
// objects stand on a stack, so that equal keys are found without keeping the keys (a false alarm
// only costs a rewrite).
#include "decode/json.h"

#include "decode/json_quick.h"
#include "decode/key_hash.h"
#include "decode/utf8.h"

#include <string.h>

void json_scanner_init(struct json_scanner *scanner, struct arena *arena, struct slice text,
                       uint64_t seed)
{
    scanner->begin = text.data;
    scanner->end = text.data + text.size;
    scanner->arena = arena;
    scanner->seed = seed;
    scanner->keys = scanner->keys_inline;
    scanner->key_capacity = JSON_KEYS_INLINE;
    scanner->objects = scanner->objects_inline;
    scanner->depth_capacity = JSON_DEPTH_INLINE;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

// The four hex digits at `at`, or -1.
static int32_t hex4(const char *at, const char *end)
{
    if (end - at < 4)
        return -1;
    int32_t code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code;
}

// An escape whose backslash is *at. A surrogate pair is taken whole, a lone one flagged.
static const char *scan_escape(const char *at, const char *end, uint8_t *flags)
{
    switch (json_peek(at + 1, end)) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return at + 2;
    case 'u':
        break;
    default:
        return NULL;
    }
    int32_t code = hex4(at + 2, end);
    if (code < 0)
        return NULL;
    at += 6;
    if (code < 0xD800 || code > 0xDFFF)
        return at;
    if (code <= 0xDBFF && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        int32_t low = hex4(at + 2, end);
        if (low >= 0xDC00 && low <= 0xDFFF)
            return at + 6;
    }
    *flags |= JSON_BROKEN;
    return at;
}

const char *json_scan_string(struct json_scanner *scanner, const char *at, struct json_token *token)
{
    const char *begin = at, *end = scanner->end;
    uint8_t flags = 0;
    while (true) {
        at = json_skip_plain(scanner, at);
        if (at >= end)
            return NULL;
        if (*at == '"')
            break;
        if (*at == '\\') {
            flags |= JSON_ESCAPED;
            at = scan_escape(at, end, &flags);
            if (!at)
                return NULL;
        } else if ((unsigned char)*at >= 0x80) {
            bool valid;
            at += utf8_sequence(at, end, &valid);
            if (!valid)
                flags |= JSON_BROKEN;
        } else {
            flags |= JSON_BROKEN; // a raw control character
            at++;
        }
    }
    token->kind = JSON_STRING;
    token->flags = flags;
    token->text = slice_of(begin, (size_t)(at - begin));
    return at + 1;
}

static const char *scan_word(const char *at, const char *end, const char *word, enum json_kind kind,
                             struct json_token *token)
{
    size_t size = strlen(word);
    if ((size_t)(end - at) < size || memcmp(at, word, size) != 0)
        return NULL;
    token->kind = (uint8_t)kind;
    token->flags = kind == JSON_NAN ? JSON_BROKEN : 0;
    token->text = slice_of(at, size);
    return at + size;
}

static const char *scan_scalar(struct json_scanner *scanner, const char *at,
                               struct json_token *token)
{
    const char *end = scanner->end;
    switch (json_peek(at, end)) {
    case '"':
        return json_scan_string(scanner, at + 1, token);
    case 't':
        return scan_word(at, end, "true", JSON_TRUE, token);
    case 'f':
        return scan_word(at, end, "false", JSON_FALSE, token);
    case 'n':
        return scan_word(at, end, "null", JSON_NULL, token);
    case 'N':
        return scan_word(at, end, "NaN", JSON_NAN, token);
    case 'I':
        return scan_word(at, end, "Infinity", JSON_NAN, token);
    default:
        return json_scan_number(at, end, token);
    }
}

// State of the loop over a container.
struct walk {
    uint32_t depth;
    uint32_t deepest;
    uint8_t flags;
};

static bool grow(struct arena *arena, void **memory, size_t size)
{
    void *larger = arena_alloc(arena, 2 * size); // the inline scratch cannot be grown in place
    if (!larger)
        return false;
    memcpy(larger, *memory, size);
    *memory = larger;
    return true;
}

static bool enter(struct json_scanner *scanner, struct walk *walk, bool object)
{
    if (walk->depth == scanner->depth_capacity) {
        void *bits = scanner->objects;
        if (!grow(scanner->arena, &bits, scanner->depth_capacity / 8))
            return false;
        scanner->objects = bits;
        scanner->depth_capacity *= 2;
    }
    uint64_t bit = (uint64_t)1 << (walk->depth % 64);
    uint64_t *word = &scanner->objects[walk->depth / 64];
    *word = object ? *word | bit : *word & ~bit;
    if (walk->depth <= JSON_DEPTH_KEPT)
        scanner->key_first[walk->depth] = scanner->key_count;
    walk->depth++;
    if (walk->depth > walk->deepest)
        walk->deepest = walk->depth;
    return true;
}

static inline bool in_object(const struct json_scanner *scanner, const struct walk *walk)
{
    uint32_t level = walk->depth - 1;
    return scanner->objects[level / 64] >> (level % 64) & 1;
}

static void sift(uint32_t *heap, size_t root, size_t size)
{
    while (2 * root + 1 < size) {
        size_t child = 2 * root + 1;
        if (child + 1 < size && heap[child + 1] > heap[child])
            child++;
        if (heap[root] >= heap[child])
            return;
        uint32_t swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
        root = child;
    }
}

// Whether two of them are equal. Sorts where there are many, so that a wide object costs no square.
static bool any_equal(uint32_t *hashes, size_t count)
{
    if (count <= 16) {
        for (size_t i = 1; i < count; i++)
            for (size_t j = 0; j < i; j++)
                if (hashes[i] == hashes[j])
                    return true;
        return false;
    }
    for (size_t i = count / 2; i-- > 0;)
        sift(hashes, i, count);
    for (size_t size = count; size-- > 1;) {
        uint32_t swap = hashes[0];
        hashes[0] = hashes[size];
        hashes[size] = swap;
        sift(hashes, 0, size);
    }
    for (size_t i = 1; i < count; i++)
        if (hashes[i] == hashes[i - 1])
            return true;
    return false;
}

static void leave(struct json_scanner *scanner, struct walk *walk)
{
    walk->depth--;
    if (walk->depth > JSON_DEPTH_KEPT)
        return; // no keys were noted so deep
    uint32_t first = scanner->key_first[walk->depth];
    if (any_equal(scanner->keys + first, scanner->key_count - first))
        walk->flags |= JSON_BROKEN;
    scanner->key_count = first;
}

static bool note_key(struct json_scanner *scanner, struct walk *walk, const struct json_token *key)
{
    walk->flags |= key->flags & JSON_BROKEN;
    if (key->flags & JSON_ESCAPED)
        walk->flags |= JSON_BROKEN; // it may equal another that is spelt otherwise
    if (walk->depth > JSON_DEPTH_KEPT + 1)
        return true;
    if (scanner->key_count == scanner->key_capacity) {
        void *keys = scanner->keys;
        if (!grow(scanner->arena, &keys, scanner->key_capacity * sizeof *scanner->keys))
            return false;
        scanner->keys = keys;
        scanner->key_capacity *= 2;
    }
    scanner->keys[scanner->key_count++] = key_hash(key->text.data, key->text.size, scanner->seed);
    return true;
}

// `"key" :` and the space after it.
static const char *scan_key(struct json_scanner *scanner, struct walk *walk, const char *at)
{
    struct json_token key;
    if (json_peek(at, scanner->end) != '"')
        return NULL;
    at = json_quick_string(scanner, at + 1, &key);
    if (!at || !note_key(scanner, walk, &key))
        return NULL;
    return json_quick_colon(at, scanner->end);
}

// After a value: closes what ends here. At the next value, or at depth 0 after the container.
static const char *after_value(struct json_scanner *scanner, struct walk *walk, const char *at)
{
    while (walk->depth > 0) {
        bool object = in_object(scanner, walk);
        at = json_skip_space(at, scanner->end);
        char c = json_peek(at, scanner->end);
        if (c == ',') {
            at = json_skip_space(at + 1, scanner->end);
            return object ? scan_key(scanner, walk, at) : at;
        }
        if (c != (object ? '}' : ']'))
            return NULL;
        leave(scanner, walk);
        at++;
    }
    return at;
}

// An opening bracket: at the first value inside, or after it where it is empty (*empty).
static const char *open_container(struct json_scanner *scanner, struct walk *walk, const char *at,
                                  bool *empty)
{
    bool object = *at == '{';
    if (!enter(scanner, walk, object))
        return NULL;
    at = json_skip_space(at + 1, scanner->end);
    *empty = json_peek(at, scanner->end) == (object ? '}' : ']');
    if (*empty) {
        leave(scanner, walk);
        return at + 1;
    }
    return object ? scan_key(scanner, walk, at) : at;
}

static const char *scan_container(struct json_scanner *scanner, const char *at,
                                  struct json_token *token)
{
    struct walk walk = {0};
    const char *begin = at;
    scanner->key_count = 0;
    do {
        bool done = true;
        char c = json_peek(at, scanner->end);
        if (c == '{' || c == '[') {
            at = open_container(scanner, &walk, at, &done);
        } else {
            struct json_token scalar;
            at = c == '"' ? json_quick_string(scanner, at + 1, &scalar)
                          : scan_scalar(scanner, at, &scalar);
            if (at && (scalar.flags & JSON_BROKEN || scalar.kind == JSON_HUGE))
                walk.flags |= JSON_BROKEN;
        }
        if (at && done)
            at = after_value(scanner, &walk, at);
        if (!at)
            return NULL;
    } while (walk.depth > 0);
    token->kind = *begin == '{' ? JSON_OBJECT : JSON_ARRAY;
    token->flags = (uint8_t)(walk.flags | (walk.deepest > JSON_DEPTH_KEPT ? JSON_DEEP : 0));
    token->text = slice_of(begin, (size_t)(at - begin));
    return at;
}

const char *json_scan_value(struct json_scanner *scanner, const char *at, struct json_token *token)
{
    char c = json_peek(at, scanner->end);
    if (c == '{' || c == '[')
        return scan_container(scanner, at, token);
    return scan_scalar(scanner, at, token);
}
