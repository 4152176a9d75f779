// A log's watermarks: whether what comes next is still worth its room.
#include "spool/watermark.h"

#include "base/own_log.h"
#include "spool/spool_log.h"

// How much of its newest segment is used, of `scale`: by its payloads or by its index, whichever
// fills up first.
static uint64_t newest_used(const struct spool_log *log, uint64_t scale)
{
    if (log->live_count == 0)
        return scale; // of an earlier run, and not loaded yet
    const struct segment *newest = log->live[log->live_count - 1];
    if (newest->sealed)
        return scale;
    uint64_t payload = (log->payload_max - segment_room(newest)) * scale / log->payload_max;
    uint64_t index = newest->entries * scale / newest->capacity;
    return payload > index ? payload : index;
}

static bool is_above(const struct spool_log *log, uint64_t watermark)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    uint64_t used = log_used(log);
    uint64_t limit = log->limit;
    if (log->trouble && used + log->free_count < limit)
        limit = used + log->free_count;
    if (used * 100 <= limit * watermark)
        return false;                  // were all of them full
    uint64_t whole = 100 * (used - 1); // in hundredths of a segment
    return whole + newest_used(log, 100) > limit * watermark;
}

bool spool_is_above(const struct spool_log *log, enum urgency urgency)
{
    if (urgency == URGENCY_HIGH)
        return false;
    return is_above(log, urgency == URGENCY_LOW ? WATERMARK_LOW : WATERMARK_NORMAL);
}

unsigned spool_pressure(const struct spool_log *log)
{
    return (unsigned)is_above(log, WATERMARK_LOW) + (unsigned)is_above(log, WATERMARK_NORMAL);
}

bool spool_keeps(struct spool_log *log, enum urgency urgency)
{
    if (!spool_is_above(log, urgency))
        return true;
    if (urgency != URGENCY_NORMAL || is_above(log, WATERMARK_SAMPLED))
        return false;
    return log->sampled++ % WATERMARK_SAMPLE == 0;
}

void spool_refuse_level(struct spool_log *log, uint32_t records)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    log->book->routed += records;
    log->book->dropped[DROP_LEVEL] += records;
    log_tell_full(log);
}

void log_tell_full(struct spool_log *log)
{
    if (log->told_full)
        return;
    log->told_full = true;
    own_log(OWN_WARN, "log_filling",
            "%s: %llu records are held, in %llu of %u segments: more comes than the sink takes, or "
            "it is away; less urgent records wait or are dropped first, `sluice status` counts "
            "them; look at the sink, or raise spool.max_bytes (max_memory)",
            log->name, (unsigned long long)log->book->held, (unsigned long long)log_used(log),
            log->limit);
}

void log_relieved(struct spool_log *log)
{
    if (!log->told_full || is_above(log, WATERMARK_LOW))
        return;
    log->told_full = false;
    own_log(OWN_INFO, "log_relieved", "%s: has room for every record again", log->name);
}
