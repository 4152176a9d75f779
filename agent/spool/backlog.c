// Finds, orders and loads the segments of an earlier run.
//
// Positions name entries within one run only: a loaded segment gets the next stretch of 65,536 of
// them, below those of new traffic, whatever its header says. Its generation orders it.
#include "spool/backlog.h"

#include "base/error.h"
#include "base/own_log.h"
#include "spool/segment_image.h"
#include "spool/spool_log.h"
#include "spool/stream_marks.h"

#include <stdlib.h>

#define POSITIONS_EACH ((uint64_t)65536) // a segment has at most 65,535 entries
#define LOADS_A_TURN 4

static const char *condition_text(int condition)
{
    switch (condition) {
    case SEGMENT_FOREIGN:
        return "it is no segment";
    case SEGMENT_BAD_HEADER:
        return "its header is damaged";
    default:
        return strerror(-condition);
    }
}

static void set_aside(struct spool_log *log, uint32_t number, int condition)
{
    log->book->set_aside++;
    if (condition == SEGMENT_NEWER) { // whoever goes back to that version finds it
        own_log(OWN_WARN, "segment_set_aside",
                "%s: segment %08u is left as it is: a newer version of the agent wrote it",
                log->name, number);
        return;
    }
    log_lost_unread(log, GAP_SET_ASIDE, 1);
    own_log(OWN_WARN, "segment_set_aside",
            "%s: segment %08u cannot be read: %s; it is kept as %08u.damaged", log->name, number,
            condition_text(condition), number);
    store_set_aside(log->store, number);
}

static int by_generation(const void *a, const void *b)
{
    const struct backlog_segment *left = a, *right = b;
    if (left->generation != right->generation)
        return left->generation < right->generation ? -1 : 1;
    return left->number < right->number ? -1 : left->number > right->number;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

// A segment that was reserved and never used, or that was being started anew (the rest of its
// header stands): nothing is in it. A header's page of zeros before an index that is in use has
// been lost.
static bool is_blank(const uint8_t *start)
{
    return get_u64le(start + HEADER_MAGIC) == 0 &&
           (!is_zero(start, SEGMENT_HEADER_SIZE) ||
            is_zero(start + SEGMENT_HEADER_SIZE, SEGMENT_HEADER_SIZE));
}

// A kill between a file's making and its reservation leaves nothing in the newest one. Another that
// is empty was cut.
static bool is_cut_off(const struct spool_log *log, uint32_t number, int size)
{
    return size == 0 && number < store_highest(log->store);
}

const char *spool_form_name(uint32_t form)
{
    switch (form) {
    case SPOOL_FORM_ECS:
        return "ECS JSON documents";
    case SPOOL_FORM_OTLP:
        return "OTLP fields";
    default:
        return "payloads of a form that this version does not know";
    }
}

// Bytes of one form, sent as the other, would be refused, or worse, taken.
static bool form_fits(const struct spool_log *log, const struct segment_image *image,
                      const char *folder)
{
    uint32_t form = image->identity.form;
    if (form == SPOOL_FORM_UNKNOWN || log->form == SPOOL_FORM_UNKNOWN || form == log->form)
        return true;
    own_log(OWN_ERROR, "spool_failed",
            "spool.path: %s: holds %s (of exporter %.*s), but exporter %s takes %s; give this one "
            "another name, or drain the folder first with `sluice replay` and the settings that "
            "filled it, or move it away",
            folder, spool_form_name(form), SEGMENT_EXPORTER_MAX, image->identity.exporter,
            log->name, spool_form_name(log->form));
    return false;
}

// The header; what stands behind it is only read where the header does not say enough.
static int read_start(const struct spool_log *log, uint32_t number, uint8_t *start)
{
    int r = store_peek(log->store, number, start, SEGMENT_HEADER_SIZE);
    if (r >= 0 && get_u64le(start + HEADER_MAGIC) == 0)
        r = store_peek(log->store, number, start, 2 * (size_t)SEGMENT_HEADER_SIZE);
    return r;
}

static int find(struct spool_log *log, uint32_t number, const char *folder)
{
    struct backlog *backlog = &log->backlog;
    struct segment_image image;
    uint8_t start[2 * SEGMENT_HEADER_SIZE];
    int r = read_start(log, number, start);
    if (r >= 0 && is_blank(start) && !is_cut_off(log, number, r)) {
        struct store_piece piece = {.number = number, .fd = -1};
        store_remove(log->store, &piece);
        return 0;
    }
    if (r >= 0)
        r = segment_check(&image, start, SEGMENT_HEADER_SIZE);
    if (r != 0) {
        log_streams_remove(log); // first: the start after a kill sees nothing of what is set aside
        set_aside(log, number, r);
        return 0;
    }
    if (!form_fits(log, &image, folder))
        return -EMEDIUMTYPE;
    backlog->items[backlog->count++] = (struct backlog_segment){image.identity.generation, number};
    // The log's id stays this run's own: after power loss the newest header may never have reached
    // the device, and its generation is given once more, while its entries may be in the file
    // still.
    if (image.identity.generation > log->generation)
        log->generation = image.identity.generation;
    return 0;
}

int backlog_open(struct spool_log *log, const char *folder)
{
    struct backlog *backlog = &log->backlog;
    uint32_t *numbers = NULL;
    size_t count = 0;
    if (!store_is_folder(log->store))
        return 0;
    int r = store_list(log->store, &numbers, &count);
    if (r < 0)
        return r;
    backlog->items = calloc(count + 1, sizeof *backlog->items);
    r = backlog->items ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++)
        r = find(log, numbers[i], folder);
    free(numbers);
    if (r < 0)
        return r;
    qsort(backlog->items, backlog->count, sizeof *backlog->items, by_generation);
    log->position = (uint64_t)backlog->count * POSITIONS_EACH;
    log->book->backlog_segments = backlog->count;
    log_gauge(log);
    return 0;
}

