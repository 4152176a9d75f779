// Reads, feeds and pauses one connection.
//
// All reads of all connections go through one shared buffer: what a connection has not consumed is
// kept in a buffer of its own only until its rest has come, so an idle connection holds none. A
// turn reads a bounded number of bytes of one connection; the loop then serves the others.
#include "receive/connection.h"

#include "base/error.h"
#include "receive/connection_answers.h"
#include "receive/dialect.h"
#include "receive/receive_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWEEP_READS 64
#define FDS_MAX 16

void connection_arm(struct connection *connection)
{
    unsigned events = connection->unsent_size > 0 ? LOOP_WRITE : 0;
    bool paused = connection->end || connection->blocked || connection->starved;
    // Who does not read our answers is not read either: that bounds what we hold for him.
    if (!paused && !connection->closing && events == 0)
        events = LOOP_READ;
    loop_io_start(connection->receive->config.loop, &connection->io, connection->fd, events);
}

void connection_count_closed(struct connection *connection, enum close_reason reason)
{
    if (!connection->counted)
        connection->receive->config.book->closed[reason]++;
    connection->counted = true;
}

// Closes once what is left has been written. False where it was freed at once.
static bool finish(struct connection *connection)
{
    connection->closing = true;
    if (connection->unsent_size == 0) {
        connection_free(connection);
        return false;
    }
    connection_arm(connection);
    return true;
}

static void start_timer(struct connection *connection, enum timer_use use, uint64_t after_ns)
{
    connection->timer_use = use;
    loop_timer_start(connection->receive->config.loop, &connection->timer, after_ns);
}

static void stop_timer(struct connection *connection, enum timer_use use)
{
    if (connection->timer_use == use)
        loop_timer_stop(&connection->timer);
}

static void unblock(struct connection *connection)
{
    connection->blocked = false;
    stop_timer(connection, TIMER_BLOCK);
    connection_resume(connection);
}

static void room_again(struct room_waiter *waiter)
{
    struct connection *connection = CONNECTION_OF(waiter, waiter);
    connection_check(connection);
    if (connection->blocked)
        unblock(connection);
}

static void block(struct connection *connection)
{
    struct receive *receive = connection->receive;
    connection->blocked = true;
    connection_memory_excuse(connection);
    // Their doors know when they can go on.
    if (connection->door->dialect != DIALECT_OTLP_GRPC && !connection->lingers)
        decoder_wait(receive->config.decoder, &connection->waiter);
    if (connection_is_lines(connection))
        start_timer(connection, TIMER_BLOCK, receive->config.block_for_ns);
}

// A record that waits for the rest of its stack trace does so for a while only.
static void await_join(struct connection *connection)
{
    if (!connection_is_lines(connection))
        return;
    if (line_state_pending(&connection->state.lines))
        start_timer(connection, TIMER_JOIN, connection->receive->config.join_for_ns);
    else
        stop_timer(connection, TIMER_JOIN);
}

static void join_over(struct connection *connection)
{
    struct decoder *decoder = connection->receive->config.decoder;
    if (connection->blocked || decode_lines_flush(decoder, &connection->state.lines) == DECODE_MORE)
        return;
    block(connection); // and waits again once it goes on
    connection_arm(connection);
}

// The peer reads nothing: its answers are dropped. What it has sent by now still counts.
static void unread_over(struct connection *connection)
{
    struct receive *receive = connection->receive;
    hint(&receive->hints, CLOSE_UNREAD,
         "a client (uid %ld) did not read our answers for %u s; it must read what is sent to it",
         (long)connection->uid, (unsigned)(receive->unread_ns / NS_PER_S));
    connection_count_closed(connection, CLOSE_UNREAD);
    connection_answers_drop(connection);
    if (connection->closing)
        connection_free(connection);
    else
        connection_sweep(connection);
}

static void timer_expired(struct loop_timer *timer)
{
    struct connection *connection = CONNECTION_OF(timer, timer);
    connection_check(connection);
    switch (connection->timer_use) {
    case TIMER_BLOCK: // from now on this door sheds, until there is room again
        line_state_expire(&connection->state.lines);
        unblock(connection);
        break;
    case TIMER_JOIN:
        join_over(connection);
        break;
    case TIMER_UNREAD:
        unread_over(connection);
        break;
    }
}

// The door of these first bytes. 0, DIALECT_UNDECIDED or -errno.
static int choose_door(struct connection *connection, struct slice first)
{
    struct dialect_guess guess;
    int r = dialect_guess(first, connection->end, &guess);
    if (r != 0)
        return r;
    link_remove(&connection->place); // among the undecided
    connection->door = door_for(connection, &guess);
    connection->receive->config.book->connections[guess.dialect]++;
    return connection->door->open ? connection->door->open(connection) : 0;
}

// Gives data to the door, keeps what it leaves. False where the connection was over and is freed.
static bool feed(struct connection *connection, const uint8_t *data, size_t size)
{
    size_t consumed = 0;
    enum decode_stop stop = DECODE_MORE;
    struct slice slice = slice_of(data, size);
    int r = connection->door ? 0 : choose_door(connection, slice);
    if (r == 0)
        stop = connection->door->feed(connection, slice, connection->end, &consumed);
    assert(consumed <= size);
    if (stop == DECODE_BLOCKED)
        block(connection);
    if (r >= 0)
        r = connection_answers_pull(connection);
    if (r >= 0)
        r = connection_memory_keep(connection, size ? data + consumed : NULL, size - consumed,
                                   consumed > 0);
    if (r < 0) {
        connection_answers_drop(connection);
        return finish(connection);
    }
    if (stop == DECODE_CLOSE || (connection->end && !connection->blocked))
        return finish(connection);
    if (!connection->blocked)
        await_join(connection);
    connection_arm(connection);
    return true;
}

