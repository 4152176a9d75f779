// Export requests from the bytes of a session to the reply: in turns, in lanes, through full logs,
// and at the agent's end.
#include "base/byte_budget.h"
#include "grpc/gzip.h"
#include "grpc_fixture.h"
#include "otlp_door.h"
#include "receive/otlp_work.h"

#include <event2/event.h>

#define LOGS "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
#define SPANS "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define CLIENTS 3

struct client {
    struct peer peer;
    struct otlp_peer *otlp;
    unsigned resumed;
    enum decode_stop stop; // what the last feed said
    bool end;
};

struct port {
    struct door *door;
    struct byte_budget budget;
    struct otlp_work *work;
    struct client clients[CLIENTS];
    size_t session; // bytes charged for one
};

static void resumed(void *ctx)
{
    ((struct client *)ctx)->resumed++;
}

static struct port *port_new(uint64_t log_bytes)
{
    struct port *port = calloc(1, sizeof *port);
    assert_non_null(port);
    port->door = door_of(log_bytes, 0, 1, 1);
    port->budget.limit = 15u << 20;
    struct otlp_work_config config = {.loop = port->door->house->loop,
                                      .clock = &port->door->house->clock,
                                      .decoder = port->door->decoder,
                                      .max_message = 16u << 20,
                                      .message_bytes = &port->budget};
    assert_int_equal(otlp_work_new(&port->work, &config), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *client = &port->clients[i];
        peer_open(&client->peer);
        assert_int_equal(otlp_peer_new(&client->otlp, port->work, resumed, client), 0);
    }
    port->session = (size_t)port->budget.used / CLIENTS;
    return port;
}

static void client_leave(struct client *client)
{
    otlp_peer_free(client->otlp);
    client->otlp = NULL;
}

static void port_free(struct port *port)
{
    for (unsigned i = 0; i < CLIENTS; i++) {
        client_leave(&port->clients[i]);
        peer_close(&port->clients[i].peer);
    }
    otlp_work_free(port->work);
    assert_int_equal(port->budget.used, 0);
    door_free(port->door);
    free(port);
}

// Carries bytes both ways, as a connection does: nothing is fed while it is blocked.
static void carry(struct client *client)
{
    const uint8_t *data;
    bool moved = true;
    while (moved && client->otlp) {
        moved = false;
        if (client->stop == DECODE_BLOCKED && client->resumed == 0)
            return;
        client->resumed = 0;
        client->stop = otlp_peer_feed(client->otlp, (struct slice){0}, client->end);
        while (client->stop == DECODE_MORE) {
            ssize_t n = nghttp2_session_mem_send(client->peer.session, &data);
            if (n <= 0)
                break;
            client->stop = otlp_peer_feed(client->otlp, slice_of(data, (size_t)n), client->end);
            moved = true;
        }
        size_t size;
        while ((size = otlp_peer_output(client->otlp, &data)) > 0) {
            moved = true;
            nghttp2_session_mem_recv(client->peer.session, data, size);
        }
    }
}

