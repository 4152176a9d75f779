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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_go),
        cmocka_unit_test(test_node),
        cmocka_unit_test(test_python),
        cmocka_unit_test(test_python_gzip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
