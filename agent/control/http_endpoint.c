// A small HTTP/1.1 server for the agent's own pages: its socket and its connections.
//
// libevent's evhttp cannot bound how many connections it holds, so this is a reader of one request
// head, a table of pages and a writer. A connection lives for one answer, and for ten seconds at
// most, unless it is a stream.
#include "control/http_endpoint.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/listen_address.h"
#include "control/http_connection.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)

// --- connections ---

static void endpoint_watch(struct http_endpoint *endpoint)
{
    bool room = endpoint->count < HTTP_CONNECTIONS_MAX;
    loop_io_start(endpoint->config.loop, &endpoint->io, endpoint->fd, room ? LOOP_READ : 0);
}

void http_connection_close(struct http_connection *connection)
{
    struct http_endpoint *endpoint = connection->endpoint;
    loop_io_stop(&connection->io);
    loop_timer_stop(&connection->deadline);
    http_tail_free(connection);
    close(connection->fd);
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    free(connection->answer);
    free(connection);
    endpoint->count--;
    endpoint_watch(endpoint);
}

void http_connection_watch(struct http_connection *connection, unsigned events)
{
    if (loop_io_start(connection->endpoint->config.loop, &connection->io, connection->fd, events) <
        0)
        http_connection_close(connection);
}

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {413, "Content Too Large"},
        {431, "Request Header Fields Too Large"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Internal Server Error";
}

void http_connection_answer(struct http_connection *connection, struct http_answer *answer,
                            bool head_only)
{
    char head[512];
    if (answer->status == 0) {
        free(answer->body);
        http_text_page(answer, 500, "out of memory\n");
    }
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
                        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                        "Connection: close\r\n\r\n",
                        answer->status, reason_of(answer->status), answer->type, answer->size,
                        answer->status == 405 ? "Allow: GET, HEAD\r\n" : "");
    size_t body = head_only || !answer->body ? 0 : answer->size;
    connection->answer = malloc((size_t)size + body);
    if (connection->answer) {
        memcpy(connection->answer, head, (size_t)size);
        if (body)
            memcpy(connection->answer + size, answer->body, body);
        connection->answer_size = (size_t)size + body;
    }
    free(answer->body);
    if (connection->answer)
        http_connection_watch(connection, LOOP_WRITE);
    else
        http_connection_close(connection);
}

static void deadline_passed(struct loop_timer *timer)
{
    http_connection_close(CONTAINER(timer, struct http_connection, deadline));
}

void http_refuse(struct http_connection *connection, int status, const char *text)
{
    struct http_answer answer = {0};
    http_text_page(&answer, status, text);
    http_connection_answer(connection, &answer, false);
}

