// What the room is made of, ids, admission, and the door's books.
#include "enrich/enrich.h"

#include "base/error.h"
#include "base/own_log.h"
#include "enrich/enrich_room.h"
#include "spool/watermark.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void free_targets(struct enrich *enrich)
{
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
        for (size_t i = 0; i < enrich->target_count[signal]; i++)
            resend_plan_deinit(&enrich->targets[signal][i].resend);
        free(enrich->targets[signal]);
    }
}

// EXPORTER_MAX: it is nobody's.
static unsigned exporter_index(const struct books *books, const struct exporter_book *book)
{
    for (unsigned i = 0; i < books->exporter_count; i++)
        if (&books->exporters[i].book == book)
            return i;
    return EXPORTER_MAX;
}

static size_t document_max(const struct enrich_target *target)
{
    if (!target->cut || !target->document_max)
        return SIZE_MAX;
    return target->document_max + 1; // the payload's '\n' stays here
}

static int copy_targets(struct enrich *enrich, enum signal_kind signal,
                        const struct enrich_target *targets, size_t count)
{
    enrich->targets[signal] = calloc(count + 1, sizeof *enrich->targets[signal]);
    if (!enrich->targets[signal])
        return -ENOMEM;
    enrich->payload_max[signal] = SIZE_MAX;
    if (count > EXPORTER_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        struct target *target = &enrich->targets[signal][i];
        enum wire_form form = signal == SIGNAL_LOGS ? WIRE_ECS_JSON : WIRE_OTLP;
        if (targets[i].form != form)
            return -EINVAL; // the settings allow no other
        target->log = targets[i].log;
        stored_marks_add(&enrich->stored, signal, target->log);
        target->book = targets[i].book;
        target->exporter = exporter_index(enrich->books, targets[i].book);
        target->name =
            target->exporter < EXPORTER_MAX ? enrich->books->exporters[target->exporter].name : "";
        target->cut = targets[i].cut;
        target->document_max = document_max(&targets[i]);
        enrich->target_count[signal]++;
        int r = resend_plan_init(&target->resend, &targets[i], target->name);
        if (r < 0)
            return r;
        size_t most = spool_payload_max(target->log);
        if (most < enrich->payload_max[signal])
            enrich->payload_max[signal] = most;
    }
    return 0;
}

int enrich_set_resource(struct enrich *enrich, const struct resource_attribute *resource,
                        size_t count)
{
    struct agent_resource made;
    struct ecs_encoder encoder;
    int r = agent_resource_init(&made, resource, count);
    if (r < 0)
        return r;
    bool *present = calloc(made.count + 1, sizeof *present);
    r = present ? ecs_encoder_init(&encoder, &made, enrich->agent_version, enrich->start_id)
                : -ENOMEM;
    if (r < 0) {
        free(present);
        agent_resource_deinit(&made);
        return r;
    }
    ecs_encoder_deinit(&enrich->encoder);
    agent_resource_deinit(&enrich->resource);
    free(enrich->present);
    enrich->resource = made;
    enrich->encoder = encoder;
    enrich->present = present;
    return 0;
}

void enrich_set_tap(struct enrich *enrich,
                    void (*tap)(void *ctx, enum signal_kind signal, struct slice payload),
                    void *ctx)
{
    enrich->tap = tap;
    enrich->tap_ctx = ctx;
}

static int enrich_fill(struct enrich *enrich, const struct enrich_config *config)
{
    if (getrandom(enrich->start_id, sizeof enrich->start_id, 0) != (ssize_t)sizeof enrich->start_id)
        return error_from_errno();
    enrich->agent_version = strdup(config->agent_version ? config->agent_version : "");
    if (!enrich->agent_version)
        return -ENOMEM;
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
        int r = copy_targets(enrich, (enum signal_kind)signal, config->targets[signal],
                             config->target_count[signal]);
        if (r < 0)
            return r;
    }
    return enrich_set_resource(enrich, config->resource, config->resource_count);
}

int enrich_new(struct enrich **out, const struct enrich_config *config)
{
    struct enrich *enrich = calloc(1, sizeof *enrich);
    if (!enrich)
        return -ENOMEM;
    enrich->clock = config->clock;
    enrich->books = config->books;
    enrich->gaps = config->gaps;
    int r = enrich_fill(enrich, config);
    if (r < 0) {
        enrich_free(enrich);
        return r;
    }
    gap_documents_start(enrich, config->loop, config->gap_interval_ns);
    *out = enrich;
    return 0;
}

