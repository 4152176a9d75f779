// Ids, routes, admission and the door's books; a log record's way into each of its logs.
#include "enrich/enrich.h"

#include "base/error.h"
#include "enrich/enrich_room.h"
#include "enrich/record.h"

#include <stdlib.h>
#include <sys/random.h>

#define FIRST_ATTEMPT 512 // bytes that a document is first tried in
#define KEY_MAX 1024      // bytes of a Kafka key; a longer one is cut

static void free_targets(struct enrich *enrich)
{
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
        for (size_t i = 0; i < enrich->target_count[signal]; i++)
            free((char *)enrich->targets[signal][i].key_label.data);
        free(enrich->targets[signal]);
    }
}

// -EINVAL where nobody could look a key up under this path.
static int set_key(struct target *target, struct slice path)
{
    target->key_field = ECS_FIELD_COUNT;
    if (path.size == 0)
        return 0;
    if (ecs_path_kind(path, &target->key_field) == ECS_PATH_FIELD)
        return 0;
    target->key_field = ECS_FIELD_COUNT;
    const struct slice root = SLICE("labels.");
    if (path.size <= root.size || memcmp(path.data, root.data, root.size) != 0)
        return -EINVAL;
    char *name = malloc(path.size - root.size);
    if (!name)
        return -ENOMEM;
    memcpy(name, path.data + root.size, path.size - root.size);
    target->key_label = slice_of(name, path.size - root.size);
    return 0;
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
        target->form = targets[i].form;
        enrich->target_count[signal]++;
        int r = set_key(target, targets[i].key_field);
        if (r < 0)
            return r;
        size_t most = spool_payload_max(target->log);
        if (most < enrich->payload_max[signal])
            enrich->payload_max[signal] = most;
    }
    return 0;
}

static int enrich_fill(struct enrich *enrich, const struct enrich_config *config)
{
    if (getrandom(enrich->start_id, sizeof enrich->start_id, 0) != (ssize_t)sizeof enrich->start_id)
        return error_from_errno();
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
        int r = copy_targets(enrich, (enum signal_kind)signal, config->targets[signal],
                             config->target_count[signal]);
        if (r < 0)
            return r;
    }
    int r = agent_resource_init(&enrich->resource, config->resource, config->resource_count);
    if (r < 0)
        return r;
    enrich->present = calloc(enrich->resource.count + 1, sizeof *enrich->present);
    if (!enrich->present)
        return -ENOMEM;
    return ecs_encoder_init(&enrich->encoder, &enrich->resource,
                            config->agent_version ? config->agent_version : "", enrich->start_id);
}

int enrich_new(struct enrich **out, const struct enrich_config *config)
{
    struct enrich *enrich = calloc(1, sizeof *enrich);
    if (!enrich)
        return -ENOMEM;
    enrich->clock = config->clock;
    enrich->books = config->books;
    int r = enrich_fill(enrich, config);
    if (r < 0) {
        enrich_free(enrich);
        return r;
    }
    *out = enrich;
    return 0;
}

void enrich_free(struct enrich *enrich)
{
    if (!enrich)
        return;
    free_targets(enrich);
    ecs_encoder_deinit(&enrich->encoder);
    agent_resource_deinit(&enrich->resource);
    free(enrich->present);
    free(enrich);
}

bool enrich_routes(const struct enrich *enrich, enum signal_kind signal)
{
    return enrich->target_count[signal] > 0;
}

// Whether a full log makes the door wait (or refuse), its own policy before the door's.
static bool full_blocks(const struct spool_log *log, enum door_policy policy, bool expired)
{
    switch (spool_when_full(log)) {
    case SPOOL_WHEN_FULL_BLOCK:
        return true;
    case SPOOL_WHEN_FULL_SHED:
        return false;
    case SPOOL_WHEN_FULL_AUTO:
        break;
    }
    return policy != DOOR_SHED || !expired;
}

