// Watches the files that the properties name. On a change a client is made of them on trial: only
// when librdkafka takes them all (a key that fits its certificate) is the producer replaced. What
// it holds is delivered or given back first, so no record is lost.
#include "deliver/kafka_certificates.h"

#include "base/error.h"
#include "base/file_watch.h"
#include "base/settings.h"
#include "deliver/kafka_exporter.h"
#include "deliver/kafka_producer.h"
#include "deliver/kafka_reports.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const properties[] = {
    "ssl.ca.location",       "ssl.certificate.location", "ssl.key.location",
    "ssl.keystore.location", "ssl.crl.location",         "sasl.kerberos.keytab",
};

#define FILES (sizeof properties / sizeof *properties)

static size_t files_of(const struct setting_map *map, const char *paths[FILES])
{
    size_t n = 0;
    for (size_t i = 0; map && i < map->count; i++)
        for (size_t k = 0; k < FILES && n < FILES; k++)
            if (strcmp(map->items[i].name, properties[k]) == 0)
                paths[n++] = map->items[i].value;
    return n;
}

static uint64_t hash_file(uint64_t hash, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    unsigned char buffer[4096];
    ssize_t size = 0;
    while (fd >= 0 && (size = read(fd, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < size; i++)
            hash = (hash ^ buffer[i]) * 1099511628211u; // FNV-1a
    if (fd >= 0)
        close(fd);
    return (hash ^ (unsigned)(fd >= 0)) * 1099511628211u; // one file's end is not the next's start
}

static uint64_t contents_of(const struct setting_map *map)
{
    const char *paths[FILES];
    size_t n = files_of(map, paths);
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < n; i++)
        hash = hash_file(hash, paths[i]);
    return hash;
}

void kafka_certificates_changed(struct kafka_exporter *kafka)
{
    uint64_t contents = contents_of(kafka->config.properties);
    if (contents == kafka->certificates.contents)
        return;
    char error[512], text[768];
    if (kafka_exporter_check(kafka->config.properties, error, sizeof error) < 0) {
        snprintf(text, sizeof text, "the old ones stay in use; the new files: %s", error);
        kafka_log(kafka, 4, "kafka_certificates_refused", text);
        return;
    }
    kafka->certificates.contents = contents;
    kafka_log(kafka, 6, "kafka_certificates_changed", "a new producer is made of the new files");
    kafka_producer_retire(kafka, false, false);
}

static void changed(void *ctx)
{
    kafka_certificates_changed(ctx);
}

void kafka_certificates_watch(struct kafka_exporter *kafka)
{
    const char *paths[FILES];
    size_t n = files_of(kafka->config.properties, paths);
    if (n == 0)
        return;
    kafka->certificates.contents = contents_of(kafka->config.properties);
    int r =
        file_watch_new(&kafka->certificates.watch, kafka->config.loop, paths, n, changed, kafka);
    if (r < 0)
        kafka_log(kafka, 4, "kafka_certificates_unwatched",
                  "new certificates will need a restart: inotify has no room");
}

void kafka_certificates_unwatch(struct kafka_exporter *kafka)
{
    file_watch_free(kafka->certificates.watch);
    kafka->certificates.watch = NULL;
}
