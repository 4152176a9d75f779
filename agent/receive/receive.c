// Opens the doors and keeps the list of connections.
#include "receive/receive.h"

#include "base/own_log.h"
#include "receive/connection.h"
#include "receive/listener.h"

#include <errno.h>
#include <stdlib.h>

#define BUFFER_SIZE ((size_t)(64 + 16) << 10) // one read behind one kept chunk, see connection.c

static void accepted(void *ctx, int fd)
{
    struct receive *receive = ctx;
    if (connection_new(receive, fd) < 0)
        own_log(OWN_ERROR, "connection_refused", "out of memory: a connection was closed");
}

static void free_listener(struct listener **listener)
{
    if (*listener)
        listener_close(*listener);
    free(*listener);
    *listener = NULL;
}

static int open_listeners(struct receive *receive, struct listener_error *error)
{
    const struct receive_config *config = &receive->config;
    receive->socket = calloc(1, sizeof *receive->socket);
    receive->otlp = calloc(1, sizeof *receive->otlp);
    if (!receive->socket || !receive->otlp)
        return -ENOMEM;
    receive->socket->fd = receive->socket->lock_fd = -1;
    receive->otlp->fd = receive->otlp->lock_fd = -1;
    int r = listener_open_unix(receive->socket, config->socket_path, config->socket_mode,
                               config->socket_group, error);
    if (r == 0 && *config->otlp_listen)
        r = listener_open_tcp(receive->otlp, config->otlp_listen, error);
    if (r == 0)
        r = listener_start(receive->socket, config->loop, accepted, receive);
    if (r == 0 && receive->otlp->fd >= 0)
        r = listener_start(receive->otlp, config->loop, accepted, receive);
    return r;
}

int receive_new(struct receive **out, const struct receive_config *config)
{
    struct listener_error error = {"out of memory"};
    struct receive *receive = calloc(1, sizeof *receive);
    if (!receive)
        return -ENOMEM;
    receive->config = *config;
    receive->buffer = malloc(BUFFER_SIZE);
    receive->buffer_size = BUFFER_SIZE;
    int r = receive->buffer ? open_listeners(receive, &error) : -ENOMEM;
    if (r < 0) {
        own_log(OWN_ERROR, "listen_failed", "%s", error.text);
        receive_free(receive);
        return r;
    }
    *out = receive;
    return 0;
}

void receive_free(struct receive *receive)
{
    if (!receive)
        return;
    receive->idle = NULL;
    while (receive->connections)
        connection_free(receive->connections);
    free_listener(&receive->socket);
    free_listener(&receive->otlp);
    while (receive->pooled > 0)
        free(receive->pool[--receive->pooled]);
    free(receive->buffer);
    free(receive);
}

const char *receive_socket_path(const struct receive *receive)
{
    return receive->socket->address;
}

const char *receive_otlp_address(const struct receive *receive)
{
    return receive->otlp->fd >= 0 ? receive->otlp->address : "";
}

size_t receive_open(const struct receive *receive)
{
    return receive->open;
}

void receive_on_idle(struct receive *receive, void (*idle)(void *ctx), void *ctx)
{
    receive->idle = idle;
    receive->idle_ctx = ctx;
}

void receive_close_all(struct receive *receive)
{
    receive->idle = NULL;
    listener_close(receive->socket);
    listener_close(receive->otlp);
    while (receive->connections)
        connection_sweep(receive->connections);
}
