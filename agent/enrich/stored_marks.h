// The marks that have not reached their level yet, the oldest first, and who waits for them.
//
// Private to enrich. Loop thread only.
#ifndef SLUICE_ENRICH_STORED_MARKS_H
#define SLUICE_ENRICH_STORED_MARKS_H

#include "base/books.h"
#include "base/waiter_list.h"
#include "enrich/enrich_stored.h"
#include "spool/refusals.h"

#include <stdint.h>

struct spool_log;

#define MARKS_MAX 8 // further ones wait together with the last

struct stored_mark {
    uint64_t number;
    uint64_t asked;              // syncs that the logs had asked for by then
    uint64_t upto[EXPORTER_MAX]; // the logs' positions
};

// The marks of one level and signal.
struct mark_row {
    uint32_t logs; // bits: those that its records go to and that reach the level later
    struct stored_mark marks[MARKS_MAX];
    unsigned mark_count;
    uint64_t given; // the last number
    uint64_t done;  // marks up to this number have reached the level
};

struct marked_log {
    struct room_waiter stored, settled; // for its positions
    struct spool_log *log;
    struct stored_marks *marks;
};

struct stored_marks {
    struct marked_log logs[EXPORTER_MAX];
    unsigned log_count;
    struct mark_row rows[MARK_LEVELS][SIGNAL_COUNT];
    struct waiter_list waiters, waking;
    struct refusals refusals; // of what a log, or all of them, did not take
};

// A signal goes to this log. Twice is once.
void stored_marks_add(struct stored_marks *marks, enum signal_kind signal, struct spool_log *log);
void stored_marks_deinit(struct stored_marks *marks);

#endif
