// Our gRPC client to our gRPC server: any size of message, part and piece arrives whole.
#include "base/clock.h"
#include "grpc_fixture.h"

#define MIB ((size_t)1 << 20)

struct outcome {
    unsigned answers, unprocessed;
    enum grpc_code code;
};

struct owner {
    unsigned going_away;
};

static void answered(void *ctx, const struct grpc_answer *answer)
{
    struct outcome *outcome = ctx;
    outcome->answers++;
    outcome->code = answer->code;
}

static void unprocessed(void *ctx)
{
    ((struct outcome *)ctx)->unprocessed++;
}

static void going_away(void *ctx)
{
    ((struct owner *)ctx)->going_away++;
}

static struct grpc_client *client_open(struct owner *owner)
{
    const struct grpc_header headers[] = {{"x-tenant", "blue"}};
    struct grpc_client_config config = {.authority = "localhost",
                                        .user_agent = "test",
                                        .headers = headers,
                                        .header_count = 1,
                                        .events = {answered, unprocessed, going_away, owner}};
    struct grpc_client *client;
    assert_int_equal(grpc_client_new(&client, &config), 0);
    return client;
}

static struct grpc_client_call *call_parts(struct grpc_client *client, const struct slice *parts,
                                           size_t count, bool gzip, struct outcome *outcome)
{
    struct grpc_client_call *call;
    struct grpc_request request = {"/p.S/M", parts, count, gzip, 1500 * NS_PER_MS};
    assert_int_equal(grpc_client_call(client, &call, &request, outcome), 0);
    return call;
}

// Our client to our server.
struct echo {
    size_t calls, bytes;
    uint32_t checksum;
};

static void echo_call(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    struct echo *echo = ctx;
    (void)path;
    echo->calls++;
    echo->bytes += message.size;
    for (size_t i = 0; i < message.size; i++)
        echo->checksum += (unsigned char)message.data[i] * (uint32_t)(i + 1);
    struct grpc_status ok = {0};
    grpc_call_reply(call, &ok, slice_of(message.data, message.size < 8 ? message.size : 8));
}

static void pair_carry(struct grpc_client *client, struct grpc_server *server, size_t piece)
{
    const uint8_t *data;
    bool moved = true;
    while (moved) {
        moved = false;
        size_t size;
        while ((size = grpc_client_output(client, &data)) > 0) {
            moved = true;
            for (size_t at = 0; at < size; at += piece)
                assert_int_equal(
                    grpc_server_feed(server, data + at, size - at < piece ? size - at : piece), 0);
        }
        while ((size = grpc_server_output(server, &data)) > 0) {
            moved = true;
            for (size_t at = 0; at < size; at += piece)
                assert_int_equal(
                    grpc_client_feed(client, data + at, size - at < piece ? size - at : piece), 0);
        }
    }
}

static void pair_run(size_t parts_each, size_t part_size, unsigned calls, bool gzip, size_t piece)
{
    struct echo echo = {0};
    struct owner owner = {0};
    struct grpc_service service = {.call = echo_call, .ctx = &echo, .max_message = 16 * MIB};
    struct grpc_server *server;
    struct grpc_client *client = client_open(&owner);
    struct outcome *outcomes = calloc(calls, sizeof *outcomes);
    struct slice *parts = calloc(parts_each, sizeof *parts);
    char *text = malloc(part_size + 1);
    uint32_t checksum = 0;
    for (size_t i = 0; i < part_size; i++)
        text[i] = (char)('a' + i % 7 * (i % 3));
    for (size_t i = 0; i < parts_each; i++)
        parts[i] = slice_of(text, part_size);
    for (size_t i = 0; i < parts_each * part_size; i++)
        checksum += (unsigned char)text[i % part_size] * (uint32_t)(i + 1);
    assert_int_equal(grpc_server_new(&server, &service), 0);
    for (unsigned i = 0; i < calls; i++)
        call_parts(client, parts, parts_each, gzip, &outcomes[i]);
    pair_carry(client, server, piece);
    assert_int_equal(echo.calls, calls);
    assert_int_equal(echo.bytes, calls * parts_each * part_size);
    assert_int_equal(echo.checksum, checksum * calls);
    for (unsigned i = 0; i < calls; i++) {
        assert_int_equal(outcomes[i].answers, 1);
        assert_int_equal(outcomes[i].code, GRPC_OK);
    }
    free(parts);
    free(text);
    free(outcomes);
    grpc_client_free(client);
    grpc_server_free(server);
}

static void test_pair_of_any_size(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, 4, 5, 16378, 16379, 16380, 16384, 65530, 65531, 65536, 100001};
    const size_t pieces[] = {1, 9, 4096, 1u << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < 4; k++) {
            pair_run(1, sizes[i], 1, false, pieces[k]);
            pair_run(2, sizes[i], 2, true, pieces[k]);
        }
}

static void test_pair_of_large_messages(void **state)
{
    (void)state;
    pair_run(5120, 1024, 1, false, 16384); // 5 MiB of many parts
    pair_run(5, MIB, 3, false, 65536);
    pair_run(5, MIB, 2, true, 65536);
}

static void test_pair_of_many_calls(void **state)
{
    (void)state;
    pair_run(3, 50, 1000, false, 1000); // far beyond the 100 streams at once
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pair_of_any_size),
        cmocka_unit_test(test_pair_of_large_messages),
        cmocka_unit_test(test_pair_of_many_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
