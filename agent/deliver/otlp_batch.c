// The parcels of one Export request.
#include "deliver/otlp_batch.h"

#include "base/error.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64
#define VERDICTS_AT_ONCE 64

struct otlp_batch *otlp_batch_new(struct otlp_exporter *exporter)
{
    struct otlp_batch *batch = calloc(1, sizeof *batch);
    if (batch)
        batch->exporter = exporter;
    return batch;
}

void otlp_batch_free(struct otlp_batch *batch)
{
    loop_timer_stop(&batch->timer);
    free(batch->held);
    free(batch->parts);
    free(batch);
}

void otlp_batch_reset(struct otlp_batch *batch)
{
    loop_timer_stop(&batch->timer);
    batch->count = 0;
    batch->bytes = 0;
    batch->records = 0;
    batch->call = NULL;
    batch->connection = NULL;
    batch->attempts = 0;
    batch->failures = 0;
    batch->unprocessed = 0;
    batch->resets = 0;
}

static int reserve(struct otlp_batch *batch, size_t count)
{
    if (batch->count + count <= batch->capacity)
        return 0;
    size_t capacity = batch->capacity ? batch->capacity : FIRST_CAPACITY;
    while (capacity < batch->count + count)
        capacity *= 2;
    struct otlp_held *held = realloc(batch->held, capacity * sizeof *held);
    if (!held)
        return -ENOMEM;
    batch->held = held;
    struct slice *parts = realloc(batch->parts, capacity * sizeof *parts);
    if (!parts)
        return -ENOMEM;
    batch->parts = parts;
    batch->capacity = capacity;
    return 0;
}

static void append(struct otlp_batch *batch, struct otlp_held held, struct slice part)
{
    batch->held[batch->count] = held;
    batch->parts[batch->count] = part;
    batch->count++;
    batch->bytes += part.size;
    batch->records += held.records;
}

int otlp_batch_add(struct otlp_batch *batch, const struct parcel *parcel)
{
    int r = reserve(batch, 1);
    if (r < 0)
        return r;
    append(batch, (struct otlp_held){parcel->position, parcel->records}, parcel->payload);
    return 0;
}

int otlp_batch_halve(struct otlp_batch *batch, struct otlp_batch *other)
{
    size_t half = batch->count / 2;
    int r = reserve(other, batch->count - half);
    if (r < 0)
        return r;
    for (size_t i = half; i < batch->count; i++)
        append(other, batch->held[i], batch->parts[i]);
    batch->count = half;
    batch->bytes -= other->bytes;
    batch->records -= other->records;
    other->signal = batch->signal;
    other->attempts = batch->attempts;
    return 0;
}

void otlp_batch_verdict(const struct otlp_batch *batch, const struct verdict_sink *sink,
                        enum verdict_kind kind, uint64_t refused, const char *reason)
{
    struct verdict verdicts[VERDICTS_AT_ONCE];
    size_t n = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct otlp_held *held = &batch->held[i];
        // A partial success says how many, not which: the sum is right, the place is not known.
        uint32_t share = refused < held->records ? (uint32_t)refused : held->records;
        refused -= share;
        verdicts[n++] = (struct verdict){held->position, kind, share, reason};
        if (n == VERDICTS_AT_ONCE || i + 1 == batch->count) {
            sink->verdict(sink->ctx, verdicts, n);
            n = 0;
        }
    }
}

const char *otlp_batch_path(const struct otlp_batch *batch)
{
    static const char *const paths[SIGNAL_COUNT] = {
        [SIGNAL_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        [SIGNAL_SPANS] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        [SIGNAL_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    };
    return paths[batch->signal];
}
