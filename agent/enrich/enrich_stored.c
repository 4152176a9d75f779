// Combines what the logs say of their positions into marks that rise by one row.
//
// A mark is closed once a log has asked for a sync since: what comes later needs another one.
// Everything before that shares the sync, and so the mark.
#include "enrich/enrich_stored.h"

#include "enrich/enrich_room.h"
#include "spool/spool_stored.h"

#include <assert.h>
#include <string.h>

static bool is_there(const struct stored_marks *marks, const struct stored_mark *mark)
{
    for (unsigned i = 0; i < marks->log_count; i++)
        if (spool_stored(marks->logs[i].log) < mark->upto[i])
            return false;
    return true;
}

static void await(struct stored_marks *marks)
{
    for (unsigned i = 0; i < marks->log_count; i++)
        spool_wait_stored(marks->logs[i].log, &marks->logs[i].waiter);
}

// How many of the oldest are stored now, which are off the list then.
static unsigned pass(struct stored_marks *marks)
{
    unsigned passed = 0;
    while (passed < marks->mark_count && is_there(marks, &marks->marks[passed]))
        marks->done = marks->marks[passed++].number;
    marks->mark_count -= passed;
    memmove(marks->marks, marks->marks + passed, marks->mark_count * sizeof *marks->marks);
    return passed;
}

static void advanced(struct room_waiter *waiter)
{
    struct stored_marks *marks =
        ((struct stored_log *)(void *)((char *)waiter - offsetof(struct stored_log, waiter)))
            ->marks;
    unsigned passed = pass(marks);
    if (marks->mark_count > 0)
        await(marks);
    if (passed > 0 && !marks->waking.first)
        waiter_list_call(&marks->waiters, &marks->waking);
}

void stored_marks_add(struct stored_marks *marks, struct spool_log *log)
{
    for (unsigned i = 0; i < marks->log_count; i++)
        if (marks->logs[i].log == log)
            return;
    if (!spool_stores_later(log))
        return;
    assert(marks->log_count < EXPORTER_MAX);
    marks->logs[marks->log_count++] =
        (struct stored_log){.waiter.room = advanced, .log = log, .marks = marks};
}

void stored_marks_deinit(struct stored_marks *marks)
{
    assert(!marks->waiters.first && !marks->waking.first);
    for (unsigned i = 0; i < marks->log_count; i++)
        spool_wait_stored_cancel(marks->logs[i].log, &marks->logs[i].waiter);
    marks->log_count = 0;
}

uint64_t enrich_mark(struct enrich *enrich)
{
    struct stored_marks *marks = &enrich->stored;
    struct stored_mark now = {.number = marks->given};
    for (unsigned i = 0; i < marks->log_count; i++) {
        now.upto[i] = spool_position(marks->logs[i].log);
        now.asked += spool_syncs_asked(marks->logs[i].log);
    }
    if (is_there(marks, &now))
        return marks->done;
    struct stored_mark *last = marks->mark_count ? &marks->marks[marks->mark_count - 1] : NULL;
    bool open = last && (last->asked == now.asked || marks->mark_count == MARKS_MAX);
    if (!open) {
        now.number = ++marks->given;
        last = &marks->marks[marks->mark_count++];
    }
    *last = now;
    await(marks);
    return now.number;
}

bool enrich_is_stored(const struct enrich *enrich, uint64_t mark)
{
    return mark <= enrich->stored.done;
}

void enrich_store_now(struct enrich *enrich)
{
    for (unsigned i = 0; i < enrich->stored.log_count; i++)
        spool_store_now(enrich->stored.logs[i].log);
    pass(&enrich->stored); // the waiters are called by the loop, if it goes on
}

void enrich_wait_stored(struct enrich *enrich, struct room_waiter *waiter)
{
    if (waiter->waiting)
        return;
    waiter->waiting = true;
    waiter_append(&enrich->stored.waiters, waiter);
}

void enrich_wait_stored_cancel(struct enrich *enrich, struct room_waiter *waiter)
{
    struct stored_marks *marks = &enrich->stored;
    if (waiter->waiting &&
        (waiter_remove(&marks->waiters, waiter) || waiter_remove(&marks->waking, waiter)))
        waiter->waiting = false;
}
