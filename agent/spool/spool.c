// A log's segments: what is active, closed and free, the byte budget, and admission.
//
// The live segments stand in an array by position; the last one is being written. A segment without
// a pending entry holds nothing: a closed one goes to the free list at once, the active one is
// started anew in place, so that sparse traffic touches the same few pages again and again. The
// budget allows `limit` live segments; one more is slack, used by what was admitted but did not
// fit.
#include "spool/spool.h"

#include "base/clock.h"
#include "base/error.h"
#include "spool/damage.h"
#include "spool/spool_log.h"
#include "spool/stream_marks.h"
#include "spool/watermark.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define SEGMENT_SIZE_DEFAULT 1048576u
#define FREE_FILES_MAX 8u // kept for a later use; further ones give their disk back
// A run is admitted as if its payloads were this long on average; the slack covers shorter ones.
#define PAYLOAD_EXPECTED 256u

#define LOG_OF_TRIM(timer)                                                                         \
    ((struct spool_log *)(void *)((char *)(timer)-offsetof(struct spool_log, trim)))

static void trim_expired(struct loop_timer *timer);

static int config_check(const struct spool_config *config, uint32_t *size, uint32_t *limit)
{
    size_t wanted = config->segment_size ? config->segment_size : SEGMENT_SIZE_DEFAULT;
    if (wanted < SPOOL_SEGMENT_MIN || wanted > SPOOL_SEGMENT_MAX || (wanted & (wanted - 1)) != 0)
        return -EINVAL;
    uint64_t segments = config->max_bytes / wanted;
    if (segments < 2 || (config->level == SPOOL_NODE && !config->sync))
        return -EINVAL;
    *size = (uint32_t)wanted;
    *limit = segments < UINT32_MAX / 2 ? (uint32_t)segments : UINT32_MAX / 2;
    return 0;
}

static int store_open(struct spool_log *log, const struct spool_config *config)
{
    if (config->level == SPOOL_MEMORY)
        return store_open_memory(&log->store, log->name);
    assert(config->folder);
    return store_open_folder(&log->store, config->folder, config->min_free);
}

// What the log stands on: its store, what is there already, and the table of live segments.
static int log_open(struct spool_log *log, const struct spool_config *config)
{
    if (getrandom(log->id, sizeof log->id, 0) != (ssize_t)sizeof log->id)
        return -EIO;
    int r = store_open(log, config);
    if (r == 0)
        r = backlog_open(log, config->folder_name ? config->folder_name : config->folder);
    if (r < 0)
        return r;
    size_t most = log->backlog.count > log->limit ? log->backlog.count : log->limit;
    log->live = calloc(most + 2, sizeof(struct segment *));
    return log->live ? 0 : -ENOMEM;
}

int spool_log_new(struct spool_log **out, const struct spool_config *config)
{
    assert(config->loop && config->clock);
    assert(config->exporter && config->book);
    uint32_t size = 0;
    uint32_t limit = 0;
    int r = config_check(config, &size, &limit);
    if (r < 0)
        return r;
    struct spool_log *log = calloc(1, sizeof *log);
    if (!log)
        return -ENOMEM;
    log->magic = SPOOL_LOG_MAGIC;
    log->when_full = config->when_full;
    log->form = config->form;
    log->loop = config->loop;
    log->clock = config->clock;
    log->exporter = config->exporter;
    log->book = config->book;
    log->dead_letters = config->dead_letters;
    log->gaps = config->gaps;
    log->gap_exporter = config->gap_exporter;
    snprintf(log->name, sizeof log->name, "%s", config->name ? config->name : "");
    log->segment_size = size;
    log->payload_max = segment_payload_max(size);
    catch_up_init(&log->catch_up, config->catch_up_rate, SEGMENT_SIZE_MAX,
                  clock_monotonic(config->clock));
    log->limit = limit;
    log->trim.expired = trim_expired;
    log->retry.expired = log_retry;
    pump_init(log);
    log_settled_init(log);
    r = log_open(log, config);
    log_sync_init(log, r == 0 && config->level == SPOOL_NODE ? config->sync : NULL);
    if (r == 0)
        r = log_streams_open(log);
    if (r == 0)
        r = log->exporter->ops->start(log->exporter, (struct verdict_sink){pump_verdicts, log});
    if (r < 0) {
        spool_log_free(log);
        return r;
    }
    if (backlog_left(&log->backlog) > 0)
        loop_defer(log->loop, &log->pump);
    *out = log;
    return 0;
}

static void free_list_release(struct spool_log *log, uint32_t kept)
{
    while (log->free_count > kept) {
        struct segment *segment = log->free;
        log->free = segment->next;
        log->free_count--;
        segment_remove(segment, log->store);
    }
}

