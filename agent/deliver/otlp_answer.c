// Judges a collector's answer.
#include "deliver/otlp_answer.h"

#include "proto/wire.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HTTP_CONTENT_TOO_LARGE 413

static bool contains(struct slice text, const char *part)
{
    size_t size = strlen(part);
    for (size_t i = 0; i + size <= text.size; i++)
        if (strncasecmp((const char *)text.data + i, part, size) == 0)
            return true;
    return false;
}

// No code says "too large" alone; each gRPC library has its own words for it. An answer without
// such words is never split: to a busy collector that would be a flood.
static bool too_large(const struct grpc_answer *answer)
{
    static const char *const words[] = {
        "larger than",         // Go, C++, Python, Node, Sluice
        "exceeds maximum",     // Java
        "exceeds the maximum", // .NET
        "message length too",  // Rust
        "message size",        // proxies
        "too large",
    };
    if (answer->http_status == HTTP_CONTENT_TOO_LARGE)
        return true;
    // Rust's tonic takes OUT_OF_RANGE, all others RESOURCE_EXHAUSTED.
    if (answer->retry ||
        (answer->code != GRPC_RESOURCE_EXHAUSTED && answer->code != GRPC_OUT_OF_RANGE))
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (contains(answer->message, words[i]))
            return true;
    return false;
}

// A stream that was cut off without a status says nothing of the records in it.
static enum otlp_fate reset_fate(const struct grpc_answer *answer)
{
    switch (answer->code) {
    case GRPC_PERMISSION_DENIED: // INADEQUATE_SECURITY
        return OTLP_DEAD;
    case GRPC_INTERNAL:
        return OTLP_RETRY_SOME;
    default: // CANCEL, ENHANCE_YOUR_CALM
        return OTLP_RETRY;
    }
}

enum otlp_fate otlp_answer_fate(const struct grpc_answer *answer)
{
    if (answer->reset)
        return reset_fate(answer);
    if (too_large(answer))
        return OTLP_TOO_LARGE;
    switch (answer->code) {
    case GRPC_OK:
        return OTLP_DELIVERED;
    case GRPC_CANCELLED:
    case GRPC_DEADLINE_EXCEEDED:
    case GRPC_ABORTED:
    case GRPC_OUT_OF_RANGE:
    case GRPC_UNAVAILABLE:
    case GRPC_DATA_LOSS:
        return OTLP_RETRY;
    case GRPC_RESOURCE_EXHAUSTED: // only where the collector says that it can recover
        return answer->retry ? OTLP_RETRY : OTLP_DEAD;
    default:
        return OTLP_DEAD;
    }
}

bool otlp_partial_read(struct slice response, struct otlp_partial *out)
{
    struct wire_cursor cursor = wire_cursor_of(response.data, response.size);
    struct wire_field field;
    struct otlp_partial partial = {0};
    int r;
    while ((r = wire_next(&cursor, &field)) == 0) {
        if (!wire_is(&field, 1, WIRE_BYTES)) // partial_success
            continue;
        struct wire_cursor inside = wire_inside(&field);
        struct wire_field member;
        while ((r = wire_next(&inside, &member)) == 0) {
            if (wire_is(&member, 1, WIRE_VARINT)) // rejected_spans, _log_records, _data_points
                partial.rejected = member.value;
            else if (wire_is(&member, 2, WIRE_BYTES)) // error_message
                partial.message = slice_of(member.data, member.size);
        }
        if (r != WIRE_END)
            return false;
    }
    // int64 on the wire: a negative count is nonsense, not four billion refusals.
    if (r != WIRE_END || partial.rejected > INT64_MAX)
        return false;
    // A message without a rejection is the specification's way to warn.
    if (partial.rejected == 0 && partial.message.size == 0)
        return false;
    *out = partial;
    return true;
}

static const char *refusal(const struct grpc_answer *answer)
{
    static const char *const reasons[] = {
        [GRPC_UNKNOWN] = "collector answered UNKNOWN",
        [GRPC_INVALID_ARGUMENT] = "collector answered INVALID_ARGUMENT",
        [GRPC_NOT_FOUND] = "collector answered NOT_FOUND",
        [GRPC_ALREADY_EXISTS] = "collector answered ALREADY_EXISTS",
        [GRPC_PERMISSION_DENIED] = "collector answered PERMISSION_DENIED",
        [GRPC_RESOURCE_EXHAUSTED] = "collector answered RESOURCE_EXHAUSTED without RetryInfo",
        [GRPC_FAILED_PRECONDITION] = "collector answered FAILED_PRECONDITION",
        [GRPC_UNIMPLEMENTED] = "collector answered UNIMPLEMENTED",
        [GRPC_INTERNAL] = "collector answered INTERNAL",
        [GRPC_UNAUTHENTICATED] = "collector answered UNAUTHENTICATED",
    };
    enum otlp_fate fate = otlp_answer_fate(answer);
    if (fate == OTLP_TOO_LARGE)
        return "too large for the collector, alone in a request";
    if (fate == OTLP_RETRY_SOME)
        return "collector, or a proxy before it, reset the stream each time";
    unsigned code = (unsigned)answer->code;
    const char *reason = code < sizeof reasons / sizeof *reasons ? reasons[code] : NULL;
    return reason ? reason : "collector answered with an error";
}

const char *otlp_dead_reason(const struct grpc_answer *answer, char out[OTLP_REASON_SIZE])
{
    size_t n = (size_t)snprintf(out, OTLP_REASON_SIZE, "%s", refusal(answer));
    if (answer->message.size > 0 && n + 2 < OTLP_REASON_SIZE) {
        out[n++] = ':';
        out[n++] = ' ';
    }
    for (size_t i = 0; i < answer->message.size && n + 1 < OTLP_REASON_SIZE; i++) {
        char c = (char)answer->message.data[i];
        bool plain = c >= ' ' && c <= '~' && c != '"' && c != '\\';
        out[n++] = plain ? c : '?';
    }
    out[n] = '\0';
    return out;
}
