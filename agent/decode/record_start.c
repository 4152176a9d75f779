// Recognises the beginnings of records by their shape: logback, Python's logging, Go's log, klog,
// Ruby's Logger, .NET's console, nginx, syslog, logfmt.
#include "decode/record_start.h"

#include <string.h>

#define LEVEL_WITHIN 160 // bytes of the line: further right it is part of the message

static const char *const level_words[] = {
    "INFO",   "ERROR", "WARN",  "WARNING",   "DEBUG",   "TRACE", "CRITICAL", "FATAL", "NOTICE",
    "SEVERE", "ALERT", "EMERG", "EMERGENCY", "VERBOSE", "ERR",   "CRIT",     "FINE",  "FINER",
    "FINEST", "INF",   "WRN",   "DBG",       "TRC",     "FTL",   "FAIL",     "DBUG",  "TRCE",
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_letter(char c)
{
    return is_upper(c) || (c >= 'a' && c <= 'z');
}

static char at(struct slice line, size_t i)
{
    return i < line.size ? line.data[i] : '\0';
}

static struct slice word_at(struct slice line, size_t from)
{
    size_t size = 0;
    while (is_letter(at(line, from + size)))
        size++;
    return slice_of(line.data + from, size);
}

static bool is_level(struct slice word)
{
    if (word.size < 3 || word.size > 9)
        return false;
    for (size_t i = 0; i < sizeof level_words / sizeof *level_words; i++) {
        size_t n = 0;
        if ((word.data[0] & 0x5F) != level_words[i][0] || strlen(level_words[i]) != word.size)
            continue;
        while (n < word.size && (word.data[n] & 0x5F) == level_words[i][n])
            n++;
        if (n == word.size)
            return true;
    }
    return false;
}

static bool is_capitals(struct slice word)
{
    for (size_t i = 0; i < word.size; i++)
        if (!is_upper(word.data[i]))
            return false;
    return word.size > 0;
}

// "Error: …" is JavaScript's type, "ERROR: …", "error: …" and "Warning: …" are levels.
static bool is_type(struct slice word)
{
    return word.size == 5 && memcmp(word.data, "Error", 5) == 0;
}

// "ERROR …", "[error] …", "warn: …"
static bool starts_with_level(struct slice line)
{
    size_t from = at(line, 0) == '[' || at(line, 0) == '<' || at(line, 0) == '|';
    while (from && at(line, from) == ' ')
        from++;
    struct slice word = word_at(line, from);
    if (!is_level(word) || is_type(word))
        return false;
    char next = at(line, from + word.size);
    if (from)
        return next == ']' || next == '>' || next == '|' || next == ' ' || next == ':';
    return next == ':' || (is_capitals(word) && (next == ' ' || next == '\t' || next == '[' ||
                                                 next == '|' || next == '(' || next == '\0'));
}

// Digits, and what stands for a digit in the pattern: '0' a digit, 'a' a letter, others themselves.
static bool matches(struct slice line, size_t from, const char *pattern)
{
    for (size_t i = 0; pattern[i]; i++) {
        char c = at(line, from + i);
        if (pattern[i] == '0' ? !is_digit(c) : pattern[i] == 'a' ? !is_letter(c) : c != pattern[i])
            return false;
    }
    return true;
}

static bool is_month_or_day(struct slice line, size_t from)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDecMonTueWedThuFriSatSun";
    for (size_t i = 0; i + 3 <= sizeof names - 1; i += 3)
        if (line.size >= from + 3 && memcmp(line.data + from, names + i, 3) == 0)
            return true;
    return false;
}

static bool starts_with_digits(struct slice line, size_t from)
{
    static const char *const patterns[] = {
        "0000-00-00",  "0000/00/00", "0000.00.00", "00000000T00", "00:00:00",   "00/aaa/0000",
        "00-aaa-0000", "00/00/0000", "00/00/00 ",  "00-00 00:00", "00.00.0000", "00000000 00:00",
    };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        if (matches(line, from, patterns[i]))
            return true;
    // Seconds or more since 1970, alone or with a fraction.
    size_t digits = 0;
    while (is_digit(at(line, from + digits)))
        digits++;
    char next = at(line, from + digits);
    return digits >= 10 && digits <= 19 &&
           (next == '.' || next == ' ' || next == ']' || next == '\t' || next == ':');
}

