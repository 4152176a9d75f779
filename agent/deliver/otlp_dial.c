// The exporter's connections: dialled, retired for a GOAWAY or new certificates, given up.
#include "base/error.h"
#include "base/file_watch.h"
#include "base/own_log.h"
#include "deliver/otlp_connection.h"
#include "deliver/otlp_exporter.h"
#include "deliver/otlp_tls.h"

#include <stddef.h>
#include <stdio.h>

#define CONNECT_TIMEOUT_MAX_NS (10 * NS_PER_S)
// A collector may end any connection before it answers; so many in a row are trouble.
#define TURNED_AWAY_MAX 3

static const char *endpoint_text(const struct otlp_exporter *exporter)
{
    return exporter->endpoint.local ? exporter->endpoint.path : exporter->endpoint.authority;
}

void otlp_complain(struct otlp_exporter *exporter, struct otlp_complaint *complaint,
                   const char *event, const char *what, struct slice said)
{
    if (!otlp_complaint_due(complaint, exporter->config.clock))
        return;
    int size = said.size < 512 ? (int)said.size : 512;
    struct log_field fields[] = {{"exporter", exporter->base.name, 0},
                                 {"endpoint", endpoint_text(exporter), 0},
                                 {NULL, NULL, 0}};
    own_log_fields(OWN_WARN, event, fields, "%s%s%.*s", what, size > 0 ? ": " : "", size,
                   size > 0 ? said.data : "");
}

static void unreachable(struct otlp_exporter *exporter, const char *why)
{
    otlp_complain(exporter, &exporter->complaint_connect, "otlp_unreachable",
                  "no connection to the collector; what is held is kept and sent when it is back",
                  slice_from(why));
}

static void connect_later(struct otlp_exporter *exporter)
{
    exporter->failures++;
    exporter->not_before_ns = clock_monotonic(exporter->config.clock) +
                              otlp_backoff(&exporter->jitter, exporter->failures);
}

void otlp_dial_answered(struct otlp_exporter *exporter)
{
    exporter->answered = true;
    exporter->failures = 0;
}

// Lets the current connection go on until its last answer.
static void retire(struct otlp_exporter *exporter)
{
    struct otlp_connection *connection = exporter->current;
    exporter->current = NULL;
    for (size_t i = 0; i < OTLP_CONNECTIONS_MAX; i++)
        if (!exporter->retiring[i]) {
            exporter->retiring[i] = connection;
            return;
        }
    // Too many that wait for their last answers: the oldest of them has waited long enough.
    otlp_connection_close(exporter->retiring[0], "too many connections wait for answers");
    exporter->current = connection;
}

void otlp_dial_retire(struct otlp_exporter *exporter)
{
    // A collector that turns each connection away at once must not be dialled in circles.
    if (!exporter->answered) {
        connect_later(exporter);
        if (exporter->failures >= TURNED_AWAY_MAX) {
            exporter->base.book->failures++;
            unreachable(exporter, "it ends each connection (GOAWAY) before it answers a request");
        }
    }
    retire(exporter);
}

static void connection_opened(void *ctx, struct otlp_connection *connection)
{
    struct otlp_exporter *exporter = ctx;
    (void)connection;
    own_log_fields(OWN_DEBUG, "otlp_connected",
                   (struct log_field[]){{"exporter", exporter->base.name, 0},
                                        {"endpoint", endpoint_text(exporter), 0},
                                        {NULL, NULL, 0}},
                   "connected to the collector");
    otlp_send_soon(exporter);
}

static void connection_going_away(void *ctx, struct otlp_connection *connection)
{
    struct otlp_exporter *exporter = ctx;
    if (connection == exporter->current)
        otlp_dial_retire(exporter);
    otlp_send_soon(exporter);
}

static void connection_closed(void *ctx, struct otlp_connection *connection, const char *why)
{
    struct otlp_exporter *exporter = ctx;
    for (size_t i = 0; i < OTLP_CONNECTIONS_MAX; i++)
        if (exporter->retiring[i] == connection)
            exporter->retiring[i] = NULL;
    if (connection == exporter->current) {
        exporter->current = NULL;
        if (!otlp_connection_was_open(connection))
            exporter->base.book->failures++;
        if (!exporter->answered)
            connect_later(exporter);
        if (why)
            unreachable(exporter, why);
    }
    otlp_send_soon(exporter);
}

