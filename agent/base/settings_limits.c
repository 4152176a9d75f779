// The settings that depend on each other: max_memory on the cgroup, the largest message on its
// share, a sink on the doors.
#include "base/settings_build.h"

#include "base/budget.h"
#include "base/settings_value.h"

#include <stdio.h>
#include <string.h>

struct limits {
    struct settings *settings;
    struct settings_draft *draft;
    uint64_t memory_limit;
};

static void derive_max_memory(const struct limits *limits)
{
    struct settings *settings = limits->settings;
    uint64_t limit = limits->memory_limit, least = budget_least(settings->exporter_count);
    const struct setting_row *row = setting_row_find(SCOPE_AGENT, "max_memory");
    char value[32], of[32], origin[200];
    value_format_bytes(limit, of, sizeof of);
    settings->max_memory = limit ? limit / 2 : BUDGET_AUTO;
    if (settings->max_memory > row->max)
        settings->max_memory = row->max;
    if (settings->max_memory < row->min || settings->max_memory < least) {
        struct setting_place place = {0};
        uint64_t needed = least > row->min ? least : row->min;
        value_format_bytes(needed, value, sizeof value);
        if (limit)
            draft_mistake(limits->draft, &place, row->path,
                          "half of the cgroup's limit of %s is too small for %u exporters; needed: "
                          "at least %s",
                          of, settings->exporter_count, value);
        settings->max_memory = needed;
    }
    if (limit)
        snprintf(origin, sizeof origin, "default: half of the cgroup's limit of %s", of);
    else
        snprintf(origin, sizeof origin, "default: the cgroup has no limit");
    value_format_bytes(settings->max_memory, value, sizeof value);
    build_effective_replace(settings, limits->draft, row->path, value, origin);
}

static void check_max_memory(const struct limits *limits, const struct setting_place *place)
{
    struct settings *settings = limits->settings;
    uint64_t least = budget_least(settings->exporter_count);
    char value[32], other[32];
    value_format_bytes(settings->max_memory, value, sizeof value);
    if (limits->memory_limit && settings->max_memory > limits->memory_limit) {
        value_format_bytes(limits->memory_limit, other, sizeof other);
        draft_mistake(limits->draft, place, "max_memory",
                      "%s is more than the cgroup's limit of %s; allowed: less, or auto for half "
                      "of it",
                      value, other);
    }
    if (settings->max_memory < least) {
        value_format_bytes(least, other, sizeof other);
        draft_mistake(limits->draft, place, "max_memory",
                      "%s is too small for %u exporters; allowed: from %s", value,
                      settings->exporter_count, other);
        settings->max_memory = least;
    }
}

// A default that is larger than its share shrinks to it; a given value that is larger is refused.
static void fit(const struct limits *limits, const struct setting_row *row, const char *name,
                uint64_t *size, uint64_t share, const char *whose)
{
    if (*size <= share)
        return;
    struct setting_target target = {.row = row};
    char path[SETTING_PATH_MAX], value[32], of[32], origin[200];
    snprintf(target.name, sizeof target.name, "%s", name);
    draft_path(&target, path, sizeof path);
    value_format_bytes(*size, value, sizeof value);
    value_format_bytes(share, of, sizeof of);
    const struct setting_entry *entry = draft_find(limits->draft, row, name, "");
    if (entry)
        draft_mistake(limits->draft, &entry->place, path,
                      "%s is more than max_memory's share for %s, %s; allowed: less, or a larger "
                      "max_memory",
                      value, whose, of);
    *size = share;
    snprintf(origin, sizeof origin, "default: max_memory's share for %s", whose);
    build_effective_replace(limits->settings, limits->draft, path, of, origin);
}

void build_limits(struct settings *settings, struct settings_draft *draft, uint64_t memory_limit)
{
    struct limits limits = {settings, draft, memory_limit};
    const struct setting_entry *given =
        draft_find(draft, setting_row_find(SCOPE_AGENT, "max_memory"), "", "");
    if (settings->max_memory == 0)
        derive_max_memory(&limits);
    else if (given)
        check_max_memory(&limits, &given->place);
    struct budget budget = budget_derive(settings->max_memory, settings->exporter_count);
    fit(&limits, setting_row_find(SCOPE_AGENT, "max_message"), "", &settings->max_message,
        budget.inflate, "decompression");
    for (unsigned i = 0; i < settings->exporter_count; i++) {
        struct exporter_settings *exporter = &settings->exporters[i];
        if (exporter->type && strcmp(exporter->type, "otlp") == 0)
            fit(&limits, setting_row_find(SCOPE_EXPORTER, "max_request"), exporter->name,
                &exporter->max_request, budget.otlp_window, "requests in flight");
    }
}

static bool is_local(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "[::1]") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0;
}

// Whether http://HOST:PORT is answered by the agent that listens on HOST:PORT.
static bool reaches(const char *endpoint, const char *listen)
{
    char host[64], own[64];
    const char *port = strrchr(endpoint, ':'), *own_port = strrchr(listen, ':');
    if (strncmp(endpoint, "http://", 7) != 0 || !port || !own_port)
        return false;
    size_t digits = strcspn(port, "/");
    if (strlen(own_port) != digits || strncmp(port, own_port, digits) != 0)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(port - endpoint - 7), endpoint + 7);
    snprintf(own, sizeof own, "%.*s", (int)(own_port - listen), listen);
    return strcmp(host, own) == 0 || (is_local(host) && is_local(own));
}

static void leave_unrouted(struct settings *settings, unsigned exporter)
{
    for (unsigned i = 0; i < settings->route_count; i++) {
        struct route_settings *route = &settings->routes[i];
        unsigned kept = 0;
        for (unsigned k = 0; k < route->exporter_count; k++)
            if (route->exporters[k] != exporter)
                route->exporters[kept++] = route->exporters[k];
        route->exporter_count = kept;
    }
}

void build_no_circle(struct settings *settings, struct settings_draft *draft)
{
    const struct setting_row *row = setting_row_find(SCOPE_EXPORTER, "endpoint");
    for (unsigned i = 0; i < settings->exporter_count; i++) {
        const struct exporter_settings *exporter = &settings->exporters[i];
        const char *endpoint = exporter->endpoint;
        bool own = strncmp(endpoint, "unix://", 7) == 0
                       ? strcmp(endpoint + 7, settings->socket.path) == 0
                       : reaches(endpoint, settings->otlp_listen);
        if (!own || strcmp(exporter->type, "otlp") != 0)
            continue;
        char path[SETTING_PATH_MAX];
        static const struct setting_place nowhere = {0};
        const struct setting_entry *entry = draft_find(draft, row, exporter->name, "");
        if (entry && strcmp(entry->value, endpoint) != 0)
            continue; // refused, and told
        snprintf(path, sizeof path, "exporters.%s.endpoint", exporter->name);
        // The defaults meet where an SDK's default and a collector's do. An agent that gets no
        // spans is right with them, so only who wrote the endpoint is refused.
        if (entry)
            draft_mistake(draft, &entry->place, path,
                          "\"%s\" is the agent itself; set the collector's address, or otlp_listen "
                          "to another port or \"\"",
                          endpoint);
        else {
            leave_unrouted(settings, i);
            draft_warn(draft, &nowhere, path,
                       "the default is the agent itself, so spans and metrics are refused; set the "
                       "collector's address");
        }
    }
}
