// The settings, typed and effective: what the table in base/settings_table.c says, after file,
// environment and flags.
//
// All text is owned by the settings and NUL-terminated; never NULL. Read-only after settings_load.
// Any thread.
#ifndef SLUICE_BASE_SETTINGS_H
#define SLUICE_BASE_SETTINGS_H

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
    char *type;      // kafka, otlp
    char *when_full; // auto, block, shed
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

// One setting as `explain` shows it. The value is in text; secrets are not redacted here.
struct effective_setting {
    char *path; // exporters.kafka.brokers
    char *value;
    char *origin; // default, FILE:LINE, environment NAME, flag --NAME
    bool secret;
};

// A resource attribute with an OpenTelemetry name, and who says so.
struct resource_setting {
    char *name;
    char *value;
    char *origin;
};

struct settings {
    struct {
        char *path;
        uint32_t mode;
        char *group;
        char *allowed_uids; // numbers or names, separated by commas; "": whom the mode lets in
        char *allowed_gids;
    } socket;
    char *otlp_listen; // host:port; "": off
    struct {
        char *listen;
    } http;
    struct {
        char *name, *version, *environment, *instance;
    } service;
    struct setting_map resource; // OpenTelemetry attribute names
    char *podinfo;               // folder of the downward API's files
    uint64_t max_delay_ns;
    uint64_t max_memory; // bytes
    uint64_t block_for_ns;
    uint64_t max_line;
    uint64_t max_message;
    uint64_t join_for_ns; // 0: stack traces are not joined
    uint64_t max_connections;
    uint64_t first_byte_timeout_ns;
    uint64_t drain_timeout_ns;
    char *termination_message; // path
    struct {
        char *path; // "": none
        uint64_t max_bytes;
    } dead_letters;
    char *log_level; // debug, info, warn, error
    struct exporter_settings *exporters;
    unsigned exporter_count;
    struct route_settings *routes;
    unsigned route_count;

    struct effective_setting *effective; // in the table's order
    size_t effective_count;
    // What every record gets that does not say it itself: one a name, from the settings, OTEL_*,
    // the downward API or the host, whichever is the strongest that has it.
    struct resource_setting *attributes;
    size_t attribute_count;
};

#endif
