// Asks librdkafka about its properties, one mistake after the other until none is left, and OpenSSL
// about a collector's TLS files.
#include "agent_check.h"
#include "agent_check_medium.h"

#include "base/nearest_name.h"
#include "base/settings.h"
#include "base/settings_load.h"
#include "deliver/kafka.h"
#include "deliver/otlp.h"
#include "grpc/client_fields.h"
#include "grpc/h2.h"

#include <ctype.h>
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

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

// librdkafka would wait for a pipe's writer. A folder is the library's to judge: one may hold
// authorities.
static bool is_no_file(const struct setting_pair *property)
{
    struct stat status;
    size_t size = strlen(property->name);
    return size > 9 && strcmp(property->name + size - 9, ".location") == 0 &&
           stat(property->value, &status) == 0 && !S_ISREG(status.st_mode) &&
           !S_ISDIR(status.st_mode);
}

static bool tell_no_files(const struct settings *settings, const struct exporter_settings *exporter,
                          struct settings_mistakes *mistakes)
{
    char path[512];
    bool told = false;
    for (size_t i = 0; i < exporter->properties.count; i++) {
        const struct setting_pair *property = &exporter->properties.items[i];
        if (!is_no_file(property))
            continue;
        snprintf(path, sizeof path, "exporters.%s.properties.%s", exporter->name, property->name);
        settings_mistake_at(mistakes, origin_of(settings, path), path, "%.200s: not a regular file",
                            property->value);
        told = true;
    }
    return told;
}

static void check_properties(const struct settings *settings,
                             const struct exporter_settings *exporter,
                             struct settings_mistakes *mistakes)
{
    char error[1024];
    struct setting_map left = {.count = exporter->properties.count};
    if (tell_no_files(settings, exporter, mistakes))
        return;
    left.items = calloc(left.count + 1, sizeof *left.items);
    if (!left.items)
        return; // the agent's start will say so
    if (left.count > 0)
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

static void check_lines(const struct settings *settings, const struct exporter_settings *exporter,
                        struct settings_mistakes *mistakes)
{
    char path[512];
    uint64_t most = kafka_message_max(&exporter->properties);
    snprintf(path, sizeof path, "exporters.%s.lines_bytes", exporter->name);
    if (exporter->lines_bytes > most)
        settings_mistake_at(mistakes, origin_of(settings, path), path,
                            "%llu is more than the property message.max.bytes lets through (%llu)",
                            (unsigned long long)exporter->lines_bytes, (unsigned long long)most);
    snprintf(path, sizeof path, "exporters.%s.key", exporter->name);
    if (*exporter->key)
        settings_warn_at(mistakes, origin_of(settings, path), path,
                         "in mode lines a message holds documents of one key only: with a key that "
                         "changes from record to record there is little to gain");
}

// What librdkafka keeps of a topic with one partition, measured; nothing bounds it but max_topics.
#define TOPIC_BYTES 6144u

static void check_topics(const struct settings *settings, const struct exporter_settings *exporter,
                         struct settings_mistakes *mistakes)
{
    char path[512];
    uint64_t most = exporter->max_topics * TOPIC_BYTES;
    snprintf(path, sizeof path, "exporters.%s.max_topics", exporter->name);
    if (strchr(exporter->topic, '{') && most > settings->max_memory / 4)
        settings_warn_at(mistakes, origin_of(settings, path), path,
                         "so many topics cost librdkafka %llu MiB and more, beside max_memory",
                         (unsigned long long)(most >> 20));
}

static void check_document(const struct settings *settings,
                           const struct exporter_settings *exporter,
                           struct settings_mistakes *mistakes)
{
    uint64_t most = kafka_document_max(&exporter->properties);
    bool cuts = strcmp(exporter->oversize, "cut") == 0;
    if (settings->max_line <= most)
        return;
    settings_warn_at(
        mistakes, origin_of(settings, "max_line"), "max_line",
        "%llu is more than a document of exporters.%s may have (%llu, by the property "
        "message.max.bytes): longer ones %s",
        (unsigned long long)settings->max_line, exporter->name, (unsigned long long)most,
        cuts ? "are cut, as its oversize says" : "go to the dead letters, as its oversize says");
    if (!cuts && !*settings->dead_letters.path)
        settings_warn_at(mistakes, origin_of(settings, "dead_letters.path"), "dead_letters.path",
                         "is not set: what exporters.%s refuses for its size is lost",
                         exporter->name);
}

// HTTP/2 has small letters only: two names that differ by their case are one, sent twice.
static bool is_doubled(const struct setting_map *headers, size_t i)
{
    for (size_t k = 0; k < headers->count; k++)
        if (k != i && strcasecmp(headers->items[k].name, headers->items[i].name) == 0)
            return true;
    return false;
}

// Whether the request's headers may be sent, as the agent's start will ask.
static void check_headers(const struct settings *settings, const struct exporter_settings *exporter,
                          struct settings_mistakes *mistakes)
{
    char path[512], name[512];
    size_t total = strlen(exporter->endpoint);
    for (size_t i = 0; i < exporter->headers.count; i++) {
        const struct setting_pair *header = &exporter->headers.items[i];
        snprintf(path, sizeof path, "exporters.%s.headers.%s", exporter->name, header->name);
        snprintf(name, sizeof name, "%s", header->name);
        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        total += strlen(header->name) + strlen(header->value) + 32; // as HTTP/2 counts them
        if (is_doubled(&exporter->headers, i))
            settings_mistake_at(mistakes, origin_of(settings, path), path,
                                "is given twice, in capital and in small letters; write it in "
                                "small ones, as the environment's is");
        if (!grpc_header_valid(name, ""))
            settings_mistake_at(mistakes, origin_of(settings, path), path,
                                "is no name that a request may have; allowed: letters, digits, "
                                "dots, dashes and underscores, and none that gRPC writes itself");
        else if (!grpc_header_valid(name, header->value))
            settings_mistake_at(mistakes, origin_of(settings, path), path,
                                "the value of %zu bytes cannot be sent; allowed: printable ASCII "
                                "without a space at either end",
                                strlen(header->value));
    }
    snprintf(path, sizeof path, "exporters.%s.headers", exporter->name);
    if (exporter->headers.count > CLIENT_HEADERS_MAX || total > H2_HEADER_LIST_MAX)
        settings_mistake_at(mistakes, "exporters", path,
                            "%zu headers of %zu bytes are too many; allowed: %d, of %u bytes "
                            "together",
                            exporter->headers.count, total, CLIENT_HEADERS_MAX,
                            (unsigned)H2_HEADER_LIST_MAX);
}

// TLS settings change nothing where the endpoint does not speak TLS: somebody may believe they do.
static void check_no_tls(const struct settings *settings, const struct exporter_settings *exporter,
                         struct settings_mistakes *mistakes)
{
    const struct {
        const char *name;
        bool set;
    } rows[] = {
        {"tls_ca_path", exporter->tls_ca_path[0]},
        {"tls_certificate_path", exporter->tls_certificate_path[0]},
        {"tls_key_path", exporter->tls_key_path[0]},
        {"tls_server_name", exporter->tls_server_name[0]},
        {"tls_verify", strcmp(exporter->tls_verify, "full") != 0},
    };
    char path[512];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(path, sizeof path, "exporters.%s.%s", exporter->name, rows[i].name);
        if (rows[i].set && strncmp(exporter->endpoint, "https://", 8) != 0)
            settings_warn_at(mistakes, origin_of(settings, path), path,
                             "is not used: the endpoint %s is not https://", exporter->endpoint);
    }
}

