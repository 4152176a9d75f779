// The bucket's arithmetic. No fraction is lost: time counts as used only as far as it brought
// bytes.
#include "spool/catch_up.h"

#include "base/clock.h"

#include <assert.h>

#define WAIT_LEAST_NS (10 * NS_PER_MS) // not a timer for each payload

void catch_up_init(struct catch_up *bucket, uint64_t rate, uint64_t largest, uint64_t now_ns)
{
    *bucket = (struct catch_up){
        .rate = rate, .depth = rate > largest ? rate : largest, .filled_ns = now_ns};
}

void catch_up_fill(struct catch_up *bucket, uint64_t now_ns)
{
    assert(bucket->rate > 0);
    assert(now_ns >= bucket->filled_ns);
    uint64_t elapsed = now_ns - bucket->filled_ns;
    // So bounded, the products below cannot wrap: a rate is at most 8 GiB/s, a payload 16 MiB.
    if (elapsed / NS_PER_S > bucket->depth / bucket->rate) {
        bucket->filled_ns = now_ns;
        bucket->tokens += bucket->depth;
    } else {
        uint64_t seconds = elapsed / NS_PER_S;
        uint64_t brought = bucket->rate * (elapsed % NS_PER_S) / NS_PER_S;
        bucket->tokens += bucket->rate * seconds + brought;
        bucket->filled_ns += seconds * NS_PER_S + brought * NS_PER_S / bucket->rate;
    }
    catch_up_settle(bucket);
}

uint64_t catch_up_wait(const struct catch_up *bucket, size_t bytes)
{
    assert(bucket->rate > 0 && bytes <= bucket->depth);
    uint64_t missing = bytes > bucket->tokens ? bytes - bucket->tokens : 0;
    uint64_t wait =
        missing / bucket->rate * NS_PER_S + missing % bucket->rate * NS_PER_S / bucket->rate + 1;
    return wait > WAIT_LEAST_NS ? wait : WAIT_LEAST_NS;
}
