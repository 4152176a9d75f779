// Accepts gRPC connections and hands the spans of each Export to the reader.
#include "dev/dev_otlp.h"

#include "base/error.h"
#include "base/loop.h"
#include "grpc/grpc_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_MAX (16u << 20)
#define CONNECTIONS_MAX 16
#define READ_BYTES 65536

struct connection {
    struct dev_otlp *otlp;
    struct connection *next, **link;
    struct loop_io io;
    struct grpc_server *server;
    const uint8_t *unsent; // into the server's output, which is not asked on while there is some
    size_t unsent_size;
    int fd;
};

struct dev_otlp {
    struct loop *loop;
    struct dev_otlp_reader reader;
    struct loop_io listener;
    struct connection *connections;
    unsigned count;
    int fd;
    char url[48];
};

static void on_call(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    struct dev_otlp *otlp = ctx;
    struct grpc_status status = {.code = GRPC_OK};
    struct slice name = slice_from(path);
    struct slice traces = SLICE("/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    struct slice logs = SLICE("/opentelemetry.proto.collector.logs.v1.LogsService/Export");
    struct slice metrics = SLICE("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export");
    if (slice_equal(name, traces)) {
        if (otlp->reader.spans(otlp->reader.ctx, message) < 0)
            status = (struct grpc_status){GRPC_INVALID_ARGUMENT, "not an Export request", 0};
    } else if (!slice_equal(name, logs) && !slice_equal(name, metrics)) {
        status = (struct grpc_status){GRPC_UNIMPLEMENTED, "no such method", 0};
    }
    grpc_call_reply(call, &status, (struct slice){0});
}

static void connection_free(struct connection *connection)
{
    loop_io_stop(&connection->io);
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    connection->otlp->count--;
    grpc_server_free(connection->server);
    close(connection->fd);
    free(connection);
}

// Writes what there is. 0, or -errno: close.
static int write_out(struct connection *connection)
{
    for (;;) {
        if (connection->unsent_size == 0)
            connection->unsent_size = grpc_server_output(connection->server, &connection->unsent);
        if (connection->unsent_size == 0)
            return grpc_server_finished(connection->server) ? -EPIPE : 0;
        ssize_t n = send(connection->fd, connection->unsent, connection->unsent_size, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : error_from_errno();
        connection->unsent += n;
        connection->unsent_size -= (size_t)n;
    }
}

// 0, or -errno: close.
static int read_in(struct connection *connection)
{
    uint8_t bytes[READ_BYTES];
    ssize_t n = recv(connection->fd, bytes, sizeof bytes, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : error_from_errno();
    if (n == 0)
        return -EPIPE;
    return grpc_server_feed(connection->server, bytes, (size_t)n);
}

static void on_ready(struct loop_io *io, unsigned events)
{
    struct connection *connection =
        (struct connection *)((char *)io - offsetof(struct connection, io));
    int r = 0;
    if (events & LOOP_READ)
        r = read_in(connection);
    int written = write_out(connection); // after -EPROTO too: the peer is told why
    if (r == 0)
        r = written;
    // While output is stuck nothing is read: the server's next output would overwrite it.
    if (r == 0)
        r = loop_io_start(connection->otlp->loop, io, connection->fd,
                          connection->unsent_size ? LOOP_WRITE : LOOP_READ);
    if (r < 0)
        connection_free(connection);
}

static void on_accept(struct loop_io *io, unsigned events)
{
    (void)events;
    struct dev_otlp *otlp = (struct dev_otlp *)((char *)io - offsetof(struct dev_otlp, listener));
    int fd = accept4(otlp->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct connection *connection =
        otlp->count < CONNECTIONS_MAX ? calloc(1, sizeof *connection) : NULL;
    struct grpc_service service = {.call = on_call, .ctx = otlp, .max_message = MESSAGE_MAX};
    if (!connection || grpc_server_new(&connection->server, &service) < 0) {
        free(connection);
        close(fd);
        return;
    }
    connection->otlp = otlp;
    connection->fd = fd;
    connection->io.ready = on_ready;
    connection->link = &otlp->connections;
    connection->next = otlp->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    otlp->connections = connection;
    otlp->count++;
    on_ready(&connection->io, 0); // SETTINGS go first
}

static int listen_on_loopback(struct dev_otlp *otlp)
{
    otlp->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (otlp->fd < 0 || bind(otlp->fd, (struct sockaddr *)&address, size) < 0 ||
        listen(otlp->fd, CONNECTIONS_MAX) < 0 ||
        getsockname(otlp->fd, (struct sockaddr *)&address, &size) < 0)
        return error_from_errno();
    snprintf(otlp->url, sizeof otlp->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    return loop_io_start(otlp->loop, &otlp->listener, otlp->fd, LOOP_READ);
}

int dev_otlp_new(struct dev_otlp **out, struct loop *loop, struct dev_otlp_reader reader)
{
    struct dev_otlp *otlp = calloc(1, sizeof *otlp);
    if (!otlp)
        return -ENOMEM;
    otlp->loop = loop;
    otlp->reader = reader;
    otlp->listener.ready = on_accept;
    int r = listen_on_loopback(otlp);
    if (r < 0) {
        dev_otlp_free(otlp);
        return r;
    }
    *out = otlp;
    return 0;
}

const char *dev_otlp_url(const struct dev_otlp *otlp)
{
    return otlp->url;
}

void dev_otlp_free(struct dev_otlp *otlp)
{
    if (!otlp)
        return;
    struct connection *next;
    for (struct connection *connection = otlp->connections; connection; connection = next) {
        next = connection->next;
        connection_free(connection);
    }
    loop_io_stop(&otlp->listener);
    if (otlp->fd >= 0)
        close(otlp->fd);
    free(otlp);
}
