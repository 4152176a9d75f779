// Up to which position a log's records have their final verdict.
//
// Verdicts come in any order and segments are recycled as they empty, so the oldest live segment
// that still has a pending entry holds the first of them.
#include "spool/spool_settled.h"

#include "base/error.h"
#include "spool/spool_log.h"

#include <stddef.h>

static void advance_run(struct loop_deferred *deferred)
{
    struct spool_log *log =
        (struct spool_log *)(void *)((char *)deferred -
                                     offsetof(struct spool_log, settled.advance));
    assert(log->magic == SPOOL_LOG_MAGIC);
    waiter_list_call(&log->settled.waiters, &log->settled.waking);
}

void log_settled_init(struct spool_log *log)
{
    log->settled.advance.run = advance_run;
}

void log_settled_deinit(struct spool_log *log)
{
    assert(!log->settled.waiters.first && !log->settled.waking.first);
    loop_deferred_stop(&log->settled.advance);
    refusals_deinit(&log->settled.refusals);
}

void log_settled_advance(struct spool_log *log)
{
    if (log->settled.waiters.first)
        loop_defer(log->loop, &log->settled.advance);
}

uint64_t spool_settled(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    for (uint32_t i = log->backlog.live; i < log->live_count; i++)
        if (log->live[i]->pending > 0)
            return log->live[i]->identity.base_position + segment_first_pending(log->live[i]);
    return log->position;
}

void log_refused(struct spool_log *log, const struct segment *segment, uint32_t slot,
                 uint32_t records)
{
    const uint8_t *entry = segment->data + SEGMENT_HEADER_SIZE + (size_t)slot * SEGMENT_ENTRY_SIZE;
    uint64_t position = get_u64le(entry + ENTRY_SOURCE_POSITION);
    uint64_t sequence = 0;
    for (unsigned i = 8; i < 16; i++)
        sequence = sequence << 8 | entry[ENTRY_ID + i];
    if (sequence > 0 && position == sequence) // a client's, not of our own ids
        refusals_note(&log->settled.refusals, entry + ENTRY_ID, sequence, records);
}

struct refusals *spool_refusals(struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return &log->settled.refusals;
}

bool spool_backlog_settled(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log->backlog.live == 0 && backlog_left(&log->backlog) == 0;
}

void spool_wait_settled(struct spool_log *log, struct room_waiter *waiter)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(waiter->room);
    if (waiter->waiting)
        return;
    waiter->waiting = true;
    waiter_append(&log->settled.waiters, waiter);
}

void spool_wait_settled_cancel(struct spool_log *log, struct room_waiter *waiter)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    if (waiter->waiting && (waiter_remove(&log->settled.waiters, waiter) ||
                            waiter_remove(&log->settled.waking, waiter)))
        waiter->waiting = false;
}
