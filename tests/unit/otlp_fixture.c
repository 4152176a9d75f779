// A collector and a sink for the OTLP exporter's tests.
#include "otlp_fixture.h"

#include "base/error.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WATCHDOG_NS (50 * NS_PER_S)

#define OWNER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static void connection_end(struct collector_connection *connection)
{
    struct collector *collector = connection->collector;
    for (size_t i = 0; i < COLLECTOR_CONNECTIONS; i++)
        if (collector->connections[i] == connection)
            collector->connections[i] = NULL;
    loop_io_stop(&connection->io);
    loop_deferred_stop(&connection->flush);
    SSL_free(connection->ssl);
    close(connection->fd);
    grpc_server_free(connection->server);
    free(connection);
}

static ssize_t bytes_write(struct collector_connection *connection, const uint8_t *data,
                           size_t size)
{
    size_t n;
    if (!connection->ssl)
        return send(connection->fd, data, size, MSG_NOSIGNAL);
    return SSL_write_ex(connection->ssl, data, size, &n) == 1 ? (ssize_t)n : -1;
}

static ssize_t bytes_read(struct collector_connection *connection, uint8_t *out, size_t size)
{
    size_t n;
    if (!connection->ssl)
        return recv(connection->fd, out, size, MSG_DONTWAIT);
    int r = SSL_read_ex(connection->ssl, out, size, &n);
    if (r == 1)
        return (ssize_t)n;
    errno = SSL_get_error(connection->ssl, r) == SSL_ERROR_WANT_READ ? EAGAIN : EPROTO;
    return -1;
}

// Who the client says it is.
static void client_note(struct collector_connection *connection)
{
    struct collector *collector = connection->collector;
    X509 *certificate = SSL_get0_peer_certificate(connection->ssl);
    if (certificate)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                  collector->client, sizeof collector->client);
}

static void connection_flush(struct loop_deferred *deferred)
{
    struct collector_connection *connection = OWNER(deferred, struct collector_connection, flush);
    const uint8_t *data;
    size_t size;
    if (connection->ssl && !connection->hang_up && !SSL_is_init_finished(connection->ssl))
        return;
    while (!connection->hang_up && (size = grpc_server_output(connection->server, &data)) > 0)
        for (size_t at = 0; at < size;) {
            // Answers are small: the socket takes them.
            ssize_t n = bytes_write(connection, data + at, size - at);
            if (n <= 0) {
                connection->hang_up = true;
                break;
            }
            at += (size_t)n;
        }
    if (connection->hang_up || grpc_server_finished(connection->server))
        connection_end(connection);
}

static void connection_ready(struct loop_io *io, unsigned events)
{
    (void)events;
    struct collector_connection *connection = OWNER(io, struct collector_connection, io);
    uint8_t buffer[65536];
    ssize_t n = bytes_read(connection, buffer, sizeof buffer);
    if (n > 0 && connection->ssl)
        client_note(connection);
    if ((n < 0 && errno != EAGAIN) || n == 0 ||
        (n > 0 && grpc_server_feed(connection->server, buffer, (size_t)n) < 0))
        connection->hang_up = true;
    connection_flush(&connection->flush);
}

static enum signal_kind signal_of(const char *path)
{
    if (strstr(path, ".trace."))
        return SIGNAL_SPANS;
    return strstr(path, ".metrics.") ? SIGNAL_METRICS : SIGNAL_LOGS;
}

static void collector_call(void *ctx, struct grpc_call *call, const char *path,
                           struct slice message)
{
    struct collector_connection *connection = ctx;
    struct collector *collector = connection->collector;
    struct collector_step step = {0};
    if (collector->requests < collector->step_count)
        step = collector->steps[collector->requests];
    collector->requests++;
    if (message.size > collector->largest)
        collector->largest = message.size;
    if (step.move == COLLECTOR_SILENCE)
        return;
    if (step.move == COLLECTOR_HANG_UP) {
        connection->hang_up = true;
        return;
    }
    if (step.move == COLLECTOR_GOAWAY)
        grpc_server_shutdown(connection->server);
    if (collector->limit > 0 && message.size > collector->limit) {
        collector->too_large++;
        step.status = (struct grpc_status){GRPC_RESOURCE_EXHAUSTED,
                                           "grpc: received message larger than max (5 vs. 4)", 0};
    }
    if (step.status.code == GRPC_OK) {
        enum signal_kind signal = signal_of(path);
        size_t used = collector->taken_size[signal];
        collector->taken[signal] = realloc(collector->taken[signal], used + message.size + 1);
        assert_non_null(collector->taken[signal]);
        memcpy(collector->taken[signal] + used, message.data, message.size);
        collector->taken_size[signal] = used + message.size;
        collector->taken[signal][used + message.size] = '\0';
    }
    grpc_call_reply(call, &step.status, step.response);
    loop_defer(collector->loop, &connection->flush);
}

