// libsluice: logs and spans from a C program to the Sluice agent beside it.
//
// No call blocks but sluice_flush: what the agent cannot take yet waits in a bounded buffer, and
// what does not fit there is dropped and counted. Any thread may use a handle; a span belongs to
// one thread at a time. After fork() the child opens a handle of its own. Every call accepts a NULL
// handle or span and does nothing then. Text is UTF-8; what is not becomes U+FFFD.
// Sources: docs/PROTOCOL.md; OpenTelemetry's logs and trace data model; W3C Trace Context.
#ifndef SLUICE_H
#define SLUICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_API __attribute__((visibility("default")))

struct sluice;
struct sluice_span;

enum sluice_level { // OpenTelemetry's severity numbers
    SLUICE_TRACE = 1,
    SLUICE_DEBUG = 5,
    SLUICE_INFO = 9,
    SLUICE_WARN = 13,
    SLUICE_ERROR = 17,
    SLUICE_FATAL = 21,
};

enum sluice_type { SLUICE_STRING, SLUICE_INTEGER, SLUICE_DOUBLE, SLUICE_BOOLEAN, SLUICE_BYTES };

// A named, typed value. Borrowed for the time of the call it is given to.
struct sluice_field {
    const char *name; // dotted, as OpenTelemetry names it: http.request.method
    enum sluice_type type;
    size_t size; // bytes of string or bytes
    union {
        const void *data;
        int64_t integer;
        double number;
        bool boolean;
    } value;
};

SLUICE_API struct sluice_field sluice_string(const char *name, const char *value);
SLUICE_API struct sluice_field sluice_integer(const char *name, int64_t value);
SLUICE_API struct sluice_field sluice_double(const char *name, double value);
SLUICE_API struct sluice_field sluice_boolean(const char *name, bool value);
SLUICE_API struct sluice_field sluice_bytes(const char *name, const void *data, size_t size);

// The last two arguments of sluice_log and its like:
//   sluice_log(s, SLUICE_INFO, "placed", SLUICE_FIELDS(sluice_string("order.id", id)));
#define SLUICE_FIELDS(...)                                                                         \
    (const struct sluice_field[]){__VA_ARGS__},                                                    \
        sizeof((const struct sluice_field[]){__VA_ARGS__}) / sizeof(struct sluice_field)
#define SLUICE_NO_FIELDS NULL, 0

// Zeroed members take their defaults; all is copied.
struct sluice_options {
    const char *socket_path;             // SLUICE_SOCKET, else /run/sluice/sluice.sock
    const char *service_name;            // OTEL_SERVICE_NAME, else the program's name
    const char *service_version;         // none
    const char *service_environment;     // none
    const char *scope;                   // the logger's name: the service's
    const struct sluice_field *resource; // further attributes of this process
    size_t resource_count;
    size_t buffer_size; // bytes, at least 4 KiB: 1 MiB
    void *reserved[4];
};

// Connects lazily: an agent that is not there yet is no error. NULL with errno: ENOMEM,
// ENAMETOOLONG (path, or the resource above 16 KiB).
SLUICE_API struct sluice *sluice_open(const struct sluice_options *options);
// Sends what the socket takes at once, then frees. Flush first. Spans must have ended. Returns the
// number of records that were still here and are lost.
SLUICE_API uint64_t sluice_close(struct sluice *sluice);

SLUICE_API void sluice_log(struct sluice *sluice, enum sluice_level level, const char *message,
                           const struct sluice_field *fields, size_t count);

// Waits until the agent has read everything logged before. 0; -ETIMEDOUT after timeout_ms; -EPIPE
// where a connection broke after records had been written and before the agent said it had them.
SLUICE_API int sluice_flush(struct sluice *sluice, unsigned timeout_ms);

struct sluice_stats {     // records, since sluice_open
    uint64_t queued;      // now
    uint64_t sent;        // written to a socket in full
    uint64_t dropped;     // buffer full, or too large
    uint64_t unconfirmed; // sent on a connection that broke before the agent said it had them
    uint64_t connections; // made
};
SLUICE_API void sluice_stats(struct sluice *sluice, struct sluice_stats *stats);

// --- spans: sluice_span.h is included for them

#include "sluice_span.h"

#ifdef __cplusplus
}
#endif

#endif