int enrich_admit(struct enrich *enrich, enum signal_kind signal, enum door_policy policy,
                 size_t bytes, bool expired)
{
    for (size_t i = 0; i < enrich->target_count[signal]; i++) {
        struct spool_log *log = enrich->targets[signal][i].log;
        if (!full_blocks(log, policy, expired))
            continue;
        // A run larger than the log could ever promise comes when the log is empty.
        size_t most = spool_room_max(log);
        if (!spool_has_room(log, bytes < most ? bytes : most)) {
            enrich->blocked = log;
            return ENRICH_BLOCKED;
        }
    }
    return 0;
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

void enrich_reject(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                   uint64_t records)
{
    enrich->books->door[signal].received += records;
    enrich->books->door[signal].rejected[reason] += records;
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

void enrich_shed(struct enrich *enrich, enum signal_kind signal, uint32_t full, uint32_t records)
{
    for (; full; full &= full - 1)
        spool_shed(enrich->targets[signal][__builtin_ctz(full)].log, records);
}

// Writes the document into the log's segment, with ever more room until it fits. Returns 0 with the
// slot reserved, or what spool_reserve says; SPOOL_TOO_LARGE beyond most bytes.
static int encode_into(struct enrich *enrich, struct spool_log *log, const struct record *record,
                       size_t most, struct slice *document)
{
    struct spool_slot slot;
    for (size_t room = FIRST_ATTEMPT < most ? FIRST_ATTEMPT : most;;) {
        int r = spool_reserve(log, room, &slot);
        if (r != 0)
            return r;
        size_t size = ecs_encode(&enrich->encoder, record, slot.data,
                                 slot.capacity < most ? slot.capacity : most);
        if (size) {
            *document = slice_of(slot.data, size);
            return 0;
        }
        spool_abort(log);
        if (slot.capacity >= most)
            return SPOOL_TOO_LARGE;
        room = slot.capacity < most / 2 ? 2 * slot.capacity : most;
    }
}

static int copy_into(struct spool_log *log, struct slice document)
{
    struct spool_slot slot;
    int r = spool_reserve(log, document.size, &slot);
    if (r == 0)
        memcpy(slot.data, document.data, document.size);
    return r;
}

static const struct value *label_value(const struct record *record, const struct enrich *enrich,
                                       struct slice name)
{
    const struct fields *const layers[3] = {&record->own, record->resource, &enrich->encoder.agent};
    for (size_t i = 0; i < 3; i++) {
        for (uint32_t n = 0; layers[i] && n < layers[i]->labels.count; n++) {
            if (slice_equal(layers[i]->labels.items[n].name, name))
                return &layers[i]->labels.items[n].value;
        }
    }
    return NULL;
}

// The Kafka key: the field's text. Views into the record, or text.
static struct slice key_of(const struct enrich *enrich, const struct target *target,
                           const struct record *record, uint8_t text[JSON_SLACK * 2])
{
    const struct value *value = NULL;
    if (target->key_field < ECS_FIELD_COUNT)
        value = ecs_value(&enrich->encoder, record, target->key_field);
    else if (target->key_label.size)
        value = label_value(record, enrich, target->key_label);
    if (!value || value->kind == VALUE_NULL)
        return (struct slice){0};
    if (value->kind == VALUE_TEXT || value->kind == VALUE_ESCAPED || value->kind == VALUE_JSON)
        return slice_of(value->text.data, value->text.size < KEY_MAX ? value->text.size : KEY_MAX);
    struct json_out out = json_out_of(text, JSON_SLACK * 2);
    json_value(&out, value);
    return slice_of(text, (size_t)(out.at - text));
}

static void commit_document(struct enrich *enrich, const struct target *target,
                            const struct record *record, const struct record_id *id, size_t size)
{
    uint8_t text[JSON_SLACK * 2];
    struct spool_entry entry = {
        .records = 1,
        .time_ns = record->time_ns,
        .source_position = record->has_sequence ? record->sequence : 0,
        .severity = record->severity,
        .signal = SIGNAL_LOGS,
        .resend.key = key_of(enrich, target, record, text),
    };
    memcpy(entry.id, id->bytes, sizeof entry.id);
    spool_commit(target->log, size, &entry);
}

int enrich_log(struct enrich *enrich, struct record *record)
{
    size_t count = enrich->target_count[SIGNAL_LOGS];
    if (count == 0) {
        enrich_reject(enrich, SIGNAL_LOGS, REJECT_UNROUTED, 1);
        return ENRICH_REJECTED;
    }
    uint64_t now = clock_realtime(enrich->clock);
    if (!record->time_ns)
        record->time_ns = now;
    struct record_id id =
        enrich_next_id(enrich, record->stream, record->sequence, record->has_sequence, 1);
    ecs_prepare(&enrich->encoder, record, id.bytes, now);
    // Encoded once, into the first log that has room; the others copy it from there.
    struct slice document = {0};
    uint32_t full = 0; // targets whose copy is not kept
    for (size_t i = 0; i < count; i++) {
        const struct target *target = &enrich->targets[SIGNAL_LOGS][i];
        int r = document.size ? copy_into(target->log, document)
                              : encode_into(enrich, target->log, record,
                                            enrich->payload_max[SIGNAL_LOGS], &document);
        if (r == SPOOL_TOO_LARGE) { // only the first that encodes can say so: nothing was appended
            enrich_reject(enrich, SIGNAL_LOGS, REJECT_TOO_LARGE, 1);
            return ENRICH_REJECTED;
        }
        if (r == 0)
            commit_document(enrich, target, record, &id, document.size);
        else // full, or the kernel gave no memory for a segment
            full |= 1u << i;
    }
    enrich_shed(enrich, SIGNAL_LOGS, full, 1);
    enrich_book_routed(enrich, SIGNAL_LOGS, 1);
    return document.size ? 0 : ENRICH_SHED;
}

void enrich_shed_rest(struct enrich *enrich, enum signal_kind signal, uint64_t records)
{
    uint32_t all = (1u << enrich->target_count[signal]) - 1;
    while (records > 0) {
        uint32_t some = records < UINT32_MAX ? (uint32_t)records : UINT32_MAX;
        enrich_shed(enrich, signal, all, some);
        enrich_book_routed(enrich, signal, some);
        records -= some;
    }
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