void backlog_close(struct spool_log *log)
{
    free(log->backlog.items);
    log->backlog = (struct backlog){0};
}

static void tell_damage(const struct spool_log *log, uint32_t number,
                        const struct segment_findings *findings)
{
    own_log(OWN_WARN, "entries_damaged",
            "%s: segment %08u: %u entries cannot be read and were skipped; at least %llu records "
            "are lost",
            log->name, number, findings->damaged, (unsigned long long)findings->lost_records);
}

// Behind the loaded ones and before the new ones.
static void insert_live(struct spool_log *log, struct segment *segment)
{
    uint32_t at = log->backlog.live++;
    memmove(&log->live[at + 1], &log->live[at], (log->live_count - at) * sizeof(struct segment *));
    log->live[at] = segment;
    log->live_count++;
    if (log->waiting_live > at)
        log->waiting_live = at;
}

// Whose records are gone nobody can say, so that whoever sends any again is welcome.
static void forget_streams(struct spool_log *log)
{
    if (log->backlog.marked)
        stream_marks_forget(log->streams);
    log->backlog.marked = false;
}

static void load(struct spool_log *log, const struct backlog_segment *item, size_t index)
{
    struct segment_findings findings;
    struct segment *segment = NULL;
    int r = segment_load(&segment, log->store, item->number, index * POSITIONS_EACH, &findings);
    if (r != 0 || findings.damaged > 0) {
        forget_streams(log);
        log->settled.refusals.unknown++;
    }
    if (r != 0) {
        set_aside(log, item->number, r);
        return;
    }
    log->book->damaged += findings.damaged;
    log->book->damaged_records += findings.lost_records;
    log_lost_unread(log, GAP_UNREADABLE, findings.lost_records);
    log->book->recovered += findings.records;
    log->book->held += findings.records;
    log->pending += findings.pending;
    log->waiting += findings.pending;
    if (findings.damaged > 0)
        tell_damage(log, item->number, &findings);
    if (segment->pending > 0)
        insert_live(log, segment);
    else
        log_put_away(log, segment);
}

static bool waits(const struct spool_log *log)
{
    for (uint32_t i = 0; i < log->backlog.live; i++)
        if (log->live[i]->waiting > 0)
            return true;
    return false;
}

bool backlog_refill(struct spool_log *log)
{
    struct backlog *backlog = &log->backlog;
    for (unsigned loads = 0; loads < LOADS_A_TURN; loads++) {
        if (backlog_left(backlog) == 0 || waits(log))
            return true;
        size_t index = backlog->next++;
        load(log, &backlog->items[index], index);
        log->book->backlog_segments = backlog_left(backlog);
        log_gauge(log);
    }
    if (log_is_empty(log))
        log_emptied(log);
    return backlog_left(backlog) == 0 || waits(log);
}
