// What only loopback may see: the settings without their secrets, and live records, which never
// wait for who watches them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/books.h"
#include "base/listen_address.h"
#include "base/loop.h"
#include "base/settings.h"
#include "control/http_endpoint.h"

#include <errno.h>
#include <event2/event.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

static struct loop *loop;
static struct http_endpoint *endpoint;
static struct books books;
static struct settings settings;
static int watchers;          // calls of watch: +1 and -1
static char answer[16 << 20]; // more than the kernel keeps for a connection

static bool ready(void *ctx)
{
    (void)ctx;
    return true;
}

static const struct settings *settings_of(void *ctx)
{
    (void)ctx;
    return &settings;
}

static void watch(void *ctx, bool watched)
{
    (void)ctx;
    watchers += watched ? 1 : -1;
    assert_in_range(watchers, 0, 1);
}

static int start_on(const char *address)
{
    struct http_endpoint_config config = {.loop = loop,
                                          .listen = address,
                                          .books = &books,
                                          .ready = ready,
                                          .settings = settings_of,
                                          .watch = watch};
    return http_endpoint_new(&endpoint, &config);
}

static int start(void **state)
{
    (void)state;
    watchers = 0;
    return loop_new(&loop) < 0 ? -1 : start_on("127.0.0.1:0");
}

static int stop(void **state)
{
    (void)state;
    http_endpoint_free(endpoint);
    assert_int_equal(watchers, 0); // whoever still watched was told to stop
    loop_free(loop);
    return 0;
}

static void turn(void)
{
    assert_true(event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK) >= 0);
}

static int connect_to(const char *text)
{
    struct listen_address address;
    assert_int_equal(listen_address_parse(&address, text), 0);
    int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(connect(fd, (struct sockaddr *)&address.storage, address.size), 0);
    return fd;
}

static int send_request(const char *request)
{
    int fd = connect_to(http_endpoint_address(endpoint));
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    for (int i = 0; i < 10; i++)
        turn();
    return fd;
}

// Turns the loop until the peer closes; closes too. Returns the status.
static int take_answer(int fd)
{
    size_t used = 0;
    for (ssize_t got; (got = recv(fd, answer + used, sizeof answer - 1 - used, MSG_DONTWAIT)) != 0;
         turn()) {
        assert_true(got > 0 || errno == EAGAIN);
        used += got > 0 ? (size_t)got : 0;
    }
    answer[used] = '\0';
    close(fd);
    turn();
    return (int)strtol(answer + 9, NULL, 10);
}

// What the stream has for now: until nothing more comes in a few turns.
static char *take_stream(int fd)
{
    size_t used = 0;
    for (int quiet = 0; quiet < 5; turn()) {
        ssize_t got = recv(fd, answer + used, sizeof answer - 1 - used, MSG_DONTWAIT);
        assert_true(got > 0 || (got < 0 && errno == EAGAIN));
        quiet = got > 0 ? 0 : quiet + 1;
        used += got > 0 ? (size_t)got : 0;
    }
    answer[used] = '\0';
    return answer;
}

static int tail(const char *query)
{
    char request[2000];
    snprintf(request, sizeof request, "GET /tail%s HTTP/1.1\r\nHost: localhost\r\n\r\n", query);
    int fd = send_request(request);
    char *head = take_stream(fd);
    assert_memory_equal(head, "HTTP/1.1 200 OK\r\n", 17);
    assert_non_null(strstr(head, "Content-Type: application/x-ndjson\r\n"));
    assert_string_equal(strstr(head, "\r\n\r\n"), "\r\n\r\n");
    return fd;
}

static void show(const char *document)
{
    http_endpoint_show(endpoint, SIGNAL_LOGS, slice_from(document));
}

// --- /config ---

static void settings_are_shown_without_secrets(void **state)
{
    (void)state;
    struct effective_setting effective[] = {
        {"max_delay", "20ms", "flag --max-delay", false},
        {"exporters.kafka.properties.sasl.password", "hush \"1\"", "s.yaml:3", true},
        {"service.name", "a \"b\"\n\x1b", "environment SLUICE_SERVICE_NAME", false},
    };
    struct resource_setting attributes[] = {{"host.name", "h", "host"},
                                            {"app.token", "hush", "environment X"}};
    settings = (struct settings){.effective = effective,
                                 .effective_count = 3,
                                 .attributes = attributes,
                                 .attribute_count = 2};
    int status = take_answer(send_request("GET /config HTTP/1.1\r\nHost: 127.0.0.1:9598\r\n\r\n"));
    assert_int_equal(status, 200);
    assert_null(strstr(answer, "hush"));
    const char *body = strstr(answer, "\r\n\r\n") + 4;
    char why[200];
    yajl_val page = yajl_tree_parse(body, why, sizeof why);
    if (!page)
        fail_msg("%s\n%s", why, body);
    const char *list[] = {"settings", NULL}, *value[] = {"value", NULL};
    yajl_val items = yajl_tree_get(page, list, yajl_t_array);
    assert_int_equal(items->u.array.len, 3);
    assert_string_equal(
        YAJL_GET_STRING(yajl_tree_get(items->u.array.values[0], value, yajl_t_string)), "20ms");
    assert_non_null(yajl_tree_get(items->u.array.values[1], value, yajl_t_null));
    assert_string_equal(
        YAJL_GET_STRING(yajl_tree_get(items->u.array.values[2], value, yajl_t_string)),
        "a \"b\"\n\x1b");
    yajl_tree_free(page);
}

