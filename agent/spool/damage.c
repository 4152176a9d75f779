// What a log does about a segment that lost pages: books and tells what is gone, sends what is
// whole, and keeps the file under another name once nothing of it is pending.
//
// Losses are noticed where the loop is about to rely on a segment's bytes: before a slot goes out
// and when it comes back, before an offer, and before a verdict is believed.
#include "spool/damage.h"

#include "base/error.h"
#include "base/own_log.h"
#include "spool/spool_log.h"

// Files kept of one run: a device that loses page after page must not fill itself with them.
#define KEPT_MAX 16u

static void gauge_update(struct spool_log *log)
{
    log->book->trouble[TROUBLE_PAGE_LOST] = log->damaged_count > 0;
}

static void tell_lost(const struct spool_log *log, const struct segment *segment)
{
    own_log(OWN_ERROR, "page_lost",
            "%s: segment %08u lost pages: its file was cut or changed, or the device cannot read "
            "it; what is whole in it is sent, the rest is dropped, and new records go to another "
            "segment; look at the device, and at who else writes in the folder",
            log->name, segment->piece.number);
}

static void count_pages(struct spool_log *log, struct segment *segment, uint32_t before)
{
    log->book->pages_lost += page_guard_lost(segment->piece.guard) - before;
}

static void book_dropped(struct spool_log *log, uint32_t records)
{
    assert(log->book->held >= records);
    log->book->held -= records;
    log->book->dropped[DROP_DAMAGED] += records;
    log_lost_unread(log, GAP_DAMAGED, records); // whose they were stood on the page
    log->settled.refusals.unknown += records > 0;
}

static void examine(struct spool_log *log, struct segment *segment)
{
    struct segment_loss loss;
    uint32_t before = segment->lost_pages;
    bool first = !segment->damaged;
    segment_examine(segment, &loss);
    log->book->pages_lost += segment->lost_pages - before;
    log->pending -= loss.entries;
    log->waiting -= loss.waiting;
    book_dropped(log, loss.records);
    if (first) {
        log->damaged_count++;
        gauge_update(log);
        tell_lost(log, segment);
    }
    if (loss.entries > 0)
        log_settled_advance(log);
    if (loss.entries > 0)
        own_log(OWN_WARN, "entries_damaged",
                "%s: segment %08u: %u entries with %u records are not what was stored, and were "
                "dropped",
                log->name, segment->piece.number, loss.entries, loss.records);
}

void log_examine(struct spool_log *log, uint32_t index)
{
    assert(index < log->live_count);
    examine(log, log->live[index]);
    if (segment_is_settled(log->live[index]))
        log_settle(log, index);
    if (log_is_empty(log))
        log_emptied(log);
}

void log_drop_written(struct spool_log *log, uint32_t records)
{
    uint32_t last = log->live_count - 1;
    struct segment *segment = log->live[last];
    segment_give_up_last(segment, records);
    log->pending--;
    log->waiting--;
    book_dropped(log, records);
    own_log(OWN_WARN, "entries_damaged",
            "%s: segment %08u: a page was lost while %u records were written; they were dropped",
            log->name, segment->piece.number, records);
    if (segment_is_suspect(segment))
        log_examine(log, last);
    else if (segment_is_settled(segment))
        log_settle(log, last);
}

bool log_vouches(struct spool_log *log, struct segment *segment, uint32_t slot, uint32_t *records)
{
    while (segment_is_pending(segment, slot)) {
        bool whole = true;
        if (segment->damaged)
            whole = segment_is_whole(segment, slot, records);
        else
            *records = segment_records(segment, slot);
        if (whole && *records > 0 && *records <= segment->pending_records &&
            !segment_is_suspect(segment))
            return true;
        if (whole && segment->damaged && !segment_is_suspect(segment)) {
            // A good entry of another's making: no more is booked than was held.
            *records = segment->pending_records;
            return true;
        }
        examine(log, segment);
    }
    return false;
}

void log_put_aside(struct spool_log *log, struct segment *segment)
{
    uint32_t number = segment->piece.number;
    bool worth = segment->entries > 0 || segment->unreadable;
    bool kept = number > 0 && worth && log->kept_damaged < KEPT_MAX;
    count_pages(log, segment, segment->lost_pages);
    book_dropped(log, segment->pending_records);
    if (segment->damaged) {
        log->damaged_count--;
        gauge_update(log);
    } else if (segment_lost_any(segment)) {
        tell_lost(log, segment);
    }
    if (!kept) {
        segment_remove(segment, log->store);
        return;
    }
    segment_detach(segment);
    if (store_set_aside(log->store, number) < 0)
        return; // the next start reads it again
    log->kept_damaged++;
    log->book->set_aside++;
    own_log(OWN_WARN, "segment_set_aside",
            "%s: segment %08u, which is damaged, is through; it is kept as %08u.damaged", log->name,
            number, number);
}
