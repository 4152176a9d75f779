// Any bytes as the server's side of a gRPC connection: every call must end exactly once, whatever
// comes. Input: the stream as it is; where it does not begin with a SETTINGS frame, one is put
// before it.
#include "grpc/grpc_client.h"

#include <assert.h>
#include <string.h>

#define CALLS 6

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answered(void *ctx, const struct grpc_answer *answer)
{
    unsigned *ends = ctx;
    size_t sum = 0;
    for (size_t i = 0; i < answer->message.size; i++)
        sum += (unsigned char)answer->message.data[i];
    for (size_t i = 0; i < answer->response.size; i++)
        sum += (unsigned char)answer->response.data[i];
    assert(answer->message.size <= 1024 && answer->response.size <= 5000 && sum < SIZE_MAX);
    assert((unsigned)answer->code <= GRPC_UNAUTHENTICATED);
    ++*ends;
}

static void unprocessed(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void going_away(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void drain(struct grpc_client *client)
{
    const uint8_t *out;
    size_t n, sum = 0;
    while ((n = grpc_client_output(client, &out)) > 0)
        for (size_t i = 0; i < n; i++)
            sum += out[i];
    (void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t settings[9] = {0, 0, 0, 4};
    static const char body[40000];
    unsigned left = 0;
    struct grpc_header headers[] = {{"x-key", "value"}};
    struct grpc_client_config config = {.authority = "localhost",
                                        .headers = headers,
                                        .header_count = 1,
                                        .max_response = 5000,
                                        .events = {answered, unprocessed, going_away, &left}};
    struct grpc_client *client;
    struct grpc_client_call *calls[CALLS] = {0};
    unsigned ends[CALLS] = {0}, taken = 0;
    if (grpc_client_new(&client, &config) != 0)
        return 0;
    const struct slice parts[] = {SLICE("payload"), slice_of(body, sizeof body)};
    for (; taken < CALLS; taken++) {
        // The last has more to say than the peer's first window lets through.
        struct grpc_request request = {"/p.S/M", parts, taken + 1 == CALLS ? 2 : 1, taken % 2 == 0,
                                       taken * 1000000000000000ULL};
        if (grpc_client_call(client, &calls[taken], &request, &ends[taken]) != 0)
            break;
    }
    if (size % 11 == 0) { // takes no further call, but brings those to their end
        struct grpc_request request = {"/p.S/M", parts, 1, false, 0};
        struct grpc_client_call *late;
        grpc_client_retire(client);
        assert(grpc_client_call(client, &late, &request, NULL) == GRPC_CLIENT_CLOSED);
    }
    int r = 0;
    if (size < 4 || data[3] != 4)
        r = grpc_client_feed(client, settings, sizeof settings);
    if (size % 17 != 0)
        drain(client);
    size_t piece = size % 7 == 0 ? 1 : size % 5 * 100 + 33;
    for (size_t at = 0; at < size && r == 0; at += piece) {
        r = grpc_client_feed(client, data + at, size - at < piece ? size - at : piece);
        drain(client);
    }
    if (size % 2 == 0 && ends[0] == 0) {
        grpc_client_cancel(calls[0]);
        ends[0] = 1;
        drain(client);
    }
    (void)grpc_client_finished(client);
    assert(left <= 1);
    if (size % 19 == 0) {
        grpc_client_free(client); // forgets what is left
        return 0;
    }
    grpc_client_lost(client);
    for (unsigned i = 0; i < taken; i++)
        assert(ends[i] == 1);
    grpc_client_free(client);
    return 0;
}
