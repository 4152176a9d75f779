// What the agent answers over HTTP: /metrics, /healthz, /readyz, /books, /config and /tail.
//
// GET and HEAD without a body; one request a connection, which is closed after the answer. /config
// and /tail are for loopback peers only. Loop thread only; an agent that nobody asks sets no timer.
// Source: RFC 9110, RFC 9112.
#ifndef SLUICE_CONTROL_HTTP_ENDPOINT_H
#define SLUICE_CONTROL_HTTP_ENDPOINT_H

#include "base/book_reasons.h"
#include "base/slice.h"

#include <stdbool.h>

struct books;
struct http_endpoint;
struct loop;
struct settings;

struct http_endpoint_config {
    struct loop *loop;
    const char *listen; // numeric host:port; port 0: any
    const struct books *books;
    bool (*ready)(void *ctx); // whether the doors are open: never waits for a sink
    // The settings in force, for /config; NULL: there is no such page.
    const struct settings *(*settings)(void *ctx);
    // Somebody watches (the first one came), or nobody any more: between the two, every record goes
    // through http_endpoint_show. NULL: there is no /tail.
    void (*watch)(void *ctx, bool watched);
    void *ctx;
};

#define HTTP_CONNECTIONS_MAX 32 // further ones wait in the kernel's backlog
#define HTTP_HEAD_MAX 8192      // bytes of request line and header fields
#define HTTP_DEADLINE_MS 10000  // from accepting a connection to the end of its answer
#define HTTP_TAILS_MAX 4        // streams at once; they have no deadline
#define HTTP_TAIL_BYTES                                                                            \
    262144 // kept for a watcher who reads slowly; what does not fit is not shown

// 0, -EINVAL where listen is no address, or -errno of the socket.
int http_endpoint_new(struct http_endpoint **out, const struct http_endpoint_config *config);
// NULL is fine. Open connections are cut.
void http_endpoint_free(struct http_endpoint *endpoint);

// The address as bound: host:port.
const char *http_endpoint_address(const struct http_endpoint *endpoint);

// One payload for who watches: an ECS document, or a ResourceSpans or ResourceMetrics field. Copied
// where there is room, never waits; calls nobody.
void http_endpoint_show(struct http_endpoint *endpoint, enum signal_kind signal,
                        struct slice payload);

#endif
