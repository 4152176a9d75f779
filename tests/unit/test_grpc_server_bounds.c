// What a peer can make the gRPC server keep: messages, unfinished messages, streams.
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_large_messages),
        cmocka_unit_test(test_hoarded_messages_are_refused),
        cmocka_unit_test(test_too_many_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
