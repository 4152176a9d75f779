// The OTLP/gRPC door: a connection's bytes to the work of all of them, and its replies back.
#include "receive/doors.h"

#include "receive/connection.h"
#include "receive/connection_answers.h"
#include "receive/otlp_work.h"
#include "receive/receive_state.h"

#include <errno.h>

// There is something to write, or the connection may be read again.
static void resume(void *ctx)
{
    struct connection *connection = ctx;
    connection->blocked = false;
    if (!connection->starved) {
        connection_resume(connection);
        return;
    }
    // It goes on when there is memory to read; its replies need not wait for that.
    if (connection_answers_pull(connection) < 0)
        connection_answers_drop(connection);
    connection_arm(connection);
}

static int grpc_open(struct connection *connection)
{
    struct receive *receive = connection->receive;
    int r = otlp_peer_new(&connection->state.otlp, receive->otlp_work, resume, connection);
    if (r == -ENOBUFS) {
        hint(&receive->hints, CLOSE_TOO_MANY,
             "no memory is left for another OTLP/gRPC connection; raise max_memory");
        connection_count_closed(connection, CLOSE_TOO_MANY);
    }
    return r;
}

static enum decode_stop grpc_feed(struct connection *connection, struct slice data, bool end,
                                  size_t *consumed)
{
    struct receive *receive = connection->receive;
    struct otlp_peer *peer = connection->state.otlp;
    enum decode_stop stop = otlp_peer_feed(peer, data, end);
    *consumed = data.size;
    if (stop == DECODE_CLOSE && otlp_peer_broken(peer)) {
        hint(&receive->hints, CLOSE_BROKEN,
             "an OTLP/gRPC client (uid %ld) broke HTTP/2's rules, or flooded us with frames",
             (long)connection->uid);
        connection_count_closed(connection, CLOSE_BROKEN);
    }
    return stop;
}

static size_t grpc_output(struct connection *connection, const uint8_t **data)
{
    return connection->state.otlp ? otlp_peer_output(connection->state.otlp, data) : 0;
}

static void grpc_close(struct connection *connection)
{
    otlp_peer_free(connection->state.otlp);
    connection->state.otlp = NULL;
}

const struct door otlp_grpc_door = {DIALECT_OTLP_GRPC, grpc_open, grpc_feed,
                                    grpc_output,       NULL,      grpc_close};
