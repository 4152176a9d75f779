// One connection: its socket, what it has read but not consumed, what it has yet to write, and its
// dialect's door.
//
// Private to receive/. Loop thread only.
#ifndef SLUICE_RECEIVE_CONNECTION_H
#define SLUICE_RECEIVE_CONNECTION_H

#include "base/loop.h"
#include "base/room_waiter.h"
#include "decode/decode_native.h"
#include "receive/link.h"
#include "receive/receive.h"

#include <assert.h>

#define CONNECTION_MAGIC 0x636f6e6eu
#define KEPT_COPIED ((size_t)16 << 10) // kept bytes up to this are copied before the next read

struct connection;
struct otlp_peer;

// How a dialect is served. One row each in receive/doors.c.
struct door {
    enum dialect_kind dialect;
    int (*open)(struct connection *connection); // 0 or -errno; may be NULL
    // Takes what it can of data; what it leaves is offered again with more behind it.
    enum decode_stop (*feed)(struct connection *connection, struct slice data, bool end,
                             size_t *consumed);
    size_t (*output)(struct connection *connection, const uint8_t **data); // 0: none; may be NULL
    void (*last)(struct connection *connection);  // output has its last turn; likewise
    void (*close)(struct connection *connection); // may be NULL
};

// What a connection's only timer is for now: no two of them are ever wanted at once.
enum timer_use {
    TIMER_BLOCK,  // lines that wait for room in a log
    TIMER_JOIN,   // a line that waits for the rest of its stack trace
    TIMER_UNREAD, // an answer that the peer does not read
};

struct connection {
    unsigned magic;
    int fd;
    struct receive *receive;
    const struct door *door; // NULL while the first bytes are undecided
    struct link all;
    struct link place;   // among the undecided, or among those that hold an unfinished item
    struct link queue;   // starved, or to be resumed
    uint64_t since_ns;   // at its place
    uint64_t starved_ns; // since when
    uint8_t *kept;       // read and not consumed
    size_t kept_size, kept_capacity;
    size_t charged;  // to read_bytes, for kept
    uint8_t *unsent; // what the socket would not take; charged to read_bytes
    size_t unsent_size;
    size_t state_charged; // to read_bytes, for what the door's state holds
    uid_t uid;            // of a peer on the Unix socket
    gid_t gid;
    bool end;     // the peer has closed its side, or is to be read no more
    bool mute;    // it takes no more answers; what it has sent still counts
    bool blocked; // waits for room in a log
    bool lingers; // … or, at its end, only for what is stored, to say so
    bool starved; // waits for memory
    bool closing; // write what is left, then close
    bool counted; // as closed by us
    enum timer_use timer_use;
    struct room_waiter waiter, stored_waiter; // for room; for receipts that are owed
    struct loop_io io;
    struct loop_timer timer;
    union {
        struct line_state lines;
        struct native_state *native;
        struct otlp_peer *otlp;
    } state;
};

#define CONNECTION_OF(pointer, member)                                                             \
    ((struct connection *)((char *)(pointer)-offsetof(struct connection, member)))

static inline void connection_check(const struct connection *connection)
{
    assert(connection->magic == CONNECTION_MAGIC);
    assert(connection->kept_size <= connection->kept_capacity);
}

// Lines can end an unfinished item at any byte; nothing else can.
static inline bool connection_is_lines(const struct connection *connection)
{
    const struct door *door = connection->door;
    return door && (door->dialect == DIALECT_LINES || door->dialect == DIALECT_SYSLOG);
}

// Takes fd over. peer: who it is, or ids of -1. 0 or -errno (fd closed).
struct ucred;
int connection_new(struct receive *receive, int fd, const struct ucred *peer);
void connection_free(struct connection *connection);
// Reads what the socket holds, bounded. False where it was freed.
bool connection_drink(struct connection *connection);
// The same, and ends it. False: it was freed. Else it will be: with room, or its answers read.
bool connection_sweep(struct connection *connection);
// Counts why we close it: once, the first reason.
void connection_count_closed(struct connection *connection, enum close_reason reason);

// Watches the socket for what the connection's state asks for.
void connection_arm(struct connection *connection);
// Goes on in a later turn with what is kept, and then with what the socket has.
void connection_resume(struct connection *connection);
void connection_step(struct connection *connection); // that later turn
// One read, as much as there is memory for, to the door. False where it was freed.
bool connection_read(struct connection *connection);
// Ends an unfinished line here, marked truncated. False where it was freed.
bool connection_cut(struct connection *connection);
// Ends the stream here, as if the peer had: what was read counts. False where it was freed.
bool connection_end(struct connection *connection);

// The door of a dialect, for what it was guessed from.
struct dialect_guess;
const struct door *door_for(struct connection *connection, const struct dialect_guess *guess);

#endif
