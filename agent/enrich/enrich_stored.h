// How far what was appended has come: marks for who owes receipts.
//
// A mark stands for what the logs of a signal took before it was asked for. It is stored when that
// is stored at the logs' level (`memory` and `process`: at once), and delivered when every one of
// those logs has its sink's verdict for it. Loop thread only.
#ifndef SLUICE_ENRICH_ENRICH_STORED_H
#define SLUICE_ENRICH_ENRICH_STORED_H

#include "base/books.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct enrich;
struct refused_range;
struct room_waiter;

enum mark_level { MARK_STORED, MARK_DELIVERED, MARK_LEVELS };

// A mark for everything of the signal that was appended before. Marks of one level and signal rise;
// 0 and what was reached before stay reached.
uint64_t enrich_mark(struct enrich *enrich, enum mark_level level, enum signal_kind signal);
bool enrich_has_reached(const struct enrich *enrich, enum mark_level level, enum signal_kind signal,
                        uint64_t mark);
// Whether everything that an earlier agent left in the logs has its verdict.
bool enrich_backlog_is_delivered(const struct enrich *enrich);
// Whether every log of the signal has the stream's records up to this sequence, or had: a run that
// is sent again need not be looked at.
bool enrich_has(const struct enrich *enrich, enum signal_kind signal, const uint8_t stream[8],
                uint64_t sequence);
// So many records of the stream from that sequence on are kept nowhere, or not everywhere.
void enrich_refuse(struct enrich *enrich, const uint8_t stream[8], uint64_t sequence,
                   uint64_t records);
// Moves what of the stream, up to that sequence, was given up for good into ranges, in no order and
// perhaps more than once; `most`: there may be more.
size_t enrich_take_refused(struct enrich *enrich, const uint8_t stream[8], uint64_t upto,
                           struct refused_range *ranges, size_t most);
// Rises when records were given up of which nobody can say whose.
uint64_t enrich_refused_unknown(const struct enrich *enrich);
// Makes every mark stored that can be, before it returns: for an agent that ends.
void enrich_store_now(struct enrich *enrich);
// Called (from the loop, once) when a further mark has been reached, or the backlog; there must be
// something that has not.
void enrich_wait_stored(struct enrich *enrich, struct room_waiter *waiter);
// Safe where nothing waits.
void enrich_wait_stored_cancel(struct enrich *enrich, struct room_waiter *waiter);

#endif
