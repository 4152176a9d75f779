// JSON tokens: strings copied in strides until a byte needs an escape, numbers without printf
// wherever that is exact.
#include "enrich/json_out.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static const char hex[] = "0123456789abcdef";

static const char digit_pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "6869707172737475767778798081828384858687888990919293949596979899";

// One byte that may need an escape. The caller has room for six bytes.
static uint8_t *escape_byte(uint8_t *out, uint8_t byte)
{
    static const char short_form[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (byte >= 0x20 && byte != '"' && byte != '\\') {
        *out = byte;
        return out + 1;
    }
    *out++ = '\\';
    if (byte == '"' || byte == '\\') {
        *out++ = byte;
    } else if (byte < sizeof short_form && short_form[byte]) {
        *out++ = (uint8_t)short_form[byte];
    } else {
        memcpy(out, "u00", 3);
        out[3] = (uint8_t)hex[byte >> 4];
        out[4] = (uint8_t)hex[byte & 15];
        out += 5;
    }
    return out;
}

static bool escape_run(struct json_out *out, const uint8_t *from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!json_room(out, 6))
            return false;
        out->at = escape_byte(out->at, from[i]);
    }
    return true;
}

// A bit set in some byte where one of eight bytes is below 0x20, a quote or a backslash.
static uint64_t needs_escape(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    return ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
           ((backslash - ones) & ~backslash);
}

static bool word_needs_escape(uint64_t word)
{
    return needs_escape(word) & 0x8080808080808080u;
}

// Fewer than 16 bytes: two words that overlap, so that short text costs no loop.
static void escape_tail(struct json_out *out, const uint8_t *from, size_t size)
{
    if (size >= 8) {
        uint64_t first;
        uint64_t last;
        memcpy(&first, from, 8);
        memcpy(&last, from + size - 8, 8);
        if (!word_needs_escape(first) && !word_needs_escape(last) && json_room(out, size)) {
            memcpy(out->at, &first, 8);
            memcpy(out->at + size - 8, &last, 8);
            out->at += size;
            return;
        }
    } else if (size >= 4) {
        uint32_t first;
        uint32_t last;
        memcpy(&first, from, 4);
        memcpy(&last, from + size - 4, 4);
        if (!word_needs_escape((uint64_t)last << 32 | first) && json_room(out, size)) {
            memcpy(out->at, &first, 4);
            memcpy(out->at + size - 4, &last, 4);
            out->at += size;
            return;
        }
    }
    escape_run(out, from, size);
}

// Copies 16 bytes; returns how many of them come before the first that needs an escape.
static inline unsigned copy_clean(uint8_t *to, const uint8_t *from)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)from);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    _mm_storeu_si128((__m128i *)(void *)to, bytes);
    __m128i dirty = _mm_or_si128(control, _mm_or_si128(quote, backslash));
    return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(dirty) | 1u << 16);
#else
    uint64_t words[2];
    memcpy(words, from, 16);
    memcpy(to, words, 16);
    if (word_needs_escape(words[0]) || word_needs_escape(words[1])) {
        unsigned clean = 0;
        while (from[clean] >= 0x20 && from[clean] != '"' && from[clean] != '\\')
            clean++;
        return clean;
    }
    return 16;
#endif
}

void json_escape(struct json_out *out, struct slice text)
{
    const uint8_t *from = (const uint8_t *)text.data;
    size_t left = text.size;
    while (left >= 16) {
        unsigned clean = copy_clean(out->at, from);
        if (!json_room(out, clean + 6))
            return;
        out->at += clean;
        from += clean;
        left -= clean;
        if (clean < 16) {
            out->at = escape_byte(out->at, *from++);
            left--;
        }
    }
    if (left)
        escape_tail(out, from, left);
}

void json_string(struct json_out *out, struct slice text)
{
    if (!json_room(out, text.size + 2))
        return;
    *out->at++ = '"';
    json_escape(out, text);
    json_byte(out, '"');
}

uint8_t *json_digits_padded(uint8_t *out, uint64_t number, unsigned digits)
{
    for (unsigned i = digits; i > 1; number /= 100) {
        i -= 2;
        memcpy(out + i, digit_pairs + 2 * (number % 100), 2);
    }
    if (digits % 2)
        out[0] = (uint8_t)('0' + number % 10);
    return out + digits;
}

void json_nine_digits(uint8_t *out, uint32_t number)
{
    uint32_t high = number / 100000; // the first four
    uint32_t low = number % 100000;
    uint32_t middle = low / 1000; // two
    uint32_t last = low % 1000;
    memcpy(out, digit_pairs + 2 * (high / 100), 2);
    memcpy(out + 2, digit_pairs + 2 * (high % 100), 2);
    memcpy(out + 4, digit_pairs + 2 * middle, 2);
    memcpy(out + 6, digit_pairs + 2 * (last / 10), 2);
    out[8] = (uint8_t)('0' + last % 10);
}

