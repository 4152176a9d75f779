// What the enrich room is made with: resource attributes, and the logs that each signal goes to.
#ifndef SLUICE_ENRICH_ENRICH_CONFIG_H
#define SLUICE_ENRICH_ENRICH_CONFIG_H

#include "base/book_reasons.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct books;
struct clock;
struct exporter_book;
struct gap_counters;
struct loop;
struct setting_map;
struct spool_log;

// What a log's payloads look like.
enum wire_form {
    WIRE_ECS_JSON, // one ECS document a payload, '\n' at its end
    WIRE_OTLP,     // one ResourceLogs/ResourceSpans/ResourceMetrics field a payload
};

struct resource_attribute {
    struct slice name; // OpenTelemetry name: service.name, k8s.pod.name …
    struct slice value;
};

struct enrich_target {
    struct spool_log *log;
    struct slice key_field; // Kafka key: an ECS path such as trace.id; empty: none
    struct slice topic;     // Kafka topic, with {ECS path} in it or not; empty: the exporter's own
    size_t max_topics;      // that a template may make; further values become `other`
    const struct setting_map *headers; // Kafka's, their values templates too; NULL: none. Copied
    size_t document_max;        // bytes of a document that the sink takes; 0: what a segment takes
    struct exporter_book *book; // cut, resends_cut are counted here
    enum wire_form form;
    bool cut; // shorten what is larger; else it goes on as it is, and the sink refuses
};

struct enrich_config {
    struct clock *clock;
    struct books *books;
    const struct resource_attribute *resource; // strongest first; the first of a name wins; copied
    size_t resource_count;
    const struct enrich_target *targets[SIGNAL_COUNT]; // copied
    size_t target_count[SIGNAL_COUNT];
    const char *agent_version;
    struct gap_counters *gaps; // what is dropped here is counted in; NULL: nowhere. Not owned
    struct loop *loop;         // for documents of what gaps holds; NULL: none are made
    uint64_t gap_interval_ns;  // as enrich_set_gap_interval
};

#endif
