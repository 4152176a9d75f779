// Reads the filter off the command line, hands its cheap part to the agent, and does the rest.
#include "control/tail_filter.h"

#include "base/error.h"
#include "control/command_line.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_tree.h>

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define CONTAINS_MAX 8 // that the agent takes
#define CONTAINS_SIZE 127

static const char *const levels[] = {"trace", "debug", "info", "warn", "error", "fatal"};
#define LEVEL_INFO 2
#define LEVEL_COUNT ((int)(sizeof levels / sizeof *levels))

static int rank_of(const char *level)
{
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (strcmp(levels[i], level) == 0)
            return i;
    return -1;
}

int tail_level_rank(const char *level)
{
    int rank = rank_of(level);
    return rank < 0 ? LEVEL_INFO : rank;
}

int tail_filter_init(struct tail_filter *out, const struct command_line *line, char *error,
                     size_t error_size)
{
    struct tail_filter filter = {
        .signals = line->signal,
        .service = line->service,
        .match = line->match,
        .level = line->level,
        .fields = line->words,
        .field_count = line->word_count,
    };
    for (size_t i = 0; i < filter.field_count; i++) {
        const char *equals = strchr(filter.fields[i], '=');
        if (!equals || equals == filter.fields[i]) {
            snprintf(error, error_size, "%.100s: write it as FIELD=VALUE, such as trace.id=4bf9…",
                     filter.fields[i]);
            return -EINVAL;
        }
    }
    filter.level_rank = filter.level ? rank_of(filter.level) : 0;
    if (filter.level_rank < 0) {
        snprintf(error, error_size,
                 "--level %.100s: allowed: trace, debug, info, warn, error, fatal", filter.level);
        return -EINVAL;
    }
    *out = filter;
    return 0;
}

// --- the agent's part ---

struct query {
    char *out;
    size_t size, used;
    unsigned contains;
};

static void add_text(struct query *query, const char *text)
{
    size_t size = strlen(text);
    if (query->used + size < query->size) {
        memcpy(query->out + query->used, text, size + 1);
        query->used += size;
    }
}

static void add_parameter(struct query *query, const char *name, const char *value)
{
    add_text(query, query->used && strchr(query->out, '?') ? "&" : "?");
    add_text(query, name);
    add_text(query, "=");
    for (; *value; value++) {
        char text[4];
        bool plain = strchr(PLAIN ",", *value) != NULL;
        snprintf(text, sizeof text, plain ? "%c" : "%%%02X", (unsigned char)*value);
        add_text(query, text);
    }
}

// What the document spells as it is: the agent looks for these bytes.
static void add_contains(struct query *query, const char *text)
{
    size_t size = strlen(text);
    if (query->contains == CONTAINS_MAX || size == 0 || size > CONTAINS_SIZE ||
        strspn(text, PLAIN) != size)
        return;
    add_parameter(query, "contains", text);
    query->contains++;
}

void tail_filter_path(const struct tail_filter *filter, char *out, size_t size)
{
    struct query query = {.out = out, .size = size};
    add_text(&query, "/tail");
    if (filter->signals)
        add_parameter(&query, "signal", filter->signals);
    if (filter->service)
        add_contains(&query, filter->service);
    if (filter->match)
        add_contains(&query, filter->match);
    for (size_t i = 0; i < filter->field_count; i++)
        add_contains(&query, strchr(filter->fields[i], '=') + 1);
}

// --- the document ---

static yajl_val field_of(yajl_val object, const char *path, size_t size)
{
    if (!object || !YAJL_IS_OBJECT(object))
        return NULL;
    for (size_t i = 0; i < object->u.object.len; i++) {
        const char *key = object->u.object.keys[i];
        size_t length = strlen(key);
        if (length > size || memcmp(key, path, length) != 0)
            continue;
        if (length == size)
            return object->u.object.values[i];
        yajl_val inner = path[length] == '.' ? field_of(object->u.object.values[i],
                                                        path + length + 1, size - length - 1)
                                             : NULL;
        if (inner)
            return inner;
    }
    return NULL;
}

yajl_val tail_field(yajl_val document, const char *path)
{
    return field_of(document, path, strlen(path));
}

const char *tail_text(yajl_val document, const char *path)
{
    yajl_val value = tail_field(document, path);
    return value && YAJL_IS_STRING(value) ? YAJL_GET_STRING(value) : "";
}

// As a glob where the pattern has its characters; else whole, or somewhere in the text.
static bool text_matches(const char *pattern, const char *text, bool whole)
{
    if (pattern[strcspn(pattern, "*?[")])
        return fnmatch(pattern, text, 0) == 0;
    return whole ? strcmp(pattern, text) == 0 : strstr(text, pattern) != NULL;
}

static bool value_matches(yajl_val value, const char *pattern)
{
    if (!value)
        return false;
    if (YAJL_IS_ARRAY(value)) {
        for (size_t i = 0; i < value->u.array.len; i++)
            if (value_matches(value->u.array.values[i], pattern))
                return true;
        return false;
    }
    const char *text = YAJL_IS_STRING(value)   ? YAJL_GET_STRING(value)
                       : YAJL_IS_NUMBER(value) ? YAJL_GET_NUMBER(value)
                       : YAJL_IS_TRUE(value)   ? "true"
                       : YAJL_IS_FALSE(value)  ? "false"
                                               : NULL;
    return text && text_matches(pattern, text, true);
}

static bool field_admits(yajl_val document, const char *wanted)
{
    const char *equals = strchr(wanted, '=');
    return value_matches(field_of(document, wanted, (size_t)(equals - wanted)), equals + 1);
}

bool tail_filter_admits(const struct tail_filter *filter, yajl_val document)
{
    if (filter->level && tail_level_rank(tail_text(document, "log.level")) < filter->level_rank)
        return false;
    if (filter->service &&
        !text_matches(filter->service, tail_text(document, "service.name"), true))
        return false;
    if (filter->match && !text_matches(filter->match, tail_text(document, "message"), false))
        return false;
    for (size_t i = 0; i < filter->field_count; i++)
        if (!field_admits(document, filter->fields[i]))
            return false;
    return true;
}
