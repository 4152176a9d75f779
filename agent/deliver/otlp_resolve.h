// Turns an endpoint into addresses, never blocking the loop: evdns for names, nothing for the rest.
//
// Loop thread only.
#ifndef SLUICE_DELIVER_OTLP_RESOLVE_H
#define SLUICE_DELIVER_OTLP_RESOLVE_H

#include <stddef.h>
#include <sys/socket.h>

#define OTLP_ADDRESSES_MAX 8

struct loop;
struct otlp_endpoint;
struct otlp_resolve;

struct otlp_address {
    struct sockaddr_storage storage;
    socklen_t size; // bytes of storage
};

// The addresses in the order to try them, or count 0 and why. The resolve is gone when this runs.
typedef void (*otlp_resolved)(void *ctx, const struct otlp_address *addresses, size_t count,
                              const char *why);

// Calls resolved once, later from the loop, unless cancelled. 0 or -ENOMEM.
int otlp_resolve_start(struct otlp_resolve **out, struct loop *loop,
                       const struct otlp_endpoint *endpoint, otlp_resolved resolved, void *ctx);
void otlp_resolve_cancel(struct otlp_resolve *resolve);

#endif