static void reconnect_due(struct loop_timer *timer)
{
    otlp_send_soon((struct otlp_exporter *)(void *)((char *)timer -
                                                    offsetof(struct otlp_exporter, reconnect)));
}

void otlp_dial(struct otlp_exporter *exporter)
{
    uint64_t now = clock_monotonic(exporter->config.clock);
    if (exporter->reconnect.armed)
        return;
    if (now < exporter->not_before_ns) {
        loop_timer_start(exporter->config.loop, &exporter->reconnect,
                         exporter->not_before_ns - now);
        return;
    }
    uint64_t timeout = exporter->config.timeout_ns < CONNECT_TIMEOUT_MAX_NS
                           ? exporter->config.timeout_ns
                           : CONNECT_TIMEOUT_MAX_NS;
    struct otlp_connection_config config = {
        .loop = exporter->config.loop,
        .endpoint = &exporter->endpoint,
        .client = &exporter->client,
        .tls = exporter->tls,
        .connect_timeout_ns = timeout,
        .events = {connection_opened, connection_going_away, connection_closed, exporter},
    };
    exporter->answered = false;
    if (otlp_connection_new(&exporter->current, &config) < 0) {
        connect_later(exporter);
        otlp_send_soon(exporter);
    }
}

// Dials with the new files at once: what failed with the old ones counts no more.
static void dial_afresh(struct otlp_exporter *exporter)
{
    struct otlp_connection *connection = exporter->current;
    exporter->failures = 0;
    exporter->not_before_ns = 0;
    loop_timer_stop(&exporter->reconnect);
    if (connection) {
        retire(exporter);
        otlp_connection_retire(connection);
    }
    otlp_send_soon(exporter);
}

static void certificates_changed(void *ctx)
{
    struct otlp_exporter *exporter = ctx;
    struct log_field fields[] = {{"exporter", exporter->base.name, 0}, {NULL, NULL, 0}};
    char error[OTLP_TLS_ERROR_SIZE];
    if (otlp_tls_context_reload(exporter->tls, error, sizeof error) < 0) {
        own_log_fields(OWN_WARN, "otlp_certificates_refused", fields,
                       "exporters.%s.%s; what was read before stays in use", exporter->base.name,
                       error);
        return;
    }
    own_log_fields(OWN_INFO, "otlp_certificates_changed", fields,
                   "the TLS files have changed: new connections use them");
    dial_afresh(exporter);
}

int otlp_dial_init(struct otlp_exporter *exporter, const struct otlp_tls *tls)
{
    char error[OTLP_TLS_ERROR_SIZE];
    exporter->reconnect.expired = reconnect_due;
    if (!exporter->endpoint.tls)
        return 0;
    int r = otlp_tls_context_new(&exporter->tls, tls, exporter->endpoint.host, error, sizeof error);
    if (r < 0) {
        own_log(OWN_ERROR, "otlp_tls_failed", "exporters.%s.%s", exporter->base.name, error);
        return r;
    }
    const char *paths[3];
    otlp_tls_context_paths(exporter->tls, paths);
    if (!*paths[0] && !*paths[1])
        return 0; // nothing of ours to watch
    if (file_watch_new(&exporter->certificates, exporter->config.loop, paths, 3,
                       certificates_changed, exporter) < 0)
        own_log(OWN_WARN, "otlp_certificates_unwatched",
                "exporters.%s: changes of the TLS files will not be seen; restart the agent after "
                "them",
                exporter->base.name);
    return 0;
}

void otlp_dial_stop(struct otlp_exporter *exporter)
{
    loop_timer_stop(&exporter->reconnect);
    otlp_connection_free(exporter->current);
    exporter->current = NULL;
    for (size_t i = 0; i < OTLP_CONNECTIONS_MAX; i++) {
        otlp_connection_free(exporter->retiring[i]);
        exporter->retiring[i] = NULL;
    }
}

void otlp_dial_deinit(struct otlp_exporter *exporter)
{
    file_watch_free(exporter->certificates);
    exporter->certificates = NULL;
    otlp_tls_context_free(exporter->tls);
    exporter->tls = NULL;
}
