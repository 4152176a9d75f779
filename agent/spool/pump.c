// Offers what waits in a log to its exporter, takes the verdicts, and wakes who waits for room.
//
// A verdict may come from inside an offer, a flush or any other turn of the loop, so nothing here
// keeps a pointer into a segment across a call of the exporter, and a verdict never offers by
// itself: it schedules the pump. An exporter that is being freed and gives its parcels back is
// therefore never offered them again.
#include "base/clock.h"
#include "base/error.h"
#include "deliver/dead_letters.h"
#include "spool/damage.h"
#include "spool/spool_log.h"
#include "spool/watermark.h"

#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

enum pump_stop { PUMP_EMPTY, PUMP_FULL, PUMP_BUSY, PUMP_PACED };

static void pump_schedule(struct spool_log *log)
{
    if (!log->pumping)
        loop_defer(log->loop, &log->pump);
}

// The oldest segment with something waiting. There must be one.
static struct segment *first_waiting(struct spool_log *log)
{
    assert(log->waiting > 0);
    while (log->live[log->waiting_live]->waiting == 0) {
        log->waiting_live++;
        assert(log->waiting_live < log->live_count);
    }
    return log->live[log->waiting_live];
}

// False: the backlog has had what its rate allows for now; wait_ns is set.
static bool pace(struct spool_log *log, size_t bytes, uint64_t *wait_ns)
{
    struct catch_up *bucket = &log->catch_up;
    if (log->draining || catch_up_take(bucket, bytes))
        return true;
    catch_up_fill(bucket, clock_monotonic(log->clock));
    if (catch_up_take(bucket, bytes))
        return true;
    *wait_ns = catch_up_wait(bucket, bytes);
    return false;
}

static uint32_t live_find(const struct spool_log *log, uint64_t position);
static void take_back(struct spool_log *log, uint32_t index, uint64_t position);

// Reads the first waiting entry, which then waits no more. False: what was read is not what was
// stored; look again.
static bool next_parcel(struct spool_log *log, struct parcel *parcel)
{
    struct segment *segment = first_waiting(log);
    uint32_t slot = segment_take_waiting(segment);
    log->waiting--;
    if (segment_parcel(segment, slot, parcel) && segment_may_be_offered(segment, slot))
        return true;
    segment_set_waiting(segment, slot);
    log->waiting++;
    log_examine(log, log->waiting_live);
    return false;
}

static enum pump_stop offer_all(struct spool_log *log, uint64_t *wait_ns)
{
    for (size_t offered = 0; offered < PUMP_TURN; offered++) {
        if (backlog_left(&log->backlog) > 0) {
            if (!backlog_refill(log))
                return PUMP_BUSY;
        }
        if (log->waiting == 0)
            return PUMP_EMPTY;
        struct parcel parcel;
        if (!next_parcel(log, &parcel))
            continue;
        // Not taken, so without a verdict, so its segment is still there.
        if (!pace(log, parcel.payload.size, wait_ns)) {
            take_back(log, live_find(log, parcel.position), parcel.position);
            return PUMP_PACED;
        }
        log->kicked = false;
        int r = log->exporter->ops->offer(log->exporter, &parcel);
        if (r == EXPORTER_FULL) {
            catch_up_give_back(&log->catch_up, parcel.payload.size);
            take_back(log, live_find(log, parcel.position), parcel.position);
            return PUMP_FULL;
        }
        assert(r == 0);
        log->unflushed = true;
    }
    return PUMP_BUSY;
}

static void pump_run(struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(!log->pumping);
    log->pumping = true;
    uint64_t wait_ns = 0;
    enum pump_stop stop = offer_all(log, &wait_ns);
    if (stop != PUMP_BUSY && log->unflushed) {
        log->unflushed = false;
        log->exporter->ops->flush(log->exporter, log->draining);
    }
    log->pumping = false;
    catch_up_settle(&log->catch_up);
    // Through a timer, not deferred: deferred work runs before the loop looks at its sockets again.
    bool more = log->waiting > 0 || backlog_left(&log->backlog) > 0;
    if (more && (stop != PUMP_FULL || log->kicked) &&
        loop_timer_start(log->loop, &log->resume, wait_ns) < 0)
        loop_defer(log->loop, &log->pump);
}

static void pump_deferred(struct loop_deferred *deferred)
{
    pump_run(CONTAINER_OF(deferred, struct spool_log, pump));
}

static void pump_resumed(struct loop_timer *timer)
{
    pump_run(CONTAINER_OF(timer, struct spool_log, resume));
}

// Index of the live segment that holds position. It must be there: whoever asks for another was
// never offered it, or has answered already.
static uint32_t live_find(const struct spool_log *log, uint64_t position)
{
    uint32_t low = 0;
    uint32_t high = log->live_count;
    uint32_t hint = log->verdict_live;
    if (hint < high &&
        position - log->live[hint]->identity.base_position < (uint64_t)log->live[hint]->entries)
        return hint;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (log->live[middle]->identity.base_position <= position)
            low = middle;
        else
            high = middle;
    }
    assert(low < log->live_count);
    assert(position - log->live[low]->identity.base_position < (uint64_t)log->live[low]->entries);
    return low;
}

