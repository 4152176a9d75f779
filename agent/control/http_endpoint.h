// What the agent answers over HTTP: /metrics, /healthz, /readyz and /books.
//
// GET and HEAD without a body; one request a connection, which is closed after the answer. Loop
// thread only; an agent that nobody asks sets no timer. Source: RFC 9110, RFC 9112.
#ifndef SLUICE_CONTROL_HTTP_ENDPOINT_H
#define SLUICE_CONTROL_HTTP_ENDPOINT_H

#include <stdbool.h>

struct books;
struct http_endpoint;
struct loop;

struct http_endpoint_config {
    struct loop *loop;
    const char *listen; // numeric host:port; port 0: any
    const struct books *books;
    bool (*ready)(void *ctx); // whether the doors are open: never waits for a sink
    void *ctx;
};

#define HTTP_CONNECTIONS_MAX 32 // further ones wait in the kernel's backlog
#define HTTP_HEAD_MAX 8192      // bytes of request line and header fields
#define HTTP_DEADLINE_MS 10000  // from accepting a connection to the end of its answer

// 0, -EINVAL where listen is no address, or -errno of the socket.
int http_endpoint_new(struct http_endpoint **out, const struct http_endpoint_config *config);
// NULL is fine. Open connections are cut.
void http_endpoint_free(struct http_endpoint *endpoint);

// The address as bound: host:port.
const char *http_endpoint_address(const struct http_endpoint *endpoint);

#endif
