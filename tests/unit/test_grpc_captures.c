// Real SDKs' connections, replayed: the server gives exactly the messages that were recorded.
#include "grpc_fixture.h"

#include <stdio.h>

#define GOLDENS "../goldens/otlp/"

struct recorded {
    uint8_t *data;
    size_t size;
};

static struct recorded read_golden(const char *name)
{
    char path[256];
    struct recorded file = {0};
    snprintf(path, sizeof path, GOLDENS "%s", name);
    FILE *in = fopen(path, "rb");
    if (!in)
        fail_msg("%s is missing", path);
    fseek(in, 0, SEEK_END);
    file.size = (size_t)ftell(in);
    rewind(in);
    file.data = malloc(file.size + 1);
    assert_int_equal(fread(file.data, 1, file.size, in), file.size);
    fclose(in);
    return file;
}

struct replay {
    const char *name;
    unsigned streams; // 1, 3, 5 …
    struct grpc_server *server;
    unsigned calls;
};

static void compare_call(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    struct replay *replay = ctx;
    char name[128];
    snprintf(name, sizeof name, "%s-s%u.msg.bin", replay->name, 2 * replay->calls + 1);
    struct recorded expected = read_golden(name);
    assert_int_equal(message.size, expected.size);
    assert_memory_equal(message.data, expected.data, expected.size);
    assert_true(strncmp(path, "/opentelemetry.proto.collector.", 31) == 0);
    free(expected.data);
    replay->calls++;
    struct grpc_status ok = {0};
    grpc_call_reply(call, &ok, (struct slice){0});
}

static void replay_at(const char *name, unsigned streams, size_t piece)
{
    struct replay replay = {.name = name, .streams = streams};
    struct grpc_service service = {.call = compare_call, .ctx = &replay, .max_message = 16u << 20};
    char file[128];
    snprintf(file, sizeof file, "%s.c2s.bin", name);
    struct recorded bytes = read_golden(file);
    assert_int_equal(grpc_server_new(&replay.server, &service), 0);
    const uint8_t *out;
    size_t answered = 0, size;
    for (size_t at = 0; at < bytes.size; at += piece) {
        size_t n = bytes.size - at < piece ? bytes.size - at : piece;
        assert_int_equal(grpc_server_feed(replay.server, bytes.data + at, n), 0);
        while ((size = grpc_server_output(replay.server, &out)) > 0)
            answered += size;
    }
    assert_int_equal(replay.calls, streams);
    assert_true(answered > 0);
    grpc_server_free(replay.server);
    free(bytes.data);
}

static void replay(const char *name, unsigned streams)
{
    replay_at(name, streams, 1);
    replay_at(name, streams, 97);
    replay_at(name, streams, 16384);
}

static void test_go(void **state)
{
    (void)state;
    replay("go-otlp-again-ok-c0", 3);
}

static void test_node(void **state)
{
    (void)state;
    replay("node-grpc-again-ok-c0", 5);
}

static void test_python(void **state)
{
    (void)state;
    replay("py-handler-c0", 2);
    replay("py-dflt-multi-ok-c0", 15);
}

static void test_python_gzip(void **state)
{
    (void)state;
    replay("py-dflt-gzip-ok-c0", 1);
}

// No capture of a Rust SDK is at hand: these first flights are made by hand, after what the h2
// crate (0.4, under tonic and hyper) sends. It does not wait for our SETTINGS; its names are HPACK
// literals here, which decode to the same.
static size_t frame_put(uint8_t *out, uint8_t type, uint8_t flags, uint8_t stream,
                        const void *payload, size_t size)
{
    const uint8_t head[9] = {0, (uint8_t)(size >> 8), (uint8_t)size, type, flags, 0, 0, 0, stream};
    memcpy(out, head, sizeof head);
    if (size > 0)
        memcpy(out + sizeof head, payload, size);
    return sizeof head + size;
}

static size_t field_put(uint8_t *out, const char *name, const char *value)
{
    size_t n = 0, name_size = strlen(name), value_size = strlen(value);
    out[n++] = 0; // literal, not indexed, new name
    out[n++] = (uint8_t)name_size;
    memcpy(out + n, name, name_size);
    n += name_size;
    out[n++] = (uint8_t)value_size;
    memcpy(out + n, value, value_size);
    return n + value_size;
}