static bool starts_with_time(struct slice line)
{
    size_t from = 0;
    while (from < 2 && (at(line, from) == '[' || at(line, from) == '(' || at(line, from) == '"'))
        from++;
    char first = at(line, from);
    if (is_digit(first))
        return starts_with_digits(line, from);
    if (!is_upper(first))
        return false;
    if (is_month_or_day(line, from)) // "Nov 22 19:31:38", "Sun Nov 22", "Nov 22, 2026 7:31:38 PM"
        return (at(line, from + 3) == ' ' || at(line, from + 3) == ',') &&
               (is_digit(at(line, from + 4)) || is_digit(at(line, from + 5)) ||
                is_month_or_day(line, from + 4) || is_month_or_day(line, from + 5));
    return matches(line, from, "a0000 00:00:00") || // klog
           matches(line, from, "a, [0000-");        // Ruby's Logger
}

static bool starts_with_key(struct slice line)
{
    static const char *const keys[] = {"time=", "ts=", "t=", "level=", "lvl=", "timestamp="};
    if (at(line, 0) != 't' && at(line, 0) != 'l')
        return false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (line.size > strlen(keys[i]) && memcmp(line.data, keys[i], strlen(keys[i])) == 0)
            return true;
    return false;
}

// "<13>"
static bool starts_with_priority(struct slice line)
{
    size_t digits = 0;
    if (at(line, 0) != '<')
        return false;
    while (digits < 4 && is_digit(at(line, 1 + digits)))
        digits++;
    return digits >= 1 && digits <= 3 && at(line, 1 + digits) == '>';
}

// An escape that sets a colour, before the level or the time.
static struct slice without_colour(struct slice line)
{
    size_t end = 2;
    if (at(line, 0) != '\x1B' || at(line, 1) != '[')
        return line;
    while (is_digit(at(line, end)) || at(line, end) == ';')
        end++;
    return at(line, end) == 'm' ? slice_of(line.data + end + 1, line.size - end - 1) : line;
}

bool record_start(struct slice line)
{
    line = without_colour(line);
    return starts_with_time(line) || starts_with_level(line) || starts_with_priority(line) ||
           starts_with_key(line);
}

bool record_is_half(struct slice line)
{
    size_t day = matches(line, 4, "00, 0000 ") ? 13 : 12;
    return is_month_or_day(line, 0) &&
           (matches(line, 4, "00, 0000 ") || matches(line, 4, "0, 0000 ")) &&
           (matches(line, day, "00:00:00 aM ") || matches(line, day, "0:00:00 aM "));
}

bool record_is_other_half(struct slice line)
{
    struct slice word = word_at(line, 0);
    return is_capitals(word) && (is_level(word) || slice_equal(word, SLICE("CONFIG"))) &&
           matches(line, word.size, ": ");
}

static struct slice level_of_letter(char letter)
{
    switch (letter) {
    case 'D':
        return SLICE("debug");
    case 'I':
        return SLICE("info");
    case 'W':
        return SLICE("warn");
    case 'E':
        return SLICE("error");
    case 'F':
        return SLICE("fatal");
    default:
        return SLICE("");
    }
}

struct slice record_level(struct slice line)
{
    line = without_colour(line);
    if (matches(line, 0, "a0000 00:00:00"))
        return level_of_letter(line.data[0]);
    if (line.size > LEVEL_WITHIN)
        line.size = LEVEL_WITHIN;
    for (size_t i = 0; i < line.size;) {
        struct slice word = word_at(line, i);
        if (word.size == 0) {
            i++;
            continue;
        }
        char before = i ? line.data[i - 1] : '\0', after = at(line, i + word.size);
        bool framed = (i == 0 || strchr("[<|=\"", before)) && strchr("]>|:\" ,", after);
        bool first = i > 0 || after == ':'; // at the start a small word is just a word
        bool alone = !is_digit(after) && after != '_' && before != '_' && after != '.';
        if (is_level(word) && !is_type(word) && alone && (is_capitals(word) || (framed && first)))
            return word;
        i += word.size;
    }
    return SLICE("");
}
