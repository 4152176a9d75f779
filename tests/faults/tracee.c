// Steers a traced child from stop to stop.
//
// To an instruction it goes by a breakpoint that was passed seldom before, and makes the last steps
// singly.
//
// SIGUSR1 and SIGUSR2, raised by the child and never delivered, are its marks. Before the first one
// it runs freely; other threads stop at their system calls from their start on, because one that
// sleeps in a call when the mark comes could not be told any more.
#include "tracee.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEGIN SIGUSR1
#define END SIGUSR2
#define FORBIDDEN 77 // the child's exit status
#define SYSCALL_STOP (SIGTRAP | 0x80)

struct tracee {
    pid_t pid;
    enum tracee_place place;
    unsigned long left; // places to go
    size_t goal;        // index in the route of the stop after so many steps
    bool marked;
    const struct tracee_route *route; // NULL: every step is made
    struct tracee_route *learning;    // NULL: nothing is written down
};

void tracee_begin(void)
{
    raise(BEGIN);
}

void tracee_end(void)
{
    raise(END);
}

static _Noreturn void run_child(void (*program)(void *ctx), void *ctx)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(FORBIDDEN);
    raise(SIGSTOP);
    program(ctx);
    _exit(0);
}

static long how(const struct tracee *tracee, pid_t thread)
{
    if (thread != tracee->pid)
        return PTRACE_SYSCALL;
    if (!tracee->marked)
        return PTRACE_CONT;
    return tracee->place == TRACEE_INSTRUCTIONS ? PTRACE_SINGLESTEP : PTRACE_SYSCALL;
}

static bool is_place(const struct tracee *tracee, pid_t thread, int status)
{
    if (!tracee->marked)
        return false;
    if (tracee->place == TRACEE_SYSCALLS)
        return WSTOPSIG(status) == SYSCALL_STOP;
    return thread == tracee->pid && WSTOPSIG(status) == SIGTRAP && status >> 16 == 0;
}

// The signal that a stop is about, if it is to be delivered.
static int signal_of(int status)
{
    int signal = WSTOPSIG(status);
    bool ours = signal == SYSCALL_STOP || signal == SIGTRAP || signal == SIGSTOP ||
                signal == BEGIN || signal == END;
    return ours ? 0 : signal;
}

static void kill_all(const struct tracee *tracee)
{
    int status;
    kill(tracee->pid, SIGKILL);
    while (waitpid(-1, &status, __WALL) > 0 || errno == EINTR)
        continue;
}

#if defined(__x86_64__)

#define BREAKPOINT 0xCCul

static uintptr_t instruction_of(pid_t pid)
{
    struct user_regs_struct registers;
    return ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0 ? 0 : registers.rip;
}

static bool instruction_set(pid_t pid, uintptr_t address)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) < 0)
        return false;
    registers.rip = address;
    return ptrace(PTRACE_SETREGS, pid, NULL, &registers) == 0;
}