static void verdict_final(struct spool_log *log, struct segment *segment, uint32_t slot,
                          uint32_t records, const struct verdict *verdict)
{
    struct exporter_book *book = log->book;
    if (verdict->kind == VERDICT_DELIVERED) {
        assert(verdict->refused <= records);
        book->delivered += records - verdict->refused;
        book->dropped[DROP_REFUSED] += verdict->refused;
        if (verdict->refused) { // which of them, the sink does not say
            log_lost(log, segment, slot, GAP_REFUSED, verdict->refused);
            log_refused(log, segment, slot, records);
        }
        segment_mark(segment, slot, SEGMENT_DELIVERED, records);
    } else {
        assert(verdict->kind == VERDICT_DEAD);
        book->dead += records;
        struct parcel parcel;
        log_lost(log, segment, slot, GAP_DEAD, records);
        log_refused(log, segment, slot, records);
        if (segment_parcel(segment, slot, &parcel))
            dead_letters_take(log->dead_letters, book, log->name, &parcel, verdict->reason);
        segment_mark(segment, slot, SEGMENT_DEAD, records);
    }
    assert(book->held >= records);
    book->held -= records;
    log->pending--;
}

static void segment_through(struct spool_log *log, uint32_t index)
{
    if (segment_is_settled(log->live[index]))
        log_settle(log, index);
    if (log_is_empty(log))
        log_emptied(log);
}

// What the exporter does not have any more waits again, unless it is damaged.
static void take_back(struct spool_log *log, uint32_t index, uint64_t position)
{
    struct segment *segment = log->live[index];
    uint32_t slot = (uint32_t)(position - segment->identity.base_position);
    if (!segment_is_pending(segment, slot)) {
        segment->given_up--;
        segment_through(log, index);
        return;
    }
    segment_set_waiting(segment, slot);
    log->waiting++;
    if (index < log->waiting_live)
        log->waiting_live = index;
}

static void verdict_take(struct spool_log *log, const struct verdict *verdict)
{
    uint32_t index = live_find(log, verdict->position);
    struct segment *segment = log->live[index];
    uint32_t slot = (uint32_t)(verdict->position - segment->identity.base_position);
    assert(!segment_is_waiting(segment, slot)); // it was offered
    log->verdict_live = index;
    if (verdict->kind == VERDICT_RETURNED) {
        take_back(log, index, verdict->position);
        return;
    }
    // A verdict for bytes that were lost is none: the sink may have got zeros.
    uint32_t records;
    if (log_vouches(log, segment, slot, &records))
        verdict_final(log, segment, slot, records, verdict);
    else
        segment->given_up--;
    segment_through(log, index);
}

void pump_verdicts(void *ctx, const struct verdict *verdicts, size_t n)
{
    struct spool_log *log = ctx;
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(verdicts || n == 0);
    for (size_t i = 0; i < n; i++)
        verdict_take(log, &verdicts[i]);
    log->kicked = true;
    log_settled_advance(log);
    if (log->waiting > 0)
        pump_schedule(log);
}

static void wake_run(struct loop_deferred *deferred)
{
    struct spool_log *log = CONTAINER_OF(deferred, struct spool_log, wake);
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(!log->waking.first);
    // A waiter that finds too little room waits again: on the list for the next time.
    waiter_list_call(&log->waiters, &log->waking);
    if (log->drained && log_is_empty(log)) {
        void (*drained)(void *ctx) = log->drained;
        log->drained = NULL;
        drained(log->drained_ctx);
    }
}

void pump_wake(struct spool_log *log)
{
    if (log->waiters.first || (log->drained && log_is_empty(log)))
        loop_defer(log->loop, &log->wake);
}

void spool_watch(struct spool_log *log, struct room_waiter *waiter)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(waiter->room);
    if (waiter->waiting)
        return;
    waiter->waiting = true;
    waiter_append(&log->waiters, waiter);
}

void spool_wait(struct spool_log *log, struct room_waiter *waiter)
{
    log->book->blocked += !waiter->waiting;
    log_tell_full(log);
    spool_watch(log, waiter);
}

void spool_wait_cancel(struct spool_log *log, struct room_waiter *waiter)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    if (!waiter->waiting)
        return;
    // Not found: it waits for another log.
    if (waiter_remove(&log->waiters, waiter) || waiter_remove(&log->waking, waiter))
        waiter->waiting = false;
}

void spool_drain(struct spool_log *log, void (*drained)(void *ctx), void *ctx)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    log->draining = true;
    log->unflushed = true; // what the exporter lingers over was offered before
    log->drained = drained;
    log->drained_ctx = ctx;
    pump_schedule(log);
    pump_wake(log);
}

bool spool_drained(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log_is_empty(log);
}

void pump_init(struct spool_log *log)
{
    assert(log->loop && log->exporter);
    log->pump.run = pump_deferred;
    log->resume.expired = pump_resumed;
    log->wake.run = wake_run;
}

void pump_deinit(struct spool_log *log)
{
    assert(!log->pumping);
    assert(!log->waiters.first && !log->waking.first);
    loop_deferred_stop(&log->pump);
    loop_deferred_stop(&log->wake);
    loop_timer_stop(&log->resume);
}
