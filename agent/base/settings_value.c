// Parses and prints the values of settings, exactly and with every overflow checked.
#include "base/settings_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit byte_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1ULL << 10},
    {"MiB", 1ULL << 20},
    {"GiB", 1ULL << 30},
    {"TiB", 1ULL << 40},
    {"KB", 1000},
    {"MB", 1000000},
    {"GB", 1000000000},
    {NULL, 0},
};

static const struct unit duration_units[] = {
    {"ns", 1},          {"us", 1000},         {"ms", 1000000}, {"s", 1000000000},
    {"m", 60000000000}, {"h", 3600000000000}, {NULL, 0},
};

// Reads digits of a base up to 10; *rest is what follows.
static int parse_digits(const char *text, unsigned base, uint64_t *out, const char **rest)
{
    uint64_t number = 0;
    bool overflow = false;
    const char *at = text;
    for (; *at >= '0' && (unsigned)(*at - '0') < base; at++) {
        uint64_t next;
        if (__builtin_mul_overflow(number, (uint64_t)base, &next) ||
            __builtin_add_overflow(next, (uint64_t)(*at - '0'), &next)) {
            overflow = true;
            next = 0;
        }
        number = next;
    }
    if (at == text)
        return VALUE_SYNTAX;
    *rest = at;
    *out = number;
    return overflow ? VALUE_OVERFLOW : 0;
}

static const struct unit *find_unit(const struct unit *units, const char *name)
{
    for (; units->name; units++)
        if (strcasecmp(units->name, name) == 0)
            return units;
    return NULL;
}

static int parse_with_unit(const char *text, const struct unit *units, uint64_t *out)
{
    const char *rest;
    uint64_t number;
    int r = parse_digits(text, 10, &number, &rest);
    if (r == VALUE_SYNTAX)
        return r;
    while (*rest == ' ')
        rest++;
    const struct unit *unit = find_unit(units, rest);
    if (!unit)
        return VALUE_SYNTAX;
    uint64_t product;
    if (r != 0 || __builtin_mul_overflow(number, unit->factor, &product))
        return VALUE_OVERFLOW;
    *out = product;
    return 0;
}

int value_parse_bytes(const char *text, uint64_t *bytes)
{
    return parse_with_unit(text, byte_units, bytes);
}

int value_parse_duration(const char *text, uint64_t *ns)
{
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return 0;
    }
    return parse_with_unit(text, duration_units, ns);
}

int value_parse_integer(const char *text, uint64_t *number)
{
    const char *rest;
    uint64_t parsed;
    int r = parse_digits(text, 10, &parsed, &rest);
    if (r == VALUE_SYNTAX || *rest)
        return VALUE_SYNTAX;
    if (r == 0)
        *number = parsed;
    return r;
}

int value_parse_mode(const char *text, uint64_t *mode)
{
    if (strncmp(text, "0o", 2) == 0)
        text += 2;
    const char *rest;
    uint64_t parsed;
    int r = parse_digits(text, 8, &parsed, &rest);
    if (r == VALUE_SYNTAX || *rest)
        return VALUE_SYNTAX;
    if (r == 0)
        *mode = parsed;
    return r;
}

// The largest unit that divides the number, among those that round-trip.
static void format_with_unit(uint64_t number, const struct unit *units, const char *none, char *out,
                             size_t size)
{
    const struct unit *best = NULL;
    for (const struct unit *unit = units; unit->name; unit++)
        if (number % unit->factor == 0 && (!best || unit->factor > best->factor))
            best = unit;
    if (number == 0 || !best)
        snprintf(out, size, "%" PRIu64 "%s", number, none);
    else
        snprintf(out, size, "%" PRIu64 "%s", number / best->factor, best->name);
}

void value_format_bytes(uint64_t bytes, char *out, size_t size)
{
    static const struct unit binary[] = {
        {"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {NULL, 0}};
    format_with_unit(bytes, binary, "B", out, size);
}

void value_format_duration(uint64_t ns, char *out, size_t size)
{
    format_with_unit(ns, duration_units, "s", out, size);
}
