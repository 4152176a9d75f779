// Opens the doors and keeps the list of connections.
#include "receive/receive.h"

#include "base/own_log.h"
#include "receive/connection.h"
#include "receive/connection_answers.h"
#include "receive/listener.h"
#include "receive/otlp_work.h"
#include "receive/receive_state.h"

#include <errno.h>
#include <stdlib.h>

#define RESUMED_PER_TURN 64

static void accepted_local(void *ctx, int fd)
{
    admission_accept(ctx, fd, true);
}

static void accepted_tcp(void *ctx, int fd)
{
    admission_accept(ctx, fd, false);
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
        r = listener_start(receive->socket, config->loop, accepted_local, receive);
    if (r == 0 && receive->otlp->fd >= 0)
        r = listener_start(receive->otlp, config->loop, accepted_tcp, receive);
    return r;
}

// So many go on in this turn, the others after a look at all sockets.
static void resume_some(struct receive *receive)
{
    struct link *link;
    for (unsigned n = 0; n < RESUMED_PER_TURN && (link = link_first(&receive->resumed)); n++)
        connection_step(CONNECTION_OF(link, queue));
    if (link_first(&receive->resumed))
        loop_timer_start(receive->config.loop, &receive->resume_rest, 0);
}

static void resume_run(struct loop_deferred *deferred)
{
    resume_some((struct receive *)((char *)deferred - offsetof(struct receive, resume)));
}

static void resume_rest_expired(struct loop_timer *timer)
{
    resume_some((struct receive *)((char *)timer - offsetof(struct receive, resume_rest)));
}

static void init_state(struct receive *receive, const struct receive_config *config)
{
    receive->config = *config;
    receive->hints.clock = config->clock;
    receive->unread_ns = ANSWERS_UNREAD_NS;
    receive->resume.run = resume_run;
    receive->resume_rest.expired = resume_rest_expired;
    link_list_init(&receive->connections);
    link_list_init(&receive->undecided);
    link_list_init(&receive->resumed);
    connection_memory_init(receive);
}

static int start_otlp(struct receive *receive)
{
    const struct otlp_work_config config = {
        .loop = receive->config.loop,
        .clock = receive->config.clock,
        .decoder = receive->config.decoder,
        .max_message = receive->config.max_message,
        .message_bytes = &receive->config.book->message_bytes,
    };
    return otlp_work_new(&receive->otlp_work, &config);
}

int receive_new(struct receive **out, const struct receive_config *config)
{
    struct listener_error error = {"out of memory"};
    struct receive *receive = calloc(1, sizeof *receive);
    if (!receive)
        return -ENOMEM;
    init_state(receive, config);
    receive->buffer = malloc(KEPT_COPIED + READ_SIZE);
    int r = receive->buffer ? admission_init(receive, &error) : -ENOMEM;
    if (r == 0)
        r = start_otlp(receive);
    if (r == 0)
        r = open_listeners(receive, &error);
    if (r < 0) {
        own_log(OWN_ERROR, "listen_failed", "%s", error.text);
        receive_free(receive);
        return r;
    }
    *out = receive;
    return 0;
}

static struct connection *first_of(struct receive *receive)
{
    struct link *link = link_first(&receive->connections);
    return link ? CONNECTION_OF(link, all) : NULL;
}

void receive_free(struct receive *receive)
{
    if (!receive)
        return;
    struct connection *connection;
    receive->idle = NULL;
    while ((connection = first_of(receive)))
        connection_free(connection);
    otlp_work_free(receive->otlp_work);
    free_listener(&receive->socket);
    free_listener(&receive->otlp);
    loop_deferred_stop(&receive->resume);
    loop_timer_stop(&receive->resume_rest);
    connection_memory_deinit(receive);
    admission_deinit(&receive->admission);
    free(receive->buffer);
    free(receive);
}

void receive_set_limits(struct receive *receive, const struct receive_limits *limits)
{
    receive->config.max_connections = limits->max_connections;
    receive->config.first_byte_timeout_ns = limits->first_byte_timeout_ns;
    receive->config.block_for_ns = limits->block_for_ns;
    admission_raise_open_files(limits->max_connections);
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

// What is owed is written, as far as the sockets take it.
static void close_swept(struct connection *connection)
{
    const struct door *door = connection->door;
    if (door && door->last) {
        door->last(connection);
        (void)connection_answers_pull(connection);
    }
    connection_free(connection);
}

void receive_close_all(struct receive *receive)
{
    struct link swept;
    struct connection *connection;
    receive->idle = NULL;
    link_list_init(&swept);
    listener_close(receive->socket);
    listener_close(receive->otlp);
    otlp_work_finish(receive->otlp_work);
    while ((connection = first_of(receive))) {
        if (!connection_sweep(connection))
            continue;
        link_remove(&connection->all);
        link_append(&swept, &connection->all);
    }
    if (link_first(&swept))
        decoder_store_now(receive->config.decoder); // once for all who are owed a receipt
    for (struct link *link; (link = link_first(&swept));)
        close_swept(CONNECTION_OF(link, all));
}
