// Replies: success, partial success, or the status that tells a client what to do.
#include "receive/otlp_reply.h"

#include "base/clock.h"
#include "base/slice.h"
#include "decode/decode_otlp.h"
#include "grpc/grpc_server.h"

#include <assert.h>

#define REASON_MAX 100

// A little more than a second, by how many were told so before: those who are refused together
// should not come back together.
static uint64_t retry_delay(void)
{
    static unsigned told;
    return NS_PER_S + (told++ * 37 % 250) * NS_PER_MS;
}

// ExportPartialSuccess{rejected = 1, error_message = 2} inside the response's field 1.
static size_t encode_partial_success(const struct otlp_result *result, char *out, size_t size)
{
    char inner[REASON_MAX + 16];
    size_t n = 0;
    inner[n++] = 0x08;
    uint64_t rest = result->rejected;
    for (; rest >= 0x80; rest >>= 7)
        inner[n++] = (char)(rest | 0x80);
    inner[n++] = (char)rest;
    struct slice reason = slice_from(result->reason ? result->reason : "");
    if (reason.size > REASON_MAX)
        reason.size = REASON_MAX;
    inner[n++] = 0x12;
    inner[n++] = (char)reason.size;
    if (reason.size)
        memcpy(inner + n, reason.data, reason.size);
    n += reason.size;
    assert(n < 128 && n + 2 <= size);
    out[0] = 0x0A;
    out[1] = (char)n;
    memcpy(out + 2, inner, n);
    return n + 2;
}

void otlp_reply(struct grpc_call *call, int outcome, const struct otlp_result *result)
{
    struct grpc_status status = {GRPC_OK, NULL, 0};
    char partial[160];
    size_t partial_size = 0;
    if (outcome == DECODE_MALFORMED)
        status = (struct grpc_status){GRPC_INVALID_ARGUMENT, result->reason, 0};
    else if (outcome == DECODE_OVERLOADED)
        status = (struct grpc_status){GRPC_RESOURCE_EXHAUSTED, "the agent's spool is full",
                                      retry_delay()};
    else if (outcome < 0)
        status =
            (struct grpc_status){GRPC_UNAVAILABLE, "the agent is out of memory", retry_delay()};
    else if (result->rejected > 0)
        partial_size = encode_partial_success(result, partial, sizeof partial);
    grpc_call_reply(call, &status, slice_of(partial, partial_size));
}
