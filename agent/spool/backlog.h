// What an earlier run left in a log's folder: segments to be read and sent again, the oldest first.
//
// At the start only headers are read, so that a log of any size is ready at once; segments are
// loaded one by one as the exporter takes what is in them. Private to spool. Loop thread only.
#ifndef SLUICE_SPOOL_BACKLOG_H
#define SLUICE_SPOOL_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_log;

struct backlog_segment {
    uint64_t generation;
    uint32_t number; // of its file
};

struct backlog {
    struct backlog_segment *items; // by generation
    size_t count;
    size_t next;   // the first that is not loaded yet
    uint32_t live; // leading live segments of the log that were loaded from here
    bool marked;   // the stream marks tell of it: they go where something of it is lost
};

// Finds the segments of the log's store; sets its generation and position behind them. What is no
// segment is set aside; a newer version's is left. folder: for what is told. 0, -EMEDIUMTYPE (one
// holds payloads of another form than the log's, told), -ENOMEM or -errno of the folder.
int backlog_open(struct spool_log *log, const char *folder);
void backlog_close(struct spool_log *log);
static inline size_t backlog_left(const struct backlog *backlog)
{
    return backlog->count - backlog->next;
}
// Loads further segments, a bounded number, until something of the backlog waits or all of it is
// loaded. False: neither yet, call again in another turn; live traffic comes after it.
bool backlog_refill(struct spool_log *log);

#endif
