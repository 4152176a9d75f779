// What a peer can make the gRPC server keep: messages, unfinished messages, streams.
#include "base/byte_budget.h"
#include "base/clock.h"
#include "grpc/gzip.h"
#include "grpc/message_pool.h"
#include "grpc/status_text.h"
#include "grpc_fixture.h"

#include <stdio.h>

#define PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define MIB ((size_t)1 << 20)

struct service {
    struct grpc_call *waiting[PEER_STREAMS];
    size_t wait_count;
    bool wait; // keep calls instead of answering them
    struct grpc_status status;
    struct slice response;
    size_t calls, bytes;
    uint32_t checksum;
    char path[64];
};

static void service_call(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    struct service *service = ctx;
    service->calls++;
    service->bytes += message.size;
    snprintf(service->path, sizeof service->path, "%s", path);
    for (size_t i = 0; i < message.size; i++)
        service->checksum = service->checksum * 31 + (unsigned char)message.data[i];
    if (service->wait)
        service->waiting[service->wait_count++] = call;
    else
        grpc_call_reply(call, &service->status, service->response);
}

struct bench {
    struct service service;
    struct grpc_server *server;
    struct peer peer;
};

static void bench_open(struct bench *bench, size_t max_message, size_t max_connection)
{
    memset(bench, 0, sizeof *bench);
    struct grpc_service service = {.call = service_call,
                                   .ctx = &bench->service,
                                   .max_message = max_message,
                                   .max_connection = max_connection};
    assert_int_equal(grpc_server_new(&bench->server, &service), 0);
    peer_open(&bench->peer);
}

static void bench_close(struct bench *bench)
{
    grpc_server_free(bench->server);
    peer_close(&bench->peer);
}

static void assert_answer(struct bench *bench, int32_t id, const char *grpc_status,
                          const char *message)
{
    struct peer_stream *stream = peer_stream(&bench->peer, id);
    assert_string_equal(stream->status, "200");
    assert_string_equal(stream->grpc_status, grpc_status);
    if (message)
        assert_non_null(strstr(stream->grpc_message, message));
}

static void test_many_large_messages(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 16 * MIB, 0);
    uint8_t *big = malloc(5 * MIB);
    uint32_t checksum = 0, seed = 1;
    for (size_t i = 0; i < 5 * MIB; i++) {
        seed = seed * 1664525 + 1013904223;
        big[i] = (uint8_t)(seed >> 24);
    }
    for (int n = 0; n < 4; n++)
        for (size_t i = 0; i < 5 * MIB; i++)
            checksum = checksum * 31 + big[i];
    uint8_t *body = framed(0, big, 5 * MIB);
    int32_t ids[4];
    for (int i = 0; i < 4; i++)
        ids[i] =
            peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 5 * MIB + 5, false);
    assert_int_equal(peer_carry(&bench.peer, bench.server, 16384), 0);
    for (int i = 0; i < 4; i++)
        assert_answer(&bench, ids[i], "0", NULL);
    assert_int_equal(bench.service.bytes, 20 * MIB);
    assert_int_equal(bench.service.checksum, checksum);
    free(big);
    free(body);
    bench_close(&bench);
}

// Unfinished messages beyond the connection's limit: the youngest go, the oldest gets through.
static void test_hoarded_messages_are_refused(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1 * MIB, 2 * MIB);
    uint8_t *big = calloc(1, MIB);
    uint8_t *body = framed(0, big, MIB);
    int32_t ids[20];
    for (int i = 0; i < 20; i++)
        ids[i] = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, MIB - 1000, true);
    assert_int_equal(peer_carry(&bench.peer, bench.server, 16384), 0);
    int refused = 0;
    for (int i = 0; i < 20; i++) {
        struct peer_stream *stream = peer_stream(&bench.peer, ids[i]);
        if (strcmp(stream->grpc_status, "8") != 0)
            continue;
        refused++;
        uint64_t delay;
        assert_true(stream->closed); // the rest of it is not wanted
        assert_int_equal(stream->error_code, NGHTTP2_NO_ERROR);
        assert_true(status_details_retry(slice_from(stream->details), &delay));
    }
    // All twenty came whole as far as they go, so at most two can still be held.
    assert_true(refused >= 18 && refused < 20);
    peer_continue(&bench.peer, ids[0], body + MIB - 1000, 1005, false);
    assert_int_equal(peer_carry(&bench.peer, bench.server, 16384), 0);
    assert_answer(&bench, ids[0], "0", NULL);
    // The connection works on.
    int32_t id = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, MIB + 5, false);
    peer_carry(&bench.peer, bench.server, 16384);
    assert_answer(&bench, id, "0", NULL);
    free(big);
    free(body);
    bench_close(&bench);
}

