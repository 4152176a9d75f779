// Any bytes as the client's side of a gRPC connection. Input: the stream as it is; where it does
// not begin with HTTP/2's preface, preface and SETTINGS are put before it.
#include "grpc/grpc_server.h"

#include <assert.h>
#include <string.h>

#define MAX_MESSAGE 20000
#define WAITING_MAX 8

struct service {
    struct grpc_call *waiting[WAITING_MAX];
    size_t waiting_count;
};

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
    if (choice % 3 == 1 && service->waiting_count < WAITING_MAX)
        service->waiting[service->waiting_count++] = call;
    else
        reply(call, choice);
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
    struct service state = {0};
    struct grpc_service service = {.call = take_call,
                                   .ctx = &state,
                                   .max_message = MAX_MESSAGE,
                                   .max_connection = 1,
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
        if (size % 11 == 0 && at > size / 2)
            grpc_server_shutdown(server);
    }
    while (state.waiting_count > 0 && size % 13 != 0) {
        reply(state.waiting[--state.waiting_count], (unsigned)size);
        drain(server);
    }
    drain(server);
    (void)grpc_server_finished(server);
    grpc_server_free(server);
    return 0;
}
