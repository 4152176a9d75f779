// Numeric "host:port" of a socket to listen on or to reach: 127.0.0.1:9598, [::1]:0.
#ifndef SLUICE_BASE_LISTEN_ADDRESS_H
#define SLUICE_BASE_LISTEN_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

struct listen_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

// Port 0 is legal: the kernel chooses. Returns 0 or -EINVAL. Names are not resolved.
int listen_address_parse(struct listen_address *out, const char *text);

// The address that a socket is bound to, as text. Returns 0 or -errno.
int listen_address_of(int fd, char *out, size_t size);

#endif
