// The gRPC server engine against a raw HTTP/2 client: what it answers, and what it refuses.
#include "base/clock.h"
#include "base/error.h"
#include "grpc/gzip.h"
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

static void test_settings_come_first(void **state)
{
    (void)state;
    struct bench bench;
    const uint8_t *data;
    bench_open(&bench, 16 * MIB, 0);
    // Before a byte of the client: it may wait for them.
    size_t size = grpc_server_output(bench.server, &data);
    assert_true(size > 9);
    assert_int_equal(data[3], NGHTTP2_SETTINGS);
    assert_true(nghttp2_session_mem_recv(bench.peer.session, data, size) == (ssize_t)size);
    assert_int_equal(bench.peer.settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 4 * MIB);
    assert_int_equal(bench.peer.settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 100);
    assert_true(bench.peer.settings[NGHTTP2_SETTINGS_MAX_FRAME_SIZE] > 16384);
    assert_false(bench.peer.settings_unknown); // 0xfe03 of grpc-core above all
    assert_int_equal(nghttp2_session_get_remote_window_size(bench.peer.session), 4 * MIB);
    bench_close(&bench);
}

static void test_ok_is_message_and_trailers(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 100; piece = piece * 3 + 1) {
        struct bench bench;
        bench_open(&bench, 1000, 0);
        uint8_t *body = framed(0, "hello", 5);
        int32_t id = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 10, false);
        assert_int_equal(peer_carry(&bench.peer, bench.server, piece), 0);
        assert_int_equal(bench.service.calls, 1);
        assert_int_equal(bench.service.bytes, 5);
        assert_string_equal(bench.service.path, PATH);
        struct peer_stream *stream = peer_stream(&bench.peer, id);
        assert_answer(&bench, id, "0", NULL);
        assert_int_equal(stream->header_blocks, 2); // the status is in trailers
        assert_int_equal(stream->data_size, 5);
        assert_memory_equal(stream->data, "\0\0\0\0\0", 5);
        assert_true(stream->closed);
        assert_int_equal(stream->error_code, NGHTTP2_NO_ERROR);
        free(body);
        bench_close(&bench);
    }
}

static void test_response_message(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    bench.service.response = SLICE("partial");
    uint8_t *body = framed(0, NULL, 0);
    int32_t id =
        peer_request(&bench.peer, "/x.Y/Z", "application/grpc+proto", "identity", body, 5, false);
    peer_carry(&bench.peer, bench.server, 7);
    assert_answer(&bench, id, "0", NULL);
    assert_int_equal(peer_stream(&bench.peer, id)->data_size, 12);
    assert_memory_equal(peer_stream(&bench.peer, id)->data, "\0\0\0\0\7partial", 12);
    assert_string_equal(bench.service.path, "/x.Y/Z");
    free(body);
    bench_close(&bench);
}

static void test_error_is_trailers_only(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    bench.service.status =
        (struct grpc_status){GRPC_UNAVAILABLE, "queue full: 100 %\n", 2 * NS_PER_S + 5};
    uint8_t *body = framed(0, "x", 1);
    int32_t id = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 6, false);
    peer_carry(&bench.peer, bench.server, 1000);
    struct peer_stream *stream = peer_stream(&bench.peer, id);
    assert_answer(&bench, id, "14", NULL);
    assert_string_equal(stream->grpc_message, "queue full: 100 %25%0A");
    assert_int_equal(stream->header_blocks, 1);
    assert_int_equal(stream->data_size, 0);
    uint64_t delay = 0;
    assert_true(status_details_retry(slice_from(stream->details), &delay));
    assert_int_equal(delay, 2 * NS_PER_S + 5);
    assert_null(strchr(stream->details, '='));
    free(body);
    bench_close(&bench);
}

