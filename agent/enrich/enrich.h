// Gives a record its id, its resource attributes and its routes, and writes it into the spool in
// each exporter's form.
//
// No I/O. Loop thread only.
#ifndef SLUICE_ENRICH_ENRICH_H
#define SLUICE_ENRICH_ENRICH_H

#include "base/books.h"
#include "base/slice.h"
#include "base/urgency.h"
#include "enrich/enrich_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct enrich;
struct record;
struct spool_log;
struct room_waiter;

// What a door wants when a log is full and its own policy is auto.
enum door_policy {
    DOOR_WAIT,   // native, files: wait for room
    DOOR_SHED,   // lines and syslog: wait block_for, then shed
    DOOR_REFUSE, // OTLP: the protocol's refusal, for the whole request
};

// 0, -ENOMEM, or -EINVAL: a form that its signal does not have yet (logs are WIRE_ECS_JSON, spans
// and metrics WIRE_OTLP), or a field (of key, topic, headers) that is neither in ecs_fields.h nor
// labels.NAME.
int enrich_new(struct enrich **out, const struct enrich_config *config);
void enrich_free(struct enrich *enrich);

// Takes other resource attributes from now on (the downward API's files have changed). 0 or
// -ENOMEM, and then the old ones stay.
int enrich_set_resource(struct enrich *enrich, const struct resource_attribute *resource,
                        size_t count);

// Shows each document that goes to a log, and each run of spans or metrics (its payload as an OTLP
// field), to somebody who watches: once a record, whatever its routes. tap NULL: nobody. The slice
// is valid during the call, from inside which nobody may call enrich. What every log refused (shed,
// too large, unrouted) is not shown.
void enrich_set_tap(struct enrich *enrich,
                    void (*tap)(void *ctx, enum signal_kind signal, struct slice payload),
                    void *ctx);

// Whether any route takes the signal.
bool enrich_routes(const struct enrich *enrich, enum signal_kind signal);

#define ENRICH_BLOCKED 1  // a log is full: nothing was appended; wait (enrich_wait) and call again
#define ENRICH_REJECTED 2 // counted as rejected; the caller goes on
#define ENRICH_SHED 3     // every log was full and dropped its copy: in this turn no more will fit
#define ENRICH_DAMAGED 4  // every copy that was kept was lost with the page under it, and counted
#define ENRICH_LEVEL 5    // no log kept a copy, one at least because of its level

// What a door has, and asks room for.
struct enrich_ask {
    enum signal_kind signal;
    enum door_policy policy;
    enum urgency urgency; // of the most urgent of the records
    bool expired;         // the door has waited block_for for such a record: DOOR_SHED sheds
    size_t bytes;         // of all of them in the spool's form
};
// Whether they may come now: 0, or ENRICH_BLOCKED: a log that makes this door wait is full, or
// above its watermark (spool/watermark.h): DOOR_SHED that of the urgency, the other doors the one
// below warn. Ask before a run of them (a frame, an OTLP request); appends of that run then never
// block, and are kept where `bytes` was not too low.
int enrich_admit(struct enrich *enrich, const struct enrich_ask *ask);
// What a log record's document holds beyond the record's and its resource's own bytes, at most.
size_t enrich_log_overhead(const struct enrich *enrich);
// Counts the record as received, appends a copy for each target (or drops it: where the log is
// full, or sheds and is above the watermark of its level). Call after enrich_admit said 0. Sets the
// fields of record->own that the agent answers for. Returns 0, or what nothing was appended for:
// ENRICH_REJECTED, ENRICH_SHED, ENRICH_DAMAGED or ENRICH_LEVEL.
int enrich_log(struct enrich *enrich, struct record *record);
// Books a record that need not be decoded any more, after ENRICH_SHED: received, routed, and every
// log's copy dropped, for its level where that alone is reason enough.
void enrich_shed_rest(struct enrich *enrich, enum signal_kind signal, enum urgency urgency);

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
    bool resend; // the client may have sent it before
};
// Adds the resource attributes that the run lacks. Same contract as enrich_log.
int enrich_otlp(struct enrich *enrich, const struct otlp_run *run);
// What a run's payload holds beyond its resource and its rest, at most.
size_t enrich_otlp_overhead(const struct enrich *enrich);

// Books a run that decode refuses: received and rejected{reason}.
void enrich_reject(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                   uint64_t records);

// Lines that wait for the rest of their record, in the logs' books: received and pending.
void enrich_hold(struct enrich *enrich, uint32_t lines);
// Takes them out of the books again: the caller's next calls say what became of them.
void enrich_release(struct enrich *enrich, uint32_t lines);
// Lines that became part of a record that is booked by itself: received and joined.
void enrich_join(struct enrich *enrich, uint32_t lines);
// Records that are here already, and are not kept again: received and duplicate.
void enrich_duplicate(struct enrich *enrich, enum signal_kind signal, uint32_t records);

// Registers for room in whichever log blocked last.
void enrich_wait(struct enrich *enrich, struct room_waiter *waiter);
void enrich_wait_cancel(struct enrich *enrich, struct room_waiter *waiter);

#endif
