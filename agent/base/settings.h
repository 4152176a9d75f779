// The settings, typed and effective: what the table in base/settings_table.c says, after file,
// environment and flags.
//
// All text is owned by the settings and NUL-terminated; never NULL. Read-only after settings_load.
// Any thread.
#ifndef SLUICE_BASE_SETTINGS_H
#define SLUICE_BASE_SETTINGS_H

#include "base/exporter_settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    struct {
        char *path;       // "": logs live in memory
        char *durability; // auto, memory, process, node
        uint64_t max_bytes;
        uint64_t min_free;
    } spool;
    uint64_t block_for_ns;
    uint64_t gap_interval_ns; // 0: no gap documents
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
    // What every record gets that does not say it itself: one a name, strongest first, from the
    // settings, OTEL_* (these stand above the files of `podinfo`), the environment, the host.
    struct resource_setting *attributes;
    size_t attribute_count, attributes_above;
};

#endif
