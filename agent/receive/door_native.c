// The native door: frames to decode, and the answers that a connection is owed back to it.
#include "decode/decode_native.h"

#include "base/clock.h"
#include "receive/connection.h"
#include "receive/connection_answers.h"
#include "receive/doors.h"
#include "receive/receive_state.h"

#include <errno.h>
#include <stdlib.h>

// How long a connection that has ended stays for what it is owed: the sink may be away for days.
#define LINGER_NS (30 * NS_PER_S)

// Of a native connection, beside what decode keeps.
struct native_peer {
    struct native_state state; // first: connection->state.native points to it
    struct connection *connection;
    struct room_waiter credit_waiter; // while less is granted, as a log fills up
    struct loop_timer deadline; // of a Flush, or of a peer that has ended and is owed something
    uint64_t linger_until_ns;   // monotonic; 0: it has not ended
};

static struct native_peer *peer_of(struct connection *connection)
{
    return (struct native_peer *)(void *)connection->state.native;
}

static void set_deadline(struct native_peer *peer)
{
    const struct receive_config *config = &peer->connection->receive->config;
    uint64_t at = decode_native_deadline(&peer->state);
    if (peer->linger_until_ns && (!at || peer->linger_until_ns < at))
        at = peer->linger_until_ns;
    if (!at) {
        loop_timer_stop(&peer->deadline);
        return;
    }
    uint64_t now = clock_monotonic(config->clock);
    loop_timer_start(config->loop, &peer->deadline, at > now ? at - now : 0);
}

// Writes the answers that are due, and waits for the others. Whether there are any.
static bool await_answers(struct connection *connection)
{
    struct decoder *decoder = connection->receive->config.decoder;
    bool owes = decode_native_answers(decoder, connection->state.native);
    if (owes)
        decoder_wait_stored(decoder, &connection->stored_waiter);
    decode_native_watch(decoder, connection->state.native, &peer_of(connection)->credit_waiter);
    set_deadline(peer_of(connection));
    return owes;
}

// The peer has ended, and waits for no more answers, or is not waited for any longer.
static void end_linger(struct connection *connection)
{
    connection->lingers = false;
    connection->blocked = false;
    connection_resume(connection);
}

static void answer(struct connection *connection)
{
    if (!await_answers(connection) && connection->lingers) {
        end_linger(connection);
        return;
    }
    if (connection_answers_pull(connection) < 0)
        connection_answers_drop(connection);
    connection_arm(connection);
}

static void stored_further(struct room_waiter *waiter)
{
    struct connection *connection = CONNECTION_OF(waiter, stored_waiter);
    connection_check(connection);
    answer(connection);
}

static void log_fell(struct room_waiter *waiter)
{
    struct native_peer *peer =
        (struct native_peer *)(void *)((char *)waiter -
                                       offsetof(struct native_peer, credit_waiter));
    connection_check(peer->connection);
    answer(peer->connection);
}

static void deadline_expired(struct loop_timer *timer)
{
    struct native_peer *peer =
        (struct native_peer *)(void *)((char *)timer - offsetof(struct native_peer, deadline));
    struct connection *connection = peer->connection;
    connection_check(connection);
    if (connection->lingers &&
        clock_monotonic(connection->receive->config.clock) >= peer->linger_until_ns)
        end_linger(connection);
    else
        answer(connection);
}

static int native_open(struct connection *connection)
{
    struct native_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return -ENOMEM;
    peer->connection = connection;
    peer->deadline.expired = deadline_expired;
    peer->credit_waiter.room = log_fell;
    connection->state.native = &peer->state;
    connection->stored_waiter.room = stored_further;
    return 0;
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

// Who has shut its side down still gets what it is owed, if that comes soon.
static enum decode_stop linger(struct connection *connection)
{
    struct native_peer *peer = peer_of(connection);
    uint64_t now = clock_monotonic(connection->receive->config.clock);
    if (!peer->linger_until_ns)
        peer->linger_until_ns = now + LINGER_NS;
    if (now >= peer->linger_until_ns)
        return DECODE_MORE;
    connection->lingers = true;
    set_deadline(peer);
    return DECODE_BLOCKED;
}

static enum decode_stop native_feed(struct connection *connection, struct slice data, bool end,
                                    size_t *consumed)
{
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
    if (stop != DECODE_CLOSE && await_answers(connection) && end && stop == DECODE_MORE)
        return linger(connection);
    return stop;
}

static size_t native_output(struct connection *connection, const uint8_t **data)
{
    struct native_state *state = connection->state.native;
    if (!state)
        return 0;
    if (state->out_size == 0) // what had no room before
        await_answers(connection);
    size_t size = state->out_size;
    *data = state->out;
    state->out_size = 0;
    return size;
}

static void native_last(struct connection *connection)
{
    decode_native_end(connection->receive->config.decoder, connection->state.native);
}

static void native_close(struct connection *connection)
{
    decoder_wait_stored_cancel(connection->receive->config.decoder, &connection->stored_waiter);
    if (connection->state.native) {
        decode_native_watch_cancel(connection->receive->config.decoder,
                                   &peer_of(connection)->credit_waiter);
        loop_timer_stop(&peer_of(connection)->deadline);
        native_state_deinit(connection->state.native);
    }
    free(peer_of(connection));
    connection->state.native = NULL;
}

const struct door native_door = {DIALECT_NATIVE, native_open, native_feed,
                                 native_output,  native_last, native_close};
