// The memory that unfinished request messages of all connections may hold together, and who of them
// goes on when it runs out.
//
// - What connections need by themselves comes first, up to half of the budget; the rest is shared.
// - A message may hold up to a quarter of the budget while there is room. One that wants more must
//   be the only such: the large one.
// - The large one always gets what it asks for (its owner bounds a message), so some message can
//   always become whole. What it holds counts against the others only up to half of the budget, so
//   that small messages get through beside it.
// - So all hold at most the budget and one message.
// - A message that has not moved on for a while is evicted when another is refused room: nobody
//   blocks the others by holding. Without that need nothing is evicted.
//
// Loop thread only.
#ifndef SLUICE_GRPC_MESSAGE_POOL_H
#define SLUICE_GRPC_MESSAGE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_budget;
struct clock;
struct pool_share;

#define POOL_STALL_NS 30000000000ull // without moving on; then it may be evicted
#define POOL_STEP ((size_t)64 << 10) // what counts as moving on

struct message_pool {
    struct byte_budget *budget; // not owned; must outlive the shares
    struct clock *clock;
    size_t reserved;                    // for connections: not for messages
    struct pool_share *large;           // holds, or held, more than a quarter
    struct pool_share *oldest, *newest; // that may be evicted, by when they moved on last
};

// What one message holds. Embedded in its owner; zeroed, then pool and evict set. Without a pool
// everything is granted and counted.
struct pool_share {
    struct message_pool *pool;
    // Must give everything back (pool_give) before it returns.
    void (*evict)(struct pool_share *share);
    size_t bytes;
    size_t came, moved; // bytes of the message so far, and when it last moved on
    uint64_t moved_ns;
    struct pool_share *older, *newer;
    bool listed;
};

// What a connection needs by itself, out of at most half of the budget. False: no room for another.
bool pool_reserve(struct message_pool *pool, size_t bytes);
void pool_release(struct message_pool *pool, size_t bytes);

// Charges bytes more before they are kept; may evict others. False: no room for this message now.
bool pool_take(struct pool_share *share, size_t bytes);
void pool_give(struct pool_share *share, size_t bytes);
// So many bytes more of the message have come.
void pool_came(struct pool_share *share, size_t bytes);
// It is whole and in hand: it is not evicted any more.
void pool_settle(struct pool_share *share);
// to takes over all that from holds, settled; from is empty then. Neither is in the other's owner.
void pool_hand_over(struct pool_share *from, struct pool_share *to);

#endif