// More streams than were announced: refused, never kept.
static void test_too_many_streams(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    bench.service.wait = true;
    uint8_t *body = framed(0, "abc", 3);
    int32_t ids[120];
    for (int i = 0; i < 120; i++)
        ids[i] = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 8, false);
    // Sent before the SETTINGS were read.
    const uint8_t *data;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(bench.peer.session, &data)) > 0)
        grpc_server_feed(bench.server, data, (size_t)n);
    assert_true(bench.service.wait_count <= 100);
    peer_carry(&bench.peer, bench.server, 16384);
    int refused = 0;
    for (int i = 0; i < 120; i++)
        refused += peer_stream(&bench.peer, ids[i])->error_code == NGHTTP2_REFUSED_STREAM;
    assert_int_equal(refused, 20);
    free(body);
    bench_close(&bench);
}

// Several connections over one budget.
struct shore {
    struct clock clock; // first
    uint64_t now;
    struct byte_budget budget;
    struct message_pool pool;
    unsigned woken;
    struct bench benches[8];
};

static uint64_t shore_now(struct clock *clock)
{
    return ((struct shore *)clock)->now;
}

static void woken(void *ctx)
{
    ((struct shore *)ctx)->woken++;
}

static struct shore *shore_new(size_t limit, size_t max_message)
{
    struct shore *shore = calloc(1, sizeof *shore);
    assert_non_null(shore);
    shore->clock = (struct clock){shore_now, shore_now};
    shore->budget.limit = limit;
    shore->pool = (struct message_pool){.budget = &shore->budget, .clock = &shore->clock};
    for (unsigned i = 0; i < 8; i++) {
        struct bench *bench = &shore->benches[i];
        struct grpc_service service = {.call = service_call,
                                       .ctx = &bench->service,
                                       .max_message = max_message,
                                       .in_turns = true,
                                       .pool = &shore->pool,
                                       .wake = woken,
                                       .wake_ctx = shore};
        assert_int_equal(grpc_server_new(&bench->server, &service), 0);
        peer_open(&bench->peer);
    }
    return shore;
}

static void shore_free(struct shore *shore)
{
    for (unsigned i = 0; i < 8; i++)
        bench_close(&shore->benches[i]);
    assert_int_equal(shore->budget.used, 0);
    free(shore);
}

static int32_t request(struct bench *bench, const uint8_t *body, size_t size, bool hold)
{
    int32_t id = peer_request(&bench->peer, PATH, "application/grpc", "gzip", body, size, hold);
    assert_int_equal(peer_carry(&bench->peer, bench->server, 16384), 0);
    return id;
}

static void assert_refused(struct bench *bench, int32_t id)
{
    uint64_t delay = 0;
    assert_answer(bench, id, "8", NULL);
    assert_true(status_details_retry(slice_from(peer_stream(&bench->peer, id)->details), &delay));
    assert_in_range(delay, NS_PER_S, 5 * NS_PER_S / 4);
}

// One large message is held whole beside the budget's rest; a second is refused, small ones are
// not, and what is refused holds nothing.
static void test_memory_of_all_connections(void **state)
{
    (void)state;
    struct shore *shore = shore_new(4 * MIB, 4 * MIB);
    uint8_t *zeros = calloc(1, 4 * MIB);
    uint8_t *body = framed(0, zeros, 4 * MIB - 100000);
    const size_t size = 4 * MIB - 100000 + 5;
    int32_t ids[8];
    for (unsigned i = 0; i < 8; i++) // all but the last byte
        ids[i] = request(&shore->benches[i], body, size - 1, true);
    assert_true(shore->budget.peak <= 4 * MIB + size);
    for (unsigned i = 1; i < 8; i++)
        assert_refused(&shore->benches[i], ids[i]);
    assert_int_equal(shore->budget.used, size - 5);
    assert_true(shore->budget.refused >= 7);
    uint8_t *little = framed(0, zeros, 100 << 10);
    for (unsigned i = 1; i < 8; i++) {
        ids[i] = request(&shore->benches[i], little, (100 << 10) + 5, false);
        assert_answer(&shore->benches[i], ids[i], "0", NULL);
    }
    peer_continue(&shore->benches[0].peer, ids[0], body + size - 1, 1, false);
    peer_carry(&shore->benches[0].peer, shore->benches[0].server, 16384);
    assert_answer(&shore->benches[0], ids[0], "0", NULL);
    assert_int_equal(shore->budget.used, 0);
    // Its window was given back: the same connection takes the next large one.
    ids[1] = request(&shore->benches[1], body, size, false);
    assert_answer(&shore->benches[1], ids[1], "0", NULL);
    free(zeros);
    free(body);
    free(little);
    shore_free(shore);
}