static void names_that_lead_a_browser_here_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        int status;
    } rows[] = {
        {"Host: evil.example:9598\r\n", 403},
        {"host:127.0.0.1.evil.example\r\n", 403},
        {"X: y\r\nHost: evil\r\n", 403},
        {"Host: [::1].evil\r\n", 403},
        {"Host: [::1\r\n", 403},
        {"Host: [::1]:9598\r\n", 200},
        {"Host: LOCALHOST\r\n", 200},
        {"Host: 10.0.0.1:1\r\n", 200},
        {"", 200},
    };
    settings = (struct settings){0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char request[200];
        snprintf(request, sizeof request, "GET /config HTTP/1.1\r\n%s\r\n", rows[i].host);
        int status = take_answer(send_request(request));
        if (status != rows[i].status)
            fail_msg("%s: %d", rows[i].host, status);
    }
    assert_int_equal(take_answer(send_request("GET /tail HTTP/1.1\r\nHost: evil\r\n\r\n")), 403);
    assert_int_equal(take_answer(send_request("GET /books HTTP/1.1\r\nHost: pod-1\r\n\r\n")), 200);
}

// An address of this machine that is not loopback; "": there is none here.
static void other_address(char *out, size_t size)
{
    struct ifaddrs *all;
    out[0] = '\0';
    assert_int_equal(getifaddrs(&all), 0);
    for (struct ifaddrs *at = all; at; at = at->ifa_next) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(void *)at->ifa_addr;
        uint32_t host = v4 && v4->sin_family == AF_INET ? ntohl(v4->sin_addr.s_addr) : 0;
        if (host && host >> 24 != 127)
            snprintf(out, size, "%u.%u.%u.%u", host >> 24, host >> 16 & 255, host >> 8 & 255,
                     host & 255);
    }
    freeifaddrs(all);
}

static void others_than_loopback_are_refused(void **state)
{
    (void)state;
    char host[32], address[48];
    other_address(host, sizeof host);
    if (!host[0])
        skip(); // a machine with loopback only
    http_endpoint_free(endpoint);
    assert_int_equal(start_on("0.0.0.0:0"), 0);
    snprintf(address, sizeof address, "%s%s", host, strrchr(http_endpoint_address(endpoint), ':'));
    static const struct {
        const char *path;
        int status;
    } rows[] = {{"/config", 403}, {"/tail", 403}, {"/healthz", 200}, {"/metrics", 200}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char request[100];
        int fd = connect_to(address);
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n\r\n", rows[i].path);
        assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
        assert_int_equal(take_answer(fd), rows[i].status);
        assert_true(rows[i].status == 200 || strstr(answer, "shown on loopback only"));
    }
}

// --- /tail ---

static void records_are_shown_as_they_pass(void **state)
{
    (void)state;
    show("{\"message\":\"before\"}\n"); // nobody watches
    int fd = tail("");
    assert_int_equal(watchers, 1);
    show("{\"message\":\"one\"}\n");
    show("{\"message\":\"two\"}");
    assert_string_equal(take_stream(fd), "{\"message\":\"one\"}\n{\"message\":\"two\"}\n");
    int other = tail("?signal=spans");
    show("{\"message\":\"three\"}\n");
    assert_string_equal(take_stream(fd), "{\"message\":\"three\"}\n");
    assert_string_equal(take_stream(other), "");
    close(fd);
    turn();
    assert_int_equal(watchers, 1);
    close(other);
    turn();
    assert_int_equal(watchers, 0);
}

static void the_agent_leaves_out_what_cannot_match(void **state)
{
    (void)state;
    int fd = tail("?contains=api&contains=a%20b");
    show("{\"service\":\"api\",\"message\":\"a b\"}");
    show("{\"service\":\"api\",\"message\":\"b\"}");
    show("{\"service\":\"web\",\"message\":\"a b\"}");
    show("{\"service\":\"\\u0061pi\",\"message\":\"a b\"}"); // it might: the watcher sees to it
    assert_string_equal(take_stream(fd), "{\"service\":\"api\",\"message\":\"a b\"}\n"
                                         "{\"service\":\"\\u0061pi\",\"message\":\"a b\"}\n");
    close(fd);
    turn();
}

