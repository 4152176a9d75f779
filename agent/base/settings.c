// Loads the settings: gathers what was given, weakest first, builds, checks, and tells all
// mistakes.
#include "base/settings.h"

#include "base/error.h"
#include "base/settings_build.h"
#include "base/settings_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_names(struct setting_name *names, unsigned *count, const char *const *given,
                      unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        snprintf(names[i].name, sizeof names[i].name, "%s", given[i]);
    *count = n;
}

// Names first: the environment and the flags may only address what exists.
static void gather(struct settings_draft *draft, const struct settings_input *input)
{
    static const char *const exporters[] = {"kafka", "otlp"};
    if (input->file)
        draft_add_file(draft, input->file, input->text, input->size);
    if (draft->exporter_count == 0)
        add_names(draft->exporters, &draft->exporter_count, exporters, 2);
    if (draft->route_count == 0) {
        draft->routes_derived = true;
        add_names(draft->routes, &draft->route_count, setting_default_routes, SIGNAL_COUNT);
    }
    draft_add_environment(draft, input->environment);
    draft_add_flags(draft, input->flags, input->flag_count);
}

static int by_place(const void *left, const void *right)
{
    const struct settings_mistake *a = left, *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

int settings_load(struct settings **out, struct settings_mistakes *mistakes,
                  const struct settings_input *input)
{
    struct settings *settings = calloc(1, sizeof *settings);
    struct settings_draft *draft = calloc(1, sizeof *draft);
    int r = settings && draft ? 0 : -ENOMEM;
    if (r == 0) {
        draft->mistakes = mistakes;
        gather(draft, input);
        build_values(settings, draft);
        if (!draft->no_memory)
            build_routes(settings, draft);
        if (!draft->no_memory) {
            build_limits(settings, draft, input->memory_limit);
            build_attributes(settings, draft, input);
        }
        if (!draft->no_memory && !input->dev) {
            build_no_circle(settings, draft);
        }
        if (mistakes->count > 1)
            qsort(mistakes->items, mistakes->count, sizeof *mistakes->items, by_place);
        r = draft->no_memory ? -ENOMEM : mistakes->errors ? SETTINGS_MISTAKEN : 0;
        draft_deinit(draft);
    }
    free(draft);
    if (r < 0) {
        settings_free(settings);
        return r;
    }
    *out = settings;
    return r;
}

static void free_map(struct setting_map *map)
{
    for (size_t i = 0; i < map->count; i++) {
        free(map->items[i].name);
        free(map->items[i].value);
    }
    free(map->items);
}

// The table knows every text and map of an object.
static void free_fields(enum setting_scope scope, void *object)
{
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        void *field = (char *)object + row->offset;
        if (row->scope != scope || setting_is_numeric(row) || row->type == SETTING_LIST)
            continue;
        if (row->type == SETTING_MAP)
            free_map(field);
        else
            free(*(char **)field);
    }
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    for (unsigned i = 0; i < settings->exporter_count; i++) {
        free_fields(SCOPE_EXPORTER, &settings->exporters[i]);
        free(settings->exporters[i].name);
    }
    for (unsigned i = 0; i < settings->route_count; i++)
        free(settings->routes[i].name);
    for (size_t i = 0; i < settings->effective_count; i++) {
        free(settings->effective[i].path);
        free(settings->effective[i].value);
        free(settings->effective[i].origin);
    }
    for (size_t i = 0; i < settings->attribute_count; i++) {
        free(settings->attributes[i].name);
        free(settings->attributes[i].value);
        free(settings->attributes[i].origin);
    }
    free_fields(SCOPE_AGENT, settings);
    free(settings->exporters);
    free(settings->routes);
    free(settings->effective);
    free(settings->attributes);
    free(settings);
}
