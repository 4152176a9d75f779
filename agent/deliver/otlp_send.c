// The sending of batches: connections that come and go, requests in flight, back-off, answers.
//
// All sending happens in one deferred call (pump) at the end of a turn, so that no callback of the
// gRPC client, and no verdict, ever sends from inside another.
#include "base/error.h"
#include "base/own_log.h"
#include "deliver/otlp_answer.h"
#include "deliver/otlp_connection.h"
#include "deliver/otlp_exporter.h"

#include <stddef.h>

#define CONNECT_TIMEOUT_MAX_NS (10 * NS_PER_S)

void otlp_send_soon(struct otlp_exporter *exporter)
{
    if (!exporter->freeing)
        loop_defer(exporter->config.loop, &exporter->pump);
}

static void backoff_over(struct loop_timer *timer)
{
    struct otlp_batch *batch =
        (struct otlp_batch *)(void *)((char *)timer - offsetof(struct otlp_batch, timer));
    TAILQ_REMOVE(&batch->exporter->waiting, batch, link);
    TAILQ_INSERT_TAIL(&batch->exporter->ready, batch, link);
    otlp_send_soon(batch->exporter);
}

// A batch in no list waits delay_ns before it is ready again.
static void batch_wait(struct otlp_batch *batch, uint64_t delay_ns)
{
    struct otlp_exporter *exporter = batch->exporter;
    batch->timer.expired = backoff_over;
    if (loop_timer_start(exporter->config.loop, &batch->timer, delay_ns) < 0) {
        TAILQ_INSERT_TAIL(&exporter->ready, batch, link);
        otlp_send_soon(exporter);
        return;
    }
    TAILQ_INSERT_TAIL(&exporter->waiting, batch, link);
}

static void batch_failed(struct otlp_batch *batch, const struct grpc_answer *advice)
{
    struct otlp_exporter *exporter = batch->exporter;
    exporter->base.book->failures++;
    batch->failures++;
    batch->unprocessed = 0;
    uint64_t delay = otlp_backoff(&exporter->jitter, batch->failures);
    // The collector's word is the least to wait; a tenth more keeps a fleet from coming at once.
    if (advice && advice->retry && advice->retry_delay_ns > 0)
        delay = otlp_jitter_between(&exporter->jitter, advice->retry_delay_ns,
                                    advice->retry_delay_ns + advice->retry_delay_ns / 10);
    batch_wait(batch, delay);
}

// Takes a batch whose call has ended out of flight.
static void batch_landed(struct otlp_batch *batch)
{
    struct otlp_exporter *exporter = batch->exporter;
    TAILQ_REMOVE(&exporter->flying, batch, link);
    loop_timer_stop(&batch->timer);
    batch->call = NULL;
    batch->connection = NULL;
    exporter->in_flight--;
    otlp_send_soon(exporter);
}

static const char *endpoint_text(const struct otlp_exporter *exporter)
{
    return exporter->endpoint.local ? exporter->endpoint.path : exporter->endpoint.authority;
}

static void complain(struct otlp_exporter *exporter, struct otlp_complaint *complaint,
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

static void batch_delivered(struct otlp_batch *batch, const struct grpc_answer *answer)
{
    struct otlp_exporter *exporter = batch->exporter;
    struct otlp_partial partial = {0};
    if (otlp_partial_read(answer->response, &partial))
        complain(exporter, &exporter->complaint_partial, "otlp_partial_success",
                 partial.rejected ? "the collector turned records down for good"
                                  : "the collector took everything, with a warning",
                 partial.message);
    otlp_batch_settle(batch, VERDICT_DELIVERED, partial.rejected, NULL);
}

static void call_answered(void *ctx, const struct grpc_answer *answer)
{
    struct otlp_batch *batch = ctx;
    struct otlp_exporter *exporter = batch->exporter;
    // What the client makes up when a connection breaks is no sign of a living collector.
    if (answer->code != GRPC_UNAVAILABLE && batch->connection == exporter->current) {
        exporter->answered = true;
        exporter->failures = 0;
    }
    batch_landed(batch);
    switch (otlp_answer_fate(answer)) {
    case OTLP_DELIVERED:
        batch_delivered(batch, answer);
        break;
    case OTLP_RETRY:
        complain(exporter, &exporter->complaint_retry, "otlp_retry",
                 "a request failed and will be sent again", answer->message);
        batch_failed(batch, answer);
        break;
    case OTLP_DEAD:
        complain(exporter, &exporter->complaint_dead, "otlp_dead", otlp_dead_reason(answer->code),
                 answer->message);
        otlp_batch_settle(batch, VERDICT_DEAD, 0, otlp_dead_reason(answer->code));
        break;
    }
}

static void call_unprocessed(void *ctx)
{
    struct otlp_batch *batch = ctx;
    struct otlp_exporter *exporter = batch->exporter;
    batch_landed(batch);
    // Once it goes again at once, before all others; a collector that keeps refusing is given time.
    if (++batch->unprocessed == 1)
        TAILQ_INSERT_HEAD(&exporter->ready, batch, link);
    else
        batch_wait(batch, otlp_backoff(&exporter->jitter, batch->unprocessed - 1));
}

static void deadline_passed(struct loop_timer *timer)
{
    struct otlp_batch *batch =
        (struct otlp_batch *)(void *)((char *)timer - offsetof(struct otlp_batch, timer));
    struct otlp_exporter *exporter = batch->exporter;
    struct otlp_connection *connection = batch->connection;
    bool silent = otlp_connection_received(connection) == batch->received_before;
    grpc_client_cancel(batch->call);
    batch_landed(batch);
    complain(exporter, &exporter->complaint_retry, "otlp_retry",
             "a request was not answered in time and will be sent again", (struct slice){0});
    batch_failed(batch, NULL);
    // Not one byte since the request left: the peer may be gone without a word.
    if (silent)
        otlp_connection_close(connection, "the collector fell silent");
    else
        otlp_connection_flush(connection);
}

static void connect_later(struct otlp_exporter *exporter)
{
    exporter->failures++;
    exporter->not_before_ns = clock_monotonic(exporter->config.clock) +
                              otlp_backoff(&exporter->jitter, exporter->failures);
}

// The current connection takes no further call.
static void connection_retire(struct otlp_exporter *exporter)
{
    struct otlp_connection *connection = exporter->current;
    exporter->current = NULL;
    // A collector that turns each connection away at once must not be dialled in circles.
    if (!exporter->answered)
        connect_later(exporter);
    for (size_t i = 0; i < OTLP_CONNECTIONS_MAX; i++)
        if (!exporter->retiring[i]) {
            exporter->retiring[i] = connection;
            return;
        }
    // Too many that wait for their last answers: the oldest of them has waited long enough.
    otlp_connection_close(exporter->retiring[0], "too many connections wait for answers");
    exporter->current = connection;
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
        connection_retire(exporter);
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
            complain(exporter, &exporter->complaint_connect, "otlp_unreachable",
                     "no connection to the collector; what is held is kept and sent when it is "
                     "back",
                     slice_from(why));
    }
    otlp_send_soon(exporter);
}

