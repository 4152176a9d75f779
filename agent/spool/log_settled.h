// Who waits for a verdict of everything before a position: a part of struct spool_log, moved by
// settled.c.
#ifndef SLUICE_SPOOL_LOG_SETTLED_H
#define SLUICE_SPOOL_LOG_SETTLED_H

#include "base/loop.h"
#include "base/waiter_list.h"

struct spool_log;

struct log_settled {
    struct loop_deferred advance;
    struct waiter_list waiters, waking;
};

void log_settled_init(struct spool_log *log);
void log_settled_deinit(struct spool_log *log);
void log_settled_advance(struct spool_log *log); // verdicts have come

#endif