static size_t tonic_headers(uint8_t *out, uint8_t stream)
{
    uint8_t block[512];
    size_t n = 0;
    n += field_put(block + n, ":method", "POST");
    n += field_put(block + n, ":scheme", "http");
    n += field_put(block + n, ":authority", "localhost:4317");
    n += field_put(block + n, ":path",
                   "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    n += field_put(block + n, "te", "trailers");
    n += field_put(block + n, "content-type", "application/grpc");
    n += field_put(block + n, "user-agent", "OTel-OTLP-Exporter-Rust/0.27.0 tonic/0.12.3");
    return frame_put(out, 1, 4, stream, block, n);
}

// Preface, SETTINGS without push and with that window for each stream, a larger window for the
// connection.
static size_t tonic_opening(uint8_t *out, uint32_t window)
{
    const uint8_t settings[] = {0,
                                2,
                                0,
                                0,
                                0,
                                0,
                                0,
                                4,
                                (uint8_t)(window >> 24),
                                (uint8_t)(window >> 16),
                                (uint8_t)(window >> 8),
                                (uint8_t)window,
                                0,
                                5,
                                0,
                                0,
                                0x40,
                                0,
                                0,
                                6,
                                0,
                                0,
                                0x40,
                                0};
    memcpy(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
    size_t n = 24 + frame_put(out + 24, 4, 0, 0, settings, sizeof settings);
    return n + frame_put(out + n, 8, 0, 0, "\x00\x4f\x00\x01", 4);
}

static size_t tonic_body(uint8_t *out, uint8_t stream)
{
    size_t n = frame_put(out, 0, 0, stream, "\0\0\0\0\3abc", 8);
    return n + frame_put(out + n, 0, 1, stream, NULL, 0); // the end comes alone
}

static void count_call(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    unsigned *calls = ctx;
    assert_string_equal(path, "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    assert_int_equal(message.size, 3);
    assert_memory_equal(message.data, "abc", 3);
    ++*calls;
    grpc_call_reply(call, &(struct grpc_status){0}, (struct slice){0});
}

// Feeds it piece by piece. Returns how many frames of each type came back in counts.
static unsigned tonic_feed(const uint8_t *bytes, size_t size, size_t piece, unsigned counts[10])
{
    unsigned calls = 0;
    struct grpc_service service = {.call = count_call, .ctx = &calls, .max_message = 1u << 20};
    struct grpc_server *server;
    uint8_t back[4096];
    size_t back_size = 0, n;
    const uint8_t *out;
    assert_int_equal(grpc_server_new(&server, &service), 0);
    for (size_t at = 0; at < size; at += piece) {
        n = size - at < piece ? size - at : piece;
        assert_int_equal(grpc_server_feed(server, bytes + at, n), 0);
        while ((n = grpc_server_output(server, &out)) > 0) {
            assert_true(back_size + n <= sizeof back);
            memcpy(back + back_size, out, n);
            back_size += n;
        }
    }
    memset(counts, 0, 10 * sizeof *counts);
    for (size_t at = 0; at + 9 <= back_size;) {
        assert_true(back[at + 3] < 10);
        counts[back[at + 3]]++;
        at += 9 + ((size_t)back[at] << 16 | (size_t)back[at + 1] << 8 | back[at + 2]);
    }
    grpc_server_free(server);
    return calls;
}

static void test_rust(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    unsigned counts[10];
    for (size_t piece = 1; piece < 2000; piece = piece * 7 + 1) {
        size_t n = tonic_opening(bytes, 2u << 20);
        n += tonic_headers(bytes + n, 1);
        n += tonic_body(bytes + n, 1);
        n += frame_put(bytes + n, 4, 1, 0, NULL, 0); // our SETTINGS, late
        n += frame_put(bytes + n, 6, 0, 0, "\x3b\x7c\xdb\x7a\x0b\x87\x16\xb4", 8);
        n += tonic_headers(bytes + n, 3);
        n += tonic_body(bytes + n, 3);
        assert_int_equal(tonic_feed(bytes, n, piece, counts), 2);
        assert_int_equal(counts[1], 4); // HEADERS and trailers of both
        assert_int_equal(counts[6], 1); // PING
        assert_int_equal(counts[3] + counts[7], 0);
    }
}

// A window smaller than an answer: it comes in pieces as the window is given.
static void test_rust_with_a_small_window(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    unsigned counts[10];
    size_t n = tonic_opening(bytes, 2);
    n += tonic_headers(bytes + n, 1);
    n += tonic_body(bytes + n, 1);
    assert_int_equal(tonic_feed(bytes, n, 4096, counts), 1);
    assert_int_equal(counts[0], 1); // two bytes of five
    assert_int_equal(counts[1], 1);
    n += frame_put(bytes + n, 8, 0, 1, "\0\0\0\3", 4);
    assert_int_equal(tonic_feed(bytes, n, 1, counts), 1);
    assert_int_equal(counts[0], 2);
    assert_int_equal(counts[1], 2);
}

// Opened and given up before the message, as when a batch is dropped; the next one is served.
static void test_rust_that_resets(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    unsigned counts[10];
    size_t n = tonic_opening(bytes, 2u << 20);
    n += tonic_headers(bytes + n, 1);
    n += frame_put(bytes + n, 3, 0, 1, "\0\0\0\x08", 4); // CANCEL
    n += tonic_headers(bytes + n, 3);
    n += frame_put(bytes + n, 0, 0, 3, "\0\0\0\0\3a", 6);
    n += frame_put(bytes + n, 3, 0, 3, "\0\0\0\x08", 4);
    n += tonic_headers(bytes + n, 5);
    n += tonic_body(bytes + n, 5);
    assert_int_equal(tonic_feed(bytes, n, 4096, counts), 1);
    assert_int_equal(tonic_feed(bytes, n, 1, counts), 1);
    assert_int_equal(counts[1], 2);
    assert_int_equal(counts[7], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_go),
        cmocka_unit_test(test_node),
        cmocka_unit_test(test_python),
        cmocka_unit_test(test_python_gzip),
        cmocka_unit_test(test_rust),
        cmocka_unit_test(test_rust_with_a_small_window),
        cmocka_unit_test(test_rust_that_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
