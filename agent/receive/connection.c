// Reads, feeds, writes and pauses one connection.
//
// All reads of all connections go through one shared buffer: what a connection has not consumed is
// kept in a chunk of its own only until its next read, so an idle connection holds none. A turn
// reads at most READ_SIZE bytes of one connection; the loop then serves the others.
#include "receive/connection.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/own_log.h"
#include "receive/dialect.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE ((size_t)64 << 10)
#define KEPT_CHUNK ((size_t)16 << 10)
#define SWEEP_READS 64
#define FDS_MAX 16

static void connection_step(struct connection *connection);

static void check(const struct connection *connection)
{
    assert(connection->magic == CONNECTION_MAGIC);
    assert(connection->kept_size <= connection->kept_capacity);
}

static void forget_kept(struct connection *connection)
{
    struct receive *receive = connection->receive;
    size_t spare = sizeof receive->pool / sizeof receive->pool[0];
    if (connection->kept && connection->kept_capacity == KEPT_CHUNK && receive->pooled < spare)
        receive->pool[receive->pooled++] = connection->kept;
    else
        free(connection->kept);
    connection->kept = NULL;
    connection->kept_size = connection->kept_capacity = 0;
}

// Room for `size` bytes of kept; keeps what is there.
static int grow_kept(struct connection *connection, size_t size)
{
    struct receive *receive = connection->receive;
    if (size <= connection->kept_capacity)
        return 0;
    if (!connection->kept && size <= KEPT_CHUNK && receive->pooled > 0) {
        connection->kept = receive->pool[--receive->pooled];
        connection->kept_capacity = KEPT_CHUNK;
        return 0;
    }
    size_t capacity = KEPT_CHUNK;
    while (capacity < size)
        capacity *= 2;
    uint8_t *grown = realloc(connection->kept, capacity);
    if (!grown)
        return -ENOMEM;
    connection->kept = grown;
    connection->kept_capacity = capacity;
    return 0;
}

static int keep(struct connection *connection, const uint8_t *data, size_t size)
{
    if (size == 0) {
        forget_kept(connection);
        return 0;
    }
    if (connection->kept && data >= connection->kept &&
        data < connection->kept + connection->kept_capacity) {
        memmove(connection->kept, data, size);
        connection->kept_size = size;
        return 0;
    }
    int r = grow_kept(connection, size);
    if (r < 0)
        return r;
    assert(connection->kept);
    memcpy(connection->kept, data, size);
    connection->kept_size = size;
    return 0;
}

static void arm(struct connection *connection)
{
    unsigned events = connection->unsent_size > 0 ? LOOP_WRITE : 0;
    // Who does not read our answers is not read either: that bounds what we hold for him.
    if (!connection->end && !connection->blocked && !connection->closing && events == 0)
        events = LOOP_READ;
    loop_io_start(connection->receive->config.loop, &connection->io, connection->fd, events);
}

// Closes once what is left has been written. False where it was freed at once.
static bool finish(struct connection *connection)
{
    connection->closing = true;
    if (connection->unsent_size == 0) {
        connection_free(connection);
        return false;
    }
    arm(connection);
    return true;
}

static int keep_unsent(struct connection *connection, const uint8_t *data, size_t size)
{
    uint8_t *grown = realloc(connection->unsent, connection->unsent_size + size);
    if (!grown)
        return -ENOMEM;
    memcpy(grown + connection->unsent_size, data, size);
    connection->unsent = grown;
    connection->unsent_size += size;
    return 0;
}

