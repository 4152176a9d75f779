// One row for each dialect: how its bytes reach decode and how its answers leave.
#include "receive/doors.h"

#include "receive/connection.h"
#include "receive/dialect.h"

#include "base/clock.h"
#include "base/own_log.h"

#include <assert.h>

#define HINT_EVERY_NS (10 * NS_PER_S)

static enum decode_stop lines_feed(struct connection *connection, struct slice data, bool end,
                                   size_t *consumed)
{
    return decode_lines(connection->receive->config.decoder, &connection->state.lines, data, end,
                        consumed);
}

static enum decode_stop native_feed(struct connection *connection, struct slice data, bool end,
                                    size_t *consumed)
{
    (void)end;
    return decode_native(connection->receive->config.decoder, &connection->state.native, data,
                         consumed);
}

static size_t native_output(struct connection *connection, const uint8_t **data)
{
    struct native_state *state = &connection->state.native;
    size_t size = state->out_size;
    *data = state->out;
    state->out_size = 0;
    return size;
}

static void native_close(struct connection *connection)
{
    native_state_deinit(&connection->state.native);
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

static void hint(struct receive *receive, enum foreign_kind kind)
{
    uint64_t now = clock_monotonic(receive->config.clock);
    uint64_t *last = &receive->hinted_ns[kind];
    assert(kind < sizeof receive->hinted_ns / sizeof *last);
    if (*last && now - *last < HINT_EVERY_NS)
        return;
    *last = now;
    own_log(OWN_WARN, "foreign_bytes", "a connection was closed: %s", foreign_hint(kind));
}

static const struct door native_door = {DIALECT_NATIVE, NULL, native_feed, native_output,
                                        native_close};
// Its framing is not taken apart yet: a record stays whole, with its priority in the message.
static const struct door syslog_door = {DIALECT_SYSLOG, NULL, lines_feed, NULL, NULL};
static const struct door lines_door = {DIALECT_LINES, NULL, lines_feed, NULL, NULL};
static const struct door otlp_http_door = {DIALECT_OTLP_HTTP, NULL, foreign_feed, NULL, NULL};
static const struct door foreign_door = {DIALECT_FOREIGN, NULL, foreign_feed, NULL, NULL};

static const struct door *const doors[] = {
    &native_door, &otlp_grpc_door, &syslog_door, &lines_door, &otlp_http_door, &foreign_door,
};

const struct door *door_for(struct receive *receive, const struct dialect_guess *guess)
{
    unsigned i = 0;
    while (doors[i]->dialect != guess->dialect) {
        i++;
        assert(i < sizeof doors / sizeof doors[0]);
    }
    if (doors[i]->feed == foreign_feed)
        hint(receive, guess->foreign);
    return doors[i];
}
