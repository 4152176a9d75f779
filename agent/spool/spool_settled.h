// When what a log took has its final verdict, for who owes somebody a receipt of level `delivered`.
//
// Loop thread only.
#ifndef SLUICE_SPOOL_SPOOL_SETTLED_H
#define SLUICE_SPOOL_SPOOL_SETTLED_H

#include <stdbool.h>
#include <stdint.h>

struct refusals;
struct room_waiter;
struct spool_log;

// Every entry before this position that this run appended has its final verdict. An entry's own is
// spool_position before its commit. What an earlier run left is not looked at: it must not hold up
// the receipts of new records, which the log sends behind it anyway.
uint64_t spool_settled(const struct spool_log *log);
// Whether all that an earlier run left has its verdict.
bool spool_backlog_settled(const struct spool_log *log);
// What of clients' streams the sink refused for good, or is lost; the reader takes rows out.
struct refusals *spool_refusals(struct spool_log *log);
// Called (from the loop, once) when verdicts have come.
void spool_wait_settled(struct spool_log *log, struct room_waiter *waiter);
void spool_wait_settled_cancel(struct spool_log *log, struct room_waiter *waiter);

#endif
