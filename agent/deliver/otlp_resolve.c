// Addresses of an endpoint: Unix path, literal address, localhost, or a name by evdns.
#include "deliver/otlp_resolve.h"

#include "base/error.h"
#include "base/loop.h"
#include "deliver/otlp_endpoint.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

struct otlp_resolve {
    struct loop_deferred answer;
    struct evdns_getaddrinfo_request *request; // NULL unless evdns works on it
    bool abandoned; // cancelled while evdns works: freed when evdns lets go
    uint16_t port;
    otlp_resolved resolved;
    void *ctx;
    struct otlp_address addresses[OTLP_ADDRESSES_MAX];
    size_t count;
    const char *why;
};

static void answer_run(struct loop_deferred *deferred)
{
    struct otlp_resolve *resolve =
        (struct otlp_resolve *)(void *)((char *)deferred - offsetof(struct otlp_resolve, answer));
    struct otlp_resolve done = *resolve;
    free(resolve);
    done.resolved(done.ctx, done.addresses, done.count, done.why);
}

static void address_add(struct otlp_resolve *resolve, const void *address, size_t size)
{
    if (resolve->count == OTLP_ADDRESSES_MAX || size > sizeof(struct sockaddr_storage))
        return;
    struct otlp_address *slot = &resolve->addresses[resolve->count++];
    memcpy(&slot->storage, address, size);
    slot->size = (socklen_t)size;
}

static void ipv4_add(struct otlp_resolve *resolve, struct in_addr ip)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(resolve->port), .sin_addr = ip};
    address_add(resolve, &address, sizeof address);
}

static void ipv6_add(struct otlp_resolve *resolve, struct in6_addr ip)
{
    struct sockaddr_in6 address = {
        .sin6_family = AF_INET6, .sin6_port = htons(resolve->port), .sin6_addr = ip};
    address_add(resolve, &address, sizeof address);
}

// What needs no name server. True where that gave addresses.
static bool direct(struct otlp_resolve *resolve, const struct otlp_endpoint *endpoint)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;
    if (endpoint->local) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        memcpy(address.sun_path, endpoint->path, sizeof address.sun_path);
        address_add(resolve, &address, sizeof address);
    } else if (inet_pton(AF_INET, endpoint->host, &ipv4) == 1) {
        ipv4_add(resolve, ipv4);
    } else if (inet_pton(AF_INET6, endpoint->host, &ipv6) == 1) {
        ipv6_add(resolve, ipv6);
    } else if (strcasecmp(endpoint->host, "localhost") == 0) {
        // RFC 6761: never asked of a name server; a sidecar's usual collector costs no socket.
        ipv4_add(resolve, (struct in_addr){htonl(INADDR_LOOPBACK)});
        ipv6_add(resolve, in6addr_loopback);
    }
    return resolve->count > 0;
}

struct named_resolve {
    struct otlp_resolve *resolve;
    struct loop *loop;
};

static void names_answered(int error, struct evutil_addrinfo *found, void *arg)
{
    struct named_resolve named = *(struct named_resolve *)arg;
    free(arg);
    struct otlp_resolve *resolve = named.resolve;
    resolve->request = NULL;
    if (resolve->abandoned) {
        free(resolve);
    } else {
        if (error)
            resolve->why = evutil_gai_strerror(error);
        for (struct evutil_addrinfo *at = found; at; at = at->ai_next)
            address_add(resolve, at->ai_addr, at->ai_addrlen);
        loop_defer(named.loop, &resolve->answer);
    }
    if (found)
        evutil_freeaddrinfo(found);
}

static int names_ask(struct otlp_resolve *resolve, struct loop *loop,
                     const struct otlp_endpoint *endpoint)
{
    struct evdns_base *dns = loop_dns(loop);
    if (!dns) {
        resolve->why = "no usable name server in /etc/resolv.conf";
        loop_defer(loop, &resolve->answer);
        return 0;
    }
    struct named_resolve *named = malloc(sizeof *named);
    if (!named)
        return -ENOMEM;
    *named = (struct named_resolve){resolve, loop};
    char port[8];
    evutil_snprintf(port, sizeof port, "%u", endpoint->port);
    struct evutil_addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    // NULL where names_answered has already run (the hosts file, or a failure).
    resolve->request = evdns_getaddrinfo(dns, endpoint->host, port, &hints, names_answered, named);
    return 0;
}

int otlp_resolve_start(struct otlp_resolve **out, struct loop *loop,
                       const struct otlp_endpoint *endpoint, otlp_resolved resolved, void *ctx)
{
    struct otlp_resolve *resolve = calloc(1, sizeof *resolve);
    if (!resolve)
        return -ENOMEM;
    resolve->answer.run = answer_run;
    resolve->port = endpoint->port;
    resolve->resolved = resolved;
    resolve->ctx = ctx;
    resolve->why = "the name has no address";
    int r = 0;
    if (direct(resolve, endpoint))
        loop_defer(loop, &resolve->answer);
    else
        r = names_ask(resolve, loop, endpoint);
    if (r < 0) {
        free(resolve);
        return r;
    }
    *out = resolve;
    return 0;
}

void otlp_resolve_cancel(struct otlp_resolve *resolve)
{
    if (!resolve)
        return;
    if (resolve->request) {
        resolve->abandoned = true;
        evdns_getaddrinfo_cancel(resolve->request);
        return;
    }
    loop_deferred_stop(&resolve->answer);
    free(resolve);
}
