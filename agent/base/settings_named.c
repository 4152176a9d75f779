// Settings by name: what a variable of the environment, a flag or --set means.
//
// The environment and flags cannot write a path as it is, so dots, dashes and underscores count as
// the same there: SLUICE_KAFKA_BROKERS and --kafka-brokers are exporters.kafka.brokers.
#include "base/nearest_name.h"
#include "base/settings_draft.h"
#include "base/settings_load.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "SLUICE_"
#define NAMED_MAX 300 // bytes of a name worth comparing

static bool is_separator(char c)
{
    return c == '.' || c == '-' || c == '_';
}

static bool same_letter(char wanted, char given, bool exact)
{
    if (exact)
        return wanted == given;
    return (is_separator(wanted) && is_separator(given)) ||
           tolower((unsigned char)wanted) == tolower((unsigned char)given);
}

// What follows prefix in text; NULL where text does not begin so.
static const char *after(const char *text, const char *prefix, bool exact)
{
    for (; *prefix; prefix++, text++)
        if (!*text || !same_letter(*prefix, *text, exact))
            return NULL;
    return text;
}

// What follows prefix and one separator.
static const char *after_part(const char *text, const char *prefix, bool exact)
{
    const char *rest = after(text, prefix, exact);
    return rest && same_letter('.', *rest, exact) ? rest + 1 : NULL;
}

static bool member_of_map(const struct setting_row *row, const char *rest, bool exact,
                          struct setting_target *out)
{
    char key[NAMED_MAX];
    size_t size = strlen(rest);
    if (size == 0 || size >= sizeof key)
        return false;
    memcpy(key, rest, size + 1);
    if (exact)
        return draft_set_key(out, key);
    for (size_t i = 0; i < size; i++)
        key[i] = key[i] == '_' ? row->key_separator : (char)tolower((unsigned char)key[i]);
    if (size > 5 && strcmp(key + size - 4, "file") == 0 && key[size - 5] == row->key_separator)
        key[size - 5] = '_';
    return draft_set_key(out, key);
}

static bool match_row(const struct setting_row *row, const char *path, const char *text, bool exact,
                      struct setting_target *out)
{
    const char *rest = after(text, path, exact);
    if (!rest)
        return false;
    bool map = row->type == SETTING_MAP;
    out->row = row;
    out->from_file = false;
    out->key[0] = '\0';
    if (!*rest)
        return true;
    // In the environment a map's own file goes before a member that would be called "file".
    const char *end = after(rest, "_file", exact);
    out->from_file = end && !*end;
    if (out->from_file || !map)
        return out->from_file;
    return same_letter('.', *rest, exact) && member_of_map(row, rest + 1, exact, out);
}

static bool match_scope(enum setting_scope scope, const char *text, bool exact,
                        struct setting_target *out)
{
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        if (row->scope != scope)
            continue;
        if (match_row(row, row->path, text, exact, out))
            return true;
        if (row->short_env && match_row(row, row->short_env, text, exact, out))
            return true;
    }
    return false;
}

// NAME.FIELD, with or without the scope before it; the longest name that fits wins.
static bool match_named(const struct setting_name *names, unsigned count, enum setting_scope scope,
                        const char *text, bool exact, struct setting_target *out)
{
    size_t best = 0;
    for (unsigned i = 0; i < count; i++) {
        struct setting_target target = {0};
        size_t size = strlen(names[i].name);
        const char *rest = after_part(text, names[i].name, exact);
        if (!rest || size <= best || !match_scope(scope, rest, exact, &target))
            continue;
        best = size;
        *out = target;
        memcpy(out->name, names[i].name, size + 1);
    }
    return best > 0;
}

bool draft_resolve(const struct settings_draft *draft, const char *text, bool exact,
                   struct setting_target *out)
{
    *out = (struct setting_target){0};
    if (match_scope(SCOPE_AGENT, text, exact, out))
        return true;
    const char *rest = after_part(text, "exporters", exact);
    if (match_named(draft->exporters, draft->exporter_count, SCOPE_EXPORTER, rest ? rest : text,
                    exact, out))
        return true;
    rest = after_part(text, "routes", exact);
    return rest && match_named(draft->routes, draft->route_count, SCOPE_ROUTE, rest, exact, out);
}

// Fields whose names are not everybody's (as mode and timeout are).
static bool is_telling(const struct setting_row *row)
{
    return row->only && row->type != SETTING_CHOICE && row->type != SETTING_DURATION &&
           strcmp(row->path, "key") != 0;
}