static void collector_accept(struct loop_io *io, unsigned events)
{
    (void)events;
    struct collector *collector = OWNER(io, struct collector, io);
    struct collector_connection *connection = calloc(1, sizeof *connection);
    connection->collector = collector;
    connection->fd =
        accept4(collector->fd, NULL, NULL, SOCK_CLOEXEC | (collector->tls ? SOCK_NONBLOCK : 0));
    assert_true(connection->fd >= 0);
    if (collector->tls) {
        connection->ssl = SSL_new(collector->tls);
        assert_non_null(connection->ssl);
        SSL_set_fd(connection->ssl, connection->fd);
        SSL_set_accept_state(connection->ssl);
    }
    struct grpc_service service = {
        .call = collector_call, .ctx = connection, .max_message = 4u << 20};
    assert_int_equal(grpc_server_new(&connection->server, &service), 0);
    connection->io.ready = connection_ready;
    connection->flush.run = connection_flush;
    collector->connections[collector->accepted++ % COLLECTOR_CONNECTIONS] = connection;
    loop_io_start(collector->loop, &connection->io, connection->fd, LOOP_READ);
    loop_defer(collector->loop, &connection->flush);
}

static void listen_on(struct collector *collector, const void *address, socklen_t size)
{
    collector->fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM, 0);
    assert_true(collector->fd >= 0);
    assert_int_equal(bind(collector->fd, address, size), 0);
    assert_int_equal(listen(collector->fd, 64), 0);
    collector->io.ready = collector_accept;
    loop_io_start(collector->loop, &collector->io, collector->fd, LOOP_READ);
}

void collector_listen(struct collector *collector)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, collector->path, sizeof collector->path);
    listen_on(collector, &address, sizeof address);
}