void spool_log_free(struct spool_log *log)
{
    if (!log)
        return;
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(log->pending == log->waiting); // the exporter points into nothing
    pump_deinit(log);
    log_sync_deinit(log);
    log_settled_deinit(log);
    loop_timer_stop(&log->trim);
    loop_timer_stop(&log->retry);
    for (uint32_t i = 0; i < log->live_count; i++) {
        if (log->live[i]->pending == 0)
            segment_remove(log->live[i], log->store);
        else
            segment_detach(log->live[i]);
    }
    free_list_release(log, 0);
    backlog_close(log);
    stream_marks_free(log->streams);
    store_close(log->store);
    free(log->live);
    log->magic = 0;
    free(log);
}

size_t spool_payload_max(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log->payload_max;
}

static struct segment *log_active(const struct spool_log *log)
{
    return log->live_count > 0 ? log->live[log->live_count - 1] : NULL;
}

static void log_start_segment(struct spool_log *log, struct segment *segment)
{
    struct segment_identity identity = {
        .generation = ++log->generation,
        .base_position = log->position,
        .base_record = log->record,
        .created_ns = clock_realtime(log->clock),
        .form = log->form,
    };
    snprintf(identity.exporter, sizeof identity.exporter, "%.*s", SEGMENT_EXPORTER_MAX, log->name);
    memcpy(identity.log_id, log->id, sizeof identity.log_id);
    segment_start(segment, &identity);
}

uint64_t log_used(const struct spool_log *log)
{
    return log->live_count + backlog_left(&log->backlog);
}

void log_gauge(struct spool_log *log)
{
    const struct segment *active = log_active(log);
    uint64_t in_use = log_used(log) - (active && active->entries == 0 ? 1u : 0u);
    log->book->held_bytes = in_use * log->segment_size;
}

bool log_make_segment(struct spool_log *log)
{
    uint64_t now = clock_monotonic(log->clock);
    struct segment *segment = NULL;
    if ((log->trouble || log->sync.failing) && now - log->trouble_ns < RETRY_NS)
        return false;
    int r = segment_new(&segment, log->store, log->segment_size);
    log_trouble(log, r, now);
    if (r < 0)
        return false;
    segment->next = log->free;
    log->free = segment;
    log->free_count++;
    return true;
}

// Puts a fresh segment at the end of the live ones.
static int log_open_segment(struct spool_log *log)
{
    struct segment *segment;
    if (log_used(log) > log->limit)
        return SPOOL_FULL;
    for (;;) {
        bool made = !log->free;
        if (made && !log_make_segment(log))
            return SPOOL_FULL;
        segment = log->free;
        log->free = segment->next;
        log->free_count--;
        segment->next = NULL;
        log_start_segment(log, segment);
        if (!segment_lost_any(segment))
            break;
        log_put_away(log, segment);
        if (made) { // a device that loses what it has just given
            log_trouble(log, -EIO, clock_monotonic(log->clock));
            return SPOOL_FULL;
        }
    }
    if (log->live_count > 0) // should this one go first, that one must not go on: its positions end
        log_active(log)->sealed = true;
    log->live[log->live_count++] = segment;
    log_gauge(log);
    return 0;
}

int spool_reserve(struct spool_log *log, size_t at_least, struct spool_slot *slot)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(log->slot_capacity == 0); // one slot at a time
    if (at_least > log->payload_max)
        return SPOOL_TOO_LARGE;
    if (log_active(log) && segment_is_suspect(log_active(log)))
        log_examine(log, log->live_count - 1);
    struct segment *active = log_active(log);
    if (!active || segment_room(active) < at_least || segment_room(active) == 0) {
        int r = log_open_segment(log);
        if (r != 0)
            return r;
        active = log_active(log);
    }
    log->slot_capacity = segment_room(active);
    log->slot_losses = page_guard_mine();
    *slot = (struct spool_slot){segment_tail(active), log->slot_capacity};
    return 0;
}

int spool_commit(struct spool_log *log, size_t size, const struct spool_entry *entry)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(size > 0 && size <= log->slot_capacity);
    struct segment *active = log_active(log);
    if (entry->sequenced)
        log_streams_expect(log);
    segment_append(active, (uint32_t)size, entry);
    log->slot_capacity = 0;
    catch_up_live(&log->catch_up, size);
    log->position++;
    log->record += entry->records;
    log->pending++;
    log->waiting++;
    *(entry->generated ? &log->book->generated : &log->book->routed) += entry->records;
    log->book->held += entry->records;
    if (active->entries == 1)
        log_gauge(log);
    if (log->sync.thread)
        loop_defer(log->loop, &log->sync.ask);
    loop_defer(log->loop, &log->pump);
    // While it was written, or while it was read from where its writer copied it from.
    if (segment_is_suspect(active) || page_guard_mine() != log->slot_losses) {
        log_drop_written(log, entry->records);
        return SPOOL_DAMAGED; // not noted: who sends it again is welcome
    }
    if (entry->sequenced)
        log_streams_note(log, entry);
    return 0;
}

