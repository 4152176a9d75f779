// Who waits for a verdict of everything before a position: a part of struct spool_log, moved by
// settled.c.
#ifndef SLUICE_SPOOL_LOG_SETTLED_H
#define SLUICE_SPOOL_LOG_SETTLED_H

#include "base/loop.h"
#include "base/waiter_list.h"
#include "spool/refusals.h"

#include <stdint.h>

struct segment;
struct spool_log;

struct log_settled {
    struct loop_deferred advance;
    struct waiter_list waiters, waking;
    struct refusals refusals; // of what verdicts, and lost pages, were the end of
};

void log_settled_init(struct spool_log *log);
void log_settled_deinit(struct spool_log *log);
void log_settled_advance(struct spool_log *log); // verdicts have come
// An entry, or some of its records, was given up for good.
void log_refused(struct spool_log *log, const struct segment *segment, uint32_t slot,
                 uint32_t records);

#endif