// A call that holds memory and stands still is answered when another needs it, and its connection
// is told that there is output.
static void test_who_stalls_is_evicted(void **state)
{
    (void)state;
    struct shore *shore = shore_new(4 * MIB, 4 * MIB);
    uint8_t *zeros = calloc(1, 2 * MIB);
    uint8_t *body = framed(0, zeros, 2 * MIB);
    int32_t first = request(&shore->benches[0], body, 2 * MIB, true);
    shore->now = POOL_STALL_NS - 1;
    assert_refused(&shore->benches[1], request(&shore->benches[1], body, 2 * MIB + 5, false));
    shore->now = POOL_STALL_NS;
    int32_t id = request(&shore->benches[1], body, 2 * MIB + 5, false);
    assert_answer(&shore->benches[1], id, "0", NULL);
    assert_int_equal(shore->woken, 1);
    peer_carry(&shore->benches[0].peer, shore->benches[0].server, 16384);
    assert_refused(&shore->benches[0], first);
    assert_true(peer_stream(&shore->benches[0].peer, first)->closed);
    free(zeros);
    free(body);
    shore_free(shore);
}

static uint8_t *packed(const uint8_t *data, size_t size, size_t *out_size)
{
    uint8_t *gzip;
    struct slice part = slice_of(data, size);
    assert_int_equal(gzip_deflate(&part, 1, &gzip, out_size), 0);
    uint8_t *body = framed(1, gzip, *out_size);
    *out_size += 5;
    free(gzip);
    return body;
}

// A compressed message is made in steps, with other work between them.
static void test_gzip_in_turns(void **state)
{
    (void)state;
    struct shore *shore = shore_new(16 * MIB, 8 * MIB);
    struct bench *bench = &shore->benches[0];
    uint8_t *zeros = calloc(1, 8 * MIB);
    size_t size;
    uint8_t *body = packed(zeros, 8 * MIB, &size);
    int32_t id = request(bench, body, size, false);
    unsigned steps = 1; // in feed
    for (; grpc_server_busy(bench->server); steps++) {
        assert_int_equal(bench->service.calls, 0);
        assert_true(shore->budget.used <= size + GZIP_STATE + (steps + 1) * GZIP_STEP * 5 / 4);
        grpc_server_step(bench->server);
    }
    assert_true(steps >= 8 * MIB / GZIP_STEP);
    assert_int_equal(bench->service.bytes, 8 * MIB);
    peer_carry(&bench->peer, bench->server, 16384);
    assert_answer(bench, id, "0", NULL);
    // One that is reset meanwhile is gone, and so is its memory.
    id = request(bench, body, size, false);
    assert_true(grpc_server_busy(bench->server));
    nghttp2_submit_rst_stream(bench->peer.session, 0, id, NGHTTP2_CANCEL);
    peer_carry(&bench->peer, bench->server, 16384);
    assert_false(grpc_server_busy(bench->server));
    assert_int_equal(shore->budget.used, 0);
    // And one whose connection ends.
    request(bench, body, size, false);
    assert_true(grpc_server_busy(bench->server));
    free(zeros);
    free(body);
    shore_free(shore);
}

