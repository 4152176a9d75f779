// What a log does while it cannot grow: it says which trouble it is in, and lets who waits try
// again.
//
// A log in trouble is a full log: its policy (block or shed) decides what becomes of records.
#include "base/clock.h"
#include "base/error.h"
#include "base/own_log.h"
#include "spool/spool_log.h"

static enum spool_trouble trouble_of(int error)
{
    switch (-error) {
    case ENOSPC:
        return TROUBLE_NO_SPACE;
    case EDQUOT:
        return TROUBLE_LOW_SPACE;
    case ENOMEM:
        return TROUBLE_NO_MEMORY;
    default:
        return TROUBLE_IO;
    }
}

static const char *way_out(enum spool_trouble trouble)
{
    static const char *const texts[TROUBLE_COUNT] = {
        [TROUBLE_NO_SPACE] = "the device is full: free space on it, or lower spool.max_bytes",
        [TROUBLE_LOW_SPACE] =
            "less than spool.min_free is left on the device: free space on it, or "
            "lower spool.min_free",
        [TROUBLE_NO_MEMORY] = "the kernel gives no memory: lower max_memory, or raise the cgroup's "
                              "limit",
        [TROUBLE_IO] = "the folder cannot be written: look at the device and its mount",
    };
    return texts[trouble];
}

static void gauge(struct spool_log *log)
{
    for (unsigned i = 0; i < TROUBLE_PAGE_LOST; i++) // damage.c answers for that one
        log->book->trouble[i] = (log->trouble < 0 && i == (unsigned)trouble_of(log->trouble)) ||
                                (log->sync.failing && i == TROUBLE_IO);
}

void log_trouble(struct spool_log *log, int result, uint64_t now)
{
    if (result == log->trouble && result == 0)
        return;
    log->trouble_ns = now;
    bool changed = result != log->trouble;
    log->trouble = result;
    gauge(log);
    if (result < 0)
        (void)loop_timer_start(log->loop, &log->retry, RETRY_NS);
    else
        loop_timer_stop(&log->retry);
    if (!changed)
        return;
    if (result < 0)
        own_log(OWN_ERROR, "spool_trouble", "%s: no further segment: %s; %s", log->name,
                spool_trouble_name(trouble_of(result)), way_out(trouble_of(result)));
    else
        own_log(OWN_INFO, "spool_recovered", "%s: the log grows again", log->name);
}

// The log has the room it had: only a further file is not asked of the device for a while.
void log_sync_trouble(struct spool_log *log, bool failing)
{
    log->sync.failing = failing;
    gauge(log);
    if (failing) {
        log->trouble_ns = clock_monotonic(log->clock);
        (void)loop_timer_start(log->loop, &log->retry, RETRY_NS);
    } else {
        pump_wake(log); // who waits for a file need not wait for the timer
    }
}

// The log itself makes the next attempt: in trouble it is as small as what it has, so that records
// below a watermark may be refused, or made to wait, before any of them asks for a segment.
void log_retry(struct loop_timer *timer)
{
    struct spool_log *log =
        (struct spool_log *)(void *)((char *)timer - offsetof(struct spool_log, retry));
    assert(log->magic == SPOOL_LOG_MAGIC);
    log->trouble_ns -= RETRY_NS; // the timer may be a little early
    if (log->trouble && log_used(log) + log->free_count < log->limit)
        (void)log_make_segment(log);
    pump_wake(log);
}
