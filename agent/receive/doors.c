// One row for each dialect: how its bytes reach decode and how its answers leave.
#include "receive/doors.h"

#include "receive/connection.h"
#include "receive/connection_answers.h"
#include "receive/dialect.h"
#include "receive/receive_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

static enum decode_stop lines_feed(struct connection *connection, struct slice data, bool end,
                                   size_t *consumed)
{
    return decode_lines(connection->receive->config.decoder, &connection->state.lines, data, end,
                        consumed);
}

// Where it was cut short a record may still wait: it goes on now or, where no log may lose and none
// has room, nowhere.
static void lines_close(struct connection *connection)
{
    struct decoder *decoder = connection->receive->config.decoder;
    struct line_state *state = &connection->state.lines;
    state->expired = true;
    if (line_state_pending(state))
        decode_lines_flush(decoder, state);
    line_state_deinit(decoder, state);
}

// Writes the receipts that are due, and waits for the others. Whether there are any.
static bool await_stored(struct connection *connection)
{
    struct decoder *decoder = connection->receive->config.decoder;
    bool owes = decode_native_answers(decoder, connection->state.native);
    if (owes)
        decoder_wait_stored(decoder, &connection->stored_waiter);
    return owes;
}

static void stored_further(struct room_waiter *waiter)
{
    struct connection *connection = CONNECTION_OF(waiter, stored_waiter);
    connection_check(connection);
    if (!await_stored(connection) && connection->lingers) {
        connection->lingers = false;
        connection->blocked = false;
        connection_resume(connection);
        return;
    }
    if (connection_answers_pull(connection) < 0)
        connection_answers_drop(connection);
    connection_arm(connection);
}

static int native_open(struct connection *connection)
{
    connection->state.native = calloc(1, sizeof *connection->state.native);
    connection->stored_waiter.room = stored_further;
    return connection->state.native ? 0 : -ENOMEM;
}

// A Hello's resource stays as long as its connection. False where there is no room for that.
static bool charge_resource(struct connection *connection)
{
    size_t size = connection->state.native->resource_size;
    if (connection->state_charged == size)
        return true;
    if (!connection_memory_take(connection->receive, size))
        return false;
    connection->state_charged = size;
    return true;
}

static enum decode_stop native_feed(struct connection *connection, struct slice data, bool end,
                                    size_t *consumed)
{
    (void)end;
    struct receive *receive = connection->receive;
    struct native_state *state = connection->state.native;
    enum decode_stop stop = decode_native(receive->config.decoder, state, data, consumed);
    if (stop == DECODE_CLOSE) {
        hint(&receive->hints, CLOSE_BROKEN, "a native client (uid %ld): %s; see docs/PROTOCOL.md",
             (long)connection->uid, state->error);
        connection_count_closed(connection, CLOSE_BROKEN);
    } else if (!charge_resource(connection)) {
        hint(&receive->hints, CLOSE_TOO_MANY,
             "no memory is left for another client's resource; raise max_memory");
        connection_count_closed(connection, CLOSE_TOO_MANY);
        return DECODE_CLOSE;
    }
    if (stop != DECODE_CLOSE && await_stored(connection) && end && stop == DECODE_MORE) {
        connection->lingers = true;
        return DECODE_BLOCKED;
    }
    return stop;
}

static size_t native_output(struct connection *connection, const uint8_t **data)
{
    struct native_state *state = connection->state.native;
    if (!state)
        return 0;
    if (state->out_size == 0) // what had no room before
        decode_native_answers(connection->receive->config.decoder, state);
    size_t size = state->out_size;
    *data = state->out;
    state->out_size = 0;
    return size;
}

static void native_close(struct connection *connection)
{
    decoder_wait_stored_cancel(connection->receive->config.decoder, &connection->stored_waiter);
    if (connection->state.native)
        native_state_deinit(connection->state.native);
    free(connection->state.native);
    connection->state.native = NULL;
}

// Foreign bytes: nothing to read, nothing to answer; the hint has been logged.
static enum decode_stop foreign_feed(struct connection *connection, struct slice data, bool end,
                                     size_t *consumed)
{
    (void)connection;
    (void)end;
    *consumed = data.size;
    return DECODE_CLOSE;
}

static void close_foreign(struct connection *connection, enum foreign_kind kind)
{
    static const enum close_reason reasons[] = {
        [FOREIGN_TLS] = CLOSE_TLS,
        [FOREIGN_PICKLE] = CLOSE_PICKLE,
        [FOREIGN_HTTP1] = CLOSE_HTTP1,
        [FOREIGN_BINARY] = CLOSE_BINARY,
    };
    assert(kind != FOREIGN_NONE);
    hint(&connection->receive->hints, reasons[kind], "%s", foreign_hint(kind));
    connection_count_closed(connection, reasons[kind]);
}

static const struct door native_door = {DIALECT_NATIVE, native_open, native_feed, native_output,
                                        native_close};
// Its framing is not taken apart yet: a record stays whole, with its priority in the message.
static const struct door syslog_door = {DIALECT_SYSLOG, NULL, lines_feed, NULL, lines_close};
static const struct door lines_door = {DIALECT_LINES, NULL, lines_feed, NULL, lines_close};
static const struct door otlp_http_door = {DIALECT_OTLP_HTTP, NULL, foreign_feed, NULL, NULL};
static const struct door foreign_door = {DIALECT_FOREIGN, NULL, foreign_feed, NULL, NULL};

static const struct door *const doors[] = {
    &native_door, &otlp_grpc_door, &syslog_door, &lines_door, &otlp_http_door, &foreign_door,
};

const struct door *door_for(struct connection *connection, const struct dialect_guess *guess)
{
    unsigned i = 0;
    while (doors[i]->dialect != guess->dialect) {
        i++;
        assert(i < sizeof doors / sizeof doors[0]);
    }
    if (doors[i]->feed == foreign_feed)
        close_foreign(connection, guess->foreign);
    return doors[i];
}
