// log.level and event.severity, from words, numbers and offsets.
#include "decode/key_hash.h"
#include "decode/map_members.h"

#include <string.h>

enum level {
    LEVEL_NONE,
    LEVEL_TRACE,
    LEVEL_DEBUG,
    LEVEL_INFO,
    LEVEL_WARN,
    LEVEL_ERROR,
    LEVEL_FATAL
};

static const char *const level_names[] = {"", "trace", "debug", "info", "warn", "error", "fatal"};

struct level_word {
    const char *word; // lower case
    enum level level;
};

static const struct level_word level_words[] = {
    {"info", LEVEL_INFO},       {"debug", LEVEL_DEBUG},        {"warning", LEVEL_WARN},
    {"error", LEVEL_ERROR},     {"warn", LEVEL_WARN},          {"critical", LEVEL_FATAL},
    {"trace", LEVEL_TRACE},     {"fatal", LEVEL_FATAL},        {"notice", LEVEL_INFO},
    {"exception", LEVEL_ERROR}, {"err", LEVEL_ERROR},          {"crit", LEVEL_FATAL},
    {"panic", LEVEL_FATAL},     {"dpanic", LEVEL_FATAL},       {"verbose", LEVEL_DEBUG},
    {"http", LEVEL_INFO},       {"silly", LEVEL_TRACE},        {"information", LEVEL_INFO},
    {"severe", LEVEL_ERROR},    {"informational", LEVEL_INFO}, {"fine", LEVEL_DEBUG},
    {"finer", LEVEL_DEBUG},     {"finest", LEVEL_TRACE},       {"eror", LEVEL_ERROR},
    {"emergency", LEVEL_FATAL}, {"alert", LEVEL_FATAL},        {"emerg", LEVEL_FATAL},
    {"success", LEVEL_INFO},    {"inf", LEVEL_INFO},           {"dbg", LEVEL_DEBUG},
    {"wrn", LEVEL_WARN},        {"ftl", LEVEL_FATAL},          {"trc", LEVEL_TRACE},
    {"fail", LEVEL_ERROR},      {"dbug", LEVEL_DEBUG},         {"trce", LEVEL_TRACE},
};

// OpenTelemetry's number of a level.
static uint8_t severity_of(enum level level)
{
    return (uint8_t)(4 * (level - 1) + 1);
}

static enum level level_of_severity(uint8_t severity)
{
    return severity >= 1 && severity <= 24 ? (enum level)((severity - 1) / 4 + 1) : LEVEL_NONE;
}

// pino's numbers: 10 trace, 20 debug … 60 fatal.
static enum level level_of_pino(int64_t number)
{
    if (number < 0)
        return LEVEL_NONE;
    if (number < 20)
        return LEVEL_TRACE;
    return number >= 60 ? LEVEL_FATAL : (enum level)(number / 10);
}

// Python's: 10 debug, 20 info … 50 critical.
static enum level level_of_python(int64_t number)
{
    if (number < 0)
        return LEVEL_NONE;
    if (number < 20)
        return LEVEL_DEBUG;
    return number >= 50 ? LEVEL_FATAL : (enum level)(number / 10 + 1);
}

// Digits to the end of text, at most nine.
static bool parse_digits(struct slice text, int64_t *out)
{
    if (text.size == 0 || text.size > 9)
        return false;
    *out = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *out = 10 * *out + (text.data[i] - '0');
    }
    return true;
}

static bool begins(struct slice text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

// slog's offsets: "INFO+2", "ERROR+4", "DEBUG-8".
static enum level level_of_offset(struct slice text)
{
    static const struct level_word bases[] = {
        {"debug", LEVEL_DEBUG}, {"info", LEVEL_INFO}, {"warn", LEVEL_WARN}, {"error", LEVEL_ERROR}};
    for (size_t i = 0; i < sizeof bases / sizeof *bases; i++) {
        size_t size = strlen(bases[i].word);
        int64_t offset;
        if (!begins(text, bases[i].word) || text.size <= size + 1 ||
            (text.data[size] != '+' && text.data[size] != '-') ||
            !parse_digits(slice_of(text.data + size + 1, text.size - size - 1), &offset))
            continue;
        // slog's scale: DEBUG -4, INFO 0, WARN 4, ERROR 8.
        int64_t number = 4 * ((int64_t)bases[i].level - LEVEL_INFO);
        number += text.data[size] == '+' ? offset : -offset;
        if (number < -4)
            return LEVEL_TRACE;
        return number >= 12 ? LEVEL_FATAL : (enum level)((number + 4) / 4 + LEVEL_DEBUG);
    }
    return LEVEL_NONE;
}

static struct slice trimmed(struct slice text)
{
    while (text.size && text.data[text.size - 1] == ' ')
        text.size--;
    while (text.size && text.data[0] == ' ') {
        text.data++;
        text.size--;
    }
    return text;
}

static enum level level_of_text(struct slice original)
{
    char lower[24];
    struct slice text = trimmed(original);
    int64_t number;
    if (text.size == 0 || text.size > sizeof lower)
        return LEVEL_NONE;
    for (enum level level = LEVEL_INFO; level <= LEVEL_FATAL; level++)
        if (text.size == strlen(level_names[level]) &&
            key_equal(text.data, level_names[level], text.size))
            return level; // the usual spelling
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        lower[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    text.data = lower;
    for (size_t i = 0; i < sizeof level_words / sizeof *level_words; i++)
        if (slice_equal(text, slice_from(level_words[i].word)))
            return level_words[i].level;
    if (parse_digits(text, &number))
        return level_of_pino(number);
    if (begins(text, "level ") && parse_digits(slice_of(lower + 6, text.size - 6), &number))
        return level_of_python(number); // Python's name of a number without one
    return level_of_offset(text);
}

uint8_t map_severity(struct slice text)
{
    enum level level = level_of_text(text);
    return level == LEVEL_NONE ? 0 : severity_of(level);
}

static bool same_word(struct slice text, const char *name)
{
    if (text.size != strlen(name))
        return false;
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] | 0x20) != name[i])
            return false;
    return true;
}

