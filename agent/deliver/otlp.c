// The OTLP exporter's window: parcels gathered into batches by signal, held until their verdict.
#include "deliver/otlp.h"

#include "base/error.h"
#include "deliver/otlp_exporter.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT_NS (10 * NS_PER_S)
#define MAX_REQUEST_DEFAULT (4u << 20) // what collectors take unless told otherwise
#define MAX_RECORDS_DEFAULT 8192
#define CONCURRENCY_DEFAULT 4
#define SPARE_MAX 4
#define ROOM_RETRY_NS (100 * NS_PER_MS)

static struct otlp_exporter *exporter_of(struct exporter *exporter)
{
    return (struct otlp_exporter *)exporter;
}

static void batch_recycle(struct otlp_exporter *exporter, struct otlp_batch *batch)
{
    struct otlp_batch *spare;
    size_t n = 0;
    otlp_batch_reset(batch);
    TAILQ_FOREACH(spare, &exporter->spare, link)
    n++;
    if (n < SPARE_MAX && !exporter->freeing)
        TAILQ_INSERT_HEAD(&exporter->spare, batch, link);
    else
        otlp_batch_free(batch);
}

void otlp_batch_settle(struct otlp_batch *batch, enum verdict_kind kind, uint64_t refused,
                       const char *reason)
{
    struct otlp_exporter *exporter = batch->exporter;
    loop_timer_stop(&batch->timer);
    // Before the verdicts, because the sink may offer from inside them.
    exporter->held_bytes -= batch->bytes;
    otlp_batch_verdict(batch, &exporter->sink, kind, refused, reason);
    batch_recycle(exporter, batch);
}

static void batch_close(struct otlp_batch *batch, enum batch_close why)
{
    struct otlp_exporter *exporter = batch->exporter;
    exporter->base.book->closed[why]++;
    loop_timer_stop(&batch->timer);
    exporter->filling[batch->signal] = NULL;
    TAILQ_INSERT_TAIL(&exporter->ready, batch, link);
    otlp_send_soon(exporter);
}

void otlp_batches_close(struct otlp_exporter *exporter, enum batch_close why)
{
    for (int signal = 0; signal < SIGNAL_COUNT; signal++)
        if (exporter->filling[signal])
            batch_close(exporter->filling[signal], why);
}

static void linger_over(struct loop_timer *timer)
{
    batch_close((struct otlp_batch *)(void *)((char *)timer - offsetof(struct otlp_batch, timer)),
                BATCH_DELAY);
}

struct otlp_batch *otlp_batch_obtain(struct otlp_exporter *exporter)
{
    struct otlp_batch *batch = TAILQ_FIRST(&exporter->spare);
    if (!batch)
        return otlp_batch_new(exporter);
    TAILQ_REMOVE(&exporter->spare, batch, link);
    return batch;
}

static struct otlp_batch *batch_open(struct otlp_exporter *exporter, uint8_t signal)
{
    struct otlp_batch *batch = otlp_batch_obtain(exporter);
    if (!batch)
        return NULL;
    batch->signal = signal;
    batch->timer.expired = linger_over;
    return batch;
}

// The batch this parcel goes into. NULL where there is no memory for one.
static struct otlp_batch *batch_for(struct otlp_exporter *exporter, const struct parcel *parcel)
{
    struct otlp_batch *batch = exporter->filling[parcel->signal];
    if (batch && batch->bytes + parcel->payload.size > exporter->config.max_request) {
        batch_close(batch, BATCH_BYTES);
        batch = NULL;
    }
    return batch ? batch : batch_open(exporter, parcel->signal);
}

static void no_memory(struct otlp_exporter *exporter)
{
    // Nobody else may ever say "there is room again": nothing need be held.
    loop_timer_start(exporter->config.loop, &exporter->room_timer, ROOM_RETRY_NS);
}

static void room_again(struct loop_timer *timer)
{
    struct otlp_exporter *exporter =
        (struct otlp_exporter *)(void *)((char *)timer -
                                         offsetof(struct otlp_exporter, room_timer));
    exporter->sink.verdict(exporter->sink.ctx, NULL, 0);
}

static int otlp_start(struct exporter *base, struct verdict_sink sink)
{
    exporter_of(base)->sink = sink;
    return 0;
}

static int otlp_offer(struct exporter *base, const struct parcel *parcel)
{
    struct otlp_exporter *exporter = exporter_of(base);
    const struct otlp_exporter_config *config = &exporter->config;
    assert(parcel->signal < SIGNAL_COUNT);
    if (exporter->freeing)
        return EXPORTER_FULL;
    if (exporter->held_bytes > 0 &&
        exporter->held_bytes + parcel->payload.size > config->max_held_bytes) {
        // Nothing more can join them: lingering would be waste.
        otlp_batches_close(exporter, BATCH_BYTES);
        return EXPORTER_FULL;
    }
    struct otlp_batch *batch = batch_for(exporter, parcel);
    if (!batch) {
        no_memory(exporter);
        return EXPORTER_FULL;
    }
    bool first = batch->count == 0;
    if (otlp_batch_add(batch, parcel) < 0) {
        if (first)
            otlp_batch_free(batch);
        no_memory(exporter);
        return EXPORTER_FULL;
    }
    exporter->held_bytes += parcel->payload.size;
    exporter->filling[parcel->signal] = batch;
    if (batch->bytes >= config->max_request)
        batch_close(batch, BATCH_BYTES);
    else if (batch->records >= config->max_records)
        batch_close(batch, BATCH_RECORDS);
    else if (exporter->draining || config->max_delay_ns == 0)
        otlp_send_soon(exporter); // closed at the end of the turn, with what else it brings
    else if (first && loop_timer_start(config->loop, &batch->timer, config->max_delay_ns) < 0)
        batch_close(batch, BATCH_DELAY);
    return 0;
}

