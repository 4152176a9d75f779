// The settings of one exporter and of one route.
//
// Owned by struct settings (base/settings.h), whose rules hold here too.
#ifndef SLUICE_BASE_EXPORTER_SETTINGS_H
#define SLUICE_BASE_EXPORTER_SETTINGS_H

#include "base/books.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct setting_pair {
    char *name;
    char *value;
};

struct setting_map {
    struct setting_pair *items;
    size_t count;
};

struct exporter_settings {
    char *name;
    char *type;             // kafka, otlp
    char *when_full;        // auto, block, shed
    uint64_t catch_up_rate; // bytes a second; 0: unbounded
    // kafka
    char *brokers;                 // host:port, …
    char *topic;                   // may hold {ECS path}
    uint64_t max_topics;           // that a template may make
    char *key;                     // an ECS path, such as trace.id; "": none
    char *partitioner;             // librdkafka's name
    char *mode;                    // ecs, lines
    uint64_t lines_bytes;          // mode lines: largest message
    char *oversize;                // cut, dead_letter
    struct setting_map properties; // librdkafka's own, by name
    // both
    struct setting_map headers; // kafka: values may hold {ECS path}
    // otlp
    char *endpoint; // http://host:port, https://host:port or unix:///path
    char *tls_ca_path, *tls_certificate_path, *tls_key_path, *tls_server_name;
    char *tls_verify;  // full, none
    char *compression; // none, gzip
    uint64_t timeout_ns;
    uint64_t max_request; // bytes
    uint64_t concurrency; // requests in flight
};

#define ROUTE_MAX 32

struct route_settings {
    char *name;
    bool signals[SIGNAL_COUNT];
    unsigned exporters[EXPORTER_MAX]; // indexes into exporters
    unsigned exporter_count;
};

#endif
