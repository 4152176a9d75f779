// When what a log took is stored at its level, for who owes somebody a receipt.
//
// Loop thread only.
#ifndef SLUICE_SPOOL_SPOOL_STORED_H
#define SLUICE_SPOOL_SPOOL_STORED_H

#include <stdbool.h>
#include <stdint.h>

struct room_waiter;
struct spool_log;

// Level `node` (elsewhere what is committed is stored): an entry is stored when its position, which
// is spool_position before its commit, is below spool_stored. That advances when a sync is done or
// all of a segment's entries have their verdict; after a sync that failed, only by the latter.
bool spool_stores_later(const struct spool_log *log);
uint64_t spool_position(const struct spool_log *log);
uint64_t spool_stored(const struct spool_log *log);
// Syncs asked for so far: what is committed while it does not change shares one.
uint64_t spool_syncs_asked(const struct spool_log *log);
// Waits for a sync of everything, for an agent that ends; a device that hangs, for a bounded time.
// What fails is told, and does not become stored.
void spool_store_now(struct spool_log *log);
// Called (from the loop, once) when spool_stored has advanced. Level `node` only.
void spool_wait_stored(struct spool_log *log, struct room_waiter *waiter);
void spool_wait_stored_cancel(struct spool_log *log, struct room_waiter *waiter);

#endif
