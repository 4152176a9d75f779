// Builds the routes: names become exporters, and every signal must be one that its exporter takes.
#include "base/nearest_name.h"
#include "base/settings_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const setting_default_routes[SIGNAL_COUNT] = {"logs", "traces", "metrics"};

// Which signals an exporter type takes now.
struct type_signals {
    const char *type;
    bool takes[SIGNAL_COUNT];
};

static const struct type_signals type_signals[] = {
    {"kafka", {[SIGNAL_LOGS] = true}},
    {"otlp", {[SIGNAL_SPANS] = true, [SIGNAL_METRICS] = true}},
};

#define TYPE_COUNT (sizeof type_signals / sizeof *type_signals)

static bool takes(const struct exporter_settings *exporter, enum signal_kind signal)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (strcmp(type_signals[i].type, exporter->type) == 0)
            return type_signals[i].takes[signal];
    return false; // of an unknown type, which is a mistake told elsewhere
}

static const char *type_for(enum signal_kind signal)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (type_signals[i].takes[signal])
            return type_signals[i].type;
    return "none";
}

struct route_build {
    struct settings *settings;
    struct settings_draft *draft;
    struct route_settings *route;
    struct setting_place exporter_places[EXPORTER_MAX];
};

static int find_signal(const char *name)
{
    for (int i = 0; i < SIGNAL_COUNT; i++)
        if (strcmp(signal_name((enum signal_kind)i), name) == 0)
            return i;
    return -1;
}

static int find_exporter(const struct settings *settings, const char *name)
{
    for (unsigned i = 0; i < settings->exporter_count; i++)
        if (settings->exporters[i].name && strcmp(settings->exporters[i].name, name) == 0)
            return (int)i;
    return -1;
}

static void add_signal(struct route_build *build, const struct setting_entry *entry,
                       const char *path)
{
    int signal = find_signal(entry->value);
    if (signal >= 0) {
        build->route->signals[signal] = true;
        return;
    }
    struct nearest_name nearest;
    char shown[100];
    nearest_name_init(&nearest, entry->value);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        nearest_name_offer(&nearest, signal_name((enum signal_kind)i));
    const char *best = nearest_name_best(&nearest);
    if (strncmp(entry->value, "trace", 5) == 0)
        best = "spans";
    draft_mistake(build->draft, &entry->place, path,
                  "%s is not a signal; allowed: logs, spans, metrics%s%s%s",
                  draft_quote("", entry->value, shown, sizeof shown),
                  best ? "; did you mean \"" : "", best ? best : "", best ? "\"?" : "");
}

