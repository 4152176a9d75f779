// Turns the strongest of what was given into typed values, row by row.
#include "base/settings_build.h"

#include "base/listen_address.h"
#include "base/nearest_name.h"
#include "base/settings_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *build_copy(struct settings_draft *draft, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        draft->no_memory = true;
    return copy;
}

void build_effective(struct settings *settings, struct settings_draft *draft, const char *path,
                     const char *value, const char *origin)
{
    struct effective_setting *grown =
        realloc(settings->effective, (settings->effective_count + 1) * sizeof *grown);
    if (!grown) {
        draft->no_memory = true;
        return;
    }
    settings->effective = grown;
    grown[settings->effective_count++] = (struct effective_setting){
        .path = build_copy(draft, path),
        .value = build_copy(draft, value),
        .origin = build_copy(draft, origin),
        .secret = setting_is_secret(path),
    };
}

void build_effective_replace(struct settings *settings, struct settings_draft *draft,
                             const char *path, const char *value, const char *origin)
{
    for (size_t i = 0; i < settings->effective_count; i++) {
        struct effective_setting *effective = &settings->effective[i];
        if (!effective->path || strcmp(effective->path, path) != 0)
            continue;
        free(effective->value);
        free(effective->origin);
        effective->value = build_copy(draft, value);
        effective->origin = build_copy(draft, origin);
    }
}

// One setting on its way from text to its field.
struct assignment {
    struct settings *settings;
    struct settings_draft *draft;
    const struct setting_row *row;
    const char *path;
    const char *text;
    struct setting_place place;
};

static void refuse(const struct assignment *a, const char *what)
{
    char shown[160], allowed[400];
    setting_describe(a->row, allowed, sizeof allowed);
    draft_mistake(a->draft, &a->place, a->path, "%s %s; allowed: %s",
                  draft_quote(a->path, a->text, shown, sizeof shown), what, allowed);
}

// The next of a|b|c; false at the end.
static bool next_choice(const char **choices, char *out, size_t size)
{
    size_t length = strcspn(*choices, "|");
    snprintf(out, size, "%.*s", (int)length, *choices);
    *choices += length + ((*choices)[length] == '|');
    return length > 0;
}

static bool is_choice(const char *choices, const char *text)
{
    char choice[64];
    while (next_choice(&choices, choice, sizeof choice))
        if (strcmp(choice, text) == 0)
            return true;
    return false;
}

static void refuse_choice(const struct assignment *a)
{
    struct nearest_name nearest;
    char shown[160], allowed[400], choice[64];
    const char *choices = a->row->allowed;
    nearest_name_init(&nearest, a->text);
    while (next_choice(&choices, choice, sizeof choice))
        nearest_name_offer(&nearest, choice);
    const char *best = nearest_name_best(&nearest);
    setting_describe(a->row, allowed, sizeof allowed);
    draft_mistake(a->draft, &a->place, a->path, "%s is not one of them; allowed: %s%s%s%s",
                  draft_quote(a->path, a->text, shown, sizeof shown), allowed,
                  best ? "; did you mean \"" : "", best ? best : "", best ? "\"?" : "");
}

static bool number_holds(const struct assignment *a, uint64_t *number)
{
    if (a->row->literal && strcmp(a->text, a->row->literal) == 0) {
        *number = 0;
        return true;
    }
    int r = setting_parse(a->row, a->text, number);
    if (r == VALUE_SYNTAX)
        refuse(a, a->row->type == SETTING_DURATION ? "is not a duration"
                  : a->row->type == SETTING_BYTES  ? "is not a size"
                  : a->row->type == SETTING_MODE   ? "is not octal permission bits"
                                                   : "is not a whole number");
    else if (r == VALUE_OVERFLOW)
        refuse(a, "is beyond 64 bits");
    else if (*number < a->row->min)
        refuse(a, "is too small");
    else if (a->row->max && *number > a->row->max)
        refuse(a, "is too large");
    else
        return true;
    return false;
}

static bool text_holds(const struct assignment *a)
{
    const struct setting_row *row = a->row;
    struct listen_address address;
    if (row->type == SETTING_CHOICE && !is_choice(row->allowed, a->text)) {
        refuse_choice(a);
        return false;
    }
    if (row->type == SETTING_LISTEN && a->text[0] && listen_address_parse(&address, a->text) < 0) {
        refuse(a, "is not an address");
        return false;
    }
    const char *allowed = row->rule ? row->rule(a->text) : NULL;
    if (allowed) {
        char shown[160];
        draft_mistake(a->draft, &a->place, a->path, "%s is not usable; allowed: %s",
                      draft_quote(a->path, a->text, shown, sizeof shown), allowed);
        return false;
    }
    return true;
}

static void store_number(void *object, const struct setting_row *row, uint64_t number)
{
    void *field = (char *)object + row->offset;
    if (row->type == SETTING_MODE)
        *(uint32_t *)field = (uint32_t)number;
    else
        *(uint64_t *)field = number;
}

// A value that does not hold leaves the default, so that the checks after this one still mean
// something.
static void assign(struct assignment *a, void *object)
{
    const struct setting_row *row = a->row;
    char shown[64], origin[600];
    const char *value = a->text;
    if (setting_is_numeric(row)) {
        uint64_t number = 0;
        if (!number_holds(a, &number) &&
            (!row->literal || strcmp(row->literal, row->fallback) != 0))
            setting_parse(row, row->fallback, &number);
        store_number(object, row, number);
        setting_format(row, number, shown, sizeof shown);
        value = shown;
    } else {
        char **field = (char **)(void *)((char *)object + row->offset);
        *field = build_copy(a->draft, text_holds(a) ? a->text : row->fallback);
    }
    draft_origin(&a->place, origin, sizeof origin);
    build_effective(a->settings, a->draft, a->path, value, origin);
}

