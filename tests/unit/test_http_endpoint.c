// The agent's pages over HTTP: what is answered, what is refused, and the limits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/books.h"
#include "base/listen_address.h"
#include "base/loop.h"
#include "control/http_endpoint.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop *loop;
static struct http_endpoint *endpoint;
static struct books books;
static bool doors_open;
static char answer[65536];

static bool ready(void *ctx)
{
    assert_ptr_equal(ctx, &books);
    return doors_open;
}

static int start(void **state)
{
    (void)state;
    memset(&books, 0, sizeof books);
    books_add_exporter(&books, "kafka");
    doors_open = true;
    if (loop_new(&loop) < 0)
        return -1;
    struct http_endpoint_config config = {
        .loop = loop, .listen = "127.0.0.1:0", .books = &books, .ready = ready, .ctx = &books};
    return http_endpoint_new(&endpoint, &config);
}

static int stop(void **state)
{
    (void)state;
    http_endpoint_free(endpoint);
    loop_free(loop);
    return 0;
}

static int connect_client(void)
{
    struct listen_address address;
    assert_int_equal(listen_address_parse(&address, http_endpoint_address(endpoint)), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address.storage, address.size), 0);
    return fd;
}

static void turn(void)
{
    assert_true(event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK) >= 0);
}

// Turns the loop until the peer has answered and closed. Returns the status.
static int take_answer(int fd)
{
    size_t used = 0;
    for (;;) {
        turn();
        ssize_t got = recv(fd, answer + used, sizeof answer - 1 - used, MSG_DONTWAIT);
        if (got == 0)
            break;
        assert_true(got > 0 || errno == EAGAIN);
        used += got > 0 ? (size_t)got : 0;
    }
    answer[used] = '\0';
    close(fd);
    turn();
    assert_memory_equal(answer, "HTTP/1.1 ", 9);
    assert_non_null(strstr(answer, "\r\nConnection: close\r\n"));
    return (int)strtol(answer + 9, NULL, 10);
}

