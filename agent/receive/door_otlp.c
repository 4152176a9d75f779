// The OTLP/gRPC door: calls of one connection to decode, and what became of them as the answers.
#include "receive/doors.h"

#include "receive/connection.h"
#include "receive/receive_state.h"

#include "base/clock.h"
#include "decode/decode_otlp.h"
#include "grpc/grpc_server.h"

#include <assert.h>
#include <string.h>

#define RETRY_DELAY_NS (1 * NS_PER_S)

// The service that a path names, or SIGNAL_COUNT.
static enum signal_kind signal_of(const char *path)
{
    static const char *const paths[SIGNAL_COUNT] = {
        [SIGNAL_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        [SIGNAL_SPANS] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        [SIGNAL_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    };
    unsigned i = 0;
    while (i < SIGNAL_COUNT && strcmp(path, paths[i]) != 0)
        i++;
    return (enum signal_kind)i;
}

// ExportPartialSuccess{rejected = 1, error_message = 2} inside the response's field 1.
static size_t encode_partial_success(const struct otlp_result *result, char *out, size_t size)
{
    char inner[128];
    size_t n = 0;
    inner[n++] = 0x08;
    uint64_t rest = result->rejected;
    for (; rest >= 0x80; rest >>= 7)
        inner[n++] = (char)(rest | 0x80);
    inner[n++] = (char)rest;
    size_t reason = result->reason ? strlen(result->reason) : 0;
    if (reason > 100)
        reason = 100;
    inner[n++] = 0x12;
    inner[n++] = (char)reason;
    memcpy(inner + n, result->reason ? result->reason : "", reason);
    n += reason;
    assert(n < 128 && n + 2 <= size);
    out[0] = 0x0A;
    out[1] = (char)n;
    memcpy(out + 2, inner, n);
    return n + 2;
}

// The reply is the receipt: success only once the records are stored.
static void export_called(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    struct receive *receive = ctx;
    struct otlp_result result = {0};
    enum signal_kind signal = signal_of(path);
    if (signal == SIGNAL_COUNT) {
        grpc_call_reply(call, &(struct grpc_status){GRPC_UNIMPLEMENTED, "no such service here", 0},
                        slice_of(NULL, 0));
        return;
    }
    struct otlp_progress *progress = NULL;
    int r = decode_otlp_begin(receive->config.decoder, signal, message, &progress);
    if (r == 0)
        r = decode_otlp_step(progress, true, &result);
    decode_otlp_free(progress);
    struct grpc_status status = {GRPC_OK, NULL, 0};
    char partial[160];
    size_t partial_size = 0;
    if (r == DECODE_MALFORMED)
        status = (struct grpc_status){GRPC_INVALID_ARGUMENT,
                                      result.reason ? result.reason : "not an Export request", 0};
    else if (r == DECODE_OVERLOADED)
        status = (struct grpc_status){GRPC_RESOURCE_EXHAUSTED, "the agent's spool is full",
                                      RETRY_DELAY_NS};
    else if (r < 0)
        status =
            (struct grpc_status){GRPC_UNAVAILABLE, "the agent is out of memory", RETRY_DELAY_NS};
    else if (result.rejected > 0)
        partial_size = encode_partial_success(&result, partial, sizeof partial);
    grpc_call_reply(call, &status, slice_of(partial, partial_size));
}

static int grpc_open(struct connection *connection)
{
    struct grpc_service service = {
        .call = export_called,
        .ctx = connection->receive,
        .max_message = connection->receive->config.max_message,
    };
    return grpc_server_new(&connection->state.grpc, &service);
}

static enum decode_stop grpc_feed(struct connection *connection, struct slice data, bool end,
                                  size_t *consumed)
{
    (void)end;
    int r = data.size
                ? grpc_server_feed(connection->state.grpc, (const uint8_t *)data.data, data.size)
                : 0;
    *consumed = data.size;
    return r < 0 || grpc_server_finished(connection->state.grpc) ? DECODE_CLOSE : DECODE_MORE;
}

static size_t grpc_output(struct connection *connection, const uint8_t **data)
{
    return connection->state.grpc ? grpc_server_output(connection->state.grpc, data) : 0;
}

static void grpc_close(struct connection *connection)
{
    grpc_server_free(connection->state.grpc);
    connection->state.grpc = NULL;
}

const struct door otlp_grpc_door = {DIALECT_OTLP_GRPC, grpc_open, grpc_feed, grpc_output,
                                    grpc_close};
