// The inside of a spool log: its segments, its pump and its waiters, shared by spool.c and pump.c.
#ifndef SLUICE_SPOOL_SPOOL_LOG_H
#define SLUICE_SPOOL_SPOOL_LOG_H

#include "base/loop.h"
#include "base/waiter_list.h"
#include "deliver/exporter.h"
#include "spool/backlog.h"
#include "spool/catch_up.h"
#include "spool/gap_counters.h"
#include "spool/log_settled.h"
#include "spool/log_streams.h"
#include "spool/log_sync.h"
#include "spool/segment.h"
#include "spool/spool.h"
#include "spool/store.h"

#define SPOOL_LOG_MAGIC 0x5B001106u
// Parcels offered in one turn of the loop; the rest comes in the next.
#define PUMP_TURN ((size_t)4096)
// How long a log stays empty and unused before its memory goes back to the system.
#define TRIM_AFTER_NS 2000000000ULL

struct spool_log {
    struct loop_deferred pump;
    struct loop_timer resume;  // the pump again, after the loop has looked at its sockets
    struct loop_deferred wake; // calls waking, and drained
    struct loop_timer trim;
    struct loop_timer retry; // while the log is in trouble and somebody waits

    unsigned magic;
    enum spool_when_full when_full;
    enum spool_form form;
    struct loop *loop;
    struct clock *clock;
    struct exporter *exporter;
    struct exporter_book *book;
    struct dead_letters *dead_letters; // NULL: none
    struct gap_counters *gaps;         // NULL: none
    unsigned gap_exporter;
    char name[EXPORTER_NAME_MAX];

    struct store *store;
    int trouble;         // -errno of the last attempt to make a segment; 0: none
    uint64_t trouble_ns; // monotonic, of that attempt
    struct backlog backlog;
    uint8_t id[16];
    uint64_t generation;    // of the segment started last
    uint64_t position;      // of the next entry
    uint64_t record;        // records taken so far
    uint64_t trim_position; // position when the trim timer was set
    uint32_t segment_size;
    uint32_t payload_max;

    struct segment **live; // by position, limit + 1 of them at most; the last is the active one
    struct segment *free;  // idle ones
    uint32_t limit;        // segments within max_bytes; one more is slack
    uint32_t live_count, free_count;
    uint32_t damaged_count, kept_damaged; // live ones that lost pages; files of such kept
    uint32_t verdict_live;                // index in live where the last verdict was found
    uint64_t sampled;                     // of what is kept 1 in WATERMARK_SAMPLE
    size_t slot_capacity;                 // of the slot that is out; 0: none
    uint32_t slot_losses;                 // page_guard_mine() when it went out
    bool told_full;                       // the own log knows that writers wait, or records go

    uint64_t pending;      // entries without a verdict
    uint64_t waiting;      // of these, not offered (or returned)
    uint32_t waiting_live; // no live segment before this index has a waiting entry
    bool pumping;
    bool kicked;    // the exporter has answered since the last offer
    bool unflushed; // something was offered since the last flush
    bool draining;
    struct catch_up catch_up;
    void (*drained)(void *ctx); // to be called when the log is empty; NULL afterwards
    void *drained_ctx;

    struct log_sync sync;
    struct log_settled settled;
    struct stream_marks *streams;       // NULL until a client has one
    struct waiter_list waiters, waking; // waking: taken off waiters, about to be called
};

#define RETRY_NS 1000000000ULL // between attempts of a log in trouble

// trouble.c: what became of an attempt to make a segment, at now (monotonic).
void log_trouble(struct spool_log *log, int result, uint64_t now);
void log_retry(struct loop_timer *timer); // tries again, and wakes those who wait
// spool.c: puts a fresh segment on the free list. False: the log is in trouble; it says so once,
// and tries again no more often than once in RETRY_NS.
bool log_make_segment(struct spool_log *log);
// spool.c: nothing is pending in a segment that is not live: keeps it for a later use, or removes
// it.
void log_put_away(struct spool_log *log, struct segment *segment);
// Whether no record without a verdict is left, read or not.
static inline bool log_is_empty(const struct spool_log *log)
{
    return log->pending == 0 && backlog_left(&log->backlog) == 0;
}
uint64_t log_used(const struct spool_log *log); // segments that hold something, read or not
// spool.c: the last verdict in live[index] has come; recycles it where it may be.
void log_settle(struct spool_log *log, uint32_t index);
// spool.c: keeps the book of the bytes of segments in use, those included that are not read yet.
void log_gauge(struct spool_log *log);
// spool.c: the log has nothing pending: gives its memory back before long.
void log_emptied(struct spool_log *log);
// spool.c: what the timer does; returns every segment that holds nothing to the system.
void log_trim(struct spool_log *log);

// log_gaps.c: records of an entry, or of an earlier run (no segment), are lost; for gap_counters.
void log_lost(struct spool_log *log, const struct segment *segment, uint32_t slot,
              enum gap_reason reason, uint64_t records);
void log_lost_unread(struct spool_log *log, enum gap_reason reason, uint64_t records);

// pump.c
void pump_init(struct spool_log *log);
void pump_deinit(struct spool_log *log);
void pump_wake(struct spool_log *log); // schedules the waiters, and drained
void pump_verdicts(void *ctx, const struct verdict *verdicts, size_t n);

#endif