static void close_descriptors(struct connection *connection, struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            close(fd);
            connection->receive->config.book->surplus_fds++;
        }
    }
}

// recvmsg always: with plain read a peer's descriptors would be installed nowhere but still cost it
// nothing to send.
static ssize_t receive_bytes(struct connection *connection, uint8_t *data, size_t size)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
    struct iovec part = {data, size};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t n;
    do
        n = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && message.msg_controllen > 0)
        close_descriptors(connection, &message);
    return n;
}

// Into the shared buffer behind what was kept, or (where that is much) straight behind it.
bool connection_read(struct connection *connection)
{
    struct receive *receive = connection->receive;
    uint8_t *data = receive->buffer;
    size_t size = connection_memory_grant(connection);
    if (size == 0) {
        connection_arm(connection);
        return true;
    }
    size_t kept = connection->kept_size;
    if (kept > KEPT_COPIED) {
        if (connection_memory_extend(connection, size) < 0)
            return finish(connection);
        data = connection->kept;
    } else if (kept > 0) {
        memcpy(data, connection->kept, kept);
    }
    ssize_t n = receive_bytes(connection, data + kept, size);
    if (n < 0 && errno == EAGAIN) {
        connection_memory_keep(connection, connection->kept, kept, false);
        connection_arm(connection);
        return true;
    }
    if (n <= 0)
        connection->end = true; // a reset also ends the stream: what came before it counts
    else
        receive->config.book->bytes += (uint64_t)n;
    return feed(connection, data, kept + (n > 0 ? (size_t)n : 0));
}

static void connection_ready(struct loop_io *io, unsigned events)
{
    struct connection *connection = CONNECTION_OF(io, io);
    connection_check(connection);
    if (!(events & LOOP_WRITE)) {
        connection_read(connection);
        return;
    }
    int r = connection_answers_write(connection);
    if (r < 0)
        connection_answers_drop(connection);
    if (r < 0 || (connection->closing && connection->unsent_size == 0))
        connection_free(connection);
    else
        connection_arm(connection);
}

bool connection_cut(struct connection *connection)
{
    assert(connection_is_lines(connection) && !connection->blocked && !connection->starved);
    connection->state.lines.cut_now = true;
    return feed(connection, connection->kept, connection->kept_size);
}

bool connection_end(struct connection *connection)
{
    connection->end = true;
    if (!connection->blocked)
        return feed(connection, connection->kept, connection->kept_size);
    connection_arm(connection); // it ends when there is room
    return true;
}

void connection_resume(struct connection *connection)
{
    struct receive *receive = connection->receive;
    if (connection->starved)
        return; // goes on anyway
    link_append(&receive->resumed, &connection->queue);
    loop_defer(receive->config.loop, &receive->resume);
}

void connection_step(struct connection *connection)
{
    connection_check(connection);
    link_remove(&connection->queue);
    if (!connection->blocked && !connection->closing)
        feed(connection, connection->kept, connection->kept_size);
}

int connection_new(struct receive *receive, int fd, const struct ucred *peer)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return -ENOMEM;
    }
    connection->magic = CONNECTION_MAGIC;
    connection->receive = receive;
    connection->fd = fd;
    connection->uid = peer->uid;
    connection->gid = peer->gid;
    connection->io.ready = connection_ready;
    connection->waiter.room = room_again;
    connection->timer.expired = timer_expired;
    connection->since_ns = clock_monotonic(receive->config.clock);
    link_append(&receive->connections, &connection->all);
    link_append(&receive->undecided, &connection->place);
    receive->open++;
    receive->config.book->open++;
    connection_arm(connection);
    return 0;
}

void connection_free(struct connection *connection)
{
    connection_check(connection);
    struct receive *receive = connection->receive;
    loop_io_stop(&connection->io);
    loop_timer_stop(&connection->timer);
    decoder_wait_cancel(receive->config.decoder, &connection->waiter);
    if (connection->door && connection->door->close)
        connection->door->close(connection);
    connection_answers_drop(connection);
    connection_memory_leave(connection);
    connection_memory_give(receive, connection->state_charged);
    link_remove(&connection->queue);
    link_remove(&connection->all);
    close(connection->fd);
    receive->open--;
    receive->config.book->open--;
    connection->magic = 0;
    free(connection);
    if (receive->open == 0 && receive->idle)
        receive->idle(receive->idle_ctx);
}

// Lines that still wait for room are shed and so counted: their writer will not get another chance.
static bool shed_blocked(struct connection *connection)
{
    connection->blocked = false;
    stop_timer(connection, TIMER_BLOCK);
    line_state_finish(&connection->state.lines);
    return feed(connection, connection->kept, connection->kept_size);
}

bool connection_drink(struct connection *connection)
{
    struct receive *receive = connection->receive;
    const uint64_t *bytes = &receive->config.book->bytes;
    connection_memory_unstarve(connection);
    receive->memory.unlimited = true; // of one connection at a time, and soon over
    bool open = true;
    for (int i = 0; open && i < SWEEP_READS; i++) {
        uint64_t before = *bytes;
        if (connection->blocked || connection->closing || connection->end)
            break;
        open = connection_read(connection);
        if (*bytes == before)
            break;
    }
    receive->memory.unlimited = false;
    return open;
}

bool connection_sweep(struct connection *connection)
{
    if (connection->blocked && connection_is_lines(connection) && !shed_blocked(connection))
        return false;
    if (!connection_drink(connection))
        return false;
    return connection->closing || connection_end(connection);
}
