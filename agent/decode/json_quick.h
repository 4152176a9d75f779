// The JSON scanner's inner loops, inline: what most strings and spaces of a line need.
//
// Private to agent/decode. Nothing here reads outside [scanner->begin, scanner->end).
#ifndef SLUICE_DECODE_JSON_QUICK_H
#define SLUICE_DECODE_JSON_QUICK_H

#include "decode/json.h"

#ifdef __SSE2__
#include <emmintrin.h>

// A bit for each of the 16 bytes that a string scan must look at: quote, backslash, control, or not
// ASCII.
static inline unsigned json_stops(const char *at)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    // As signed bytes, everything from 0x80 on is below a space too.
    __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), low));
}
#endif

// The first byte of a string, from `at` on, that a scan must look at; or end.
static inline const char *json_skip_plain(const struct json_scanner *scanner, const char *at)
{
    const char *end = scanner->end;
#ifdef __SSE2__
    while (end - at >= 16) {
        unsigned stops = json_stops(at);
        if (stops)
            return at + __builtin_ctz(stops);
        at += 16;
    }
    if (end - scanner->begin >= 16) { // the last 16 bytes, without those before `at`
        unsigned stops = json_stops(end - 16) >> (16 - (end - at));
        return stops ? at + __builtin_ctz(stops) : end;
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && (signed char)*at >= ' ')
        at++;
    return at;
}

// A string whose opening quote is at[-1].
static inline const char *json_quick_string(struct json_scanner *scanner, const char *at,
                                            struct json_token *token)
{
    const char *stop = json_skip_plain(scanner, at);
    if (__builtin_expect(stop == scanner->end || *stop != '"', 0))
        return json_scan_string(scanner, at, token);
    token->kind = JSON_STRING;
    token->flags = 0;
    token->text = slice_of(at, (size_t)(stop - at));
    return stop + 1;
}

static inline const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && *at <= ' ' && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

// The byte at `at`, or 0 past the end, which no token begins with.
static inline char json_peek(const char *at, const char *end)
{
    return at < end ? *at : '\0';
}

// Any value: strings at once, the rest by a call.
static inline const char *json_quick_value(struct json_scanner *scanner, const char *at,
                                           struct json_token *token)
{
    if (json_peek(at, scanner->end) == '"')
        return json_quick_string(scanner, at + 1, token);
    return json_scan_value(scanner, at, token);
}

// What follows a member's name: the colon, with space around it. NULL where there is none.
static inline const char *json_quick_colon(const char *at, const char *end)
{
    at = json_skip_space(at, end);
    return json_peek(at, end) == ':' ? json_skip_space(at + 1, end) : NULL;
}

#endif