static bool would_block(ssize_t got)
{
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static void read_head(struct http_connection *connection)
{
    size_t room = sizeof connection->head - 1 - connection->received;
    ssize_t got = recv(connection->fd, connection->head + connection->received, room, 0);
    if (would_block(got))
        return;
    if (got <= 0) {
        http_connection_close(connection);
        return;
    }
    connection->received += (size_t)got;
    connection->head[connection->received] = '\0';
    if (memchr(connection->head, '\0', connection->received)) {
        http_refuse(connection, 400, "not an HTTP request\n");
        return;
    }
    char *end = strstr(connection->head, "\r\n\r\n");
    if (end) {
        end[2] = '\0';
        http_request_read(connection);
    } else if (connection->received == sizeof connection->head - 1) {
        http_refuse(connection, 431, "the request's head is larger than 8 KiB\n");
    }
}

static void write_answer(struct http_connection *connection)
{
    ssize_t sent = send(connection->fd, connection->answer + connection->sent,
                        connection->answer_size - connection->sent, MSG_NOSIGNAL);
    if (would_block(sent))
        return;
    if (sent < 0) {
        http_connection_close(connection);
        return;
    }
    connection->sent += (size_t)sent;
    if (connection->sent < connection->answer_size)
        return;
    // Closing while unread bytes wait would reset the connection, and the peer lose the answer.
    connection->done = true;
    shutdown(connection->fd, SHUT_WR);
    http_connection_watch(connection, LOOP_READ);
}

static void read_end(struct http_connection *connection)
{
    ssize_t got = recv(connection->fd, connection->head, sizeof connection->head, 0);
    if (!would_block(got) && got <= 0)
        http_connection_close(connection);
}

static void connection_ready(struct loop_io *io, unsigned events)
{
    struct http_connection *connection = CONTAINER(io, struct http_connection, io);
    if (connection->tail)
        http_tail_ready(connection, events);
    else if (connection->done)
        read_end(connection);
    else if (connection->answer)
        write_answer(connection);
    else
        read_head(connection);
}

static void pause_over(struct loop_timer *timer)
{
    endpoint_watch(CONTAINER(timer, struct http_endpoint, pause));
}

// Out of descriptors or memory: the peer stays in the backlog, and the loop must not turn for it.
static void endpoint_pause(struct http_endpoint *endpoint)
{
    if (loop_timer_start(endpoint->config.loop, &endpoint->pause, ACCEPT_PAUSE_NS) == 0)
        loop_io_stop(&endpoint->io);
}

static void endpoint_ready(struct loop_io *io, unsigned events)
{
    (void)events;
    struct http_endpoint *endpoint = CONTAINER(io, struct http_endpoint, io);
    int fd = accept4(endpoint->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            endpoint_pause(endpoint);
        return;
    }
    struct http_connection *connection = calloc(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return;
    }
    connection->endpoint = endpoint;
    connection->fd = fd;
    connection->io.ready = connection_ready;
    connection->deadline.expired = deadline_passed;
    connection->link = &endpoint->connections;
    connection->next = endpoint->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    endpoint->connections = connection;
    endpoint->count++;
    endpoint_watch(endpoint);
    if (loop_timer_start(endpoint->config.loop, &connection->deadline,
                         HTTP_DEADLINE_MS * NS_PER_MS) < 0)
        http_connection_close(connection);
    else
        http_connection_watch(connection, LOOP_READ);
}

// --- the endpoint ---

static int listen_on(struct http_endpoint *endpoint, const char *text)
{
    struct listen_address address;
    int on = 1;
    int r = listen_address_parse(&address, text);
    if (r < 0)
        return r;
    endpoint->fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (endpoint->fd < 0)
        return error_from_errno();
    setsockopt(endpoint->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(endpoint->fd, (struct sockaddr *)&address.storage, address.size) < 0 ||
        listen(endpoint->fd, HTTP_CONNECTIONS_MAX) < 0)
        return error_from_errno();
    return listen_address_of(endpoint->fd, endpoint->address, sizeof endpoint->address);
}

int http_endpoint_new(struct http_endpoint **out, const struct http_endpoint_config *config)
{
    struct http_endpoint *endpoint = calloc(1, sizeof *endpoint);
    if (!endpoint)
        return -ENOMEM;
    endpoint->config = *config;
    endpoint->config.listen = NULL; // borrowed for this call only
    endpoint->started_ns = clock_realtime(clock_system());
    endpoint->fd = -1;
    endpoint->io.ready = endpoint_ready;
    endpoint->pause.expired = pause_over;
    int r = listen_on(endpoint, config->listen);
    if (r == 0)
        r = loop_io_start(config->loop, &endpoint->io, endpoint->fd, LOOP_READ);
    if (r < 0) {
        http_endpoint_free(endpoint);
        return r;
    }
    *out = endpoint;
    return 0;
}

void http_endpoint_free(struct http_endpoint *endpoint)
{
    if (!endpoint)
        return;
    struct http_connection *next;
    for (struct http_connection *connection = endpoint->connections; connection;
         connection = next) {
        next = connection->next;
        http_connection_close(connection);
    }
    loop_io_stop(&endpoint->io);
    loop_timer_stop(&endpoint->pause);
    if (endpoint->fd >= 0)
        close(endpoint->fd);
    free(endpoint);
}

const char *http_endpoint_address(const struct http_endpoint *endpoint)
{
    return endpoint->address;
}
