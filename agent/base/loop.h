// The event loop: the only door to libevent's core. Watchers are embedded in what they watch.
//
// One thread runs the loop; every function here is for that thread alone.
// A watcher must be disarmed (…_stop) before its storage goes away; stop is safe twice and on
// zeroed storage. A watcher may stop or free itself, or any other watcher, from inside a callback.
#ifndef SLUICE_BASE_LOOP_H
#define SLUICE_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event_base;
struct evdns_base;

#define LOOP_READ 1u
#define LOOP_WRITE 2u

// Storage for one libevent event, so that a watcher needs no allocation of its own.
struct loop_event {
    _Alignas(16) unsigned char storage[128];
    bool assigned;
};

struct loop_io {
    struct loop_event event;
    void (*ready)(struct loop_io *, unsigned events); // LOOP_READ | LOOP_WRITE
    unsigned armed;
    int fd; // not owned
};

struct loop_timer {
    struct loop_event event;
    void (*expired)(struct loop_timer *);
    bool armed;
};

struct loop_signal {
    struct loop_event event;
    void (*raised)(struct loop_signal *);
};

// Work to do once, after the callback that asked for it and before the loop waits again.
struct loop_deferred {
    struct loop_event event;
    void (*run)(struct loop_deferred *);
    bool queued;
};

int loop_new(struct loop **out);
void loop_free(struct loop *loop);

// Runs until loop_stop. Returns 0, or -errno where the kernel's poller fails.
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

// Watches fd for events (replaces what was watched). 0 events stops watching.
int loop_io_start(struct loop *loop, struct loop_io *io, int fd, unsigned events);
void loop_io_stop(struct loop_io *io);

// Fires once, after_ns from now; starting an armed timer moves it.
int loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t after_ns);
void loop_timer_stop(struct loop_timer *timer);

int loop_signal_start(struct loop *loop, struct loop_signal *signal, int number);
void loop_signal_stop(struct loop_signal *signal);

void loop_defer(struct loop *loop, struct loop_deferred *deferred);
void loop_deferred_stop(struct loop_deferred *deferred);

// For the parts of libevent that live elsewhere: evdns, and a test that turns the loop by hand.
struct event_base *loop_event_base(struct loop *loop);
// Created at first use, so that an agent that resolves nothing opens no sockets. NULL where
// /etc/resolv.conf is unusable.
struct evdns_base *loop_dns(struct loop *loop);

#endif
