// The loop's whole interface on virtual time.
#include "virtual_loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define EPOCH_NS 1795375000000000000u // what the virtual clock began at

struct node {
    struct node *previous, *next; // of a ring
    uint64_t due;
    uint64_t order; // of two that are due at once the one that was set first
    void *owner;
};

_Static_assert(sizeof(struct node) <= sizeof(((struct loop_event *)0)->storage),
               "struct loop_event must hold a node");

struct loop {
    struct node timers, deferred;
    uint64_t order;
};

static uint64_t now;

static uint64_t read_realtime(struct clock *clock)
{
    (void)clock;
    return EPOCH_NS + now;
}

static uint64_t read_monotonic(struct clock *clock)
{
    (void)clock;
    return now;
}

struct clock *virtual_clock(void)
{
    static struct clock clock = {read_realtime, read_monotonic};
    return &clock;
}

uint64_t virtual_now(void)
{
    return now;
}

void virtual_advance(uint64_t ns)
{
    now += ns;
}

static struct node *node_of(struct loop_event *event)
{
    return (struct node *)(void *)event->storage;
}

static void node_add(struct node *ring, struct loop_event *event, void *owner)
{
    struct node *node = node_of(event);
    node->owner = owner;
    node->previous = ring->previous;
    node->next = ring;
    ring->previous->next = node;
    ring->previous = node;
    event->assigned = true;
}

static void node_remove(struct loop_event *event)
{
    struct node *node = node_of(event);
    if (!event->assigned)
        return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    event->assigned = false;
}

int loop_new(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    loop->timers.previous = loop->timers.next = &loop->timers;
    loop->deferred.previous = loop->deferred.next = &loop->deferred;
    *out = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    free(loop);
}

int loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t after_ns)
{
    node_remove(&timer->event);
    node_add(&loop->timers, &timer->event, timer);
    node_of(&timer->event)->due = now + after_ns;
    node_of(&timer->event)->order = loop->order++;
    timer->armed = true;
    return 0;
}

void loop_timer_stop(struct loop_timer *timer)
{
    node_remove(&timer->event);
    timer->armed = false;
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
    if (deferred->queued)
        return;
    node_add(&loop->deferred, &deferred->event, deferred);
    deferred->queued = true;
}

void loop_deferred_stop(struct loop_deferred *deferred)
{
    node_remove(&deferred->event);
    deferred->queued = false;
}

static const struct node *first_timer(const struct loop *loop, uint64_t before)
{
    const struct node *first = NULL;
    for (const struct node *node = loop->timers.next; node != &loop->timers; node = node->next) {
        if (node->order < before && (!first || node->due < first->due ||
                                     (node->due == first->due && node->order < first->order)))
            first = node;
    }
    return first;
}

static void run_deferred(struct loop *loop)
{
    struct loop_deferred *deferred = loop->deferred.next->owner;
    node_remove(&deferred->event);
    deferred->queued = false;
    deferred->run(deferred);
}

bool virtual_loop_turn(struct loop *loop)
{
    uint64_t before = loop->order; // what is set in this turn has the next
    bool worked = false;
    for (unsigned runs = 0; loop->deferred.next != &loop->deferred; runs++) {
        assert(runs < 100000); // it defers itself for ever
        run_deferred(loop);
        worked = true;
    }
    for (const struct node *node; (node = first_timer(loop, before)) && node->due <= now;) {
        struct loop_timer *timer = node->owner;
        node_remove(&timer->event);
        timer->armed = false;
        timer->expired(timer);
        worked = true;
    }
    return worked;
}

uint64_t virtual_loop_idle(const struct loop *loop)
{
    if (loop->deferred.next != &loop->deferred)
        return 0;
    const struct node *node = first_timer(loop, UINT64_MAX);
    if (!node)
        return UINT64_MAX;
    return node->due > now ? node->due - now : 0;
}

// What only sockets and signals need.

int loop_run(struct loop *loop)
{
    (void)loop;
    return -ENOSYS;
}

void loop_stop(struct loop *loop)
{
    (void)loop;
}

int loop_io_start(struct loop *loop, struct loop_io *io, int fd, unsigned events)
{
    (void)loop;
    (void)io;
    (void)fd;
    (void)events;
    return -ENOSYS;
}

void loop_io_stop(struct loop_io *io)
{
    (void)io;
}

int loop_signal_start(struct loop *loop, struct loop_signal *signal, int number)
{
    (void)loop;
    (void)signal;
    (void)number;
    return -ENOSYS;
}

void loop_signal_stop(struct loop_signal *signal)
{
    (void)signal;
}

struct event_base *loop_event_base(struct loop *loop)
{
    (void)loop;
    return NULL;
}

struct evdns_base *loop_dns(struct loop *loop)
{
    (void)loop;
    return NULL;
}