static void otlp_flush(struct exporter *base, bool draining)
{
    struct otlp_exporter *exporter = exporter_of(base);
    if (!draining)
        return; // the linger decides
    exporter->draining = true;
    otlp_batches_close(exporter, BATCH_DRAIN);
}

static void list_return(struct otlp_batch_list *list)
{
    struct otlp_batch *batch;
    while ((batch = TAILQ_FIRST(list))) {
        TAILQ_REMOVE(list, batch, link);
        otlp_batch_settle(batch, VERDICT_RETURNED, 0, NULL);
    }
}

static void config_free(struct otlp_exporter *exporter)
{
    struct grpc_header *headers = (struct grpc_header *)exporter->client.headers;
    for (size_t i = 0; i < exporter->client.header_count; i++) {
        free((char *)headers[i].name);
        free((char *)headers[i].value);
    }
    free(headers);
}

static void otlp_free(struct exporter *base)
{
    struct otlp_exporter *exporter = exporter_of(base);
    exporter->freeing = true;
    loop_timer_stop(&exporter->room_timer);
    otlp_send_stop(exporter);
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct otlp_batch *batch = exporter->filling[signal];
        exporter->filling[signal] = NULL;
        if (batch)
            otlp_batch_settle(batch, VERDICT_RETURNED, 0, NULL);
    }
    list_return(&exporter->ready);
    list_return(&exporter->waiting);
    assert(exporter->held_bytes == 0 && TAILQ_EMPTY(&exporter->flying));
    struct otlp_batch *batch;
    while ((batch = TAILQ_FIRST(&exporter->spare))) {
        TAILQ_REMOVE(&exporter->spare, batch, link);
        otlp_batch_free(batch);
    }
    otlp_dial_deinit(exporter);
    config_free(exporter);
    free(exporter);
}

static const struct exporter_ops otlp_ops = {
    .type = "otlp",
    .start = otlp_start,
    .offer = otlp_offer,
    .flush = otlp_flush,
    .free = otlp_free,
};

static char *lower_case(const char *name)
{
    char *copy = strdup(name);
    for (char *c = copy; c && *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

static int headers_copy(struct otlp_exporter *exporter, const struct otlp_exporter_config *config)
{
    if (config->header_count == 0)
        return 0;
    struct grpc_header *headers = calloc(config->header_count, sizeof *headers);
    if (!headers)
        return -ENOMEM;
    exporter->client.headers = headers;
    exporter->client.header_count = config->header_count;
    for (size_t i = 0; i < config->header_count; i++) {
        headers[i].name = lower_case(config->headers[i].name);
        headers[i].value = strdup(config->headers[i].value);
        if (!headers[i].name || !headers[i].value)
            return -ENOMEM;
    }
    // A client that is made only to be refused: what it would refuse later, at each connect.
    struct grpc_client *client;
    int r = grpc_client_new(&client, &exporter->client);
    if (r == 0)
        grpc_client_free(client);
    return r;
}

static void defaults_fill(struct otlp_exporter_config *config)
{
    if (config->timeout_ns == 0)
        config->timeout_ns = TIMEOUT_DEFAULT_NS;
    if (config->max_request == 0)
        config->max_request = MAX_REQUEST_DEFAULT;
    // Stay below: a collector's limit may count the prefix, or what it adds itself.
    config->max_request -= config->max_request / 64;
    if (config->max_records == 0)
        config->max_records = MAX_RECORDS_DEFAULT;
    if (config->concurrency == 0)
        config->concurrency = CONCURRENCY_DEFAULT;
    if (config->max_held_bytes == 0)
        config->max_held_bytes = 4 * config->max_request;
}

int otlp_exporter_new(struct exporter **out, const struct otlp_exporter_config *config)
{
    struct otlp_exporter *exporter = calloc(1, sizeof *exporter);
    if (!exporter)
        return -ENOMEM;
    exporter->base = (struct exporter){&otlp_ops, config->name, config->book};
    exporter->config = *config;
    exporter->config.endpoint = NULL; // parsed; the caller's texts need not stay
    exporter->config.tls = (struct otlp_tls){0};
    exporter->room_timer.expired = room_again;
    defaults_fill(&exporter->config);
    otlp_jitter_init(&exporter->jitter);
    TAILQ_INIT(&exporter->ready);
    TAILQ_INIT(&exporter->flying);
    TAILQ_INIT(&exporter->waiting);
    TAILQ_INIT(&exporter->spare);
    otlp_send_init(exporter);
    int r = otlp_endpoint_parse(config->endpoint, &exporter->endpoint);
    exporter->client.authority = exporter->endpoint.authority;
    exporter->client.scheme = exporter->endpoint.tls ? "https" : "http";
    if (r == 0)
        r = headers_copy(exporter, config);
    if (r == 0)
        r = otlp_dial_init(exporter, &config->tls);
    if (r < 0) {
        otlp_dial_deinit(exporter);
        config_free(exporter);
        free(exporter);
        return r;
    }
    *out = &exporter->base;
    return 0;
}