static void test_late_replies_in_any_order(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    bench.service.wait = true;
    uint8_t *body = framed(0, "abc", 3);
    int32_t ids[100];
    for (int i = 0; i < 100; i++)
        ids[i] = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 8, false);
    peer_carry(&bench.peer, bench.server, 16384);
    assert_int_equal(bench.service.wait_count, 100);
    struct grpc_status ok = {0}, bad = {GRPC_ABORTED, NULL, 0};
    for (int i = 99; i >= 0; i--) {
        grpc_call_reply(bench.service.waiting[i], i % 2 ? &bad : &ok, (struct slice){0});
        peer_carry(&bench.peer, bench.server, 16384);
    }
    for (int i = 0; i < 100; i++)
        assert_answer(&bench, ids[i], i % 2 ? "10" : "0", NULL);
    free(body);
    bench_close(&bench);
}

static void test_gzip(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 100000, 0);
    char text[50000];
    memset(text, 'a', sizeof text);
    struct slice part = slice_of(text, sizeof text);
    uint8_t *packed;
    size_t size;
    assert_int_equal(gzip_deflate(&part, 1, &packed, &size), 0);
    uint8_t *body = framed(1, packed, size);
    int32_t id = peer_request(&bench.peer, PATH, "application/grpc", "gzip", body, size + 5, false);
    peer_carry(&bench.peer, bench.server, 16384);
    assert_answer(&bench, id, "0", NULL);
    assert_int_equal(bench.service.bytes, sizeof text);
    // The same without saying so, with another name, and cut short.
    int32_t unsaid =
        peer_request(&bench.peer, PATH, "application/grpc", NULL, body, size + 5, false);
    int32_t other =
        peer_request(&bench.peer, PATH, "application/grpc", "zstd", body, size + 5, false);
    body[6] ^= 0x40;
    peer_carry(&bench.peer, bench.server, 16384);
    int32_t broken =
        peer_request(&bench.peer, PATH, "application/grpc", "gzip", body, size + 5, false);
    peer_carry(&bench.peer, bench.server, 16384);
    assert_answer(&bench, unsaid, "13", "without grpc-encoding");
    assert_answer(&bench, other, "12", NULL);
    assert_string_equal(peer_stream(&bench.peer, other)->accept_encoding, "identity,gzip");
    assert_answer(&bench, broken, "13", "grpc-encoding");
    assert_int_equal(bench.service.calls, 1);
    free(packed);
    free(body);
    bench_close(&bench);
}

static void test_bomb_stops_at_the_bound(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    char *zeros = calloc(1, 8 * MIB);
    struct slice part = slice_of(zeros, 100000);
    uint8_t *packed;
    size_t size;
    assert_int_equal(gzip_deflate(&part, 1, &packed, &size), 0);
    assert_true(size < 1000);
    uint8_t *body = framed(1, packed, size);
    int32_t id = peer_request(&bench.peer, PATH, "application/grpc", "gzip", body, size + 5, false);
    peer_carry(&bench.peer, bench.server, 16384);
    assert_answer(&bench, id, "8", "larger");
    assert_int_equal(bench.service.calls, 0);
    free(zeros);
    free(packed);
    free(body);
    bench_close(&bench);
}

static void refused_with(const void *body, size_t size, const char *code, const char *message)
{
    struct bench bench;
    bench_open(&bench, 1000, 0);
    int32_t id = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, size, false);
    assert_int_equal(peer_carry(&bench.peer, bench.server, 3), 0);
    assert_answer(&bench, id, code, message);
    assert_true(peer_stream(&bench.peer, id)->closed);
    assert_int_equal(bench.service.calls, 0);
    bench_close(&bench);
}

static void test_messages_that_break_the_rules(void **state)
{
    (void)state;
    refused_with("", 0, "13", "within its message");
    refused_with("\0\0\0", 3, "13", "within its message");
    refused_with("\0\0\0\0\5abc", 8, "13", "within its message");
    refused_with("\0\0\0\0\1abc", 8, "13", "after the one message");
    refused_with("\0\0\0\0\0\0\0\0\0\0", 10, "13", "after the one message");
    refused_with("\2\0\0\0\1a", 6, "13", "flag");
    refused_with("\0\0\0\3\351", 5, "8", "larger"); // 1001
    refused_with("\0\377\377\377\377", 5, "8", "larger");
}

static void test_largest_message_is_taken(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    char text[1000] = {1};
    uint8_t *body = framed(0, text, sizeof text);
    int32_t id = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 1005, false);
    peer_carry(&bench.peer, bench.server, 11);
    assert_answer(&bench, id, "0", NULL);
    free(body);
    bench_close(&bench);
}

