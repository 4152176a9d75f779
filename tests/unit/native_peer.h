// A fake agent for the client's tests: takes a native connection apart with protobuf-c's types, as
// a reader that shares no code with the client.
#ifndef SLUICE_TESTS_NATIVE_PEER_H
#define SLUICE_TESTS_NATIVE_PEER_H

#include "proto/native.pb-c.h"
#include "sluice.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

struct peer {
    char folder[32];
    struct sockaddr_un address;
    int listener; // -1: closed
    int fd;       // -1: nobody is connected
    uint8_t *data;
    size_t size, capacity;
    bool preamble;
    bool mute;          // answers no Flush
    uint64_t credits;   // that its welcome grants; 0: it does not count them
    uint32_t max_frame; // that its welcome names; 0: none
    unsigned hellos, flushes, goodbyes;
};

// Makes a folder with a path to listen on; nobody listens until peer_listen.
void peer_init(struct peer *peer);
void peer_deinit(struct peer *peer);
void peer_listen(struct peer *peer);
void peer_hang_up(struct peer *peer);
void peer_say(struct peer *peer, const Sluice__Native__Frame *frame);
// Accepts, reads and answers what there is now. False once the client has closed.
bool peer_pump(struct peer *peer);

#define SEEN_MAX 65536

// What the last test's agent got.
struct seen {
    char text[SEEN_MAX][24];
    uint64_t sequence[SEEN_MAX];
    bool resend[SEEN_MAX];
    unsigned count;
    uint64_t dropped;
    uint8_t stream[8];
    char service[32];
    Sluice__Native__Frame *last; // a copy of the last Records frame
};
extern struct seen seen;

struct fixture {
    struct peer peer;
    struct sluice *sluice;
    pthread_t thread;
    atomic_bool stop;
};

// For cmocka. The client is opened by the test.
int set_up(void **state);
int tear_down(void **state);
// buffer: bytes; 0 for the default.
void open_client(struct fixture *f, size_t buffer);
struct sluice_stats stats_of(struct fixture *f);
// Lets a thread be the agent, so that the test may flush.
void start_peer(struct fixture *f);
void stop_peer(struct fixture *f);

#endif
