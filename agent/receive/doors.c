// One row for each dialect: how its bytes reach decode and how its answers leave.
#include "receive/doors.h"

#include "receive/connection.h"
#include "receive/dialect.h"
#include "receive/receive_state.h"

#include <assert.h>

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
    line_state_finish(state);
    if (line_state_pending(state))
        decode_lines_flush(decoder, state);
    line_state_deinit(decoder, state);
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

// Its framing is not taken apart yet: a record stays whole, with its priority in the message.
static const struct door syslog_door = {DIALECT_SYSLOG, NULL, lines_feed, NULL, NULL, lines_close};
static const struct door lines_door = {DIALECT_LINES, NULL, lines_feed, NULL, NULL, lines_close};
static const struct door otlp_http_door = {DIALECT_OTLP_HTTP, NULL, foreign_feed, NULL, NULL, NULL};
static const struct door foreign_door = {DIALECT_FOREIGN, NULL, foreign_feed, NULL, NULL, NULL};

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
