// A collector's connection: non-blocking connect and TLS handshake with a timeout, bounded reads
// and writes a turn.
#include "deliver/otlp_connection.h"

#include "base/error.h"
#include "base/loop.h"
#include "deliver/otlp_endpoint.h"
#include "deliver/otlp_resolve.h"
#include "deliver/otlp_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE OTLP_TRANSPORT_RECORD
#define READS_PER_TURN 4
#define READS_OF_THE_REST 64
#define WRITE_PER_TURN (1u << 20)

struct otlp_connection {
    struct otlp_connection_config config;
    struct loop_io io;
    struct loop_timer connect_timer;
    struct loop_deferred ending;
    struct otlp_resolve *resolve;
    struct otlp_address addresses[OTLP_ADDRESSES_MAX];
    size_t address_count, address_next;
    struct otlp_transport transport;
    struct grpc_client *client; // once connected
    int fd;                     // -1: none
    bool shaking;               // hands, for TLS
    bool connected;
    bool open; // the peer's SETTINGS have come
    bool was_open;
    bool closing;
    bool going; // a GOAWAY has come, or the owner retires it
    const char *why;
    char tls_failed[256];   // what the last address' handshake failed of
    const uint8_t *pending; // output that the kernel did not take; the client's memory
    size_t pending_size;
    uint64_t received;
};

#define CONNECTION_OF(member_pointer, member)                                                      \
    ((struct otlp_connection *)(void *)((char *)(member_pointer)-offsetof(struct otlp_connection,  \
                                                                          member)))

static void address_try(struct otlp_connection *connection);

static void fd_close(struct otlp_connection *connection)
{
    loop_io_stop(&connection->io);
    otlp_transport_close(&connection->transport);
    connection->shaking = false;
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

void otlp_connection_close(struct otlp_connection *connection, const char *why)
{
    if (connection->closing)
        return;
    connection->closing = true;
    connection->connected = false;
    connection->open = false;
    connection->why = why;
    loop_timer_stop(&connection->connect_timer);
    otlp_resolve_cancel(connection->resolve);
    connection->resolve = NULL;
    fd_close(connection);
    // Later, because this may run below a callback of the client that is to be freed.
    loop_defer(connection->config.loop, &connection->ending);
}

static void ending_run(struct loop_deferred *deferred)
{
    struct otlp_connection *connection = CONNECTION_OF(deferred, ending);
    struct otlp_connection_events *events = &connection->config.events;
    if (connection->client)
        grpc_client_lost(connection->client);
    events->closed(events->ctx, connection, connection->why);
    otlp_connection_free(connection);
}

static void watch(struct otlp_connection *connection, unsigned events)
{
    if (loop_io_start(connection->config.loop, &connection->io, connection->fd, events) < 0)
        otlp_connection_close(connection, "cannot watch the socket");
}

// The peer may have answered, or said in TLS what it dislikes, before it closed; a write fails
// before that is read. Keeps the reason that came last.
static void read_rest(struct otlp_connection *connection)
{
    uint8_t buffer[READ_SIZE];
    ssize_t n;
    for (int i = 0; i < READS_OF_THE_REST; i++) {
        n = otlp_transport_read(&connection->transport, buffer, sizeof buffer);
        if (n <= 0 || grpc_client_feed(connection->client, buffer, (size_t)n) < 0)
            return;
    }
}

// The end that is nobody's fault where it was announced.
static void connection_over(struct otlp_connection *connection, const char *why)
{
    otlp_connection_close(connection, connection->going ? NULL : why);
}

void otlp_connection_flush(struct otlp_connection *connection)
{
    size_t budget = WRITE_PER_TURN;
    if (!connection->connected)
        return;
    while (budget > 0) {
        if (connection->pending_size == 0)
            connection->pending_size = grpc_client_output(connection->client, &connection->pending);
        if (connection->pending_size == 0)
            break;
        ssize_t n = otlp_transport_write(&connection->transport, connection->pending,
                                         connection->pending_size);
        if (n == -EAGAIN)
            break;
        if (n < 0) {
            read_rest(connection);
            connection_over(connection, connection->transport.why);
            return;
        }
        connection->pending += n;
        connection->pending_size -= (size_t)n;
        budget -= (size_t)n < budget ? (size_t)n : budget;
    }
    if (connection->pending_size == 0 && grpc_client_finished(connection->client)) {
        connection_over(connection, "the session has failed");
        return;
    }
    bool more = connection->pending_size > 0 || budget == 0;
    watch(connection, otlp_transport_events(&connection->transport, more));
}

static void read_turn(struct otlp_connection *connection)
{
    uint8_t buffer[READ_SIZE];
    for (int i = 0; i < READS_PER_TURN && connection->connected; i++) {
        ssize_t n = otlp_transport_read(&connection->transport, buffer, sizeof buffer);
        if (n == -EAGAIN)
            return;
        if (n <= 0) {
            connection_over(connection,
                            n < 0 ? connection->transport.why : "the collector closed it");
            return;
        }
        connection->received += (uint64_t)n;
        if (grpc_client_feed(connection->client, buffer, (size_t)n) < 0) {
            otlp_connection_flush(connection); // our GOAWAY tells the peer why
            otlp_connection_close(connection, "the collector does not speak HTTP/2");
            return;
        }
        if ((size_t)n < sizeof buffer)
            return;
    }
}

static void client_going_away(void *ctx)
{
    struct otlp_connection *connection = ctx;
    connection->going = true;
}

static void connected_ready(struct otlp_connection *connection, unsigned events)
{
    struct otlp_connection_events *owner = &connection->config.events;
    bool was_going = connection->going;
    if (events & LOOP_READ || connection->transport.read_waits_for_write)
        read_turn(connection);
    // Told here, outside the client's callbacks, so that the owner may do as it likes.
    if (connection->connected && !connection->open && grpc_client_ready(connection->client)) {
        loop_timer_stop(&connection->connect_timer);
        connection->open = true;
        connection->was_open = true;
        owner->opened(owner->ctx, connection);
    }
    if (connection->going && !was_going && connection->connected)
        owner->going_away(owner->ctx, connection);
    otlp_connection_flush(connection);
}

static void connected(struct otlp_connection *connection)
{
    struct grpc_client_config config = *connection->config.client;
    config.events.going_away = client_going_away;
    config.events.ctx = connection;
    if (grpc_client_new(&connection->client, &config) < 0) {
        otlp_connection_close(connection, "out of memory");
        return;
    }
    connection->connected = true;
    otlp_connection_flush(connection);
}

static void handshake(struct otlp_connection *connection)
{
    struct otlp_transport *transport = &connection->transport;
    int r = otlp_transport_handshake(transport);
    if (r == 0) {
        connection->shaking = false;
        connected(connection);
    } else if (r == -EAGAIN) {
        watch(connection, otlp_transport_events(transport, false));
    } else {
        memcpy(connection->tls_failed, transport->why, sizeof transport->why);
        fd_close(connection);
        address_try(connection); // of several collectors, one may have the wrong certificate
    }
}

static void connect_ready(struct otlp_connection *connection)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0) {
        fd_close(connection);
        address_try(connection);
        return;
    }
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); // no matter on AF_UNIX
    if (otlp_transport_open(&connection->transport, connection->fd, connection->config.tls) < 0) {
        otlp_connection_close(connection, "out of memory");
        return;
    }
    connection->shaking = true;
    handshake(connection);
}

