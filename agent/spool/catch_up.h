// How fast a log's backlog may go to the sink: a bucket of bytes.
//
// Every byte that is committed brings its own token, so what comes live is never slowed; the rate
// fills the bucket besides, and is what an outage's backlog drains at above that. The clock is
// asked only where tokens run out. Private to spool. Loop thread only.
#ifndef SLUICE_SPOOL_CATCH_UP_H
#define SLUICE_SPOOL_CATCH_UP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catch_up {
    uint64_t rate;      // bytes a second; 0: unbounded
    uint64_t depth;     // bytes that may be saved up
    uint64_t tokens;    // bytes
    uint64_t filled_ns; // monotonic
};

// largest: bytes of the largest payload, which must fit whatever the rate.
void catch_up_init(struct catch_up *bucket, uint64_t rate, uint64_t largest, uint64_t now_ns);
static inline void catch_up_live(struct catch_up *bucket, size_t bytes)
{
    bucket->tokens += bytes;
}
// Takes the tokens of a payload where they are there already.
static inline bool catch_up_take(struct catch_up *bucket, size_t bytes)
{
    if (bucket->rate == 0)
        return true;
    if (bucket->tokens < bytes)
        return false;
    bucket->tokens -= bytes;
    return true;
}
static inline void catch_up_give_back(struct catch_up *bucket, size_t bytes)
{
    bucket->tokens += bytes;
}
// The turn is over: what is left of live tokens is saved up only so far.
static inline void catch_up_settle(struct catch_up *bucket)
{
    if (bucket->tokens > bucket->depth)
        bucket->tokens = bucket->depth;
}
// Adds what time has brought.
void catch_up_fill(struct catch_up *bucket, uint64_t now_ns);
// How long until there are tokens for a payload, after a fill: at least 10 ms.
uint64_t catch_up_wait(const struct catch_up *bucket, size_t bytes);

#endif
