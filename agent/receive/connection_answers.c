// Writes a connection's answers, without ever waiting for its peer.
#include "receive/connection_answers.h"

#include "base/error.h"
#include "receive/connection.h"
#include "receive/receive_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static void wait_for_reader(struct connection *connection)
{
    connection->timer_use = TIMER_UNREAD;
    loop_timer_start(connection->receive->config.loop, &connection->timer,
                     connection->receive->unread_ns);
}

static int keep_unsent(struct connection *connection, const uint8_t *data, size_t size)
{
    assert(!connection->unsent);
    connection->unsent = malloc(size);
    if (!connection->unsent)
        return -ENOMEM;
    memcpy(connection->unsent, data, size);
    connection->unsent_size = size;
    connection_memory_force(connection->receive, size); // one piece of each, and short ones
    wait_for_reader(connection);
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
        if (n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM))
            return 0; // nothing is wrong with the peer: later
        if (n < 0)
            return error_from_errno();
        *written += (size_t)n;
    }
    return 0;
}

static void forget_unsent(struct connection *connection)
{
    if (!connection->unsent)
        return;
    if (connection->timer_use == TIMER_UNREAD)
        loop_timer_stop(&connection->timer);
    free(connection->unsent);
    connection->unsent = NULL;
    connection_memory_give(connection->receive, connection->unsent_size);
    connection->unsent_size = 0;
}

void connection_answers_drop(struct connection *connection)
{
    forget_unsent(connection);
    connection->mute = true;
    shutdown(connection->fd, SHUT_WR); // nobody shall wait for an answer that never comes
}

int connection_answers_pull(struct connection *connection)
{
    const uint8_t *data;
    size_t size, written;
    while (connection->unsent_size == 0 && connection->door && connection->door->output &&
           (size = connection->door->output(connection, &data)) > 0) {
        if (connection->mute)
            continue;
        if (write_some(connection->fd, data, size, &written) < 0)
            connection_answers_drop(connection); // it has closed: what it has sent still counts
        else if (written < size)
            return keep_unsent(connection, data + written, size - written);
    }
    return 0;
}

int connection_answers_write(struct connection *connection)
{
    size_t written;
    if (write_some(connection->fd, connection->unsent, connection->unsent_size, &written) < 0) {
        connection_answers_drop(connection);
    } else if (written == connection->unsent_size) {
        forget_unsent(connection);
    } else if (written > 0) {
        connection->unsent_size -= written;
        memmove(connection->unsent, connection->unsent + written, connection->unsent_size);
        connection_memory_give(connection->receive, written);
        wait_for_reader(connection);
    }
    return connection_answers_pull(connection);
}
