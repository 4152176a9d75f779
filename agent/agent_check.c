// Asks librdkafka about its properties, one mistake after the other until none is left, and OpenSSL
// about a collector's TLS files.
#include "agent_check.h"

#include "base/nearest_name.h"
#include "base/settings.h"
#include "base/settings_load.h"
#include "deliver/kafka.h"
#include "deliver/otlp.h"

#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *origin_of(const struct settings *settings, const char *path)
{
    for (size_t i = 0; i < settings->effective_count; i++)
        if (strcmp(settings->effective[i].path, path) == 0)
            return settings->effective[i].origin;
    return "default";
}

// The name that librdkafka knows and that is nearest; false: none is near. Its table is the only
// place that lists the aliases too (compression.type is one): "name | C/P | range | …" a line.
static bool nearest_property(const char *name, char *out, size_t size)
{
    char *table = NULL, *rest;
    size_t table_size;
    FILE *file = open_memstream(&table, &table_size);
    if (!file)
        return false;
    rd_kafka_conf_properties_show(file);
    fclose(file);
    struct nearest_name nearest;
    nearest_name_init(&nearest, name);
    for (char *line = strtok_r(table, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t length = strcspn(line, " |");
        if (!strchr(line, '|'))
            continue; // a title
        line[length] = '\0';
        nearest_name_offer(&nearest, line);
    }
    free(table);
    const char *best = nearest_name_best(&nearest);
    if (best)
        snprintf(out, size, "%s", best);
    return best != NULL;
}

// Which of the properties the library's text speaks of; properties->count: none by name.
static size_t named_in(const char *error, const struct setting_map *properties)
{
    char quoted[300];
    for (size_t i = 0; i < properties->count; i++) {
        snprintf(quoted, sizeof quoted, "property \"%s\" = ", properties->items[i].name);
        if (strncmp(error, quoted, strlen(quoted)) == 0)
            return i;
    }
    return properties->count;
}

static void tell(const struct settings *settings, const struct exporter_settings *exporter,
                 const char *name, const char *error, struct settings_mistakes *mistakes)
{
    char path[512], nearest[128];
    snprintf(path, sizeof path, "exporters.%s.properties%s%s", exporter->name, name ? "." : "",
             name ? name : "");
    const char *origin = name ? origin_of(settings, path) : "librdkafka";
    const char *value = name ? strstr(error, "\" = ") : NULL;
    const char *what = value ? value + 4 : error;
    if (!name && strncmp(what, "properties: ", 12) == 0)
        what += 12;
    if (name && strstr(error, "No such") && nearest_property(name, nearest, sizeof nearest))
        settings_mistake_at(mistakes, origin, path,
                            "librdkafka has no such property; did you mean \"%s\"?", nearest);
    else if (name && strstr(error, "No such"))
        settings_mistake_at(mistakes, origin, path, "librdkafka has no such property");
    else
        settings_mistake_at(mistakes, origin, path, "%s", what);
}

static void check_properties(const struct settings *settings,
                             const struct exporter_settings *exporter,
                             struct settings_mistakes *mistakes)
{
    char error[1024];
    struct setting_map left = {.count = exporter->properties.count};
    left.items = calloc(left.count + 1, sizeof *left.items);
    if (!left.items)
        return; // the agent's start will say so
    memcpy(left.items, exporter->properties.items, left.count * sizeof *left.items);
    while (kafka_exporter_check(&left, error, sizeof error) < 0) {
        size_t found = named_in(error, &left);
        bool named = found < left.count;
        tell(settings, exporter, named ? left.items[found].name : NULL, error, mistakes);
        if (!named)
            break;
        left.count--;
        memmove(&left.items[found], &left.items[found + 1],
                (left.count - found) * sizeof *left.items);
    }
    free(left.items);
}

// The files of TLS to a collector, as the agent's start will read them.
static void check_tls(const struct settings *settings, const struct exporter_settings *exporter,
                      struct settings_mistakes *mistakes)
{
    char error[512], path[512];
    struct otlp_tls tls = {.ca_path = exporter->tls_ca_path,
                           .certificate_path = exporter->tls_certificate_path,
                           .key_path = exporter->tls_key_path,
                           .verify = strcmp(exporter->tls_verify, "none") != 0};
    if (strncmp(exporter->endpoint, "https://", 8) != 0 ||
        otlp_tls_check(&tls, error, sizeof error) != -EINVAL)
        return;
    size_t size = strcspn(error, ": "); // the setting's name comes first
    snprintf(path, sizeof path, "exporters.%s.%.*s", exporter->name, (int)size, error);
    settings_mistake_at(mistakes, origin_of(settings, path), path, "%s",
                        error[size] == ':' ? error + size + 2 : error);
}

void agent_check(const struct settings *settings, struct settings_mistakes *mistakes)
{
    for (unsigned i = 0; i < settings->exporter_count; i++)
        if (strcmp(settings->exporters[i].type, "kafka") == 0)
            check_properties(settings, &settings->exporters[i], mistakes);
        else
            check_tls(settings, &settings->exporters[i], mistakes);
}
