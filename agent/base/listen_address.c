// Parses and prints numeric socket addresses; libevent's own parser refuses port 0.
#include "base/listen_address.h"

#include "base/error.h"
#include "base/settings_value.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int parse_host(struct listen_address *out, const char *host, in_port_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out->storage;
    memset(&out->storage, 0, sizeof out->storage);
    if (host[0] != '[') {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        out->size = sizeof *v4;
        return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
    }
    char inner[INET6_ADDRSTRLEN];
    size_t length = strlen(host);
    if (host[length - 1] != ']' || length - 2 >= sizeof inner)
        return -EINVAL;
    memcpy(inner, host + 1, length - 2);
    inner[length - 2] = '\0';
    v6->sin6_family = AF_INET6;
    v6->sin6_port = port;
    out->size = sizeof *v6;
    return inet_pton(AF_INET6, inner, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
}

int listen_address_parse(struct listen_address *out, const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN + 2];
    uint64_t port;
    if (!colon || colon == text || (size_t)(colon - text) >= sizeof host)
        return -EINVAL;
    if (value_parse_integer(colon + 1, &port) != 0 || port > UINT16_MAX)
        return -EINVAL;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    struct listen_address parsed;
    if (parse_host(&parsed, host, htons((uint16_t)port)) < 0)
        return -EINVAL;
    *out = parsed;
    return 0;
}

int listen_address_of(int fd, char *out, size_t size)
{
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    char host[INET6_ADDRSTRLEN];
    if (getsockname(fd, (struct sockaddr *)&storage, &length) < 0)
        return error_from_errno();
    if (storage.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&storage;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out, size, "%s:%u", host, ntohs(v4->sin_port));
    } else if (storage.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&storage;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out, size, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        return -EAFNOSUPPORT;
    }
    return 0;
}