static bool trapped(pid_t pid, enum __ptrace_request request)
{
    int status;
    return ptrace(request, pid, NULL, 0L) == 0 && waitpid(pid, &status, __WALL) == pid &&
           WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

// Runs until it stands before the instruction for the passes-th time.
static bool run_to(pid_t pid, uintptr_t address, uint32_t passes)
{
    void *at = (void *)address; // NOLINT(performance-no-int-to-ptr): it came from a register
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
    if (errno)
        return false;
    long broken = (long)(((unsigned long)word & ~0xFFul) | BREAKPOINT);
    for (uint32_t pass = 1;; pass++) {
        if (ptrace(PTRACE_POKETEXT, pid, at, broken) < 0 || !trapped(pid, PTRACE_CONT) ||
            instruction_of(pid) != address + 1 || ptrace(PTRACE_POKETEXT, pid, at, word) < 0 ||
            !instruction_set(pid, address))
            return false;
        if (pass == passes)
            return true;
        if (!trapped(pid, PTRACE_SINGLESTEP))
            return false;
    }
}

#else // every step is made

static uintptr_t instruction_of(pid_t pid)
{
    (void)pid;
    return 0;
}

static bool run_to(pid_t pid, uintptr_t address, uint32_t passes)
{
    (void)pid;
    (void)address;
    (void)passes;
    return false;
}

#endif

static void learn(struct tracee *tracee)
{
    struct tracee_route *route = tracee->learning;
    uintptr_t address = instruction_of(tracee->pid);
    if (!route || !address || route->count == TRACEE_ROUTE_MAX)
        return;
    uint32_t passes = 1;
    for (size_t i = route->count; i-- > 0;)
        if (route->address[i] == address) {
            passes = route->passes[i] + 1;
            break;
        }
    route->address[route->count] = address;
    route->passes[route->count++] = passes;
}

// Goes from the mark to a step from which it is not far any more. False: it went astray.
static bool approach(struct tracee *tracee)
{
    const struct tracee_route *route = tracee->route;
    size_t goal = tracee->goal;
    size_t best = goal;
    uint64_t least = UINT64_MAX;
    if (!route || goal >= route->count)
        return true;
    for (size_t i = 0; i <= goal; i++) {
        uint64_t cost = 2 * (uint64_t)route->passes[i] + (goal - i);
        if (cost <= least) {
            least = cost;
            best = i;
        }
    }
    if (least >= tracee->left)
        return true;
    tracee->left = goal - best;
    return run_to(tracee->pid, route->address[best], route->passes[best]);
}

// Whether it is where the one before it was after as many steps.
static bool arrived(const struct tracee *tracee)
{
    const struct tracee_route *route = tracee->route;
    return !route || tracee->goal >= route->count ||
           instruction_of(tracee->pid) == route->address[tracee->goal];
}

static enum tracee_end ended(int status)
{
    bool forbidden = WIFEXITED(status) && WEXITSTATUS(status) == FORBIDDEN;
    return forbidden ? TRACEE_NOT_PERMITTED : TRACEE_BROKEN;
}

// One stop of one thread. True: it goes on.
static bool go_on(struct tracee *tracee, pid_t thread, int status, enum tracee_end *end)
{
    bool first = thread == tracee->pid;
    if (!WIFSTOPPED(status)) {
        *end = first ? ended(status) : *end;
        return !first;
    }
    if (is_place(tracee, thread, status)) {
        learn(tracee);
        if (--tracee->left == 0) {
            *end = arrived(tracee) ? TRACEE_KILLED : TRACEE_ASTRAY;
            return false;
        }
    }
    if (first && WSTOPSIG(status) == END) {
        *end = TRACEE_PAST_END;
        return false;
    }
    if (first && WSTOPSIG(status) == BEGIN) {
        tracee->marked = true;
        *end = approach(tracee) ? TRACEE_KILLED : TRACEE_ASTRAY;
        if (*end == TRACEE_ASTRAY || tracee->left == 0)
            return false;
        *end = TRACEE_BROKEN; // until it says otherwise
    }
    ptrace((enum __ptrace_request)how(tracee, thread), thread, NULL, (long)signal_of(status));
    return true;
}

static enum tracee_end run(struct tracee *tracee, void (*program)(void *ctx), void *ctx)
{
    int status;
    enum tracee_end end = TRACEE_BROKEN;
    long options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;
    tracee->pid = fork();
    if (tracee->pid < 0)
        return end;
    if (tracee->pid == 0)
        run_child(program, ctx);
    pid_t thread = waitpid(tracee->pid, &status, __WALL);
    if (thread > 0 && WIFSTOPPED(status) &&
        ptrace(PTRACE_SETOPTIONS, tracee->pid, NULL, options) < 0) {
        kill_all(tracee);
        return TRACEE_NOT_PERMITTED;
    }
    while (thread > 0 && go_on(tracee, thread, status, &end))
        thread = waitpid(-1, &status, __WALL);
    kill_all(tracee);
    return end;
}

enum tracee_end tracee_kill(void (*program)(void *ctx), void *ctx, enum tracee_place place,
                            unsigned long at, const struct tracee_route *route)
{
    struct tracee tracee = {.place = place, .left = at, .goal = at - 1, .route = route};
    return run(&tracee, program, ctx);
}

enum tracee_end tracee_learn(void (*program)(void *ctx), void *ctx, struct tracee_route *route)
{
    struct tracee tracee = {.place = TRACEE_INSTRUCTIONS, .left = ULONG_MAX, .learning = route};
    route->count = 0;
    return run(&tracee, program, ctx);
}
