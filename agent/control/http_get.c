// A blocking HTTP GET with a deadline, for the commands; the agent itself never waits like this.
#include "control/http_get.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/listen_address.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE (5 * NS_PER_S)
#define ANSWER_MAX ((size_t)1024 * 1024)

static int wait_for(int fd, short events, uint64_t until)
{
    for (;;) {
        uint64_t now = clock_monotonic(clock_system());
        if (now >= until)
            return -ETIMEDOUT;
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int r = poll(&poll_fd, 1, (int)((until - now) / NS_PER_MS) + 1);
        if (r > 0)
            return 0;
        if (r < 0 && errno != EINTR)
            return error_from_errno();
    }
}

static void reach_loopback(struct listen_address *address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&address->storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&address->storage;
    if (address->storage.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        v6->sin6_addr = in6addr_loopback;
}

static int connect_to(const char *text, uint64_t until)
{
    struct listen_address address;
    int error = 0;
    socklen_t size = sizeof error;
    int r = listen_address_parse(&address, text);
    if (r < 0)
        return r;
    reach_loopback(&address);
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_from_errno();
    if (connect(fd, (struct sockaddr *)&address.storage, address.size) < 0) {
        r = errno == EINPROGRESS ? wait_for(fd, POLLOUT, until) : error_from_errno();
        if (r == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
            r = error_from_errno();
        if (r == 0 && error)
            r = -error;
    }
    if (r < 0) {
        close(fd);
        return r;
    }
    return fd;
}

static int exchange(int fd, const char *request, uint64_t until, char *answer, size_t *size)
{
    size_t length = strlen(request), used = 0;
    int r = wait_for(fd, POLLOUT, until);
    if (r < 0)
        return r;
    // A fresh connection's send buffer takes so short a request whole.
    if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
        return error_from_errno();
    for (;;) {
        r = wait_for(fd, POLLIN, until);
        if (r < 0)
            return r;
        ssize_t got = recv(fd, answer + used, ANSWER_MAX - used, 0);
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return error_from_errno();
        if (got == 0)
            break;
        used += got > 0 ? (size_t)got : 0;
        if (used == ANSWER_MAX)
            return -EMSGSIZE;
    }
    answer[used] = '\0';
    *size = used;
    return 0;
}

// HTTP/1.1 SP status SP …, fields, an empty line, the body.
static int parse_answer(char *answer, size_t size, char **body)
{
    const char *end = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, "HTTP/1.", 7) != 0 || !end || size < 12)
        return -EPROTO;
    long status = strtol(answer + 9, NULL, 10);
    if (status < 100 || status > 599)
        return -EPROTO;
    *body = strdup(end + 4);
    return *body ? (int)status : -ENOMEM;
}

int http_get(const char *address, const char *path, char **body)
{
    uint64_t until = clock_monotonic(clock_system()) + DEADLINE;
    char request[256];
    size_t size = 0;
    int fd = connect_to(address, until);
    if (fd < 0)
        return fd;
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
             path, address);
    char *answer = malloc(ANSWER_MAX + 1);
    int r = answer ? exchange(fd, request, until, answer, &size) : -ENOMEM;
    if (r == 0)
        r = parse_answer(answer, size, body);
    free(answer);
    close(fd);
    return r;
}