static void wrong_queries_are_told(void **state)
{
    (void)state;
    static const char *const queries[] = {"?signal=log",   "?x=1",       "?signal",
                                          "?contains=%zz", "?contains=", "?contains=%00",
                                          "?contains=%4",  "?signal=",   "?signal=,"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        char request[100];
        snprintf(request, sizeof request, "GET /tail%s HTTP/1.1\r\n\r\n", queries[i]);
        assert_int_equal(take_answer(send_request(request)), 400);
        assert_int_equal(watchers, 0);
    }
    assert_int_equal(take_answer(send_request("HEAD /tail HTTP/1.1\r\n\r\n")), 200);
    assert_int_equal(watchers, 0);
}

static void watchers_are_few(void **state)
{
    (void)state;
    int fds[HTTP_TAILS_MAX];
    for (size_t i = 0; i < HTTP_TAILS_MAX; i++)
        fds[i] = tail("");
    assert_int_equal(take_answer(send_request("GET /tail HTTP/1.1\r\n\r\n")), 503);
    close(fds[0]);
    turn();
    fds[0] = tail("");
    show("{}");
    for (size_t i = 0; i < HTTP_TAILS_MAX; i++)
        assert_string_equal(take_stream(fds[i]), "{}\n");
    for (size_t i = 1; i < HTTP_TAILS_MAX; i++)
        close(fds[i]); // the endpoint ends with one still open
}

static void a_slow_watcher_misses_some_and_is_told(void **state)
{
    (void)state;
    static const unsigned sent = 400000; // 14 MB
    static char stream[sizeof answer];
    char document[100];
    size_t used = 0;
    int fd = tail("");
    for (unsigned i = 0; i < sent; i++) {
        snprintf(document, sizeof document, "{\"message\":\"flood\",\"n\":%07u}\n", i);
        show(document);
        if (i % 4000 == 0)
            turn();
    }
    // What the buffer and the kernel's could take, and then how many were not shown.
    for (int i = 0; i < 100; i++) {
        char *part = take_stream(fd);
        size_t size = strlen(part);
        assert_true(used + size < sizeof stream);
        memcpy(stream + used, part, size + 1);
        used += size;
    }
    unsigned shown = 0, told = 0;
    static const char note[] = "{\"sluice\":{\"not_shown\":", flood[] = "{\"message\":\"flood\"";
    for (const char *at = stream; *at; at = strchr(at, '\n') + 1) {
        if (strncmp(at, note, sizeof note - 1) == 0)
            told += (unsigned)strtoul(at + sizeof note - 1, NULL, 10);
        else
            shown += strncmp(at, flood, sizeof flood - 1) == 0;
    }
    assert_in_range(shown, HTTP_TAIL_BYTES / 64, sent - 1);
    assert_int_equal(shown + told, sent);
    show("{\"message\":\"after\"}");
    assert_string_equal(take_stream(fd), "{\"message\":\"after\"}\n");
    close(fd);
    turn();
}

static void what_is_larger_than_the_buffer_is_counted(void **state)
{
    (void)state;
    char *huge = malloc(HTTP_TAIL_BYTES + 1);
    assert_non_null(huge);
    memset(huge, 'x', HTTP_TAIL_BYTES);
    huge[HTTP_TAIL_BYTES] = '\0';
    int fd = tail("");
    show(huge);
    show("{}");
    free(huge);
    assert_string_equal(take_stream(fd), "{\"sluice\":{\"not_shown\":1}}\n{}\n");
    close(fd);
    turn();
}

static void without_callbacks_there_are_no_such_pages(void **state)
{
    (void)state;
    http_endpoint_free(endpoint);
    struct http_endpoint_config config = {
        .loop = loop, .listen = "127.0.0.1:0", .books = &books, .ready = ready};
    assert_int_equal(http_endpoint_new(&endpoint, &config), 0);
    assert_int_equal(take_answer(send_request("GET /config HTTP/1.1\r\n\r\n")), 404);
    assert_int_equal(take_answer(send_request("GET /tail HTTP/1.1\r\n\r\n")), 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(settings_are_shown_without_secrets, start, stop),
        cmocka_unit_test_setup_teardown(names_that_lead_a_browser_here_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(others_than_loopback_are_refused, start, stop),
        cmocka_unit_test_setup_teardown(records_are_shown_as_they_pass, start, stop),
        cmocka_unit_test_setup_teardown(the_agent_leaves_out_what_cannot_match, start, stop),
        cmocka_unit_test_setup_teardown(wrong_queries_are_told, start, stop),
        cmocka_unit_test_setup_teardown(watchers_are_few, start, stop),
        cmocka_unit_test_setup_teardown(a_slow_watcher_misses_some_and_is_told, start, stop),
        cmocka_unit_test_setup_teardown(what_is_larger_than_the_buffer_is_counted, start, stop),
        cmocka_unit_test_setup_teardown(without_callbacks_there_are_no_such_pages, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
