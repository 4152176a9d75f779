// When what was appended is stored at the logs' level: marks for who owes receipts.
//
// At levels `memory` and `process` everything is stored once it is appended: every mark is there at
// once. At level `node` a mark stands for what all logs took before it was asked for. Loop thread
// only.
#ifndef SLUICE_ENRICH_ENRICH_STORED_H
#define SLUICE_ENRICH_ENRICH_STORED_H

#include <stdbool.h>
#include <stdint.h>

struct enrich;
struct room_waiter;

// A mark for everything that was appended before. Marks rise.
uint64_t enrich_mark(struct enrich *enrich);
bool enrich_is_stored(const struct enrich *enrich, uint64_t mark);
// Makes every mark stored that can be, before it returns: for an agent that ends.
void enrich_store_now(struct enrich *enrich);
// Called (from the loop, once) when a further mark is stored; there must be one that is not.
void enrich_wait_stored(struct enrich *enrich, struct room_waiter *waiter);
// Safe where nothing waits.
void enrich_wait_stored_cancel(struct enrich *enrich, struct room_waiter *waiter);

#endif
