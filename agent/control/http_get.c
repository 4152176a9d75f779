// Blocking HTTP GETs, for the commands: of a page, with a deadline, and of a stream. The agent
// itself never waits like this.
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

static int ask(int fd, const char *address, const char *path, uint64_t until)
{
    char request[4096];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, address);
    if (size < 0 || (size_t)size >= sizeof request)
        return -EMSGSIZE;
    int r = wait_for(fd, POLLOUT, until);
    if (r < 0)
        return r;
    // A fresh connection's send buffer takes so short a request whole.
    return send(fd, request, (size_t)size, MSG_NOSIGNAL) == size ? 0 : error_from_errno();
}

static int read_answer(int fd, uint64_t until, char *answer, size_t *size)
{
    size_t used = 0;
    for (;;) {
        int r = wait_for(fd, POLLIN, until);
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
    size_t size = 0;
    int fd = connect_to(address, until);
    if (fd < 0)
        return fd;
    char *answer = malloc(ANSWER_MAX + 1);
    int r = answer ? ask(fd, address, path, until) : -ENOMEM;
    if (r == 0)
        r = read_answer(fd, until, answer, &size);
    if (r == 0)
        r = parse_answer(answer, size, body);
    free(answer);
    close(fd);
    return r;
}

// --- streams ---

struct follow {
    int fd;
    const volatile sig_atomic_t *stop;
    bool (*line)(void *ctx, struct slice text);
    void *ctx;
    char *text; // ANSWER_MAX + 1 bytes
    size_t used;
};

// More bytes: how many, 0 at the end or where it is to stop, -errno. until 0: no deadline.
static ssize_t follow_read(struct follow *follow, uint64_t until)
{
    while (!*follow->stop) {
        if (until) {
            int r = wait_for(follow->fd, POLLIN, until);
            if (r < 0)
                return r;
        } else {
            struct pollfd ready = {.fd = follow->fd, .events = POLLIN};
            if (poll(&ready, 1, 1000) < 0 && errno != EINTR)
                return error_from_errno();
        }
        ssize_t got =
            recv(follow->fd, follow->text + follow->used, ANSWER_MAX - follow->used, MSG_DONTWAIT);
        if (got >= 0)
            return got;
        if (errno != EAGAIN && errno != EINTR)
            return error_from_errno();
    }
    return 0;
}

// Hands over every whole line and keeps the rest. False: no more is wanted.
static bool follow_lines(struct follow *follow)
{
    char *at = follow->text, *end = follow->text + follow->used, *feed;
    bool more = true;
    while (more && (feed = memchr(at, '\n', (size_t)(end - at)))) {
        more = follow->line(follow->ctx, slice_of(at, (size_t)(feed - at)));
        at = feed + 1;
    }
    follow->used = (size_t)(end - at);
    memmove(follow->text, at, follow->used);
    return more;
}

// Reads the head; for 200, leaves what follows it as the text. Returns the status or -errno.
static int follow_head(struct follow *follow, uint64_t until, char **body)
{
    char *end = NULL;
    while (!end) {
        ssize_t got = follow_read(follow, until);
        if (got <= 0)
            return got < 0 ? (int)got : -EPROTO;
        follow->used += (size_t)got;
        follow->text[follow->used] = '\0';
        end = strstr(follow->text, "\r\n\r\n");
        if (!end && follow->used == ANSWER_MAX)
            return -EPROTO;
    }
    long status = strncmp(follow->text, "HTTP/1.", 7) == 0 ? strtol(follow->text + 9, NULL, 10) : 0;
    if (status == 200) {
        follow->used -= (size_t)(end + 4 - follow->text);
        memmove(follow->text, end + 4, follow->used);
        return 200;
    }
    for (ssize_t got; (got = follow_read(follow, until)) != 0; follow->used += (size_t)got)
        if (got < 0)
            return (int)got;
    follow->text[follow->used] = '\0';
    return parse_answer(follow->text, follow->used, body);
}

static int follow_body(struct follow *follow)
{
    while (follow_lines(follow)) {
        if (follow->used == ANSWER_MAX)
            return -EMSGSIZE;
        ssize_t got = follow_read(follow, 0);
        if (got <= 0)
            return (int)got;
        follow->used += (size_t)got;
    }
    return 0;
}

int http_follow(const char *address, const char *path, const volatile sig_atomic_t *stop,
                bool (*line)(void *ctx, struct slice text), void *ctx, char **body)
{
    uint64_t until = clock_monotonic(clock_system()) + DEADLINE;
    struct follow follow = {.stop = stop, .line = line, .ctx = ctx};
    follow.fd = connect_to(address, until);
    if (follow.fd < 0)
        return follow.fd;
    follow.text = malloc(ANSWER_MAX + 1);
    int r = follow.text ? ask(follow.fd, address, path, until) : -ENOMEM;
    if (r == 0)
        r = follow_head(&follow, until, body);
    if (r == 200) {
        int failure = follow_body(&follow);
        r = failure < 0 ? failure : r;
    }
    free(follow.text);
    close(follow.fd);
    return r;
}