void enrich_free(struct enrich *enrich)
{
    if (!enrich)
        return;
    gap_documents_stop(enrich);
    stored_marks_deinit(&enrich->stored);
    free_targets(enrich);
    ecs_encoder_deinit(&enrich->encoder);
    agent_resource_deinit(&enrich->resource);
    free(enrich->present);
    free(enrich->agent_version);
    free(enrich);
}

bool enrich_routes(const struct enrich *enrich, enum signal_kind signal)
{
    return enrich->target_count[signal] > 0;
}

// Whether the log makes the door wait (or refuse) rather than shed: its own policy before the
// door's.
static bool log_blocks(const struct spool_log *log, const struct enrich_ask *ask)
{
    switch (spool_when_full(log)) {
    case SPOOL_WHEN_FULL_BLOCK:
        return true;
    case SPOOL_WHEN_FULL_SHED:
        return false;
    case SPOOL_WHEN_FULL_AUTO:
        break;
    }
    return ask->policy != DOOR_SHED || !ask->expired;
}

// Who sheds in the end waits where he would, so that the room above stays; who never sheds holds
// back, at any level below warn, what the other levels' reserve is for.
static bool above_watermark(const struct spool_log *log, const struct enrich_ask *ask)
{
    bool sheds = ask->policy == DOOR_SHED && spool_when_full(log) == SPOOL_WHEN_FULL_AUTO;
    enum urgency urgency = ask->urgency;
    if (!sheds && urgency == URGENCY_LOW)
        urgency = URGENCY_NORMAL;
    return spool_is_above(log, urgency);
}

int enrich_admit(struct enrich *enrich, const struct enrich_ask *ask)
{
    for (size_t i = 0; i < enrich->target_count[ask->signal]; i++) {
        struct spool_log *log = enrich->targets[ask->signal][i].log;
        if (!log_blocks(log, ask))
            continue;
        // A run larger than the log could ever promise comes when the log is empty.
        size_t most = spool_room_max(log);
        if (above_watermark(log, ask) ||
            !spool_has_room(log, ask->bytes < most ? ask->bytes : most)) {
            enrich->blocked = log;
            return ENRICH_BLOCKED;
        }
    }
    return 0;
}

// Whether the log may refuse by level. sheds: the door would.
static bool log_sheds(const struct spool_log *log, bool sheds)
{
    enum spool_when_full policy = spool_when_full(log);
    return policy == SPOOL_WHEN_FULL_SHED || (policy == SPOOL_WHEN_FULL_AUTO && sheds);
}

bool enrich_keeps(struct spool_log *log, enum urgency urgency, bool sheds)
{
    return !log_sheds(log, sheds) || spool_keeps(log, urgency);
}

struct record_id enrich_next_id(struct enrich *enrich, const uint8_t stream[8], uint64_t sequence,
                                bool has_sequence, uint32_t records)
{
    struct record_id id = {.sequence = has_sequence ? sequence : enrich->counter};
    memcpy(id.bytes, has_sequence ? stream : enrich->start_id, 8);
    for (unsigned i = 0; i < 8; i++)
        id.bytes[8 + i] = (uint8_t)(id.sequence >> (56 - 8 * i));
    if (!has_sequence)
        enrich->counter += records;
    return id;
}

void enrich_book_routed(struct enrich *enrich, enum signal_kind signal, uint32_t records)
{
    enrich->books->door[signal].received += records;
    enrich->books->door[signal].routed += records;
}

static void count_lost(struct enrich *enrich, enum signal_kind signal, unsigned exporter,
                       enum gap_reason reason, const struct loss *loss)
{
    struct gap_cause cause = {.reason = reason,
                              .signal = signal,
                              .exporter = exporter,
                              .severity = signal == SIGNAL_LOGS ? loss->severity : 0,
                              .service = loss->service};
    gap_count(enrich->gaps, &cause, loss->records, loss->time_ns);
}

