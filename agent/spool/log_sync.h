// What of a log is on its way to the device, at level `node`: a part of struct spool_log, moved by
// stored.c.
#ifndef SLUICE_SPOOL_LOG_SYNC_H
#define SLUICE_SPOOL_LOG_SYNC_H

#include "base/loop.h"
#include "base/waiter_list.h"
#include "spool/sync_thread.h"

#include <stdbool.h>
#include <stdint.h>

struct spool_log;

struct log_sync {
    struct sync_thread *thread; // NULL: another level
    struct sync_request request;
    struct {
        uint64_t generation;
        uint32_t entries;
        uint32_t number;          // of the file
    } asked[SYNC_FILES];          // what the request's files were
    struct loop_deferred ask;     // at the end of a turn that brought entries
    struct loop_deferred advance; // calls the waiters
    struct loop_timer again;
    bool failing;    // the last sync failed: no file is made for RETRY_NS; what there is goes on
    uint64_t asks;   // syncs asked for
    uint64_t stored; // every position before it is
    struct waiter_list waiters, waking;
};

void log_sync_init(struct spool_log *log, struct sync_thread *thread); // NULL: not level node
void log_sync_deinit(struct spool_log *log); // syncs what stays for the next run
void log_stored_update(struct spool_log *log);
// trouble.c: a sync failed, or the first since went well.
void log_sync_trouble(struct spool_log *log, bool failing);

#endif