static void io_ready(struct loop_io *io, unsigned events)
{
    struct otlp_connection *connection = CONNECTION_OF(io, io);
    if (connection->connected)
        connected_ready(connection, events);
    else if (connection->shaking)
        handshake(connection);
    else
        connect_ready(connection);
}

// Connects to the next address that takes it.
static void address_try(struct otlp_connection *connection)
{
    while (connection->address_next < connection->address_count) {
        const struct otlp_address *address = &connection->addresses[connection->address_next++];
        connection->fd =
            socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connection->fd < 0)
            continue;
        int r = connect(connection->fd, (const struct sockaddr *)&address->storage, address->size);
        if (r == 0 || errno == EINPROGRESS) {
            watch(connection, LOOP_WRITE); // writable at once where connect was immediate
            return;
        }
        fd_close(connection);
    }
    otlp_connection_close(connection, connection->tls_failed[0] ? connection->tls_failed
                                                                : "the connection was refused");
}

static void resolved(void *ctx, const struct otlp_address *addresses, size_t count, const char *why)
{
    struct otlp_connection *connection = ctx;
    connection->resolve = NULL;
    if (count == 0) {
        otlp_connection_close(connection, why);
        return;
    }
    memcpy(connection->addresses, addresses, count * sizeof *addresses);
    connection->address_count = count;
    address_try(connection);
}

static void connect_expired(struct loop_timer *timer)
{
    struct otlp_connection *connection = CONNECTION_OF(timer, connect_timer);
    otlp_connection_close(connection, connection->shaking
                                          ? "the TLS handshake took too long; does the collector "
                                            "speak TLS there?"
                                          : "connecting took too long");
}

int otlp_connection_new(struct otlp_connection **out, const struct otlp_connection_config *config)
{
    struct otlp_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return -ENOMEM;
    connection->config = *config;
    connection->fd = -1;
    connection->transport.fd = -1;
    connection->io.ready = io_ready;
    connection->connect_timer.expired = connect_expired;
    connection->ending.run = ending_run;
    int r = otlp_resolve_start(&connection->resolve, config->loop, config->endpoint, resolved,
                               connection);
    if (r == 0)
        r = loop_timer_start(config->loop, &connection->connect_timer, config->connect_timeout_ns);
    if (r < 0) {
        otlp_connection_free(connection);
        return r;
    }
    *out = connection;
    return 0;
}

void otlp_connection_free(struct otlp_connection *connection)
{
    if (!connection)
        return;
    loop_timer_stop(&connection->connect_timer);
    loop_deferred_stop(&connection->ending);
    otlp_resolve_cancel(connection->resolve);
    fd_close(connection);
    grpc_client_free(connection->client);
    free(connection);
}

int otlp_connection_call(struct otlp_connection *connection, struct grpc_client_call **out,
                         const struct grpc_request *request, void *call_ctx)
{
    if (!connection->open)
        return GRPC_CLIENT_CLOSED;
    return grpc_client_call(connection->client, out, request, call_ctx);
}

void otlp_connection_retire(struct otlp_connection *connection)
{
    connection->going = true;
    if (!connection->connected) {
        otlp_connection_close(connection, NULL);
        return;
    }
    grpc_client_retire(connection->client);
    otlp_connection_flush(connection);
}

bool otlp_connection_is_open(const struct otlp_connection *connection)
{
    return connection->open;
}

bool otlp_connection_was_open(const struct otlp_connection *connection)
{
    return connection->was_open;
}

uint64_t otlp_connection_received(const struct otlp_connection *connection)
{
    return connection->received;
}
