// The table of dialects, first match wins; a row that could still match asks for more bytes.
#include "receive/dialect.h"

#include <stdint.h>
#include <stdlib.h>

enum match { MATCH_NO, MATCH_MAYBE, MATCH_YES };

static enum match match_prefix(struct slice first, struct slice prefix)
{
    size_t n = first.size < prefix.size ? first.size : prefix.size;
    if (memcmp(first.data, prefix.data, n) != 0)
        return MATCH_NO;
    return n == prefix.size ? MATCH_YES : MATCH_MAYBE;
}

static enum match match_native(struct slice first)
{
    return match_prefix(first, SLICE("\xC1SL"));
}

static enum match match_http2(struct slice first)
{
    return match_prefix(first, SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
}

// Exactly the three OTLP/HTTP request lines: a text line that starts with POST is a line.
static enum match match_http1(struct slice first)
{
    static const struct slice requests[] = {SLICE_INIT("POST /v1/traces HTTP/1.1\r\n"),
                                            SLICE_INIT("POST /v1/logs HTTP/1.1\r\n"),
                                            SLICE_INIT("POST /v1/metrics HTTP/1.1\r\n")};
    enum match best = MATCH_NO;
    for (unsigned i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        enum match match = match_prefix(first, requests[i]);
        if (match > best)
            best = match;
    }
    return best;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// `<0>` … `<191>`
static enum match match_priority(struct slice text)
{
    unsigned value = 0;
    size_t i = 1;
    if (text.size == 0)
        return MATCH_MAYBE;
    if (text.data[0] != '<')
        return MATCH_NO;
    while (i < text.size && i <= 3 && is_digit(text.data[i]))
        value = value * 10 + (unsigned)(text.data[i++] - '0');
    if (i == text.size && i <= 3)
        return MATCH_MAYBE;
    if (i == text.size)
        return value <= 191 ? MATCH_MAYBE : MATCH_NO;
    return i > 1 && text.data[i] == '>' && value <= 191 ? MATCH_YES : MATCH_NO;
}

// A priority, or RFC 6587's octet count before one.
static enum match match_syslog(struct slice first)
{
    if (first.data[0] == '<')
        return match_priority(first);
    size_t i = 0;
    while (i < first.size && i < 8 && is_digit(first.data[i]))
        i++;
    if (i == 0)
        return MATCH_NO;
    if (i == first.size)
        return i < 8 ? MATCH_MAYBE : MATCH_NO;
    if (first.data[i] != ' ')
        return MATCH_NO;
    return match_priority(slice_of(first.data + i + 1, first.size - i - 1));
}

static enum match match_tls(struct slice first)
{
    return match_prefix(first, SLICE("\x16\x03"));
}

// logging.SocketHandler: a big-endian length below 16 MiB, then a pickle (0x80 protocol, or '}' of
// protocol 0/1).
static enum match match_pickle(struct slice first)
{
    if (first.data[0] != 0)
        return MATCH_NO;
    if (first.size < 5)
        return MATCH_MAYBE;
    return (uint8_t)first.data[4] == 0x80 || first.data[4] == '}' ? MATCH_YES : MATCH_NO;
}

// Control bytes that no text line starts with. NUL is left out: it ends lines, so it may also stand
// before one.
static enum match match_binary(struct slice first)
{
    uint8_t byte = (uint8_t)first.data[0];
    bool text =
        byte >= 0x20 || byte == 0 || byte == '\t' || byte == '\n' || byte == '\r' || byte == 0x1B;
    return text ? MATCH_NO : MATCH_YES;
}

static const struct row {
    enum match (*match)(struct slice first);
    struct dialect_guess guess;
} rows[] = {
    {match_native, {DIALECT_NATIVE, FOREIGN_NONE}},
    {match_http2, {DIALECT_OTLP_GRPC, FOREIGN_NONE}},
    {match_http1, {DIALECT_OTLP_HTTP, FOREIGN_HTTP1}},
    {match_syslog, {DIALECT_SYSLOG, FOREIGN_NONE}},
    {match_tls, {DIALECT_FOREIGN, FOREIGN_TLS}},
    {match_pickle, {DIALECT_FOREIGN, FOREIGN_PICKLE}},
    {match_binary, {DIALECT_FOREIGN, FOREIGN_BINARY}},
};

int dialect_guess(struct slice first, bool end, struct dialect_guess *guess)
{
    if (first.size == 0 && !end)
        return DIALECT_UNDECIDED;
    for (unsigned i = 0; first.size > 0 && i < sizeof rows / sizeof rows[0]; i++) {
        enum match match = rows[i].match(first);
        if (match == MATCH_YES) {
            *guess = rows[i].guess;
            return 0;
        }
        if (match == MATCH_MAYBE && !end)
            return DIALECT_UNDECIDED;
    }
    *guess = (struct dialect_guess){DIALECT_LINES, FOREIGN_NONE};
    return 0;
}

const char *foreign_hint(enum foreign_kind kind)
{
    switch (kind) {
    case FOREIGN_TLS:
        return "the client speaks TLS on a local socket; set it to insecure (for OpenTelemetry: "
               "OTEL_EXPORTER_OTLP_INSECURE=true and an endpoint without https)";
    case FOREIGN_PICKLE:
        return "the client sends Python pickles (logging.handlers.SocketHandler); they are never "
               "unpickled: write JSON lines or use OpenTelemetry's handler";
    case FOREIGN_HTTP1:
        return "OTLP over HTTP/1.1 is not served yet; use OTLP/gRPC "
               "(OTEL_EXPORTER_OTLP_PROTOCOL=grpc)";
    case FOREIGN_BINARY:
        return "the first bytes are binary and of no known dialect; see docs/PROTOCOL.md";
    case FOREIGN_NONE:
        break;
    }
    abort(); // a dialect that we serve has no hint
}