static void add_exporter(struct route_build *build, const struct setting_entry *entry,
                         const char *path)
{
    struct route_settings *route = build->route;
    char shown[100];
    draft_quote("", entry->value, shown, sizeof shown);
    int exporter = find_exporter(build->settings, entry->value);
    if (exporter >= 0) {
        for (unsigned i = 0; i < route->exporter_count; i++)
            if (route->exporters[i] == (unsigned)exporter) {
                draft_mistake(build->draft, &entry->place, path, "%s stands here twice", shown);
                return;
            }
        build->exporter_places[route->exporter_count] = entry->place;
        route->exporters[route->exporter_count++] = (unsigned)exporter;
        return;
    }
    struct nearest_name nearest;
    nearest_name_init(&nearest, entry->value);
    char names[400];
    size_t used = 0;
    for (unsigned i = 0; i < build->settings->exporter_count; i++) {
        const char *name = build->draft->exporters[i].name;
        nearest_name_offer(&nearest, name);
        if (used < sizeof names)
            used +=
                (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", name);
    }
    const char *best = nearest_name_best(&nearest);
    draft_mistake(build->draft, &entry->place, path,
                  "no exporter has the name %s; there are: %s%s%s%s", shown, names,
                  best ? "; did you mean \"" : "", best ? best : "", best ? "\"?" : "");
}

// What a route that nobody wrote has: its signal, and the exporters that take it.
static void build_default(struct route_build *build, const char *path, enum signal_kind signal)
{
    struct route_settings *route = build->route;
    char value[600];
    size_t used = 0;
    value[0] = '\0';
    for (unsigned i = 0; i < build->settings->exporter_count; i++) {
        if (!takes(&build->settings->exporters[i], signal))
            continue;
        route->exporters[route->exporter_count++] = i;
        if (used < sizeof value)
            used += (size_t)snprintf(value + used, sizeof value - used, "%s%s", used ? ", " : "",
                                     build->settings->exporters[i].name);
    }
    if (value[0])
        build_effective(build->settings, build->draft, path, value, "default");
}

static enum signal_kind signal_of_default(const char *route)
{
    for (unsigned i = 0; i < SIGNAL_COUNT; i++)
        if (strcmp(route, setting_default_routes[i]) == 0)
            return (enum signal_kind)i;
    return SIGNAL_LOGS;
}

// Whether a route that nobody wrote is of any use: an exporter takes its signal, or a variable or a
// flag speaks of it.
static bool is_wanted(const struct settings *settings, const struct settings_draft *draft,
                      const char *route)
{
    for (unsigned i = 0; i < settings->exporter_count; i++)
        if (takes(&settings->exporters[i], signal_of_default(route)))
            return true;
    for (size_t i = 0; i < draft->count; i++)
        if (draft->entries[i].target.row->scope == SCOPE_ROUTE &&
            strcmp(draft->entries[i].target.name, route) == 0)
            return true;
    return false;
}

static void build_missing(struct route_build *build, const struct setting_name *given,
                          const char *field, const char *path)
{
    enum signal_kind signal = signal_of_default(given->name);
    if (strcmp(field, "exporters") == 0) {
        build_default(build, path, signal);
        return;
    }
    build->route->signals[signal] = true;
    build_effective(build->settings, build->draft, path, signal_name(signal), "default");
}

typedef void add_fn(struct route_build *build, const struct setting_entry *entry, const char *path);

// Adds every name of a list, of the strongest origin that gave one.
static void build_list(struct route_build *build, const struct setting_name *given,
                       const char *field, add_fn *add)
{
    struct setting_target target = {.row = setting_row_find(SCOPE_ROUTE, field)};
    char path[SETTING_PATH_MAX], value[600], origin[600];
    size_t used = 0;
    memcpy(target.name, given->name, sizeof target.name);
    draft_path(&target, path, sizeof path);
    const struct setting_entry *first = draft_find(build->draft, target.row, given->name, "");
    value[0] = '\0';
    for (size_t i = 0; first && i < build->draft->count; i++) {
        const struct setting_entry *entry = &build->draft->entries[i];
        if (entry->target.row != target.row || strcmp(entry->target.name, given->name) != 0 ||
            entry->place.origin != first->place.origin || !entry->value[0])
            continue;
        add(build, entry, path);
        if (used < sizeof value)
            used += (size_t)snprintf(value + used, sizeof value - used, "%s%s", used ? ", " : "",
                                     entry->value);
    }
    if (!first && build->draft->routes_derived) {
        build_missing(build, given, field, path);
        return;
    }
    if (!value[0]) {
        draft_mistake(build->draft, first ? &first->place : &given->place, path,
                      "names none; the route would do nothing");
        return;
    }
    draft_origin(&first->place, origin, sizeof origin);
    build_effective(build->settings, build->draft, path, value, origin);
}

static void check_types(const struct route_build *build, const struct setting_name *given)
{
    const struct route_settings *route = build->route;
    char path[SETTING_PATH_MAX];
    snprintf(path, sizeof path, "routes.%s.exporters", given->name);
    for (unsigned i = 0; i < route->exporter_count; i++) {
        const struct exporter_settings *exporter = &build->settings->exporters[route->exporters[i]];
        for (int s = 0; s < SIGNAL_COUNT; s++) {
            enum signal_kind signal = (enum signal_kind)s;
            if (!route->signals[s] || takes(exporter, signal) || !exporter->type[0])
                continue;
            draft_mistake(build->draft, &build->exporter_places[i], path,
                          "\"%s\" is of type %s, which does not take %s yet; allowed: exporters of "
                          "type %s",
                          exporter->name, exporter->type, signal_name(signal), type_for(signal));
        }
    }
}

// Two routes that send one signal to one exporter would send each record twice.
static void check_doubles(const struct route_build *build)
{
    const struct route_settings *routes = build->settings->routes, *route = build->route;
    for (unsigned r = 0; r + 1 < build->settings->route_count; r++)
        for (unsigned i = 0; i < route->exporter_count; i++)
            for (unsigned j = 0; j < routes[r].exporter_count; j++)
                for (int s = 0; s < SIGNAL_COUNT; s++) {
                    if (!route->signals[s] || !routes[r].signals[s] ||
                        route->exporters[i] != routes[r].exporters[j])
                        continue;
                    char path[SETTING_PATH_MAX];
                    snprintf(path, sizeof path, "routes.%s.exporters", route->name);
                    draft_mistake(build->draft, &build->exporter_places[i], path,
                                  "\"%s\" already gets %s by the route %s",
                                  build->settings->exporters[route->exporters[i]].name,
                                  signal_name((enum signal_kind)s), routes[r].name);
                }
}

static void build_all(struct settings *settings, struct settings_draft *draft)
{
    for (unsigned i = 0; i < draft->route_count; i++) {
        const struct setting_name *given = &draft->routes[i];
        struct route_build build = {.settings = settings, .draft = draft};
        if (draft->routes_derived && !is_wanted(settings, draft, given->name))
            continue;
        build.route = &settings->routes[settings->route_count++];
        build.route->name = build_copy(draft, given->name);
        build_list(&build, given, "signals", add_signal);
        build_list(&build, given, "exporters", add_exporter);
        check_types(&build, given);
        check_doubles(&build);
    }
}

static void warn_of_idle(const struct settings *settings, struct settings_draft *draft)
{
    for (unsigned e = 0; e < settings->exporter_count; e++) {
        bool used = false;
        for (unsigned r = 0; r < settings->route_count; r++)
            for (unsigned i = 0; i < settings->routes[r].exporter_count; i++)
                used |= settings->routes[r].exporters[i] == e;
        if (!used && draft->exporters[e].place.source && settings->exporters[e].type[0])
            draft_warn(draft, &draft->exporters[e].place, "exporters", "no route leads to %s",
                       draft->exporters[e].name);
    }
}

void build_routes(struct settings *settings, struct settings_draft *draft)
{
    settings->routes = calloc(draft->route_count, sizeof *settings->routes);
    if (!settings->routes || draft->no_memory) {
        draft->no_memory = true;
        return;
    }
    build_all(settings, draft);
    warn_of_idle(settings, draft);
}
