// Validates and repairs UTF-8.
#include "decode/utf8.h"

#include <string.h>

// What the second byte of a sequence may be, by its first.
static void second_byte_range(unsigned char first, unsigned char *low, unsigned char *high)
{
    *low = 0x80;
    *high = 0xBF;
    if (first == 0xE0)
        *low = 0xA0; // else overlong
    else if (first == 0xED)
        *high = 0x9F; // else a surrogate
    else if (first == 0xF0)
        *low = 0x90; // else overlong
    else if (first == 0xF4)
        *high = 0x8F; // else above U+10FFFF
}

static size_t sequence_size(unsigned char first)
{
    if (first >= 0xC2 && first <= 0xDF)
        return 2;
    if (first >= 0xE0 && first <= 0xEF)
        return 3;
    if (first >= 0xF0 && first <= 0xF4)
        return 4;
    return 0;
}

size_t utf8_sequence(const char *at, const char *end, bool *valid)
{
    unsigned char first = (unsigned char)at[0];
    size_t size = sequence_size(first);
    *valid = false;
    if (size == 0)
        return 1;
    unsigned char low, high;
    second_byte_range(first, &low, &high);
    for (size_t i = 1; i < size; i++) {
        if (at + i >= end)
            return i;
        unsigned char byte = (unsigned char)at[i];
        if (byte < low || byte > high)
            return i;
        low = 0x80;
        high = 0xBF;
    }
    *valid = true;
    return size;
}

// The first byte of text from `from` on that begins no valid sequence; the end where all is valid.
static size_t first_invalid(struct slice text, size_t from)
{
    const char *end = text.data + text.size;
    const char *at = text.data + from;
    while (at < end) {
        uint64_t word;
        if (end - at >= 8) {
            memcpy(&word, at, 8);
            if ((word & 0x8080808080808080U) == 0) {
                at += 8;
                continue;
            }
        }
        if ((unsigned char)*at < 0x80) {
            at++;
            continue;
        }
        bool valid;
        size_t size = utf8_sequence(at, end, &valid);
        if (!valid)
            break;
        at += size;
    }
    return (size_t)(at - text.data);
}

bool utf8_valid(struct slice text)
{
    return first_invalid(text, 0) == text.size;
}

bool utf8_repair(struct arena *arena, struct slice text, struct slice *out)
{
    size_t good = first_invalid(text, 0);
    if (good == text.size) {
        *out = text;
        return true;
    }
    // Each byte may become one replacement.
    char *copy = arena_alloc(arena, good + (text.size - good) * UTF8_REPLACEMENT_SIZE);
    if (!copy)
        return false;
    size_t from = 0, size = 0;
    while (true) {
        memcpy(copy + size, text.data + from, good - from);
        size += good - from;
        if (good == text.size)
            break;
        bool valid;
        from = good + utf8_sequence(text.data + good, text.data + text.size, &valid);
        memcpy(copy + size, UTF8_REPLACEMENT, UTF8_REPLACEMENT_SIZE);
        size += UTF8_REPLACEMENT_SIZE;
        good = first_invalid(text, from);
    }
    *out = slice_of(copy, size);
    return true;
}

size_t utf8_cut(const char *text, size_t size)
{
    size_t from = size;
    while (from > 0 && size - from < 4) {
        unsigned char byte = (unsigned char)text[--from];
        if (byte < 0x80)
            return size;
        if (byte >= 0xC0)
            return sequence_size(byte) > size - from ? from : size;
    }
    return size; // not UTF-8: any place is as good
}

size_t utf8_encode(char *out, uint32_t code)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}
