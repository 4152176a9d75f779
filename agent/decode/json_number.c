// JSON numbers: the grammar, 64-bit integers exactly, and what neither they nor a double can hold.
#include "decode/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline bool is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

static const char *skip_digits(const char *at, const char *end)
{
    while (is_digit(at, end))
        at++;
    return at;
}

static __attribute__((noinline)) double to_double(const char *at, size_t size)
{
    char text[JSON_NUMBER_READ + 1];
    memcpy(text, at, size);
    text[size] = '\0';
    return strtod(text, NULL);
}

bool json_shorten(struct arena *arena, const struct json_token *number, struct slice *out)
{
    char *text = arena_alloc(arena, 32);
    if (!text)
        return false;
    double value = to_double(number->text.data, number->text.size);
    *out = slice_of(text, (size_t)snprintf(text, 32, "%.17g", value));
    return true;
}

// Of a number with a fraction or an exponent.
static enum json_kind kind_of_real(struct slice text, bool exponent)
{
    bool is_long = text.size > JSON_NUMBER_MAX;
    if (!exponent && !is_long)
        return JSON_NUMBER; // so few digits cannot overflow
    if (text.size > JSON_NUMBER_READ || !isfinite(to_double(text.data, text.size)))
        return JSON_HUGE;
    return is_long ? JSON_LONG : JSON_NUMBER;
}

// The integer of these digits, without a leading zero. False where it needs more than 64 bits.
static bool to_integer(const char *digits, const char *end, bool negative, int64_t *out)
{
    uint64_t magnitude = 0;
    for (const char *at = digits; at < end; at++) {
        if (__builtin_mul_overflow(magnitude, 10, &magnitude) ||
            __builtin_add_overflow(magnitude, (uint64_t)(*at - '0'), &magnitude))
            return false;
    }
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

static const char *scan_minus_infinity(const char *at, const char *end, struct json_token *token)
{
    static const char word[] = "-Infinity";
    if ((size_t)(end - at) < sizeof word - 1 || memcmp(at, word, sizeof word - 1) != 0)
        return NULL;
    token->kind = JSON_NAN;
    token->flags = JSON_BROKEN;
    token->text = slice_of(at, sizeof word - 1);
    return at + sizeof word - 1;
}

// Fraction and exponent; NULL where one is begun but has no digits.
static const char *scan_rest(const char *at, const char *end, bool *exponent)
{
    *exponent = false;
    if (at < end && *at == '.') {
        if (!is_digit(at + 1, end))
            return NULL;
        at = skip_digits(at + 1, end);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        *exponent = true;
        at++;
        if (at < end && (*at == '+' || *at == '-'))
            at++;
        if (!is_digit(at, end))
            return NULL;
        at = skip_digits(at, end);
    }
    return at;
}

const char *json_scan_number(const char *at, const char *end, struct json_token *token)
{
    const char *begin = at;
    bool negative = at < end && *at == '-';
    if (negative)
        at++;
    const char *digits = at;
    if (!is_digit(at, end))
        return negative ? scan_minus_infinity(begin, end, token) : NULL;
    at = *at == '0' ? at + 1 : skip_digits(at, end);
    const char *integer_end = at;
    bool exponent;
    at = scan_rest(at, end, &exponent);
    if (!at)
        return NULL;
    token->flags = 0;
    token->text = slice_of(begin, (size_t)(at - begin));
    if (at == integer_end) {
        if (!to_integer(digits, at, negative, &token->integer))
            token->kind = JSON_HUGE;
        else // -0 keeps its sign
            token->kind = negative && token->integer == 0 ? JSON_NUMBER : JSON_INTEGER;
    } else {
        token->kind = (uint8_t)kind_of_real(token->text, exponent);
        token->flags = token->kind == JSON_LONG ? JSON_BROKEN : 0; // to be written anew
    }
    return at;
}