void enrich_book_rejected(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                          const struct loss *loss)
{
    enrich->books->door[signal].received += loss->records;
    enrich->books->door[signal].rejected[reason] += loss->records;
    if (reason == REJECT_MALFORMED)
        count_lost(enrich, signal, GAP_DOOR, GAP_MALFORMED, loss);
    if (reason == REJECT_TOO_LARGE)
        count_lost(enrich, signal, GAP_DOOR, GAP_TOO_LARGE, loss);
}

void enrich_reject(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                   uint64_t records)
{
    enrich_book_rejected(enrich, signal, reason, &(struct loss){.records = records});
    if (reason == REJECT_TOO_LARGE)
        own_log(OWN_WARN, "record_too_large",
                "%llu %s larger than any segment were refused before they could be read; split "
                "them, or lower max_message so that their sender is told",
                (unsigned long long)records, signal_name(signal));
}

void enrich_hold(struct enrich *enrich, uint32_t lines)
{
    enrich->books->door[SIGNAL_LOGS].received += lines;
    enrich->books->door[SIGNAL_LOGS].pending += lines;
}

void enrich_release(struct enrich *enrich, uint32_t lines)
{
    enrich->books->door[SIGNAL_LOGS].received -= lines;
    enrich->books->door[SIGNAL_LOGS].pending -= lines;
}

void enrich_join(struct enrich *enrich, uint32_t lines)
{
    enrich->books->door[SIGNAL_LOGS].received += lines;
    enrich->books->door[SIGNAL_LOGS].joined += lines;
}

void enrich_duplicate(struct enrich *enrich, enum signal_kind signal, uint32_t records)
{
    enrich->books->door[signal].received += records;
    enrich->books->door[signal].duplicate += records;
}

struct loss enrich_loss_of(const struct enrich *enrich, const struct record *record,
                           char scratch[FIELD_TEXT_MIN])
{
    const struct field_path service = {.field = ECS_SERVICE_NAME};
    return (struct loss){
        .records = 1,
        .severity = record->severity,
        .time_ns = record->time_ns,
        .service = field_path_text(&service, &enrich->encoder, record, scratch, FIELD_TEXT_MIN),
    };
}

static void drop_copies(struct enrich *enrich, enum signal_kind signal, uint32_t set,
                        enum gap_reason reason, const struct loss *loss)
{
    for (; set; set &= set - 1) {
        const struct target *target = &enrich->targets[signal][__builtin_ctz(set)];
        if (target->exporter < EXPORTER_MAX)
            count_lost(enrich, signal, target->exporter, reason, loss);
        if (reason == GAP_LEVEL)
            spool_refuse_level(target->log, (uint32_t)loss->records);
        else
            spool_shed(target->log, (uint32_t)loss->records);
    }
}

void enrich_drop(struct enrich *enrich, enum signal_kind signal, const struct copies *copies,
                 const struct loss *loss)
{
    drop_copies(enrich, signal, copies->full, GAP_SHED, loss);
    drop_copies(enrich, signal, copies->level, GAP_LEVEL, loss);
}

void enrich_client_lost(struct enrich *enrich, enum signal_kind signal, enum gap_reason reason,
                        uint64_t records, struct slice resource)
{
    struct loss loss = {.records = records, .service = enrich_otlp_service(enrich, resource)};
    count_lost(enrich, signal, GAP_DOOR, reason, &loss);
}

void enrich_shed_rest(struct enrich *enrich, enum signal_kind signal, enum urgency urgency)
{
    struct copies copies = {0};
    for (unsigned i = 0; i < enrich->target_count[signal]; i++) {
        const struct spool_log *log = enrich->targets[signal][i].log;
        bool level = log_sheds(log, false) && spool_is_above(log, urgency);
        *(level ? &copies.level : &copies.full) |= 1u << i;
    }
    enrich_drop(enrich, signal, &copies, &(struct loss){.records = 1});
    enrich_book_routed(enrich, signal, 1);
}

size_t enrich_log_overhead(const struct enrich *enrich)
{
    return ecs_overhead(&enrich->encoder);
}

void enrich_wait(struct enrich *enrich, struct room_waiter *waiter)
{
    if (enrich->blocked)
        spool_wait(enrich->blocked, waiter);
}

void enrich_wait_cancel(struct enrich *enrich, struct room_waiter *waiter)
{
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
        for (size_t i = 0; waiter->waiting && i < enrich->target_count[signal]; i++)
            spool_wait_cancel(enrich->targets[signal][i].log, waiter);
    }
}
