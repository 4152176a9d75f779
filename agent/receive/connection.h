// One connection: its socket, what it has read but not consumed, what it has yet to write, and its
// dialect's door.
//
// Private to receive/. Loop thread only.
#ifndef SLUICE_RECEIVE_CONNECTION_H
#define SLUICE_RECEIVE_CONNECTION_H

#include "base/loop.h"
#include "base/room_waiter.h"
#include "decode/decode.h"
#include "receive/receive.h"

#include <sys/socket.h>

#define CONNECTION_MAGIC 0x636f6e6eu

struct connection;
struct grpc_server;

// How a dialect is served. One row each in receive/doors.c.
struct door {
    enum dialect_kind dialect;
    int (*open)(struct connection *connection); // 0 or -errno; may be NULL
    // Takes what it can of data; what it leaves is offered again with more behind it.
    enum decode_stop (*feed)(struct connection *connection, struct slice data, bool end,
                             size_t *consumed);
    // The next bytes to send, 0 for none; may be NULL.
    size_t (*output)(struct connection *connection, const uint8_t **data);
    void (*close)(struct connection *connection); // may be NULL
};

struct connection {
    unsigned magic;
    int fd;
    struct receive *receive;
    struct connection *next, *previous;
    struct loop_io io;
    const struct door *door; // NULL while the first bytes are undecided
    uid_t uid;
    gid_t gid;
    uint8_t *kept; // read and not consumed; from receive's pool or malloc
    size_t kept_size, kept_capacity;
    uint8_t *unsent; // what the socket would not take
    size_t unsent_size;
    bool end;     // the peer has closed its side
    bool mute;    // it takes no more answers; what it has sent still counts
    bool blocked; // waits for room in a log
    bool closing; // write what is left, then close
    struct room_waiter waiter;
    struct loop_timer block_timer;
    struct loop_deferred again; // goes on with what is kept
    union {
        struct line_state lines;
        struct native_state native;
        struct grpc_server *grpc;
    } state;
};

struct receive {
    struct receive_config config;
    struct listener *socket, *otlp;
    struct connection *connections;
    size_t open;
    uint8_t *buffer; // shared by all reads
    size_t buffer_size;
    uint8_t *pool[64]; // spare kept-buffers of KEPT_CHUNK bytes
    unsigned pooled;
    void (*idle)(void *ctx);
    void *idle_ctx;
    uint64_t hinted_ns[8]; // when each kind of hint was last logged
};

// Takes fd over. 0 or -errno (fd closed).
int connection_new(struct receive *receive, int fd);
void connection_free(struct connection *connection);
// Reads what the socket still holds, bounded, and frees it; for the end of a
// drain.
void connection_sweep(struct connection *connection);

// The door of a dialect, for what it was guessed from.
struct dialect_guess;
const struct door *door_for(struct receive *receive, const struct dialect_guess *guess);

#endif
