// Gives a record its id, its resource attributes and its routes, and writes it into the spool in
// each exporter's form.
//
// No I/O. Loop thread only.
#ifndef SLUICE_ENRICH_ENRICH_H
#define SLUICE_ENRICH_ENRICH_H

#include "base/books.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct enrich;
struct record;
struct spool_log;
struct room_waiter;

// What a log's payloads look like.
enum wire_form {
    WIRE_ECS_JSON, // one ECS document a payload, '\n' at its end
    WIRE_OTLP,     // one ResourceLogs/ResourceSpans/ResourceMetrics field a payload
};

// What a door wants when a log is full and its own policy is auto.
enum door_policy {
    DOOR_WAIT,   // native, files: wait for room
    DOOR_SHED,   // lines and syslog: wait block_for, then shed
    DOOR_REFUSE, // OTLP: the protocol's refusal, for the whole request
};

struct resource_attribute {
    struct slice name; // OpenTelemetry name: service.name, k8s.pod.name …
    struct slice value;
};

struct enrich_target {
    struct spool_log *log;
    enum wire_form form;
    struct slice key_field; // Kafka key: an ECS path such as trace.id; empty: none
};

struct enrich_config {
    struct clock *clock;
    struct books *books;
    const struct resource_attribute *resource; // strongest first; the first of a name wins; copied
    size_t resource_count;
    const struct enrich_target *targets[SIGNAL_COUNT]; // copied
    size_t target_count[SIGNAL_COUNT];
    const char *agent_version;
};

// 0, -ENOMEM, or -EINVAL: a form that its signal does not have yet (logs are WIRE_ECS_JSON, spans
// and metrics WIRE_OTLP), or a key_field that is neither in ecs_fields.h nor labels.NAME.
int enrich_new(struct enrich **out, const struct enrich_config *config);
void enrich_free(struct enrich *enrich);

// Whether any route takes the signal.
bool enrich_routes(const struct enrich *enrich, enum signal_kind signal);

#define ENRICH_BLOCKED 1  // a log is full: nothing was appended; wait (enrich_wait) and call again
#define ENRICH_REJECTED 2 // counted as rejected; the caller goes on
#define ENRICH_SHED 3     // every log was full and dropped its copy: in this turn no more will fit

// Whether records of `bytes` together in the spool's form may come now: 0, or ENRICH_BLOCKED. Ask
// before a run of them (a frame, an OTLP request); appends of that run then never block, and are
// kept where `bytes` was not too low. expired: the door has waited block_for, so DOOR_SHED sheds.
int enrich_admit(struct enrich *enrich, enum signal_kind signal, enum door_policy policy,
                 size_t bytes, bool expired);
// What a log record's document holds beyond the record's and its resource's own bytes, at most.
size_t enrich_log_overhead(const struct enrich *enrich);
// Counts the record as received, appends a copy for each target (or sheds it). Call after
// enrich_admit said 0. Sets the fields of record->own that the agent answers for. Returns 0,
// ENRICH_REJECTED (nothing was appended) or ENRICH_SHED.
int enrich_log(struct enrich *enrich, struct record *record);
// Books records that need not be looked at any more, after ENRICH_SHED: received, routed, and every
// log's copy dropped.
void enrich_shed_rest(struct enrich *enrich, enum signal_kind signal, uint64_t records);

// One resource's run of spans or metrics as it came: the fields of a ResourceSpans/ResourceMetrics
// message.
struct otlp_run {
    enum signal_kind signal;
    uint32_t records;
    uint64_t time_ns;         // of the first
    uint8_t severity;         // OTEL: 17 where a span's status is error, else 9
    struct slice resource;    // bytes of the Resource message; may be empty
    const struct slice *rest; // every other field, tags included, in order
    size_t rest_count;
    uint8_t stream[8];
    uint64_t sequence;
    bool has_sequence;
};
// Adds the resource attributes that the run lacks. Same contract as enrich_log.
int enrich_otlp(struct enrich *enrich, const struct otlp_run *run);
// What a run's payload holds beyond its resource and its rest, at most.
size_t enrich_otlp_overhead(const struct enrich *enrich);

// Books a run that decode refuses: received and rejected{reason}.
void enrich_reject(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                   uint64_t records);

// Registers for room in whichever log blocked last.
void enrich_wait(struct enrich *enrich, struct room_waiter *waiter);
void enrich_wait_cancel(struct enrich *enrich, struct room_waiter *waiter);

#endif