static void port_turn(struct port *port)
{
    event_base_loop(loop_event_base(port->door->house->loop), EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_true(books_balanced(&port->door->house->books));
    for (unsigned i = 0; i < CLIENTS; i++)
        carry(&port->clients[i]);
}

static int32_t send_request(struct client *client, const char *path, const char *encoding,
                            const uint8_t *body, size_t size)
{
    int32_t id = peer_request(&client->peer, path, "application/grpc", encoding, body, size, false);
    carry(client);
    return id;
}

static bool answered(struct client *client, int32_t id, const char *status)
{
    return strcmp(peer_stream(&client->peer, id)->grpc_status, status) == 0;
}

static struct message many_logs(unsigned count, size_t size)
{
    struct message scope = {0}, run = {0}, request = {0}, record = {0};
    char *text = malloc(size + 1);
    memset(text, 't', size);
    text[size] = '\0';
    put_message(&record, OTLP_LOG_BODY, any_text(text));
    size_t each = wire_bytes_size(OTLP_SCOPE_RECORDS, record.size);
    uint8_t *at = message_room(&scope, count * each);
    for (unsigned i = 0; i < count; i++)
        at = wire_put_bytes(at, OTLP_SCOPE_RECORDS, record.data, record.size);
    scope.size = count * each;
    put_message(&run, OTLP_RUN_SCOPES, scope);
    put_message(&request, OTLP_REQUEST_RESOURCES, run);
    message_free(&record);
    free(text);
    return request;
}

static uint8_t *framed_logs(unsigned count, size_t size, size_t *framed_size)
{
    struct message request = many_logs(count, size);
    uint8_t *body = framed(0, request.data, request.size);
    *framed_size = request.size + 5;
    message_free(&request);
    return body;
}

static uint64_t routed(const struct port *port)
{
    return port->door->house->books.door[SIGNAL_LOGS].routed;
}

// Bytes of messages: what is charged without the sessions.
static size_t held(const struct port *port)
{
    size_t sessions = 0;
    for (unsigned i = 0; i < CLIENTS; i++)
        sessions += port->clients[i].otlp ? port->session : 0;
    return (size_t)port->budget.used - sessions;
}

static void test_a_small_request_is_answered_at_once(void **state)
{
    (void)state;
    struct port *port = port_new(8u << 20);
    size_t size;
    uint8_t *body = framed_logs(100, 50, &size);
    int32_t id = send_request(&port->clients[0], LOGS, NULL, body, size);
    assert_true(answered(&port->clients[0], id, "0"));
    assert_int_equal(routed(port), 100);
    int32_t other = send_request(&port->clients[0], "/elsewhere", NULL, body, size);
    assert_true(answered(&port->clients[0], other, "12"));
    int32_t broken = send_request(&port->clients[0], LOGS, NULL, (const uint8_t *)"\0\0\0\0\1x", 6);
    assert_true(answered(&port->clients[0], broken, "3"));
    free(body);
    port_free(port);
}

// A large one takes many turns; it is answered when all of it is appended; small ones of others
// overtake it, large ones wait behind it.
static void test_a_large_request_takes_turns(void **state)
{
    (void)state;
    struct port *port = port_new(64u << 20);
    size_t size, little_size, second_size;
    uint8_t *body = framed_logs(6000, 350, &size);
    uint8_t *second = framed_logs(2000, 100, &second_size);
    uint8_t *little = framed_logs(10, 100, &little_size);
    int32_t id = send_request(&port->clients[0], LOGS, NULL, body, size);
    int32_t behind = send_request(&port->clients[1], LOGS, NULL, second, second_size);
    uint64_t before = routed(port);
    assert_in_range(before, 0, 2000);
    int32_t overtakes = send_request(&port->clients[2], LOGS, NULL, little, little_size);
    assert_true(answered(&port->clients[2], overtakes, "0"));
    assert_int_equal(routed(port), before + 10);
    unsigned turns = 0;
    for (uint64_t last = routed(port); !answered(&port->clients[0], id, "0"); turns++) {
        assert_true(turns < 10000);
        assert_false(answered(&port->clients[1], behind, "0"));
        port_turn(port);
        assert_true(routed(port) - last <= 2000);
        last = routed(port);
    }
    assert_true(turns >= 10);
    assert_in_range(routed(port), 6010, 8009);
    while (!answered(&port->clients[1], behind, "0"))
        port_turn(port);
    assert_int_equal(routed(port), 8010);
    assert_int_equal(held(port), 0);
    free(body);
    free(second);
    free(little);
    port_free(port);
}

// A log that fills up on the way is waited for; nothing is lost and nothing is refused.
static void test_a_request_larger_than_the_log(void **state)
{
    (void)state;
    struct port *port = port_new(8u << 20);
    size_t size;
    uint8_t *body = framed_logs(3000, 3400, &size);
    int32_t id = send_request(&port->clients[0], LOGS, NULL, body, size);
    for (unsigned i = 0; i < 500; i++)
        port_turn(port);
    assert_string_equal(peer_stream(&port->clients[0].peer, id)->grpc_status, "");
    assert_in_range(routed(port), 1000, 2900);
    assert_true(held(port) >= size - 5);
    // Another that comes now is refused, with the time to come back; nothing of it is appended.
    size_t other_size;
    uint64_t before = routed(port);
    uint8_t *other = framed_logs(100, 500, &other_size);
    int32_t refused = send_request(&port->clients[1], LOGS, NULL, other, other_size);
    assert_true(answered(&port->clients[1], refused, "8"));
    assert_true(strlen(peer_stream(&port->clients[1].peer, refused)->details) > 0);
    assert_int_equal(routed(port), before);
    assert_int_equal(port->door->house->books.door[SIGNAL_LOGS].rejected[REJECT_OVERLOADED], 100);
    for (unsigned i = 0; i < 100 && !answered(&port->clients[0], id, "0"); i++) {
        house_confirm(port->door->house);
        for (unsigned n = 0; n < 200; n++)
            port_turn(port);
    }
    assert_true(answered(&port->clients[0], id, "0"));
    assert_int_equal(routed(port), 3000);
    assert_int_equal(peer_stream(&port->clients[0].peer, id)->data_size, 5); // no partial success
    assert_int_equal(port->door->sink->book->dropped[DROP_SHED], 0);
    free(body);
    free(other);
    port_free(port);
}

// What was taken is appended, whether its stream or its connection is still there or not.
static void test_taken_is_taken(void **state)
{
    (void)state;
    struct port *port = port_new(64u << 20);
    size_t size;
    uint8_t *body = framed_logs(4000, 500, &size);
    send_request(&port->clients[0], LOGS, NULL, body, size);
    int32_t reset = send_request(&port->clients[1], LOGS, NULL, body, size);
    assert_true(routed(port) < 1000);
    nghttp2_submit_rst_stream(port->clients[1].peer.session, 0, reset, NGHTTP2_CANCEL);
    carry(&port->clients[1]);
    client_leave(&port->clients[0]); // its connection breaks
    for (unsigned i = 0; i < 1000 && held(port) > 0; i++)
        port_turn(port);
    assert_int_equal(held(port), 0);
    assert_int_equal(routed(port), 8000);
    free(body);
    port_free(port);
}

// An agent that ends appends what is in hand at once, and answers.
static void test_finish(void **state)
{
    (void)state;
    struct port *port = port_new(3u << 20);
    struct door_book *book = &port->door->house->books.door[SIGNAL_LOGS];
    size_t size;
    uint8_t *body = framed_logs(2000, 1500, &size);
    int32_t begun = send_request(&port->clients[0], LOGS, NULL, body, size);
    int32_t waits = send_request(&port->clients[1], LOGS, NULL, body, size);
    otlp_work_finish(port->work);
    for (unsigned i = 0; i < CLIENTS; i++)
        carry(&port->clients[i]);
    // The first was begun: what has no room is shed. The second was not: it is refused.
    assert_true(answered(&port->clients[0], begun, "0"));
    assert_true(peer_stream(&port->clients[0].peer, begun)->data_size > 5);
    assert_true(answered(&port->clients[1], waits, "8"));
    assert_int_equal(book->received, 4000);
    assert_int_equal(book->rejected[REJECT_OVERLOADED], 2000);
    assert_true(port->door->sink->book->dropped[DROP_SHED] > 0);
    assert_true(books_balanced(&port->door->house->books));
    // What still comes is done at once.
    house_confirm(port->door->house);
    int32_t late = send_request(&port->clients[2], LOGS, NULL, body, size);
    assert_true(answered(&port->clients[2], late, "0"));
    assert_int_equal(book->received, 6000);
    free(body);
    port_free(port);
}

// Freed with requests in hand, the books balance all the same.
static void test_free_with_requests_in_hand(void **state)
{
    (void)state;
    struct port *port = port_new(64u << 20);
    struct house *house = port->door->house;
    size_t size;
    uint8_t *body = framed_logs(6000, 350, &size);
    send_request(&port->clients[0], LOGS, NULL, body, size);
    for (unsigned i = 0; i < CLIENTS; i++)
        client_leave(&port->clients[i]);
    otlp_work_free(port->work);
    port->work = NULL;
    assert_int_equal(house->books.door[SIGNAL_LOGS].routed, 6000);
    assert_true(books_balanced(&house->books));
    free(body);
    port_free(port);
}

// While a message is inflated its connection is not read; others are.
static void test_inflating_blocks_its_connection_only(void **state)
{
    (void)state;
    struct port *port = port_new(64u << 20);
    struct message request = many_logs(8000, 500);
    uint8_t *gzip;
    size_t size, little_size;
    struct slice part = message_slice(&request);
    assert_int_equal(gzip_deflate(&part, 1, &gzip, &size), 0);
    uint8_t *body = framed(1, gzip, size);
    uint8_t *little = framed_logs(10, 100, &little_size);
    int32_t id = send_request(&port->clients[0], LOGS, "gzip", body, size + 5);
    assert_int_equal(port->clients[0].stop, DECODE_BLOCKED);
    int32_t other = send_request(&port->clients[1], LOGS, NULL, little, little_size);
    assert_true(answered(&port->clients[1], other, "0"));
    port->clients[0].end = true; // and it ends, half-closed: the reply still comes
    while (!answered(&port->clients[0], id, "0")) {
        assert_int_equal(port->clients[0].stop, DECODE_BLOCKED);
        port_turn(port);
    }
    assert_int_equal(port->clients[0].stop, DECODE_MORE);
    assert_int_equal(routed(port), 8010);
    message_free(&request);
    free(gzip);
    free(body);
    free(little);
    port_free(port);
}

// GOAWAY: what is in hand is answered, what is not whole is refused, and the client is told what
// was seen.
static void test_the_end_is_announced(void **state)
{
    (void)state;
    struct port *port = port_new(64u << 20);
    struct client *client = &port->clients[0];
    size_t size;
    uint8_t *body = framed_logs(6000, 350, &size);
    int32_t id = send_request(client, LOGS, NULL, body, size);
    int32_t half = peer_request(&client->peer, LOGS, "application/grpc", NULL, body, 1000, true);
    carry(client);
    assert_false(answered(client, id, "0"));
    otlp_work_finish(port->work);
    for (unsigned i = 0; i < CLIENTS; i++) {
        port->clients[i].end = true;
        port->clients[i].resumed = 1;
        carry(&port->clients[i]);
        assert_int_equal(port->clients[i].stop, DECODE_CLOSE);
        assert_true(port->clients[i].peer.goaway);
        assert_int_equal(port->clients[i].peer.goaway_code, NGHTTP2_NO_ERROR);
        assert_false(otlp_peer_broken(port->clients[i].otlp));
    }
    assert_true(answered(client, id, "0"));
    assert_true(answered(client, half, "14"));
    assert_int_equal(client->peer.goaway_last, half);
    assert_int_equal(port->clients[1].peer.goaway_last, 0);
    free(body);
    port_free(port);
}

// Sessions themselves hold memory: there are so many, and no more.
static void test_sessions_are_charged(void **state)
{
    (void)state;
    struct port *port = port_new(8u << 20);
    struct otlp_peer *peers[1000];
    unsigned count = 0;
    int r = 0;
    while (count < 1000 && r == 0) {
        r = otlp_peer_new(&peers[count], port->work, resumed, &port->clients[0]);
        count += r == 0;
    }
    assert_int_equal(r, -ENOBUFS);
    assert_in_range(count, 200, 300);
    assert_in_range(port->budget.used, 7u << 20, 15u << 19);
    while (count > 0)
        otlp_peer_free(peers[--count]);
    port_free(port);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_small_request_is_answered_at_once),
        cmocka_unit_test(test_a_large_request_takes_turns),
        cmocka_unit_test(test_a_request_larger_than_the_log),
        cmocka_unit_test(test_taken_is_taken),
        cmocka_unit_test(test_finish),
        cmocka_unit_test(test_free_with_requests_in_hand),
        cmocka_unit_test(test_inflating_blocks_its_connection_only),
        cmocka_unit_test(test_the_end_is_announced),
        cmocka_unit_test(test_sessions_are_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