// A size without a unit counts bytes: 32 is hardly what somebody wants of an outage's backlog.
#define CATCH_UP_DOUBTFUL 65536u

static void check_catch_up(const struct settings *settings,
                           const struct exporter_settings *exporter,
                           struct settings_mistakes *mistakes)
{
    char path[512];
    snprintf(path, sizeof path, "exporters.%s.catch_up_rate", exporter->name);
    if (exporter->catch_up_rate > 0 && exporter->catch_up_rate < CATCH_UP_DOUBTFUL)
        settings_warn_at(mistakes, origin_of(settings, path), path,
                         "%llu bytes a second: a MiB that waited takes %llu s; write the unit, "
                         "such as 32MiB, or 0B for no bound",
                         (unsigned long long)exporter->catch_up_rate,
                         (unsigned long long)((1u << 20) / exporter->catch_up_rate));
}

void agent_check(const struct settings *settings, struct settings_mistakes *mistakes)
{
    for (unsigned i = 0; i < settings->exporter_count; i++) {
        const struct exporter_settings *exporter = &settings->exporters[i];
        check_catch_up(settings, exporter, mistakes);
        if (strcmp(exporter->type, "kafka") != 0) {
            check_tls(settings, exporter, mistakes);
            check_no_tls(settings, exporter, mistakes);
            check_headers(settings, exporter, mistakes);
            continue;
        }
        check_properties(settings, exporter, mistakes);
        agent_check_fields(settings, exporter, mistakes);
        check_topics(settings, exporter, mistakes);
        check_document(settings, exporter, mistakes);
        if (strcmp(exporter->mode, "lines") == 0)
            check_lines(settings, exporter, mistakes);
    }
    agent_check_places(settings, mistakes);
    agent_check_medium(settings, mistakes);
}
