// A small HTTP/1.1 server for the agent's own pages.
//
// libevent's evhttp cannot bound how many connections it holds, so this is a reader of one request
// head, a table of pages and a writer. A connection lives for one answer, and for ten seconds at
// most.
#include "control/http_endpoint.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/listen_address.h"
#include "base/loop.h"
#include "base/metrics.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)

#define CONTAINER(pointer, type, member)                                                           \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct http_connection {
    struct http_endpoint *endpoint;
    struct http_connection *next, **link;
    struct loop_io io;
    struct loop_timer deadline;
    int fd;
    size_t received;
    char *answer; // head and body; NULL while the request is read
    size_t answer_size, sent;
    bool done; // all is sent; waiting for the peer's end
    char head[HTTP_HEAD_MAX];
};

struct http_endpoint {
    struct http_endpoint_config config;
    uint64_t started_ns;
    int fd;
    struct loop_io io;
    struct loop_timer pause; // while the process is out of descriptors
    struct http_connection *connections;
    unsigned count;
    char address[80];
};

struct http_answer {
    int status;
    const char *type;
    char *body;
    size_t size;
};

// --- pages ---

static void text_page(struct http_answer *answer, int status, const char *text)
{
    answer->status = status;
    answer->type = "text/plain; charset=utf-8";
    answer->body = strdup(text);
    answer->size = answer->body ? strlen(text) : 0;
}

typedef void page_fn(const struct http_endpoint *endpoint, struct http_answer *answer);

static void healthz(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    (void)endpoint; // that the loop got here is the answer
    text_page(answer, 200, "ok\n");
}

static void readyz(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    if (endpoint->config.ready(endpoint->config.ctx))
        text_page(answer, 200, "ready\n");
    else
        text_page(answer, 503, "not ready: the doors are not open\n");
}

static void metrics_page(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    struct metrics_source source = {endpoint->config.books, endpoint->started_ns};
    FILE *out = open_memstream(&answer->body, &answer->size);
    if (!out)
        return;
    metrics_write(out, &source);
    if (fclose(out) == 0)
        answer->status = 200;
    answer->type = METRICS_CONTENT_TYPE;
}

static void books_page(const struct http_endpoint *endpoint, struct http_answer *answer)
{
    FILE *out = open_memstream(&answer->body, &answer->size);
    if (!out)
        return;
    metrics_write_books(out, endpoint->config.books);
    if (fclose(out) == 0)
        answer->status = 200;
    answer->type = "application/json";
}

static const struct {
    const char *path;
    page_fn *page;
} pages[] = {
    {"/metrics", metrics_page},
    {"/healthz", healthz},
    {"/readyz", readyz},
    {"/books", books_page},
};

// --- the answer ---

