// Runs the loop until the bench says so, or a guard that is only there to end a hang.
#ifndef SLUICE_TESTS_KAFKA_WAIT_H
#define SLUICE_TESTS_KAFKA_WAIT_H

#include "kafka_bench.h"

static inline void on_guard(struct loop_timer *timer)
{
    struct bench *bench = (struct bench *)((char *)timer - offsetof(struct bench, guard));
    bench->guarded = true;
    loop_stop(bench->loop);
}

// Errors of a broker bring no verdict: look in between too.
static inline void on_poll(struct loop_timer *timer)
{
    struct bench *bench = (struct bench *)((char *)timer - offsetof(struct bench, poll));
    if (bench->done(bench))
        loop_stop(bench->loop);
    else
        loop_timer_start(bench->loop, timer, 5 * NS_PER_MS);
}

static inline void run_until(struct bench *bench, bool (*done)(struct bench *))
{
    bench->done = done;
    bench->guard.expired = on_guard;
    bench->poll.expired = on_poll;
    loop_timer_start(bench->loop, &bench->guard, GUARD_NS);
    loop_timer_start(bench->loop, &bench->poll, NS_PER_MS);
    assert_int_equal(loop_run(bench->loop), 0);
    loop_timer_stop(&bench->guard);
    loop_timer_stop(&bench->poll);
    assert_false(bench->guarded);
}

#endif
