// The sending of batches: requests in flight, answers, back-off, halving.
//
// All sending happens in one deferred call (pump) at the end of a turn, so that no callback of the
// gRPC client, and no verdict, ever sends from inside another.
#include "base/error.h"
#include "base/own_log.h"
#include "deliver/otlp_answer.h"
#include "deliver/otlp_connection.h"
#include "deliver/otlp_exporter.h"

#include <stddef.h>

// A request whose stream is reset this often without a status is given up: the last hop may reset
// it for its own sake, and it would hold its place for ever.
#define RESETS_MAX 6
#define LEARNT_REQUEST_MIN (64u << 10)

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

static void batch_delivered(struct otlp_batch *batch, const struct grpc_answer *answer)
{
    struct otlp_exporter *exporter = batch->exporter;
    struct otlp_partial partial = {0};
    if (otlp_partial_read(answer->response, &partial))
        otlp_complain(exporter, &exporter->complaint_partial, "otlp_partial_success",
                      partial.rejected ? "the collector turned records down for good"
                                       : "the collector took everything, with a warning",
                      partial.message);
    otlp_batch_settle(batch, VERDICT_DELIVERED, partial.rejected, NULL);
}

// Later requests stay below what was refused, but never so small that one refusal is for ever a
// flood of requests.
static void size_learn(struct otlp_exporter *exporter, size_t refused)
{
    size_t learnt = refused / 2 > LEARNT_REQUEST_MIN ? refused / 2 : LEARNT_REQUEST_MIN;
    if (learnt < exporter->config.max_request)
        exporter->config.max_request = learnt;
}

static void batch_halve(struct otlp_batch *batch, const struct grpc_answer *answer)
{
    struct otlp_exporter *exporter = batch->exporter;
    otlp_complain(exporter, &exporter->complaint_size, "otlp_request_too_large",
                  "the collector refuses a request as too large; it is sent in halves, and "
                  "max_request should be lower",
                  answer->message);
    size_learn(exporter, batch->bytes);
    struct otlp_batch *other = otlp_batch_obtain(exporter);
    if (!other || otlp_batch_halve(batch, other) < 0) {
        if (other)
            otlp_batch_free(other);
        batch_failed(batch, NULL); // no memory now
        return;
    }
    TAILQ_INSERT_HEAD(&exporter->ready, other, link);
    TAILQ_INSERT_HEAD(&exporter->ready, batch, link);
}

static void call_answered(void *ctx, const struct grpc_answer *answer)
{
    struct otlp_batch *batch = ctx;
    struct otlp_exporter *exporter = batch->exporter;
    // What the client makes up when a connection breaks is no sign of a living collector.
    if (answer->code != GRPC_UNAVAILABLE && batch->connection == exporter->current)
        otlp_dial_answered(exporter);
    batch_landed(batch);
    char reason[OTLP_REASON_SIZE];
    enum otlp_fate fate = otlp_answer_fate(answer);
    if (fate == OTLP_RETRY_SOME)
        fate = ++batch->resets < RESETS_MAX ? OTLP_RETRY : OTLP_DEAD;
    if (fate == OTLP_TOO_LARGE && batch->count < 2)
        fate = OTLP_DEAD;
    switch (fate) {
    case OTLP_DELIVERED:
        batch_delivered(batch, answer);
        break;
    case OTLP_RETRY:
        otlp_complain(exporter, &exporter->complaint_retry, "otlp_retry",
                      "a request failed and will be sent again", answer->message);
        batch_failed(batch, answer);
        break;
    case OTLP_TOO_LARGE:
        batch_halve(batch, answer);
        break;
    default:
        otlp_dead_reason(answer, reason);
        otlp_complain(exporter, &exporter->complaint_dead, "otlp_dead", reason, (struct slice){0});
        otlp_batch_settle(batch, VERDICT_DEAD, 0, reason);
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
    otlp_complain(exporter, &exporter->complaint_retry, "otlp_retry",
                  "a request was not answered in time and will be sent again", (struct slice){0});
    batch_failed(batch, NULL);
    // Not one byte since the request left: the peer may be gone without a word.
    if (silent)
        otlp_connection_close(connection, "the collector fell silent");
    else
        otlp_connection_flush(connection);
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
        otlp_dial_retire(exporter);
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
        otlp_batches_close(exporter, exporter->draining ? BATCH_DRAIN : BATCH_DELAY);
    if (TAILQ_EMPTY(&exporter->ready))
        return;
    if (!exporter->current)
        otlp_dial(exporter);
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
    exporter->client.events =
        (struct grpc_client_events){.answered = call_answered, .unprocessed = call_unprocessed};
}

void otlp_send_stop(struct otlp_exporter *exporter)
{
    struct otlp_batch *batch;
    loop_deferred_stop(&exporter->pump);
    otlp_dial_stop(exporter);
    // No client points into their parts any more.
    while ((batch = TAILQ_FIRST(&exporter->flying))) {
        TAILQ_REMOVE(&exporter->flying, batch, link);
        loop_timer_stop(&batch->timer);
        TAILQ_INSERT_TAIL(&exporter->ready, batch, link);
    }
}
