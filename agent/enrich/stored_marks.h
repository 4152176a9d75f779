// The marks that are not stored yet, the oldest first, and who waits for them.
//
// Private to enrich. Loop thread only.
#ifndef SLUICE_ENRICH_STORED_MARKS_H
#define SLUICE_ENRICH_STORED_MARKS_H

#include "base/books.h"
#include "base/waiter_list.h"

#include <stdint.h>

struct spool_log;

#define MARKS_MAX 8 // further ones wait together with the last

struct stored_mark {
    uint64_t number;
    uint64_t asked;              // syncs that the logs had asked for by then
    uint64_t upto[EXPORTER_MAX]; // the logs' positions
};

struct stored_log {
    struct room_waiter waiter; // for its stored position
    struct spool_log *log;
    struct stored_marks *marks;
};

struct stored_marks {
    struct stored_log logs[EXPORTER_MAX]; // those of level `node`
    unsigned log_count;
    struct stored_mark marks[MARKS_MAX];
    unsigned mark_count;
    uint64_t given; // the last number
    uint64_t done;  // marks up to this number are stored
    struct waiter_list waiters, waking;
};

void stored_marks_add(struct stored_marks *marks, struct spool_log *log); // twice is once
void stored_marks_deinit(struct stored_marks *marks);

#endif