// Bombs: of one level, and of incompressible bytes that a larger whole announces; neither holds
// more than a message may.
static void test_gzip_bombs_hold_no_more_than_a_message(void **state)
{
    (void)state;
    struct shore *shore = shore_new(16 * MIB, 1 * MIB);
    struct bench *bench = &shore->benches[0];
    uint8_t *zeros = calloc(1, 64 * MIB);
    size_t size;
    uint8_t *body = packed(zeros, 64 * MIB, &size);
    int32_t id = request(bench, body, size, false);
    while (grpc_server_busy(bench->server))
        grpc_server_step(bench->server);
    peer_carry(&bench->peer, bench->server, 16384);
    assert_answer(bench, id, "8", "larger");
    assert_int_equal(shore->budget.used, 0);
    assert_true(shore->budget.peak <= size + GZIP_STATE + MIB + 1);
    free(body);
    // As much as is allowed, and behind it members of nothing that keep the compressed side large.
    uint8_t *whole = packed(zeros, MIB / 2, &size);
    struct slice nothing = {0};
    uint8_t *member;
    size_t member_size;
    assert_int_equal(gzip_deflate(&nothing, 1, &member, &member_size), 0);
    uint8_t *many = malloc(MIB);
    memcpy(many, whole + 5, size - 5);
    size_t end = size - 5;
    for (; end + member_size <= MIB; end += member_size)
        memcpy(many + end, member, member_size);
    body = framed(1, many, end);
    id = request(bench, body, end + 5, false);
    while (grpc_server_busy(bench->server))
        grpc_server_step(bench->server);
    peer_carry(&bench->peer, bench->server, 16384);
    assert_answer(bench, id, "8", "larger");
    assert_true(shore->budget.peak <= 2 * MIB);
    free(zeros);
    free(whole);
    free(member);
    free(many);
    free(body);
    shore_free(shore);
}

// Inflated, a small message may be too much for now: refused with RetryInfo.
static void test_no_room_to_inflate(void **state)
{
    (void)state;
    struct shore *shore = shore_new(4 * MIB, 4 * MIB);
    uint8_t *zeros = calloc(1, 4 * MIB);
    size_t size;
    uint8_t *body = framed(0, zeros, 3 * MIB);
    uint8_t *gzip = packed(zeros, 3 * MIB, &size);
    request(&shore->benches[0], body, 3 * MIB, true);
    int32_t id = request(&shore->benches[1], gzip, size, false);
    while (grpc_server_busy(shore->benches[1].server))
        grpc_server_step(shore->benches[1].server);
    peer_carry(&shore->benches[1].peer, shore->benches[1].server, 16384);
    assert_refused(&shore->benches[1], id);
    free(zeros);
    free(body);
    free(gzip);
    shore_free(shore);
}

struct keeper {
    struct grpc_call *call;
    struct grpc_body body;
};

static void keep_call(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    struct keeper *keeper = ctx;
    (void)path;
    keeper->call = call;
    grpc_call_take(call, &keeper->body);
    assert_ptr_equal(keeper->body.data, message.data);
}

// A service that takes a message over keeps it, charged, beyond call, stream and connection.
static void test_a_message_taken_over(void **state)
{
    (void)state;
    struct shore *shore = shore_new(4 * MIB, 4 * MIB);
    struct keeper keeper;
    struct bench bench = {0};
    struct grpc_service service = {
        .call = keep_call, .ctx = &keeper, .max_message = MIB, .pool = &shore->pool};
    assert_int_equal(grpc_server_new(&bench.server, &service), 0);
    peer_open(&bench.peer);
    uint8_t *body = framed(0, "abc", 3);
    int32_t id = request(&bench, body, 8, false);
    assert_int_equal(shore->budget.used, 3);
    struct grpc_status ok = {0};
    grpc_call_reply(keeper.call, &ok, (struct slice){0});
    peer_carry(&bench.peer, bench.server, 16384);
    assert_answer(&bench, id, "0", NULL);
    assert_memory_equal(keeper.body.data, "abc", 3);
    grpc_body_free(&keeper.body);
    assert_int_equal(shore->budget.used, 0);
    request(&bench, body, 8, false);
    bench_close(&bench);
    assert_memory_equal(keeper.body.data, "abc", 3);
    grpc_body_free(&keeper.body);
    free(body);
    shore_free(shore);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_large_messages),
        cmocka_unit_test(test_hoarded_messages_are_refused),
        cmocka_unit_test(test_too_many_streams),
        cmocka_unit_test(test_memory_of_all_connections),
        cmocka_unit_test(test_who_stalls_is_evicted),
        cmocka_unit_test(test_gzip_in_turns),
        cmocka_unit_test(test_gzip_bombs_hold_no_more_than_a_message),
        cmocka_unit_test(test_no_room_to_inflate),
        cmocka_unit_test(test_a_message_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