// Writes what the socket takes. 0, or -errno where the connection is dead.
static int write_some(int fd, const uint8_t *data, size_t size, size_t *written)
{
    *written = 0;
    while (*written < size) {
        ssize_t n = send(fd, data + *written, size - *written, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : error_from_errno();
        *written += (size_t)n;
    }
    return 0;
}

static int flush_unsent(struct connection *connection)
{
    size_t written;
    int r = write_some(connection->fd, connection->unsent, connection->unsent_size, &written);
    if (r < 0)
        return r;
    memmove(connection->unsent, connection->unsent + written, connection->unsent_size - written);
    connection->unsent_size -= written;
    if (connection->unsent_size == 0) {
        free(connection->unsent);
        connection->unsent = NULL;
    }
    return 0;
}

// A peer that closed without reading its answers: they are dropped, what it has sent still counts.
static void fall_mute(struct connection *connection)
{
    free(connection->unsent);
    connection->unsent = NULL;
    connection->unsent_size = 0;
    connection->mute = true;
}

// Pulls the door's output; a peer that does not read holds at most one piece of it. 0 or -ENOMEM.
static int flush_output(struct connection *connection)
{
    const uint8_t *data;
    size_t size, written;
    while (connection->unsent_size == 0 && connection->door && connection->door->output &&
           (size = connection->door->output(connection, &data)) > 0) {
        if (connection->mute)
            continue;
        if (write_some(connection->fd, data, size, &written) < 0)
            fall_mute(connection);
        else if (written < size && keep_unsent(connection, data + written, size - written) < 0)
            return -ENOMEM;
    }
    return 0;
}

static bool is_lines(const struct connection *connection)
{
    return connection->door && (connection->door->dialect == DIALECT_LINES ||
                                connection->door->dialect == DIALECT_SYSLOG);
}

static void unblock(struct connection *connection)
{
    connection->blocked = false;
    loop_timer_stop(&connection->block_timer);
    loop_defer(connection->receive->config.loop, &connection->again);
}

static void room_again(struct room_waiter *waiter)
{
    struct connection *connection =
        (struct connection *)((char *)waiter - offsetof(struct connection, waiter));
    check(connection);
    if (is_lines(connection))
        connection->state.lines.expired = false;
    if (connection->blocked)
        unblock(connection);
}

static void block_expired(struct loop_timer *timer)
{
    struct connection *connection =
        (struct connection *)((char *)timer - offsetof(struct connection, block_timer));
    check(connection);
    connection->state.lines.expired =
        true; // from now on this door sheds, until there is room again
    unblock(connection);
}

static void block(struct connection *connection)
{
    struct receive *receive = connection->receive;
    connection->blocked = true;
    decoder_wait(receive->config.decoder, &connection->waiter);
    if (is_lines(connection))
        loop_timer_start(receive->config.loop, &connection->block_timer,
                         receive->config.block_for_ns);
}

// The door of these first bytes. 0, DIALECT_UNDECIDED or -errno.
static int choose_door(struct connection *connection, struct slice first)
{
    struct dialect_guess guess;
    int r = dialect_guess(first, connection->end, &guess);
    if (r != 0)
        return r;
    connection->door = door_for(connection->receive, &guess);
    connection->receive->config.book->connections[guess.dialect]++;
    memset(&connection->state, 0, sizeof connection->state);
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
    if (r >= 0)
        r = flush_output(connection);
    if (r >= 0)
        r = keep(connection, data + consumed, size - consumed);
    if (r < 0) {
        connection->unsent_size = 0;
        return finish(connection);
    }
    if (stop == DECODE_BLOCKED)
        block(connection);
    else if (stop == DECODE_CLOSE || connection->end) {
        return finish(connection);
    }
    arm(connection);
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

// One read, into the shared buffer behind what was kept, or (where that is much) straight behind
// it.
static bool read_once(struct connection *connection)
{
    struct receive *receive = connection->receive;
    uint8_t *data = receive->buffer;
    size_t kept = connection->kept_size;
    if (kept > KEPT_CHUNK) {
        if (grow_kept(connection, kept + READ_SIZE) < 0) {
            return finish(connection);
        }
        data = connection->kept;
    } else if (kept > 0) {
        memcpy(data, connection->kept, kept);
    }
    ssize_t n = receive_bytes(connection, data + kept, READ_SIZE);
    if (n < 0 && errno == EAGAIN)
        return true;
    if (n <= 0)
        connection->end = true; // a reset also ends the stream: what came before it counts
    else
        receive->config.book->bytes += (uint64_t)n;
    return feed(connection, data, kept + (n > 0 ? (size_t)n : 0));
}

static void connection_ready(struct loop_io *io, unsigned events)
{
    struct connection *connection =
        (struct connection *)((char *)io - offsetof(struct connection, io));
    check(connection);
    if (events & LOOP_WRITE) {
        int r = 0;
        if (flush_unsent(connection) < 0)
            fall_mute(connection);
        if (connection->unsent_size == 0)
            r = flush_output(connection);
        if (r < 0)
            connection->unsent_size = 0;
        if (r < 0 || (connection->closing && connection->unsent_size == 0)) {
            connection_free(connection);
            return;
        }
        arm(connection);
        return;
    }
    read_once(connection);
}

// Goes on with what is kept, after a pause.
static void connection_step(struct connection *connection)
{
    if (connection->blocked || connection->closing)
        return;
    feed(connection, connection->kept, connection->kept_size);
}

static void run_again(struct loop_deferred *deferred)
{
    struct connection *connection =
        (struct connection *)((char *)deferred - offsetof(struct connection, again));
    check(connection);
    connection_step(connection);
}

int connection_new(struct receive *receive, int fd)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return -ENOMEM;
    }
    struct ucred peer;
    socklen_t size = sizeof peer;
    connection->magic = CONNECTION_MAGIC;
    connection->receive = receive;
    connection->fd = fd;
    connection->uid = (uid_t)-1;
    connection->gid = (gid_t)-1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0) {
        connection->uid = peer.uid;
        connection->gid = peer.gid;
    }
    connection->io.ready = connection_ready;
    connection->waiter.room = room_again;
    connection->block_timer.expired = block_expired;
    connection->again.run = run_again;
    connection->next = receive->connections;
    if (connection->next)
        connection->next->previous = connection;
    receive->connections = connection;
    receive->open++;
    receive->config.book->open++;
    arm(connection);
    return 0;
}

void connection_free(struct connection *connection)
{
    check(connection);
    struct receive *receive = connection->receive;
    loop_io_stop(&connection->io);
    loop_timer_stop(&connection->block_timer);
    loop_deferred_stop(&connection->again);
    decoder_wait_cancel(receive->config.decoder, &connection->waiter);
    if (connection->door && connection->door->close)
        connection->door->close(connection);
    forget_kept(connection);
    free(connection->unsent);
    close(connection->fd);
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        receive->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
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
    loop_timer_stop(&connection->block_timer);
    if (!is_lines(connection))
        return true;
    connection->state.lines.expired = true;
    return feed(connection, connection->kept, connection->kept_size);
}

void connection_sweep(struct connection *connection)
{
    const uint64_t *bytes = &connection->receive->config.book->bytes;
    bool open = !connection->blocked || shed_blocked(connection);
    for (int i = 0; open && i < SWEEP_READS; i++) {
        uint64_t before = *bytes;
        if (connection->blocked || connection->closing || connection->end)
            break;
        open = read_once(connection);
        if (*bytes == before)
            break;
    }
    if (open)
        connection_free(connection);
}
