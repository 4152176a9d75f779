// Runs a part of this program as a child of its own and ends it by SIGKILL at an exact place.
//
// Source: ptrace(2). One child at a time; the caller must have no others.
#ifndef SLUICE_TESTS_TRACEE_H
#define SLUICE_TESTS_TRACEE_H

#include <stddef.h>
#include <stdint.h>

enum tracee_place {
    TRACEE_SYSCALLS,     // entries and exits of system calls, of every thread
    TRACEE_INSTRUCTIONS, // instructions of the first thread
};

enum tracee_end {
    TRACEE_KILLED,        // at the place asked for
    TRACEE_PAST_END,      // killed at the end mark: there are fewer places
    TRACEE_BROKEN,        // it ended by itself
    TRACEE_ASTRAY,        // killed somewhere: it did not come by as the learned route says
    TRACEE_NOT_PERMITTED, // this machine forbids ptrace
};

// Where each instruction stood when a program was stepped through once: a breakpoint near a place
// is reached a hundred times faster than the place by steps alone.
#define TRACEE_ROUTE_MAX 65536
struct tracee_route {
    uintptr_t address[TRACEE_ROUTE_MAX]; // of the instruction that comes after so many steps
    uint32_t passes[TRACEE_ROUTE_MAX];   // how often it has come there by then
    size_t count;                        // 0: not known, every step is made
};

// Called by the child around the places that count.
void tracee_begin(void);
void tracee_end(void);

// Forks, runs program(ctx), and kills it at the at-th place (from 1) behind tracee_begin. route is
// read for instructions; NULL: every step is made.
enum tracee_end tracee_kill(void (*program)(void *ctx), void *ctx, enum tracee_place place,
                            unsigned long at, const struct tracee_route *route);
// Steps through the program once, to its end mark, and kills it there.
enum tracee_end tracee_learn(void (*program)(void *ctx), void *ctx, struct tracee_route *route);

#endif