static const char *body(void)
{
    const char *end = strstr(answer, "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static int ask(const char *request)
{
    int fd = connect_client();
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    return take_answer(fd);
}

static void pages_are_answered(void **state)
{
    (void)state;
    assert_int_equal(ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
    assert_string_equal(body(), "ok\n");
    assert_int_equal(ask("GET /readyz?verbose HTTP/1.0\r\n\r\n"), 200);
    assert_int_equal(ask("GET /metrics HTTP/1.1\r\n\r\n"), 200);
    assert_non_null(strstr(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    assert_non_null(strstr(body(), "\nsluice_books_balanced 1\n"));
    assert_int_equal(ask("GET /books HTTP/1.1\r\n\r\n"), 200);
    assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(body(), "\"balanced\":true}"));
}

static void readiness_is_the_doors(void **state)
{
    (void)state;
    doors_open = false;
    assert_int_equal(ask("GET /readyz HTTP/1.1\r\n\r\n"), 503);
    assert_int_equal(ask("GET /healthz HTTP/1.1\r\n\r\n"), 200);
    doors_open = true;
    assert_int_equal(ask("GET /readyz HTTP/1.1\r\n\r\n"), 200);
}

static void head_has_the_length_and_no_body(void **state)
{
    (void)state;
    assert_int_equal(ask("HEAD /healthz HTTP/1.1\r\n\r\n"), 200);
    assert_non_null(strstr(answer, "Content-Length: 3\r\n"));
    assert_string_equal(body(), "");
    assert_int_equal(ask("HEAD /nothing HTTP/1.1\r\n\r\n"), 404);
    assert_string_equal(body(), "");
}

static void what_is_wrong_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
    } rows[] = {
        {"GET / HTTP/1.1\r\n\r\n", 404},
        {"GET /metricsx HTTP/1.1\r\n\r\n", 404},
        {"GET /metrics/ HTTP/1.1\r\n\r\n", 404},
        {"POST /metrics HTTP/1.1\r\n\r\n", 405},
        {"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405},
        {"get /metrics HTTP/1.1\r\n\r\n", 405},
        {"GET /metrics HTTP/1.1\r\ncontent-length:  5\r\n\r\nhello", 413},
        {"POST /x HTTP/1.1\r\nA: b\r\nTransfer-Encoding: chunked\r\n\r\n", 413},
        {"GET /metrics HTTP/2.0\r\n\r\n", 505},
        {"GET /metrics SPDY\r\n\r\n", 505},
        {"GET metrics HTTP/1.1\r\n\r\n", 400},
        {"GET http://x/metrics HTTP/1.1\r\n\r\n", 400},
        {" /metrics HTTP/1.1\r\n\r\n", 400},
        {"GET\r\n\r\n", 400},
        {"GET /\r\nHTTP/1.1 x\r\n\r\n", 400},
        {"\r\n\r\n", 400},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = ask(rows[i].request);
        if (status != rows[i].status)
            fail_msg("%s: %d", rows[i].request, status);
        assert_true(status != 405 || strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
    }
    int fd = connect_client();
    assert_int_equal(send(fd, "GET /\0 HTTP/1.1\r\n\r\n", 19, 0), 19);
    assert_int_equal(take_answer(fd), 400);
}

static void a_head_has_a_limit(void **state)
{
    (void)state;
    char request[HTTP_HEAD_MAX + 200];
    int size = HTTP_HEAD_MAX - 1; // with its end the largest that is taken
    char field[HTTP_HEAD_MAX];
    memset(field, 'x', sizeof field);
    snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nA: %.*s\r\n\r\n", size - 30, field);
    assert_int_equal(strlen(request), size);
    int fd = connect_client();
    assert_int_equal(send(fd, request, (size_t)size, 0), size);
    assert_int_equal(take_answer(fd), 200);
    memset(request + size - 4, 'x', sizeof request - (size_t)size + 4);
    fd = connect_client();
    assert_int_equal(send(fd, request, sizeof request, 0), sizeof request);
    assert_int_equal(take_answer(fd), 431);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd = connect_client();
    for (size_t i = 0; i < sizeof request - 1; i++) {
        assert_int_equal(send(fd, request + i, 1, 0), 1);
        turn();
    }
    assert_int_equal(take_answer(fd), 200);
}

static void connections_have_a_limit(void **state)
{
    (void)state;
    int fds[HTTP_CONNECTIONS_MAX];
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        fds[i] = connect_client();
    for (int i = 0; i < 2 * HTTP_CONNECTIONS_MAX; i++)
        turn(); // one is accepted a turn
    static const char request[] = "GET /healthz HTTP/1.1\r\n\r\n";
    int late = connect_client();
    assert_int_equal(send(late, request, sizeof request - 1, 0), sizeof request - 1);
    for (size_t i = 0; i < 10; i++)
        turn();
    assert_int_equal(recv(late, answer, 1, MSG_DONTWAIT), -1); // waits in the backlog
    close(fds[0]);
    assert_int_equal(take_answer(late), 200);
    // One that is full answers too: its head is already being read.
    assert_int_equal(send(fds[1], request, sizeof request - 1, 0), sizeof request - 1);
    assert_int_equal(take_answer(fds[1]), 200);
    for (size_t i = 2; i < HTTP_CONNECTIONS_MAX; i++)
        close(fds[i]); // and the endpoint goes away with them half open
}

// Whether the next turn of the loop had anything to do.
static bool turn_was_busy(void)
{
    event_base_get_max_events(loop_event_base(loop), EVENT_BASE_COUNT_ACTIVE, 1);
    assert_true(event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK | EVLOOP_ONCE) >= 0);
    return event_base_get_max_events(loop_event_base(loop), EVENT_BASE_COUNT_ACTIVE, 0) > 0;
}

static void without_descriptors_the_loop_rests(void **state)
{
    (void)state;
    static const char request[] = "GET /healthz HTTP/1.1\r\n\r\n";
    struct rlimit before, none;
    int fd = connect_client(), busy = 0;
    assert_int_equal(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 20; i++)
        busy += turn_was_busy();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_in_range(busy, 1, 19);
    assert_int_equal(take_answer(fd), 200); // once there are descriptors again
}

static void wrong_addresses_are_failures(void **state)
{
    (void)state;
    struct http_endpoint *other;
    struct http_endpoint_config config = {
        .loop = loop, .listen = "localhost:1", .books = &books, .ready = ready};
    assert_int_equal(http_endpoint_new(&other, &config), -EINVAL);
    config.listen = http_endpoint_address(endpoint);
    assert_int_equal(http_endpoint_new(&other, &config), -EADDRINUSE);
    http_endpoint_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_are_answered, start, stop),
        cmocka_unit_test_setup_teardown(readiness_is_the_doors, start, stop),
        cmocka_unit_test_setup_teardown(head_has_the_length_and_no_body, start, stop),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_head_has_a_limit, start, stop),
        cmocka_unit_test_setup_teardown(a_request_may_come_byte_by_byte, start, stop),
        cmocka_unit_test_setup_teardown(connections_have_a_limit, start, stop),
        cmocka_unit_test_setup_teardown(without_descriptors_the_loop_rests, start, stop),
        cmocka_unit_test_setup_teardown(wrong_addresses_are_failures, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