void collector_listen_tcp(struct collector *collector, const char *host)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    listen_on(collector, &address, size);
    assert_int_equal(getsockname(collector->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(collector->endpoint, sizeof collector->endpoint, "http://%s:%u", host,
             ntohs(address.sin_port));
}

void collector_listen_tls(struct collector *collector, const char *host)
{
    collector_listen_tcp(collector, host);
    char *scheme_end = collector->endpoint + strlen("http");
    memmove(scheme_end + 1, scheme_end, strlen(scheme_end) + 1);
    *scheme_end = 's';
}

static void bark(struct loop_timer *timer)
{
    struct fixture *fixture = OWNER(timer, struct fixture, watchdog);
    fail_msg("only %zu of %zu parcels were settled", fixture->settled, fixture->target);
}

void fixture_open(struct fixture *fixture)
{
    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(loop_new(&fixture->loop), 0);
    struct collector *collector = &fixture->collector;
    collector->loop = fixture->loop;
    collector->fd = -1;
    snprintf(collector->folder, sizeof collector->folder, "/tmp/sluice-otlp-XXXXXX");
    assert_non_null(mkdtemp(collector->folder));
    snprintf(collector->path, sizeof collector->path, "%s/s", collector->folder);
    snprintf(collector->endpoint, sizeof collector->endpoint, "unix://%s", collector->path);
    fixture->watchdog.expired = bark;
}

void fixture_close(struct fixture *fixture)
{
    struct collector *collector = &fixture->collector;
    if (fixture->exporter)
        fixture->exporter->ops->free(fixture->exporter);
    for (size_t i = 0; i < COLLECTOR_CONNECTIONS; i++)
        if (collector->connections[i])
            connection_end(collector->connections[i]);
    loop_io_stop(&collector->io);
    if (collector->fd >= 0)
        close(collector->fd);
    unlink(collector->path);
    rmdir(collector->folder);
    for (int signal = 0; signal < SIGNAL_COUNT; signal++)
        free(collector->taken[signal]);
    loop_timer_stop(&fixture->watchdog);
    loop_free(fixture->loop);
    for (size_t i = 0; i < fixture->offered; i++)
        assert_int_equal(fixture->verdicts[i], 1); // exactly once, whatever happened
}

static void sink_verdict(void *ctx, const struct verdict *verdicts, size_t n)
{
    struct fixture *fixture = ctx;
    fixture->room_calls += n == 0;
    for (size_t i = 0; i < n; i++) {
        size_t position = (size_t)verdicts[i].position;
        assert_true(position < fixture->offered);
        fixture->verdicts[position]++;
        fixture->kinds[position] = verdicts[i].kind;
        snprintf(fixture->reasons[position], sizeof fixture->reasons[0], "%s",
                 verdicts[i].reason ? verdicts[i].reason : "");
        fixture->refused += verdicts[i].refused;
        fixture->settled++;
    }
    if (fixture->offered < fixture->offer_limit)
        fixture_offer(fixture, fixture->offer_limit, SIGNAL_SPANS);
    if (fixture->settled >= fixture->target)
        loop_stop(fixture->loop);
}

void fixture_start(struct fixture *fixture, struct otlp_exporter_config config)
{
    config.name = "otlp";
    config.endpoint = fixture->collector.endpoint;
    config.loop = fixture->loop;
    if (!config.clock)
        config.clock = clock_system();
    config.book = books_add_exporter(&fixture->books, "otlp");
    assert_int_equal(otlp_exporter_new(&fixture->exporter, &config), 0);
    struct verdict_sink sink = {sink_verdict, fixture};
    assert_int_equal(fixture->exporter->ops->start(fixture->exporter, sink), 0);
}

void fixture_offer(struct fixture *fixture, size_t count, enum signal_kind signal)
{
    assert_true(count <= PARCELS_MAX);
    while (fixture->offered < count) {
        char *payload = fixture->payloads[fixture->offered];
        int size = snprintf(payload, sizeof fixture->payloads[0], "%zu;", fixture->offered);
        struct parcel parcel = {.position = fixture->offered,
                                .payload = slice_of(payload, (size_t)size),
                                .records = 1,
                                .signal = (uint8_t)signal};
        fixture->offered++; // a verdict could come from inside
        int r = fixture->exporter->ops->offer(fixture->exporter, &parcel);
        if (r == EXPORTER_FULL) {
            fixture->offered--;
            return;
        }
        assert_int_equal(r, 0);
    }
}

void fixture_run(struct fixture *fixture, size_t settled)
{
    fixture->target = settled;
    if (fixture->settled >= settled)
        return;
    loop_timer_start(fixture->loop, &fixture->watchdog, WATCHDOG_NS);
    assert_int_equal(loop_run(fixture->loop), 0);
    loop_timer_stop(&fixture->watchdog);
}

static void look(struct loop_timer *timer)
{
    struct fixture *fixture = OWNER(timer, struct fixture, poll);
    if (fixture->holds(fixture))
        loop_stop(fixture->loop);
    else
        loop_timer_start(fixture->loop, timer, NS_PER_MS);
}

void fixture_until(struct fixture *fixture, bool (*holds)(struct fixture *))
{
    fixture->holds = holds;
    fixture->poll.expired = look;
    fixture->target = SIZE_MAX;
    loop_timer_start(fixture->loop, &fixture->watchdog, WATCHDOG_NS);
    loop_timer_start(fixture->loop, &fixture->poll, NS_PER_MS);
    assert_int_equal(loop_run(fixture->loop), 0);
    loop_timer_stop(&fixture->watchdog);
}

void assert_all(struct fixture *fixture, size_t count, enum verdict_kind kind)
{
    assert_int_equal(fixture->settled, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(fixture->verdicts[i], 1);
        assert_int_equal(fixture->kinds[i], kind);
    }
}

size_t times_taken(struct fixture *fixture, size_t position, enum signal_kind signal)
{
    char needle[16];
    size_t times = 0;
    int size = snprintf(needle, sizeof needle, "%zu;", position);
    const char *text = fixture->collector.taken[signal];
    for (const char *at = text; at && (at = strstr(at, needle)); at += size)
        times += at == text || at[-1] == ';';
    return times;
}

size_t collector_open(const struct collector *collector)
{
    size_t open = 0;
    for (size_t i = 0; i < COLLECTOR_CONNECTIONS; i++)
        open += collector->connections[i] != NULL;
    return open;
}

struct exporter_book *fixture_book(struct fixture *fixture)
{
    return &fixture->books.exporters[0].book;
}
