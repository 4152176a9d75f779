// JSON strings made plain, and broken ones made strict.
#include "decode/json.h"

#include "decode/utf8.h"

#include <string.h>

static uint32_t hex4(const char *at)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i];
        uint32_t digit = (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        code = code << 4 | digit;
    }
    return code;
}

// The code point of the \u escape at `at`, U+FFFD for a lone surrogate; *size takes its bytes. The
// scanner has checked the digits.
static uint32_t unicode_escape(const char *at, const char *end, size_t *size)
{
    uint32_t code = hex4(at + 2);
    *size = 6;
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    if (code <= 0xDBFF && end - at >= 12 && at[6] == '\\' && at[7] == 'u') {
        uint32_t low = hex4(at + 8);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *size = 12;
            return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return 0xFFFD;
}

static char plain_escape(char c)
{
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return c; // " \ /
    }
}

bool json_unescape(struct arena *arena, const struct json_token *string, struct slice *out)
{
    if (!(string->flags & (JSON_ESCAPED | JSON_BROKEN))) {
        *out = string->text;
        return true;
    }
    const char *at = string->text.data, *end = at + string->text.size;
    char *text = arena_alloc(arena, string->text.size * UTF8_REPLACEMENT_SIZE);
    if (!text)
        return false;
    size_t size = 0;
    while (at < end) {
        if (*at != '\\') {
            const char *next = memchr(at, '\\', (size_t)(end - at));
            struct slice run = slice_of(at, (size_t)((next ? next : end) - at));
            struct slice fit;
            if (!utf8_repair(arena, run, &fit))
                return false;
            memcpy(text + size, fit.data, fit.size);
            size += fit.size;
            at += run.size;
        } else if (at[1] == 'u') {
            size_t used;
            uint32_t code = unicode_escape(at, end, &used);
            size += utf8_encode(text + size, code);
            at += used;
        } else {
            text[size++] = plain_escape(at[1]);
            at += 2;
        }
    }
    *out = slice_of(text, size);
    return true;
}

static size_t copy_escape(char *text, const char *at, const char *end, size_t *used)
{
    *used = 2;
    if (at[1] == 'u' && unicode_escape(at, end, used) == 0xFFFD) {
        memcpy(text, "\\ufffd", 6);
        return 6;
    }
    memcpy(text, at, *used);
    return *used;
}

bool json_repair_string(struct arena *arena, const struct json_token *string, struct slice *out)
{
    if (!(string->flags & JSON_BROKEN)) {
        *out = string->text;
        return true;
    }
    static const char hex[] = "0123456789abcdef";
    const char *at = string->text.data, *end = at + string->text.size;
    char *text = arena_alloc(arena, string->text.size * 6); // a control character: \u0000
    if (!text)
        return false;
    size_t size = 0;
    while (at < end) {
        unsigned char c = (unsigned char)*at;
        size_t used = 1;
        if (c == '\\') {
            size += copy_escape(text + size, at, end, &used);
        } else if (c < 0x20) {
            memcpy(text + size, "\\u00", 4);
            text[size + 4] = hex[c >> 4];
            text[size + 5] = hex[c & 15];
            size += 6;
        } else if (c < 0x80) {
            text[size++] = *at;
        } else {
            bool valid;
            used = utf8_sequence(at, end, &valid);
            memcpy(text + size, valid ? at : UTF8_REPLACEMENT,
                   valid ? used : UTF8_REPLACEMENT_SIZE);
            size += valid ? used : UTF8_REPLACEMENT_SIZE;
        }
        at += used;
    }
    *out = slice_of(text, size);
    return true;
}
