// The client's side of the socket: connects lazily, writes without waiting, reads what the agent
// says.
#include "client.h"

#include "proto/native.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKOFF_FIRST 100 // ms
#define BACKOFF_LAST 5000
#define READ_EVERY 64 // pumps, while nothing is expected

static uint64_t now_ms(void)
{
    return sluice_monotonic_ns() / 1000000;
}

static void back_off(struct sluice_connection *connection)
{
    uint64_t next = now_ms() + connection->backoff;
    if (next > connection->next_attempt) // a Goaway may have asked for more
        connection->next_attempt = next;
    connection->backoff = connection->backoff ? connection->backoff * 2 : BACKOFF_FIRST;
    if (connection->backoff > BACKOFF_LAST)
        connection->backoff = BACKOFF_LAST;
}

void sluice_disconnect(struct sluice *sluice)
{
    struct sluice_connection *connection = &sluice->connection;
    if (connection->fd < 0)
        return;
    close(connection->fd);
    connection->fd = -1;
    if (connection->sending == OUT_RECORDS && connection->written > 0)
        connection->resend = true;
    connection->sending = OUT_NONE;
    connection->written = 0;
    connection->greeted = connection->welcomed = connection->going = false;
    connection->in_size = connection->in_skip = 0;
    sluice->unconfirmed += sluice->sent - sluice->confirmed;
    sluice->confirmed = sluice->flush_mark = sluice->sent;
    sluice->flush_sent = sluice->flush_answered; // asked again on the next one
    back_off(connection);
}

static bool connect_now(struct sluice *sluice)
{
    struct sluice_connection *connection = &sluice->connection;
    if (connection->fd >= 0)
        return true;
    if (now_ms() < connection->next_attempt)
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    // On a Unix socket this succeeds or fails at once; EAGAIN is a full backlog.
    if (fd < 0 || connect(fd, (const struct sockaddr *)&connection->address,
                          sizeof connection->address) < 0) {
        if (fd >= 0)
            close(fd);
        back_off(connection);
        return false;
    }
    connection->fd = fd;
    connection->pumps = 0;
    connection->credits = true;
    connection->max_frame = 0;
    connection->credit = CREDIT_FIRST;
    sluice->connections++;
    return true;
}

// Takes whole frames out of `in`; one that could never fit is skipped as it comes.
static void take_frames(struct sluice *sluice)
{
    struct sluice_connection *connection = &sluice->connection;
    size_t at = 0;
    while (at < connection->in_size) {
        if (connection->in_skip > 0) {
            size_t left = connection->in_size - at;
            size_t skip = connection->in_skip < left ? connection->in_skip : left;
            at += skip;
            connection->in_skip -= skip;
            continue;
        }
        const uint8_t *data = connection->in + at;
        const uint8_t *frame;
        size_t size;
        int r = native_frame(data, connection->in_size - at,
                             sizeof connection->in - NATIVE_LENGTH_SIZE, &frame, &size);
        if (r == NATIVE_MORE)
            break;
        if (r == NATIVE_TOO_LARGE) {
            connection->in_skip =
                NATIVE_LENGTH_SIZE + ((size_t)data[0] | (size_t)data[1] << 8 |
                                      (size_t)data[2] << 16 | (size_t)data[3] << 24);
            continue;
        }
        sluice_take_frame(sluice, frame, size);
        at += NATIVE_LENGTH_SIZE + size;
    }
    memmove(connection->in, connection->in + at, connection->in_size - at);
    connection->in_size -= at;
}

// False where the agent is gone.
static bool read_agent(struct sluice *sluice)
{
    struct sluice_connection *connection = &sluice->connection;
    connection->pumps = 0;
    for (;;) {
        ssize_t n = recv(connection->fd, connection->in + connection->in_size,
                         sizeof connection->in - connection->in_size, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        if (n == 0)
            return false;
        connection->in_size += (size_t)n;
        take_frames(sluice);
    }
}

// Writes what the socket takes of the frame that is being sent. 1 when it is done, 0 when the
// socket is full, -1 when the agent is gone.
static int write_frame(struct sluice *sluice)
{
    struct sluice_connection *connection = &sluice->connection;
    bool hello = connection->sending == OUT_HELLO;
    const uint8_t *head = hello ? sluice->hello : connection->head;
    size_t head_size = hello ? sluice->hello_size : connection->head_size;
    size_t run_size =
        connection->sending == OUT_RECORDS ? sluice_queue_first(&sluice->queue)->size : 0;
    const uint8_t *run = sluice->queue.data + sluice->queue.head;
    while (connection->written < head_size + run_size) {
        struct iovec parts[2];
        struct msghdr message = {.msg_iov = parts};
        size_t done = connection->written;
        if (done < head_size)
            parts[message.msg_iovlen++] = (struct iovec){(void *)(head + done), head_size - done};
        size_t run_done = done > head_size ? done - head_size : 0;
        if (run_done < run_size)
            parts[message.msg_iovlen++] =
                (struct iovec){(void *)(run + run_done), run_size - run_done};
        ssize_t n = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        connection->written += (size_t)n;
    }
    return 1;
}

static void frame_done(struct sluice *sluice)
{
    struct sluice_connection *connection = &sluice->connection;
    if (connection->sending == OUT_HELLO)
        connection->greeted = true;
    if (connection->sending == OUT_RECORDS) {
        sluice->sent += sluice_queue_first(&sluice->queue)->count;
        sluice_queue_pop(&sluice->queue);
        connection->resend = false;
    }
    connection->sending = OUT_NONE;
    connection->written = 0;
}

// Writes frames until there are none or the socket is full. False where the agent is gone, or has
// asked us to go and no frame is half written.
static bool write_frames(struct sluice *sluice)
{
    struct sluice_connection *connection = &sluice->connection;
    for (;;) {
        if (connection->sending == OUT_NONE) {
            if (connection->going)
                return false;
            connection->sending = sluice_next_frame(sluice);
        }
        if (connection->sending == OUT_NONE)
            return true;
        int r = write_frame(sluice);
        if (r <= 0)
            return r == 0;
        frame_done(sluice);
    }
}

static bool expects_answer(const struct sluice *sluice)
{
    return !sluice->connection.welcomed || sluice_waits_for_credit(sluice) ||
           sluice->flush_answered < sluice->flush_sent;
}

void sluice_pump(struct sluice *sluice)
{
    // Twice: an agent that was restarted is found gone by the first write, and there by the next.
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!connect_now(sluice))
            return;
        bool alive = write_frames(sluice);
        if (alive && (expects_answer(sluice) || ++sluice->connection.pumps >= READ_EVERY))
            alive =
                read_agent(sluice) && (!sluice_waits_for_credit(sluice) || write_frames(sluice));
        if (alive)
            return;
        sluice_disconnect(sluice);
    }
}
