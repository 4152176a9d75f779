// Tells a command's own options from settings, and each from a slip.
#include "control/command_line.h"

#include "base/error.h"
#include "base/nearest_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A flag's place is a bool, another option's a text; --set has none.
struct option {
    const char *name;
    unsigned bit;
    bool has_value;
    size_t offset; // in struct command_line
};

#define TEXT(bit, member) bit, true, offsetof(struct command_line, member)
#define FLAG(bit, member) bit, false, offsetof(struct command_line, member)

static const struct option option_rows[] = {
    {"--config", TEXT(OPTION_CONFIG, config)},   {"--dev", FLAG(OPTION_DEV, dev)},
    {"--http", TEXT(OPTION_HTTP, http)},         {"--connect", FLAG(OPTION_CONNECT, connect)},
    {"--service", TEXT(OPTION_TAIL, service)},   {"--level", TEXT(OPTION_TAIL, level)},
    {"--match", TEXT(OPTION_TAIL, match)},       {"--signal", TEXT(OPTION_TAIL, signal)},
    {"--json", FLAG(OPTION_TAIL, json)},         {"--exporter", TEXT(OPTION_REPLAY, exporter)},
    {"--dry-run", FLAG(OPTION_REPLAY, dry_run)}, {"--remove", FLAG(OPTION_REPLAY, remove)},
    {"--watch", FLAG(OPTION_WATCH, watch)},      {"--set", OPTION_SETTINGS, true, 0},
};

#define OPTION_COUNT (sizeof option_rows / sizeof *option_rows)

struct parse {
    struct command_line *line;
    unsigned options;
    size_t words_max;
    char *error;
    size_t error_size;
};

static const struct option *find_option(const struct parse *parse, const char *name, size_t size)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((parse->options & option_rows[i].bit) && strlen(option_rows[i].name) == size &&
            memcmp(option_rows[i].name, name, size) == 0)
            return &option_rows[i];
    return NULL;
}

static int unknown(const struct parse *parse, const char *argument)
{
    struct nearest_name nearest;
    nearest_name_init(&nearest, argument);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (parse->options & option_rows[i].bit)
            nearest_name_offer(&nearest, option_rows[i].name);
    const char *best = nearest_name_best(&nearest);
    snprintf(parse->error, parse->error_size, "%.100s: no such option%s%s%s", argument,
             best ? "; did you mean " : "", best ? best : "", best ? "?" : "");
    return -EINVAL;
}

// Whether a slip in one of the command's own options is likelier than a setting.
static bool is_slip(const struct parse *parse, const char *name)
{
    struct nearest_name nearest;
    nearest_name_init(&nearest, name);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (parse->options & option_rows[i].bit)
            nearest_name_offer(&nearest, option_rows[i].name);
    return nearest.distance <= 1;
}

static int add_flag(const struct parse *parse, const char *name, size_t size, const char *value,
                    bool exact)
{
    struct command_line *line = parse->line;
    struct command_flag *names = &line->names[line->flag_count];
    if (size == 0 || size >= sizeof names->name - 8) {
        snprintf(parse->error, parse->error_size, "a setting's name is empty or too long");
        return -EINVAL;
    }
    memcpy(names->name, name, size);
    names->name[size] = '\0';
    snprintf(names->spelling, sizeof names->spelling, "%s%.150s", exact ? "--set " : "--",
             names->name);
    line->flags[line->flag_count++] = (struct settings_flag){
        .spelling = names->spelling, .name = names->name, .value = value, .exact = exact};
    return 0;
}

static int take_set(const struct parse *parse, const char *value)
{
    assert(value); // the option has one
    const char *equals = strchr(value, '=');
    if (!equals) {
        snprintf(parse->error, parse->error_size, "--set %.100s: write it as NAME=VALUE", value);
        return -EINVAL;
    }
    return add_flag(parse, value, (size_t)(equals - value), equals + 1, true);
}

static int take_option(const struct parse *parse, const struct option *option, const char *value)
{
    char *place = (char *)parse->line + option->offset;
    if (option->bit == OPTION_SETTINGS)
        return take_set(parse, value);
    if (option->has_value)
        *(const char **)(void *)place = value;
    else
        *(bool *)place = true;
    return 0;
}

// Takes args[0], and args[1] where it is the value. Returns how many it took, or -EINVAL.
static int take(const struct parse *parse, int count, char *const *args)
{
    struct command_line *line = parse->line;
    const char *argument = args[0];
    if (argument[0] != '-' || !argument[1]) {
        if (line->word_count == parse->words_max) {
            snprintf(parse->error, parse->error_size, "%.100s: one word too many", argument);
            return -EINVAL;
        }
        line->words[line->word_count++] = argument;
        return 1;
    }
    size_t size = strcspn(argument, "=");
    const struct option *option = find_option(parse, argument, size);
    char name[160];
    snprintf(name, sizeof name, "%.*s", (int)size, argument);
    bool setting = !option && (parse->options & OPTION_SETTINGS) &&
                   strncmp(argument, "--", 2) == 0 && !is_slip(parse, name);
    if (!option && !setting)
        return unknown(parse, name);
    if (option && !option->has_value && argument[size] == '=') {
        snprintf(parse->error, parse->error_size, "%s takes no value", option->name);
        return -EINVAL;
    }
    bool needs_value = setting || option->has_value;
    const char *value = argument[size] ? argument + size + 1 : NULL;
    int taken = needs_value && !value ? 2 : 1;
    if (taken > count) {
        snprintf(parse->error, parse->error_size,
                 setting ? "%s: no such option, or a setting that needs a value"
                         : "%s needs a value",
                 name);
        return -EINVAL;
    }
    if (taken == 2)
        value = args[1];
    int r = setting ? add_flag(parse, argument + 2, size - 2, value, false)
                    : take_option(parse, option, value);
    return r < 0 ? r : taken;
}

int command_line_parse(struct command_line *out, unsigned options, size_t words_max, int count,
                       char *const *args, char *error, size_t error_size)
{
    struct command_line line = {0};
    assert(words_max <= sizeof line.words / sizeof *line.words);
    struct parse parse = {&line, options, words_max, error, error_size};
    line.names = calloc((size_t)count + 1, sizeof *line.names);
    line.flags = calloc((size_t)count + 1, sizeof *line.flags);
    int r = line.names && line.flags ? 0 : -ENOMEM;
    for (int i = 0; r >= 0 && i < count; i += r)
        r = take(&parse, count - i, args + i);
    if (r < 0) {
        command_line_deinit(&line);
        return r;
    }
    *out = line;
    return 0;
}

void command_line_deinit(struct command_line *line)
{
    free(line->names);
    free(line->flags);
    *line = (struct command_line){0};
}