// The name of the exporter that text addresses, as in FOO_BROKERS, where no such exporter exists.
static bool names_other_exporter(const char *text, bool exact, char *name, size_t size)
{
    const char *rest = after_part(text, "exporters", exact);
    text = rest ? rest : text;
    for (const char *at = text; *at; at++) {
        struct setting_target target;
        if (at == text || !same_letter('.', *at, exact) || (size_t)(at - text) >= size ||
            !match_scope(SCOPE_EXPORTER, at + 1, exact, &target) || !is_telling(target.row))
            continue;
        snprintf(name, size, "%.*s", (int)(at - text), text);
        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        return true;
    }
    return false;
}

// Writes a path the way that this kind of name has it: prefix, then capitals with underscores
// (environment), or dashes (flags), or as it is (exact).
static void offer(struct nearest_name *nearest, const char *path, char separator)
{
    char name[128];
    size_t used = 0;
    for (; *path && used + 1 < sizeof name; path++) {
        char c = separator && is_separator(*path) ? separator : *path;
        name[used++] = separator == '_' ? (char)toupper((unsigned char)c) : c;
    }
    name[used] = '\0';
    nearest_name_offer(nearest, name);
}

static void offer_all(const struct settings_draft *draft, struct nearest_name *nearest,
                      char separator)
{
    char path[SETTING_PATH_MAX];
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        bool exporter = row->scope == SCOPE_EXPORTER;
        if (row->scope == SCOPE_AGENT)
            offer(nearest, row->path, separator);
        unsigned count = exporter ? draft->exporter_count : draft->route_count;
        for (unsigned n = 0; row->scope != SCOPE_AGENT && n < count; n++) {
            struct setting_target target = {.row = row};
            memcpy(target.name, (exporter ? draft->exporters : draft->routes)[n].name,
                   sizeof target.name);
            draft_path(&target, path, sizeof path);
            offer(nearest, path, separator);
            if (exporter)
                offer(nearest, path + strlen("exporters."), separator);
        }
    }
}

static void exporter_names(const struct settings_draft *draft, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < draft->exporter_count && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "",
                                 draft->exporters[i].name);
}

// Returns false where the name resembles no setting at all.
static bool tell_unknown(struct settings_draft *draft, const struct setting_place *place,
                         const char *prefix, const char *text, char separator)
{
    char name[EXPORTER_NAME_MAX], names[300];
    if (names_other_exporter(text, separator == '\0', name, sizeof name)) {
        exporter_names(draft, names, sizeof names);
        draft_mistake(draft, place, "", "no exporter has the name \"%s\"; there are: %s", name,
                      names);
        return true;
    }
    struct nearest_name nearest;
    nearest_name_init(&nearest, text);
    offer_all(draft, &nearest, separator);
    const char *best = nearest_name_best(&nearest);
    if (place->origin == ORIGIN_ENVIRONMENT && nearest.distance > 2)
        best = NULL; // a variable of somebody else
    if (best)
        draft_mistake(draft, place, "", "no such setting; did you mean \"%s%s\"?", prefix, best);
    return best != NULL;
}

static void add_variable(struct settings_draft *draft, const char *variable)
{
    const char *equals = strchr(variable, '=');
    size_t size = equals ? (size_t)(equals - variable) : 0;
    if (strncmp(variable, PREFIX, strlen(PREFIX)) != 0 || size == 0 || size >= NAMED_MAX)
        return;
    const char *name = draft_keep(draft, variable, size);
    if (!name)
        return;
    struct setting_target target;
    struct setting_place place = {.origin = ORIGIN_ENVIRONMENT, .source = name};
    if (draft_resolve(draft, name + strlen(PREFIX), false, &target)) {
        draft_add_text(draft, &target, equals + 1, &place);
        return;
    }
    // Others may use our prefix too, as Kubernetes does for a Service of our name: what resembles
    // no setting is told and left alone.
    if (!tell_unknown(draft, &place, PREFIX, name + strlen(PREFIX), '_'))
        draft_warn(draft, &place, "", "not a setting; ignored");
}

void draft_add_environment(struct settings_draft *draft, char *const *environment)
{
    for (; environment && *environment; environment++)
        add_variable(draft, *environment);
}

void draft_add_flags(struct settings_draft *draft, const struct settings_flag *flags, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct settings_flag *flag = &flags[i];
        const char *spelling = draft_keep(draft, flag->spelling, strlen(flag->spelling));
        if (!spelling)
            return;
        struct setting_target target;
        struct setting_place place = {.origin = ORIGIN_FLAG, .source = spelling};
        if (draft_resolve(draft, flag->name, flag->exact, &target))
            draft_add_text(draft, &target, flag->value, &place);
        else if (!tell_unknown(draft, &place, flag->exact ? "" : "--", flag->name,
                               flag->exact ? '\0' : '-'))
            draft_mistake(draft, &place, "", "no such setting");
    }
}