static int32_t odd_request(struct bench *bench, const char *method, const char *path,
                           const char *authority, const char *content_type, const char *extra)
{
    static const uint8_t body[5];
    nghttp2_nv fields[] = {
        PEER_NV(":method", method),
        PEER_NV(":scheme", "http"),
        PEER_NV(":path", path),
        PEER_NV(":authority", authority),
        PEER_NV("content-type", content_type),
        PEER_NV("x-extra", extra),
    };
    nghttp2_data_provider provider = {.read_callback = peer_body};
    int32_t id = nghttp2_submit_request(bench->peer.session, NULL, fields, 6, &provider, NULL);
    peer_stream(&bench->peer, id)->body = body;
    peer_stream(&bench->peer, id)->body_size = sizeof body;
    assert_int_equal(peer_carry(&bench->peer, bench->server, 1000), 0);
    return id;
}

static void test_requests_that_are_not_grpc(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    int32_t id = odd_request(&bench, "GET", PATH, "h", "application/grpc", "");
    assert_string_equal(peer_stream(&bench.peer, id)->status, "405");
    assert_string_equal(peer_stream(&bench.peer, id)->allow, "POST");
    id = odd_request(&bench, "POST", PATH, "h", "application/json", "");
    assert_string_equal(peer_stream(&bench.peer, id)->status, "415");
    id = odd_request(&bench, "POST", PATH, "h", "application/grpc-web", "");
    assert_string_equal(peer_stream(&bench.peer, id)->status, "415");
    id = odd_request(&bench, "POST", "no-slash", "h", "application/grpc", "");
    assert_answer(&bench, id, "12", "no such method");
    char path[400] = "/";
    memset(path + 1, 'p', 398);
    id = odd_request(&bench, "POST", path, "h", "application/grpc", "");
    assert_answer(&bench, id, "12", NULL);
    char *extra = calloc(1, 20000);
    memset(extra, 'e', 19999);
    id = odd_request(&bench, "POST", PATH, "h", "application/grpc", extra);
    assert_string_equal(peer_stream(&bench.peer, id)->status, "431");
    assert_int_equal(bench.service.calls, 0);
    free(extra);
    bench_close(&bench);
}

static void test_any_authority(void **state)
{
    (void)state;
    const char *authorities[] = {"localhost", "/run/sluice/sluice.sock", "%2Frun%2Fx.sock", "",
                                 "?"};
    for (size_t i = 0; i < 5; i++) {
        struct bench bench;
        bench_open(&bench, 1000, 0);
        int32_t id = odd_request(&bench, "POST", PATH, authorities[i], "application/grpc", " v ");
        assert_answer(&bench, id, "0", NULL);
        bench_close(&bench);
    }
}

static void test_peers_that_reset(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    bench.service.wait = true;
    uint8_t *body = framed(0, "abc", 3);
    // After HEADERS, in the middle of the body, and while the service thinks.
    int32_t early = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 0, true);
    int32_t middle = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 6, true);
    int32_t late = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 8, false);
    peer_carry(&bench.peer, bench.server, 100);
    assert_int_equal(bench.service.wait_count, 1);
    nghttp2_submit_rst_stream(bench.peer.session, 0, early, NGHTTP2_CANCEL);
    nghttp2_submit_rst_stream(bench.peer.session, 0, middle, NGHTTP2_CANCEL);
    nghttp2_submit_rst_stream(bench.peer.session, 0, late, NGHTTP2_CANCEL);
    assert_int_equal(peer_carry(&bench.peer, bench.server, 100), 0);
    struct grpc_status ok = {0};
    grpc_call_reply(bench.service.waiting[0], &ok, (struct slice){0}); // goes nowhere
    // And one more whose answer the server's end overtakes.
    peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 8, false);
    peer_carry(&bench.peer, bench.server, 100);
    assert_int_equal(bench.service.wait_count, 2);
    free(body);
    bench_close(&bench);
}