static void reconnect_due(struct loop_timer *timer)
{
    otlp_send_soon((struct otlp_exporter *)(void *)((char *)timer -
                                                    offsetof(struct otlp_exporter, reconnect)));
}

// A connection is wanted and there is none.
static void connect_start(struct otlp_exporter *exporter)
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
        .connect_timeout_ns = timeout,
        .events = {connection_opened, connection_going_away, connection_closed, exporter},
    };
    exporter->answered = false;
    if (otlp_connection_new(&exporter->current, &config) < 0) {
        connect_later(exporter);
        otlp_send_soon(exporter);
    }
}

// Sends one batch that is in no list. False: not here, not now; it is ready again.
static bool batch_send(struct otlp_exporter *exporter, struct otlp_batch *batch)
{
    struct grpc_request request = {
        .path = otlp_batch_path(batch),
        .parts = batch->parts,
        .part_count = batch->count,
        .gzip = exporter->config.gzip,
        .timeout_ns = exporter->config.timeout_ns,
    };
    int r = otlp_connection_call(exporter->current, &batch->call, &request, batch);
    if (r == GRPC_CLIENT_CLOSED) {
        TAILQ_INSERT_HEAD(&exporter->ready, batch, link);
        connection_retire(exporter);
        otlp_send_soon(exporter);
        return false;
    }
    if (r < 0) {
        batch_failed(batch, NULL);
        return false;
    }
    exporter->base.book->requests++;
    if (batch->attempts++ > 0)
        exporter->base.book->retries++;
    batch->connection = exporter->current;
    batch->received_before = otlp_connection_received(batch->connection);
    batch->timer.expired = deadline_passed;
    loop_timer_start(exporter->config.loop, &batch->timer, exporter->config.timeout_ns);
    TAILQ_INSERT_TAIL(&exporter->flying, batch, link);
    exporter->in_flight++;
    return true;
}

static void pump_run(struct loop_deferred *deferred)
{
    struct otlp_exporter *exporter =
        (struct otlp_exporter *)(void *)((char *)deferred - offsetof(struct otlp_exporter, pump));
    struct otlp_batch *batch;
    if (exporter->draining || exporter->config.max_delay_ns == 0)
        otlp_batches_close(exporter);
    if (TAILQ_EMPTY(&exporter->ready))
        return;
    if (!exporter->current)
        connect_start(exporter);
    if (!exporter->current || !otlp_connection_is_open(exporter->current))
        return;
    bool sent = true;
    while (sent && exporter->in_flight < exporter->config.concurrency &&
           (batch = TAILQ_FIRST(&exporter->ready))) {
        TAILQ_REMOVE(&exporter->ready, batch, link);
        sent = batch_send(exporter, batch);
    }
    if (exporter->current)
        otlp_connection_flush(exporter->current);
}

void otlp_send_init(struct otlp_exporter *exporter)
{
    exporter->pump.run = pump_run;
    exporter->reconnect.expired = reconnect_due;
    exporter->client.events =
        (struct grpc_client_events){.answered = call_answered, .unprocessed = call_unprocessed};
}

void otlp_send_stop(struct otlp_exporter *exporter)
{
    struct otlp_batch *batch;
    loop_deferred_stop(&exporter->pump);
    loop_timer_stop(&exporter->reconnect);
    otlp_connection_free(exporter->current);
    exporter->current = NULL;
    for (size_t i = 0; i < OTLP_CONNECTIONS_MAX; i++) {
        otlp_connection_free(exporter->retiring[i]);
        exporter->retiring[i] = NULL;
    }
    // No client points into their parts any more.
    while ((batch = TAILQ_FIRST(&exporter->flying))) {
        TAILQ_REMOVE(&exporter->flying, batch, link);
        loop_timer_stop(&batch->timer);
        TAILQ_INSERT_TAIL(&exporter->ready, batch, link);
    }
}
