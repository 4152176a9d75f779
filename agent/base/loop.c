// The event loop over libevent: watchers, timers, signals, deferred work.
#include "base/loop.h"

#include "base/error.h"

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

_Static_assert(sizeof(struct event) <= sizeof(((struct loop_event *)0)->storage),
               "struct loop_event must hold libevent's struct event");

struct loop {
    struct event_base *base;
    struct evdns_base *dns;
};

static struct event *event_of(struct loop_event *event)
{
    return (struct event *)(void *)event->storage;
}

static void event_stop(struct loop_event *event)
{
    if (event->assigned)
        event_del(event_of(event));
}

int loop_new(struct loop **out)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    struct event_config *config = event_config_new();
    if (config) {
        // The kernel's clock read is cheap; the coarse one would round max_delay to 4 ms steps.
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
        loop->base = event_base_new_with_config(config);
        event_config_free(config);
    }
    if (!loop->base) {
        free(loop);
        return -ENOMEM;
    }
    *out = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->dns)
        evdns_base_free(loop->dns, 0);
    event_base_free(loop->base);
    free(loop);
}

int loop_run(struct loop *loop)
{
    return event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY) < 0 ? -EIO : 0;
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

static void io_ready(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    struct loop_io *io = arg;
    unsigned ready = (events & EV_READ ? LOOP_READ : 0u) | (events & EV_WRITE ? LOOP_WRITE : 0u);
    io->ready(io, ready);
}

int loop_io_start(struct loop *loop, struct loop_io *io, int fd, unsigned events)
{
    if (io->event.assigned && io->armed == events && io->fd == fd)
        return 0;
    loop_io_stop(io);
    if (events == 0)
        return 0;
    short want = (short)(EV_PERSIST | (events & LOOP_READ ? EV_READ : 0) |
                         (events & LOOP_WRITE ? EV_WRITE : 0));
    if (event_assign(event_of(&io->event), loop->base, fd, want, io_ready, io) < 0)
        return -EINVAL;
    io->event.assigned = true;
    if (event_add(event_of(&io->event), NULL) < 0)
        return error_from_errno();
    io->armed = events;
    io->fd = fd;
    return 0;
}

void loop_io_stop(struct loop_io *io)
{
    event_stop(&io->event);
    io->armed = 0;
}

static void timer_expired(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    struct loop_timer *timer = arg;
    timer->armed = false;
    timer->expired(timer);
}

int loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t after_ns)
{
    if (!timer->event.assigned) {
        if (event_assign(event_of(&timer->event), loop->base, -1, 0, timer_expired, timer) < 0)
            return -EINVAL;
        timer->event.assigned = true;
    }
    struct timeval after = {.tv_sec = (time_t)(after_ns / 1000000000u),
                            .tv_usec = (suseconds_t)(after_ns % 1000000000u / 1000u)};
    if (event_add(event_of(&timer->event), &after) < 0)
        return error_from_errno();
    timer->armed = true;
    return 0;
}

void loop_timer_stop(struct loop_timer *timer)
{
    event_stop(&timer->event);
    timer->armed = false;
}

static void signal_raised(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    struct loop_signal *signal = arg;
    signal->raised(signal);
}

int loop_signal_start(struct loop *loop, struct loop_signal *signal, int number)
{
    if (event_assign(event_of(&signal->event), loop->base, number, EV_SIGNAL | EV_PERSIST,
                     signal_raised, signal) < 0)
        return -EINVAL;
    signal->event.assigned = true;
    return event_add(event_of(&signal->event), NULL) < 0 ? error_from_errno() : 0;
}

void loop_signal_stop(struct loop_signal *signal)
{
    event_stop(&signal->event);
}

static void deferred_run(evutil_socket_t fd, short events, void *arg)
{
    (void)fd;
    (void)events;
    struct loop_deferred *deferred = arg;
    deferred->queued = false;
    deferred->run(deferred);
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
    if (deferred->queued)
        return;
    if (!deferred->event.assigned) {
        event_assign(event_of(&deferred->event), loop->base, -1, 0, deferred_run, deferred);
        deferred->event.assigned = true;
    }
    deferred->queued = true;
    // An activated event runs in this turn, after those already active: no timer, no system call.
    event_active(event_of(&deferred->event), EV_TIMEOUT, 0);
}

void loop_deferred_stop(struct loop_deferred *deferred)
{
    event_stop(&deferred->event);
    deferred->queued = false;
}

struct event_base *loop_event_base(struct loop *loop)
{
    return loop->base;
}

struct evdns_base *loop_dns(struct loop *loop)
{
    if (!loop->dns)
        loop->dns = evdns_base_new(loop->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                   EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    return loop->dns;
}
