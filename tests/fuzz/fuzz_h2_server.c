// Any bytes as the client's side of a gRPC connection, over a budget that some messages exceed: all
// of it is given back, and never is more held than the budget and one message. Input: the stream as
// it is; where it does not begin with HTTP/2's preface, preface and SETTINGS are put before it.
#include "base/byte_budget.h"
#include "base/clock.h"
#include "grpc/grpc_server.h"

#include <assert.h>
#include <string.h>

#define MAX_MESSAGE 20000
#define WAITING_MAX 8
#define BUDGET 30000

struct service {
    struct grpc_call *waiting[WAITING_MAX];
    struct grpc_body bodies[WAITING_MAX];
    size_t waiting_count;
    struct clock clock;
    struct byte_budget budget;
    struct message_pool pool;
};

static uint64_t now; // goes on by itself, so that something stalls

static uint64_t ticking(struct clock *clock)
{
    (void)clock;
    return now += NS_PER_S;
}

static void wake(void *ctx)
{
    (void)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char response[5000] = "response";

static void reply(struct grpc_call *call, unsigned choice)
{
    struct grpc_status status = {(enum grpc_code)(choice % 17),
                                 choice & 32 ? "100 % later\n" : NULL,
                                 choice & 64 ? choice * 1000000000ULL : 0};
    grpc_call_reply(call, &status,
                    choice & 128 ? slice_of(response, sizeof response) : (struct slice){0});
}

static void take_call(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    struct service *service = ctx;
    assert(path[0] == '/' && message.size <= MAX_MESSAGE);
    unsigned choice = message.size > 0 ? (unsigned char)message.data[message.size - 1] : 0;
    if (choice % 3 == 1 && service->waiting_count < WAITING_MAX) {
        service->bodies[service->waiting_count] = (struct grpc_body){0};
        if (choice % 2 == 1)
            grpc_call_take(call, &service->bodies[service->waiting_count]);
        service->waiting[service->waiting_count++] = call;
    } else {
        reply(call, choice);
    }
}

static void drain(struct grpc_server *server)
{
    const uint8_t *out;
    size_t n, sum = 0;
    while ((n = grpc_server_output(server, &out)) > 0)
        for (size_t i = 0; i < n; i++)
            sum += out[i]; // every byte must be readable
    (void)sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t opening[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    struct service state = {.clock = {ticking, ticking}, .budget = {.limit = BUDGET}};
    state.pool = (struct message_pool){.budget = &state.budget, .clock = &state.clock};
    struct grpc_service service = {.call = take_call,
                                   .ctx = &state,
                                   .max_message = MAX_MESSAGE,
                                   .max_connection = 1,
                                   .in_turns = size % 2 == 0,
                                   .pool = &state.pool,
                                   .wake = wake,
                                   .max_streams = 8};
    struct grpc_server *server;
    if (grpc_server_new(&server, &service) != 0)
        return 0;
    int r = 0;
    if (size < 3 || memcmp(data, opening, 3) != 0)
        r = grpc_server_feed(server, opening, sizeof opening); // and the literal's own 0: stream id
    size_t piece = size % 7 == 0 ? 1 : size % 5 * 100 + 33;
    for (size_t at = 0; at < size && r == 0; at += piece) {
        r = grpc_server_feed(server, data + at, size - at < piece ? size - at : piece);
        if (at % 2 == 0)
            drain(server);
        while (grpc_server_busy(server))
            grpc_server_step(server);
        if (size % 11 == 0 && at > size / 2)
            grpc_server_shutdown(server);
    }
    while (state.waiting_count > 0 && size % 13 != 0) {
        reply(state.waiting[--state.waiting_count], (unsigned)size);
        grpc_body_free(&state.bodies[state.waiting_count]);
        drain(server);
    }
    if (size % 3 == 0)
        grpc_server_end(server);
    drain(server);
    (void)grpc_server_broken(server);
    (void)grpc_server_finished(server);
    grpc_server_free(server);
    while (state.waiting_count > 0)
        grpc_body_free(&state.bodies[--state.waiting_count]);
    assert(state.budget.used == 0 && state.budget.peak <= BUDGET + 3 * MAX_MESSAGE + (1 << 17));
    return 0;
}