void spool_abort(struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    log->slot_capacity = 0;
    struct segment *active = log_active(log);
    if (active && (active->entries > 0 || active->sealed) && segment_is_settled(active))
        log_settle(log, log->live_count - 1);
}

void log_put_away(struct spool_log *log, struct segment *segment)
{
    assert(segment_is_settled(segment));
    if (segment->damaged || segment->unreadable || segment_lost_any(segment)) {
        log_put_aside(log, segment);
        return;
    }
    if (!segment_is_reusable(segment, log->segment_size) ||
        (store_is_folder(log->store) && log->free_count >= FREE_FILES_MAX)) {
        segment_remove(segment, log->store);
        return;
    }
    segment->next = log->free;
    log->free = segment;
    log->free_count++;
}

void log_settle(struct spool_log *log, uint32_t index)
{
    assert(index < log->live_count);
    struct segment *segment = log->live[index];
    assert(segment_is_settled(segment));
    bool active = index == log->live_count - 1;
    if (active && log->slot_capacity > 0)
        return; // somebody is writing at its tail: the next verdict or abort does it
    bool again = active && !segment->sealed && !segment_lost_any(segment);
    if (again) {
        log_start_segment(log, segment);
        again = !segment_lost_any(segment);
    }
    if (!again) {
        log->live_count--;
        memmove(&log->live[index], &log->live[index + 1],
                (log->live_count - index) * sizeof(struct segment *));
        if (index < log->waiting_live)
            log->waiting_live--;
        if (index < log->backlog.live)
            log->backlog.live--;
        log_put_away(log, segment);
    }
    log_gauge(log);
    log_relieved(log);
    log_stored_update(log);
    if (log_used(log) <= log->limit)
        pump_wake(log);
}

void log_emptied(struct spool_log *log)
{
    assert(log_is_empty(log));
    pump_wake(log);
    if (log->trim.armed)
        return;
    log->trim_position = log->position;
    // Where it cannot be set, the memory stays: a failure of the timer must not fail a verdict.
    (void)loop_timer_start(log->loop, &log->trim, TRIM_AFTER_NS);
}

void log_trim(struct spool_log *log)
{
    assert(log->slot_capacity == 0);
    // A file stays allocated: the next burst writes to the same pages of the disk.
    free_list_release(log, store_is_folder(log->store) ? 1 : 0);
    struct segment *active = log_active(log);
    if (active && active->entries == 0 && !store_is_folder(log->store)) {
        log->live_count--;
        segment_remove(active, log->store);
    }
    log_gauge(log);
}

// Traffic that goes on keeps its segments; once it has stopped for a while, all go back.
static void trim_expired(struct loop_timer *timer)
{
    struct spool_log *log = LOG_OF_TRIM(timer);
    assert(log->magic == SPOOL_LOG_MAGIC);
    if (!log_is_empty(log))
        return; // set again when it is empty
    if (log->position == log->trim_position)
        log_trim(log);
    else
        log_emptied(log);
}

// How much payload surely fits into this many fresh segments and the slack. A payload that does not
// fit closes a segment early, but two neighbours together hold more than one segment's worth.
static uint64_t fresh_room(const struct spool_log *log, uint64_t segments)
{
    return segments > 0 ? (segments / 2 + 1) * log->payload_max : 0;
}

// How many fresh segments a run may take.
static uint64_t fresh_needed(const struct spool_log *log, size_t bytes)
{
    if (bytes <= log->payload_max / 3 * 2)
        return 1; // even its smallest payloads do not fill the index
    return 2 * ((bytes - 1) / log->payload_max) + 2;
}

static bool active_has_room(const struct spool_log *log, size_t bytes)
{
    const struct segment *active = log_active(log);
    if (!active || segment_room(active) == 0 || bytes > segment_room(active))
        return false;
    return active->entries == 0 || bytes / PAYLOAD_EXPECTED < active->capacity - active->entries;
}

bool spool_has_room(struct spool_log *log, size_t bytes)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    uint64_t used = log_used(log);
    if (used > log->limit)
        return false; // the slack is in use
    if (active_has_room(log, bytes))
        return true;
    if (used >= log->limit || bytes > fresh_room(log, log->limit - used))
        return false;
    // What was promised must not fail for want of a device: the segments are made now.
    for (uint64_t needed = fresh_needed(log, bytes); log->free_count < needed;)
        if (!log_make_segment(log))
            return false;
    return true;
}

size_t spool_room_max(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    // One of them may be the active one, empty.
    return (size_t)fresh_room(log, log->limit - 1);
}

enum spool_when_full spool_when_full(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log->when_full;
}

void spool_shed(struct spool_log *log, uint32_t records)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    log->book->routed += records;
    log->book->dropped[DROP_SHED] += records;
    log_tell_full(log);
}