static void build_scalar(struct settings *settings, struct settings_draft *draft,
                         const struct setting_row *row, void *object, const char *name,
                         const char *fallback)
{
    struct setting_target target = {.row = row};
    char path[SETTING_PATH_MAX];
    snprintf(target.name, sizeof target.name, "%s", name);
    draft_path(&target, path, sizeof path);
    const struct setting_entry *entry = draft_find(draft, row, name, "");
    struct assignment a = {.settings = settings, .draft = draft, .row = row, .path = path};
    a.text = entry ? entry->value : fallback;
    if (entry)
        a.place = entry->place;
    assign(&a, object);
}

struct map_fill {
    struct settings *settings;
    struct settings_draft *draft;
    struct setting_map *map;
    struct setting_target target;
    const char *origin;
};

static void add_pair(void *ctx, const char *key, const char *value)
{
    struct map_fill *fill = ctx;
    struct setting_map *map = fill->map;
    char path[SETTING_PATH_MAX];
    struct setting_pair *grown = realloc(map->items, (map->count + 1) * sizeof *grown);
    if (!grown) {
        fill->draft->no_memory = true;
        return;
    }
    map->items = grown;
    grown[map->count++] =
        (struct setting_pair){build_copy(fill->draft, key), build_copy(fill->draft, value)};
    snprintf(fill->target.key, sizeof fill->target.key, "%s", key);
    draft_path(&fill->target, path, sizeof path);
    build_effective(fill->settings, fill->draft, path, value, fill->origin);
}

static void add_default(void *ctx, const char *key, const char *value)
{
    struct map_fill *fill = ctx;
    if (!draft_find(fill->draft, fill->target.row, fill->target.name, key))
        add_pair(ctx, key, value);
}

static void build_map(struct settings *settings, struct settings_draft *draft,
                      const struct setting_row *row, void *object, const char *name)
{
    struct map_fill fill = {
        .settings = settings,
        .draft = draft,
        .map = (struct setting_map *)(void *)((char *)object + row->offset),
        .target = {.row = row},
        .origin = "default",
    };
    snprintf(fill.target.name, sizeof fill.target.name, "%s", name);
    draft_split_pairs(row->fallback, add_default, &fill);
    for (size_t i = 0; i < draft->count; i++) {
        const struct setting_entry *entry = &draft->entries[i];
        if (entry->target.row != row || strcmp(entry->target.name, name) != 0 ||
            draft_find(draft, row, name, entry->target.key) != entry)
            continue;
        char origin[600];
        draft_origin(&entry->place, origin, sizeof origin);
        fill.origin = origin;
        add_pair(&fill, entry->target.key, entry->value);
    }
}

static void build_row(struct settings *settings, struct settings_draft *draft,
                      const struct setting_row *row, void *object, const char *name)
{
    if (row->type == SETTING_MAP)
        build_map(settings, draft, row, object, name);
    else
        build_scalar(settings, draft, row, object, name, row->fallback);
}

static void refuse_foreign(struct settings_draft *draft, const struct setting_row *row,
                           const char *name)
{
    for (size_t i = 0; i < draft->count; i++) {
        const struct setting_entry *entry = &draft->entries[i];
        char path[SETTING_PATH_MAX];
        if (entry->target.row != row || strcmp(entry->target.name, name) != 0)
            continue;
        draft_path(&entry->target, path, sizeof path);
        draft_mistake(draft, &entry->place, path, "only exporters of type %s have it", row->only);
    }
}

// Fields of the other type get their defaults, so that no text is NULL, but are not shown.
static void build_hidden(struct settings_draft *draft, const struct setting_row *row, void *object)
{
    uint64_t number = 0;
    if (row->type == SETTING_MAP)
        return;
    if (setting_is_numeric(row)) {
        setting_parse(row, row->fallback, &number);
        store_number(object, row, number);
    } else {
        *(char **)(void *)((char *)object + row->offset) = build_copy(draft, row->fallback);
    }
}

static void build_exporter(struct settings *settings, struct settings_draft *draft,
                           const struct setting_name *given, struct exporter_settings *exporter)
{
    const struct setting_row *type = setting_row_find(SCOPE_EXPORTER, "type");
    bool named = is_choice(type->allowed, given->name);
    exporter->name = build_copy(draft, given->name);
    if (!named && !draft_find(draft, type, given->name, "")) {
        draft_mistake(draft, &given->place, "exporters", "%s has no type; allowed: kafka, otlp",
                      given->name);
        exporter->type = build_copy(draft, "");
    } else {
        build_scalar(settings, draft, type, exporter, given->name, named ? given->name : "");
    }
    bool known = exporter->type && exporter->type[0];
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        if (row->scope != SCOPE_EXPORTER || row == type)
            continue;
        bool ours = !row->only || (known && strcmp(row->only, exporter->type) == 0);
        if (ours) {
            build_row(settings, draft, row, exporter, given->name);
            continue;
        }
        if (known)
            refuse_foreign(draft, row, given->name);
        build_hidden(draft, row, exporter);
    }
}

void build_values(struct settings *settings, struct settings_draft *draft)
{
    for (size_t i = 0; i < setting_row_count; i++)
        if (setting_rows[i].scope == SCOPE_AGENT)
            build_row(settings, draft, &setting_rows[i], settings, "");
    settings->exporters = calloc(draft->exporter_count, sizeof *settings->exporters);
    if (!settings->exporters) {
        draft->no_memory = true;
        return;
    }
    settings->exporter_count = draft->exporter_count;
    for (unsigned i = 0; i < draft->exporter_count; i++)
        build_exporter(settings, draft, &draft->exporters[i], &settings->exporters[i]);
}