// Four bytes as eight hexadecimal digits, the first in the lowest byte of the result.
static uint64_t hex_of_4(const uint8_t bytes[4])
{
    uint64_t word = (uint64_t)bytes[0] | (uint64_t)bytes[1] << 8 | (uint64_t)bytes[2] << 16 |
                    (uint64_t)bytes[3] << 24;
    word = (word | word << 16) & 0x0000ffff0000ffffu;
    word = (word | word << 8) & 0x00ff00ff00ff00ffu; // each byte has two bytes' room
    uint64_t nibbles = (word >> 4 & 0x000f000f000f000fu) | (word & 0x000f000f000f000fu) << 8;
    uint64_t letters = (nibbles + 0x0606060606060606u) >> 4 & 0x0101010101010101u;
    return nibbles + 0x3030303030303030u + letters * ('a' - '0' - 10);
}

void json_hex_8(uint8_t *out, const uint8_t bytes[8])
{
    for (unsigned half = 0; half < 2; half++) {
        uint64_t digits = hex_of_4(bytes + 4 * half);
        for (unsigned i = 0; i < 8; i++)
            out[8 * half + i] = (uint8_t)(digits >> (8 * i));
    }
}

uint8_t *json_digits(uint8_t *out, uint64_t number)
{
    unsigned digits = 1;
    for (uint64_t bound = 10; number >= bound; bound *= 10) {
        digits++;
        if (digits == JSON_INTEGER_MAX)
            break; // the next power of ten is beyond 64 bits
    }
    return json_digits_padded(out, number, digits);
}

void json_integer(struct json_out *out, int64_t number)
{
    if (!json_room(out, JSON_INTEGER_MAX + 1))
        return;
    uint64_t magnitude = (uint64_t)number;
    if (number < 0) {
        *out->at++ = '-';
        magnitude = 0 - magnitude;
    }
    out->at = json_digits(out->at, magnitude);
}

#define EXACT_INTEGER 9007199254740992.0 // 2^53

// A number with few decimals: an integer below 2^53 over a power of ten is one exact division,
// which rounds just as a reader's conversion does, so the first that gives the number back is exact
// and shortest.
static bool fixed_notation(struct json_out *out, double magnitude)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
    for (unsigned decimals = 0; decimals < sizeof powers / sizeof *powers; decimals++) {
        double scaled = magnitude * powers[decimals];
        if (scaled >= EXACT_INTEGER)
            return false;
        uint64_t whole = (uint64_t)(scaled + 0.5);
        if ((double)whole / powers[decimals] != magnitude)
            continue;
        uint64_t power = (uint64_t)powers[decimals];
        out->at = json_digits(out->at, whole / power);
        *out->at++ = '.';
        out->at = json_digits_padded(out->at, whole % power, decimals ? decimals : 1);
        return true;
    }
    return false;
}

void json_double(struct json_out *out, double number)
{
    assert(isfinite(number));
    if (!json_room(out, JSON_SLACK))
        return;
    if (signbit(number))
        *out->at++ = '-';
    double magnitude = fabs(number);
    if (fixed_notation(out, magnitude))
        return;
    char text[32];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, magnitude);
        if (strtod(text, NULL) == magnitude) // NOLINT(cert-err34-c): our own text
            break;
    }
    json_raw(out, text, strlen(text));
}

void json_value(struct json_out *out, const struct value *value)
{
    switch (value->kind) {
    case VALUE_NULL:
        json_raw(out, "null", 4);
        break;
    case VALUE_TEXT:
        json_string(out, value->text);
        break;
    case VALUE_ESCAPED:
        if (json_room(out, value->text.size + 2)) {
            *out->at++ = '"';
            json_copy(out->at, value->text.data, value->text.size);
            out->at += value->text.size;
            *out->at++ = '"';
        }
        break;
    case VALUE_JSON:
        json_raw(out, value->text.data, value->text.size);
        break;
    case VALUE_INTEGER:
        json_integer(out, value->integer);
        break;
    case VALUE_DOUBLE:
        json_double(out, value->number);
        break;
    case VALUE_BOOLEAN:
        json_raw(out, value->boolean ? "true" : "false", value->boolean ? 4 : 5);
        break;
    }
}

void json_label_value(struct json_out *out, const struct value *value)
{
    switch (value->kind) {
    case VALUE_JSON:
        json_string(out, value->text);
        break;
    case VALUE_INTEGER:
    case VALUE_DOUBLE:
    case VALUE_BOOLEAN:
        json_byte(out, '"');
        json_value(out, value);
        json_byte(out, '"');
        break;
    default:
        json_value(out, value);
    }
}