static const char *reason_of(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
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

static void connection_close(struct http_connection *connection);
static void connection_watch(struct http_connection *connection, unsigned events);

static void send_answer(struct http_connection *connection, struct http_answer *answer,
                        bool head_only)
{
    char head[512];
    if (answer->status == 0) {
        free(answer->body);
        text_page(answer, 500, "out of memory\n");
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
        connection_watch(connection, LOOP_WRITE);
    else
        connection_close(connection);
}

static void refuse(struct http_connection *connection, int status, const char *text)
{
    struct http_answer answer = {0};
    text_page(&answer, status, text);
    send_answer(connection, &answer, false);
}

// Whether the fields announce a body: none of the pages takes one.
static bool has_body(const char *fields)
{
    while (*fields) {
        if (strncasecmp(fields, "transfer-encoding:", 18) == 0)
            return true;
        if (strncasecmp(fields, "content-length:", 15) == 0) {
            const char *value = fields + 15;
            value += strspn(value, " \t");
            if (value[strspn(value, "0")] != '\r')
                return true;
        }
        fields = strstr(fields, "\r\n");
        if (!fields)
            return false;
        fields += 2;
    }
    return false;
}

static void route(struct http_connection *connection, const char *method, char *target)
{
    struct http_answer answer = {0};
    bool head_only = strcmp(method, "HEAD") == 0;
    target[strcspn(target, "?")] = '\0';
    if (!head_only && strcmp(method, "GET") != 0) {
        text_page(&answer, 405, "only GET and HEAD are answered here\n");
        send_answer(connection, &answer, false);
        return;
    }
    text_page(&answer, 404, "no such page; there are /metrics, /healthz, /readyz and /books\n");
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        if (strcmp(pages[i].path, target) != 0)
            continue;
        free(answer.body);
        answer = (struct http_answer){0};
        pages[i].page(connection->endpoint, &answer);
    }
    send_answer(connection, &answer, head_only);
}

// The head is whole and NUL-terminated: METHOD SP TARGET SP HTTP/1.x CRLF fields CRLF.
static void answer_request(struct http_connection *connection)
{
    char *line = connection->head;
    char *fields = strstr(line, "\r\n");
    char *target = strchr(line, ' ');
    char *version = target ? strchr(target + 1, ' ') : NULL;
    if (!fields || !version || version > fields || target == line || target[1] != '/') {
        refuse(connection, 400, "not an HTTP request\n");
        return;
    }
    *target++ = '\0';
    *version++ = '\0';
    if (strncmp(version, "HTTP/1.", 7) != 0)
        refuse(connection, 505, "only HTTP/1.x is spoken here\n");
    else if (has_body(fields + 2))
        refuse(connection, 413, "no body is taken here\n");
    else
        route(connection, line, target);
}

// --- connections ---

static void endpoint_watch(struct http_endpoint *endpoint)
{
    bool room = endpoint->count < HTTP_CONNECTIONS_MAX;
    loop_io_start(endpoint->config.loop, &endpoint->io, endpoint->fd, room ? LOOP_READ : 0);
}

static void connection_close(struct http_connection *connection)
{
    struct http_endpoint *endpoint = connection->endpoint;
    loop_io_stop(&connection->io);
    loop_timer_stop(&connection->deadline);
    close(connection->fd);
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    free(connection->answer);
    free(connection);
    endpoint->count--;
    endpoint_watch(endpoint);
}

static void connection_watch(struct http_connection *connection, unsigned events)
{
    if (loop_io_start(connection->endpoint->config.loop, &connection->io, connection->fd, events) <
        0)
        connection_close(connection);
}

static void deadline_passed(struct loop_timer *timer)
{
    connection_close(CONTAINER(timer, struct http_connection, deadline));
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
        connection_close(connection);
        return;
    }
    connection->received += (size_t)got;
    connection->head[connection->received] = '\0';
    if (memchr(connection->head, '\0', connection->received)) {
        refuse(connection, 400, "not an HTTP request\n");
        return;
    }
    char *end = strstr(connection->head, "\r\n\r\n");
    if (end) {
        end[2] = '\0';
        answer_request(connection);
    } else if (connection->received == sizeof connection->head - 1) {
        refuse(connection, 431, "the request's head is larger than 8 KiB\n");
    }
}

static void write_answer(struct http_connection *connection)
{
    ssize_t sent = send(connection->fd, connection->answer + connection->sent,
                        connection->answer_size - connection->sent, MSG_NOSIGNAL);
    if (would_block(sent))
        return;
    if (sent < 0) {
        connection_close(connection);
        return;
    }
    connection->sent += (size_t)sent;
    if (connection->sent < connection->answer_size)
        return;
    // Closing while unread bytes wait would reset the connection, and the peer lose the answer.
    connection->done = true;
    shutdown(connection->fd, SHUT_WR);
    connection_watch(connection, LOOP_READ);
}

static void read_end(struct http_connection *connection)
{
    ssize_t got = recv(connection->fd, connection->head, sizeof connection->head, 0);
    if (!would_block(got) && got <= 0)
        connection_close(connection);
}

static void connection_ready(struct loop_io *io, unsigned events)
{
    (void)events;
    struct http_connection *connection = CONTAINER(io, struct http_connection, io);
    if (connection->done)
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
        connection_close(connection);
    else
        connection_watch(connection, LOOP_READ);
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
        connection_close(connection);
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