// A level was found. Where OTLP gave the severity, the text only tells what it was called.
static bool take(struct mapper *mapper, enum level level, const struct map_member *member,
                 struct slice text)
{
    struct fields *own = mapper->fields;
    if (fields_has(own, ECS_LOG_LEVEL))
        return true; // a stronger key said it
    enum level given = level_of_severity(mapper->record->severity);
    if (given == LEVEL_NONE) {
        given = level;
        mapper->record->severity = severity_of(level);
    }
    fields_set(own, ECS_LOG_LEVEL,
               (struct value){.kind = VALUE_TEXT, .text = slice_from(level_names[given])});
    if (text.size && !same_word(text, level_names[given]))
        mapper->failed |=
            !named_values_add(&own->labels, mapper->arena, SLICE("level_original"), member->value);
    return true;
}

bool map_take_level(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct slice text = {NULL, 0};
    enum level level = LEVEL_NONE;
    if (!mapper->record)
        return false;
    if (member->value.kind == VALUE_INTEGER)
        level = level_of_pino(member->value.integer);
    else if (map_member_text(mapper, member, &text))
        level = level_of_text(text);
    if (mapper->severity_given) { // by OTLP: its text is the name, any other level the app's own
        bool name = key->known == KNOWN_SEVERITY_TEXT && text.size;
        return name ? take(mapper, level, member, text)
                    : level == level_of_severity(mapper->record->severity);
    }
    return level != LEVEL_NONE && take(mapper, level, member, text);
}

bool map_take_level_python(struct mapper *mapper, struct map_member *member,
                           const struct map_key *key)
{
    (void)key;
    if (!mapper->record || member->value.kind != VALUE_INTEGER)
        return false;
    enum level level = level_of_python(member->value.integer);
    if (mapper->severity_given)
        return level == level_of_severity(mapper->record->severity);
    return level != LEVEL_NONE && take(mapper, level, member, (struct slice){NULL, 0});
}

void map_set_level_loguru(struct mapper *mapper, struct slice name, int64_t number)
{
    struct fields *own = mapper->fields;
    enum level level = level_of_text(name);
    if (mapper->record->severity)
        return;
    if (level == LEVEL_NONE || begins(name, "Level ")) // TRACE is 5
        level = number >= 0 && number < 10 ? LEVEL_TRACE : level_of_python(number);
    if (level == LEVEL_NONE)
        level = LEVEL_TRACE; // below 0
    mapper->record->severity = severity_of(level);
    if (name.size && !same_word(name, level_names[level]))
        mapper->failed |= !named_values_add(&own->labels, mapper->arena, SLICE("level_original"),
                                            (struct value){.kind = VALUE_TEXT, .text = name});
}

bool map_take_level_otel(struct mapper *mapper, struct map_member *member,
                         const struct map_key *key)
{
    (void)key;
    if (!mapper->record || member->value.kind != VALUE_INTEGER || member->value.integer < 1 ||
        member->value.integer > 24)
        return false;
    if (mapper->record->severity)
        return level_of_severity((uint8_t)member->value.integer) ==
               level_of_severity(mapper->record->severity);
    mapper->record->severity = (uint8_t)member->value.integer;
    return take(mapper, LEVEL_NONE, member, (struct slice){NULL, 0});
}

bool map_take_level_printed(struct mapper *mapper, struct map_member *member,
                            const struct map_key *key)
{
    (void)key;
    if (!mapper->record || member->value.kind != VALUE_INTEGER)
        return false;
    if (!mapper->record->severity) { // a scale of the app's own
        fields_set(mapper->fields, ECS_EVENT_SEVERITY, member->value);
        return true;
    }
    return member->value.integer == mapper->record->severity;
}

void map_finish_level(struct mapper *mapper)
{
    struct fields *own = mapper->fields;
    enum level level = level_of_severity(mapper->record->severity);
    if (level == LEVEL_NONE)
        return;
    if (!fields_has(own, ECS_LOG_LEVEL))
        fields_set(own, ECS_LOG_LEVEL,
                   (struct value){.kind = VALUE_TEXT, .text = slice_from(level_names[level])});
    fields_set(own, ECS_EVENT_SEVERITY,
               (struct value){.kind = VALUE_INTEGER, .integer = mapper->record->severity});
}
