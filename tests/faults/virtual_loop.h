// A loop without a kernel behind it: time stands still until the test moves it.
//
// It takes the place of base/loop.c in the link, so that the rooms run unchanged. Timers and
// deferred work run in a fixed order, so that a run repeats. No sockets, no signals.
#ifndef SLUICE_TESTS_VIRTUAL_LOOP_H
#define SLUICE_TESTS_VIRTUAL_LOOP_H

#include "base/clock.h"
#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>

// Time goes on over loops: what a killed agent left was written before now.
struct clock *virtual_clock(void);
uint64_t virtual_now(void); // nanoseconds since the program's first loop
void virtual_advance(uint64_t ns);

// One turn: what is deferred, then the timers that are due. False: nothing was to be done.
bool virtual_loop_turn(struct loop *loop);
// Nanoseconds to the next timer; 0: something is due; UINT64_MAX: none is set.
uint64_t virtual_loop_idle(const struct loop *loop);

#endif