static void test_ping_is_answered(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    peer_carry(&bench.peer, bench.server, 100);
    nghttp2_submit_ping(bench.peer.session, 0, (const uint8_t *)"12345678");
    const uint8_t *data;
    ssize_t n = nghttp2_session_mem_send(bench.peer.session, &data);
    grpc_server_feed(bench.server, data, (size_t)n);
    assert_int_equal(grpc_server_output(bench.server, &data), 17);
    assert_int_equal(data[3], NGHTTP2_PING);
    assert_int_equal(data[4], NGHTTP2_FLAG_ACK);
    assert_memory_equal(data + 9, "12345678", 8);
    bench_close(&bench);
}

static void test_shutdown_answers_what_is_in_flight(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    bench.service.wait = true;
    uint8_t *body = framed(0, "abc", 3);
    int32_t id = peer_request(&bench.peer, PATH, "application/grpc", NULL, body, 8, false);
    peer_carry(&bench.peer, bench.server, 100);
    grpc_server_shutdown(bench.server);
    grpc_server_shutdown(bench.server);
    peer_carry(&bench.peer, bench.server, 100);
    assert_true(bench.peer.goaway);
    assert_int_equal(bench.peer.goaway_code, NGHTTP2_NO_ERROR);
    assert_int_equal(bench.peer.goaway_last, id);
    assert_false(grpc_server_finished(bench.server));
    struct grpc_status ok = {0};
    grpc_call_reply(bench.service.waiting[0], &ok, (struct slice){0});
    peer_carry(&bench.peer, bench.server, 100);
    assert_answer(&bench, id, "0", NULL);
    assert_true(grpc_server_finished(bench.server));
    free(body);
    bench_close(&bench);
}

static void test_peer_goes_away(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    peer_carry(&bench.peer, bench.server, 100);
    // As grpc-go ends: a last stream id that nghttp2 calls a protocol error.
    static const uint8_t goaway[] = {0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    assert_int_equal(grpc_server_feed(bench.server, goaway, sizeof goaway), 0);
    const uint8_t *data;
    while (grpc_server_output(bench.server, &data) > 0)
        ;
    assert_true(grpc_server_finished(bench.server));
    bench_close(&bench);
}

static void test_not_http2(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    const uint8_t *data;
    assert_int_equal(grpc_server_feed(bench.server, (const uint8_t *)"GET / HTTP/1.1\r\n", 16),
                     -EPROTO);
    assert_int_equal(grpc_server_feed(bench.server, (const uint8_t *)"x", 1), -EPROTO);
    while (grpc_server_output(bench.server, &data) > 0)
        ;
    assert_true(grpc_server_finished(bench.server));
    bench_close(&bench);
}

static void test_broken_frames_end_the_connection(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, 1000, 0);
    peer_carry(&bench.peer, bench.server, 100);
    static const uint8_t data_on_zero[] = {0, 0, 1, 0, 0, 0, 0, 0, 0, 'x'};
    grpc_server_feed(bench.server, data_on_zero, sizeof data_on_zero);
    const uint8_t *data;
    bool goaway = false;
    size_t size;
    while ((size = grpc_server_output(bench.server, &data)) > 0)
        goaway |= size >= 9 && data[3] == NGHTTP2_GOAWAY;
    assert_true(goaway);
    assert_true(grpc_server_finished(bench.server));
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_come_first),
        cmocka_unit_test(test_ok_is_message_and_trailers),
        cmocka_unit_test(test_response_message),
        cmocka_unit_test(test_error_is_trailers_only),
        cmocka_unit_test(test_late_replies_in_any_order),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_bomb_stops_at_the_bound),
        cmocka_unit_test(test_messages_that_break_the_rules),
        cmocka_unit_test(test_largest_message_is_taken),
        cmocka_unit_test(test_requests_that_are_not_grpc),
        cmocka_unit_test(test_any_authority),
        cmocka_unit_test(test_peers_that_reset),
        cmocka_unit_test(test_ping_is_answered),
        cmocka_unit_test(test_shutdown_answers_what_is_in_flight),
        cmocka_unit_test(test_peer_goes_away),
        cmocka_unit_test(test_not_http2),
        cmocka_unit_test(test_broken_frames_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
