// Combines what the logs say of their positions into marks that rise by one row for each level and
// signal.
//
// A mark `stored` is closed once a log has asked for a sync since: what comes later needs another
// one. Everything before that shares the sync, and so the mark.
#include "enrich/enrich_stored.h"

#include "enrich/enrich_room.h"
#include "spool/spool_settled.h"
#include "spool/spool_stored.h"
#include "spool/spool_streams.h"

#include <assert.h>
#include <string.h>

#define LOG_OF(waiter, member)                                                                     \
    ((struct marked_log *)(void *)((char *)(waiter)-offsetof(struct marked_log, member)))

static uint64_t position_of(const struct spool_log *log, enum mark_level level)
{
    return level == MARK_STORED ? spool_stored(log) : spool_settled(log);
}

static bool is_there(const struct stored_marks *marks, enum mark_level level,
                     const struct mark_row *row, const struct stored_mark *mark)
{
    for (uint32_t left = row->logs; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        if (position_of(marks->logs[i].log, level) < mark->upto[i])
            return false;
    }
    return true;
}

static void await(struct stored_marks *marks)
{
    for (unsigned i = 0; i < marks->log_count; i++) {
        struct marked_log *log = &marks->logs[i];
        if (spool_stores_later(log->log))
            spool_wait_stored(log->log, &log->stored);
        spool_wait_settled(log->log, &log->settled);
    }
}

// Takes those of the oldest off the list that are there now.
static void pass(struct stored_marks *marks, enum mark_level level, struct mark_row *row)
{
    unsigned passed = 0;
    while (passed < row->mark_count && is_there(marks, level, row, &row->marks[passed]))
        row->done = row->marks[passed++].number;
    row->mark_count -= passed;
    memmove(row->marks, row->marks + passed, row->mark_count * sizeof *row->marks);
}

static void pass_level(struct stored_marks *marks, enum mark_level level)
{
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++)
        pass(marks, level, &marks->rows[level][signal]);
}

// Those that still are owed something wait again, and so for the logs.
static void call_waiters(struct stored_marks *marks)
{
    if (!marks->waking.first)
        waiter_list_call(&marks->waiters, &marks->waking);
}

static void stored_advanced(struct room_waiter *waiter)
{
    struct stored_marks *marks = LOG_OF(waiter, stored)->marks;
    pass_level(marks, MARK_STORED);
    call_waiters(marks);
}

static void settled_advanced(struct room_waiter *waiter)
{
    struct stored_marks *marks = LOG_OF(waiter, settled)->marks;
    pass_level(marks, MARK_DELIVERED);
    call_waiters(marks);
}

void stored_marks_add(struct stored_marks *marks, enum signal_kind signal, struct spool_log *log)
{
    unsigned i = 0;
    while (i < marks->log_count && marks->logs[i].log != log)
        i++;
    if (i == marks->log_count) {
        assert(marks->log_count < EXPORTER_MAX);
        marks->logs[marks->log_count++] = (struct marked_log){.stored.room = stored_advanced,
                                                              .settled.room = settled_advanced,
                                                              .log = log,
                                                              .marks = marks};
    }
    if (spool_stores_later(log))
        marks->rows[MARK_STORED][signal].logs |= 1u << i;
    marks->rows[MARK_DELIVERED][signal].logs |= 1u << i;
}

void stored_marks_deinit(struct stored_marks *marks)
{
    assert(!marks->waiters.first && !marks->waking.first);
    for (unsigned i = 0; i < marks->log_count; i++) {
        spool_wait_stored_cancel(marks->logs[i].log, &marks->logs[i].stored);
        spool_wait_settled_cancel(marks->logs[i].log, &marks->logs[i].settled);
    }
    marks->log_count = 0;
    refusals_deinit(&marks->refusals);
}

uint64_t enrich_mark(struct enrich *enrich, enum mark_level level, enum signal_kind signal)
{
    struct stored_marks *marks = &enrich->stored;
    struct mark_row *row = &marks->rows[level][signal];
    struct stored_mark now = {.number = row->given};
    for (uint32_t left = row->logs; left; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        now.upto[i] = spool_position(marks->logs[i].log);
        if (level == MARK_STORED)
            now.asked += spool_syncs_asked(marks->logs[i].log);
    }
    pass(marks, level, row);
    if (row->mark_count == 0 && is_there(marks, level, row, &now))
        return row->done;
    struct stored_mark *last = row->mark_count ? &row->marks[row->mark_count - 1] : NULL;
    bool same = last && memcmp(last->upto, now.upto, sizeof now.upto) == 0;
    bool open = last && (same || row->mark_count == MARKS_MAX ||
                         (level == MARK_STORED && last->asked == now.asked));
    if (!open) {
        now.number = ++row->given;
        last = &row->marks[row->mark_count++];
    }
    *last = now;
    return now.number;
}

bool enrich_has_reached(const struct enrich *enrich, enum mark_level level, enum signal_kind signal,
                        uint64_t mark)
{
    return mark <= enrich->stored.rows[level][signal].done;
}

bool enrich_backlog_is_delivered(const struct enrich *enrich)
{
    const struct stored_marks *marks = &enrich->stored;
    for (unsigned i = 0; i < marks->log_count; i++)
        if (!spool_backlog_settled(marks->logs[i].log))
            return false;
    return true;
}

bool enrich_has(const struct enrich *enrich, enum signal_kind signal, const uint8_t stream[8],
                uint64_t sequence)
{
    for (size_t i = 0; i < enrich->target_count[signal]; i++)
        if (spool_stream_last(enrich->targets[signal][i].log, stream) < sequence)
            return false;
    return enrich->target_count[signal] > 0;
}

void enrich_refuse(struct enrich *enrich, const uint8_t stream[8], uint64_t sequence,
                   uint64_t records)
{
    if (sequence > 0 && records > 0)
        refusals_note(&enrich->stored.refusals, stream, sequence, records);
}

size_t enrich_take_refused(struct enrich *enrich, const uint8_t stream[8], uint64_t upto,
                           struct refused_range *ranges, size_t most)
{
    struct stored_marks *marks = &enrich->stored;
    size_t taken = refusals_take(&marks->refusals, stream, upto, ranges, most);
    for (unsigned i = 0; i < marks->log_count; i++)
        taken += refusals_take(spool_refusals(marks->logs[i].log), stream, upto, ranges + taken,
                               most - taken);
    return taken;
}

uint64_t enrich_refused_unknown(const struct enrich *enrich)
{
    const struct stored_marks *marks = &enrich->stored;
    uint64_t unknown = marks->refusals.unknown;
    for (unsigned i = 0; i < marks->log_count; i++)
        unknown += spool_refusals(marks->logs[i].log)->unknown;
    return unknown;
}

void enrich_store_now(struct enrich *enrich)
{
    for (unsigned i = 0; i < enrich->stored.log_count; i++)
        spool_store_now(enrich->stored.logs[i].log);
    pass_level(&enrich->stored, MARK_STORED); // the waiters are called by the loop, if it goes on
}

void enrich_wait_stored(struct enrich *enrich, struct room_waiter *waiter)
{
    if (waiter->waiting)
        return;
    waiter->waiting = true;
    waiter_append(&enrich->stored.waiters, waiter);
    await(&enrich->stored);
}

void enrich_wait_stored_cancel(struct enrich *enrich, struct room_waiter *waiter)
{
    struct stored_marks *marks = &enrich->stored;
    if (waiter->waiting &&
        (waiter_remove(&marks->waiters, waiter) || waiter_remove(&marks->waking, waiter)))
        waiter->waiting = false;
}
