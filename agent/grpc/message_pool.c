// Shares out the memory of unfinished messages.
#include "grpc/message_pool.h"

#include "base/byte_budget.h"
#include "base/clock.h"

static void unlist(struct pool_share *share)
{
    struct message_pool *pool = share->pool;
    if (!share->listed)
        return;
    *(share->older ? &share->older->newer : &pool->oldest) = share->newer;
    *(share->newer ? &share->newer->older : &pool->newest) = share->older;
    share->listed = false;
}

// Last among those that may be evicted: it has just moved on.
static void list(struct pool_share *share)
{
    struct message_pool *pool = share->pool;
    unlist(share);
    share->moved_ns = clock_monotonic(pool->clock);
    share->moved = share->came;
    share->older = pool->newest;
    share->newer = NULL;
    *(pool->newest ? &pool->newest->newer : &pool->oldest) = share;
    pool->newest = share;
    share->listed = true;
}

// The one that has stood still for longest, if that is long.
static struct pool_share *stalled(struct message_pool *pool, const struct pool_share *asking)
{
    struct pool_share *share = pool->oldest;
    if (share == asking && share)
        share = share->newer;
    bool long_ago = share && clock_monotonic(pool->clock) - share->moved_ns >= POOL_STALL_NS;
    return long_ago ? share : NULL;
}

// The budget of messages.
static uint64_t limit_of(const struct message_pool *pool)
{
    return pool->budget->limit - pool->reserved;
}

bool pool_reserve(struct message_pool *pool, size_t bytes)
{
    uint64_t limit = pool->budget->limit;
    if (limit && (bytes > limit / 2 || pool->reserved > limit / 2 - bytes)) {
        pool->budget->refused++;
        return false;
    }
    pool->reserved += bytes;
    byte_budget_force(pool->budget, bytes);
    return true;
}

void pool_release(struct message_pool *pool, size_t bytes)
{
    assert(pool->reserved >= bytes);
    pool->reserved -= bytes;
    byte_budget_give(pool->budget, bytes);
}

static bool may_take(const struct pool_share *share, size_t bytes)
{
    const struct message_pool *pool = share->pool;
    const uint64_t limit = limit_of(pool);
    const uint64_t used = pool->budget->used - pool->reserved;
    if (share == pool->large)
        return true;
    if (share->bytes + bytes > limit / 4)
        return !pool->large;
    size_t others = pool->large ? pool->large->bytes : 0;
    return used + bytes <= limit || used - others + bytes <= limit / 2;
}

bool pool_take(struct pool_share *share, size_t bytes)
{
    struct message_pool *pool = share->pool;
    if (!pool) {
        share->bytes += bytes;
        return true;
    }
    struct byte_budget *budget = pool->budget;
    while (budget->limit && !may_take(share, bytes)) {
        struct pool_share *victim = stalled(pool, share);
        if (!victim) {
            budget->refused++;
            return false;
        }
        unlist(victim); // whatever its owner does, it is asked once
        victim->evict(victim);
    }
    if (budget->limit && !pool->large && share->bytes + bytes > limit_of(pool) / 4)
        pool->large = share;
    if (share->bytes == 0)
        list(share);
    byte_budget_force(budget, bytes);
    share->bytes += bytes;
    return true;
}

void pool_give(struct pool_share *share, size_t bytes)
{
    struct message_pool *pool = share->pool;
    assert(share->bytes >= bytes);
    share->bytes -= bytes;
    if (!pool)
        return;
    byte_budget_give(pool->budget, bytes);
    if (share->bytes > 0)
        return;
    unlist(share);
    if (pool->large == share)
        pool->large = NULL;
}

void pool_came(struct pool_share *share, size_t bytes)
{
    share->came += bytes;
    if (share->listed && share->came - share->moved >= POOL_STEP)
        list(share);
}

void pool_settle(struct pool_share *share)
{
    unlist(share);
}

void pool_hand_over(struct pool_share *from, struct pool_share *to)
{
    pool_settle(from);
    *to = (struct pool_share){.pool = from->pool, .bytes = from->bytes};
    from->bytes = 0;
    if (to->pool && to->pool->large == from)
        to->pool->large = to;
}
