// The commands as a user calls them: what they print, and their exit status.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/books.h"
#include "base/loop.h"
#include "control/commands.h"
#include "control/http_endpoint.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static char *out_text, *err_text;
static char *const *environment;

// Runs a command line of words separated by single spaces.
static int sluice(const char *words)
{
    char copy[500], *argv[20] = {"sluice"}, *rest;
    size_t out_size, err_size;
    int argc = 1;
    free(out_text);
    free(err_text);
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    struct command_context context = {
        .out = open_memstream(&out_text, &out_size),
        .err = open_memstream(&err_text, &err_size),
        .environment = environment,
        .default_config = "/nonexistent/sluice.yaml",
    };
    int status = commands_main(&context, argc, argv);
    fclose(context.out);
    fclose(context.err);
    return status;
}

static void expect_in(const char *text, const char *wanted)
{
    if (!strstr(text, wanted))
        fail_msg("missing \"%s\" in:\n%s", wanted, text);
}

static void slips_on_the_command_line_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *words, *told;
    } rows[] = {
        {"chek x", "sluice: chek: no such command; did you mean check?"},
        {"frobnicate", "frobnicate: no such command; see sluice help"},
        {"run --confg x", "--confg: no such option; did you mean --config?"},
        {"run --dev=1", "--dev takes no value"},
        {"run --config", "--config needs a value"},
        {"run --max-delay", "--max-delay: no such option, or a setting that needs a value"},
        {"run --set max_delay", "write it as NAME=VALUE"},
        {"run --set =1", "a setting's name is empty or too long"},
        {"run -x", "-x: no such option"},
        {"run file.yaml", "file.yaml: one word too many"},
        {"check", "sluice check: needs FILE"},
        {"check a b", "b: one word too many"},
        {"replay --dry-rum PATH", "--dry-rum: no such option; did you mean --dry-run?"},
        {"adopt --dry-run DIR", "needs DIR; --dry-run is no option of it, and \"DIR\" was taken "
                                "for its value"},
        {"version --http x", "--http: no such option"},
        {"status --htp x", "--htp: no such option; did you mean --http?"},
        {"docs", "needs configuration|metrics|events"},
        {"docs x", "there are configuration, metrics and events"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int status = sluice(rows[i].words);
        if (status != COMMAND_USAGE)
            fail_msg("%s: %d\n%s", rows[i].words, status, err_text);
        expect_in(err_text, rows[i].told);
        assert_string_equal(out_text, "");
    }
    assert_int_equal(sluice(""), COMMAND_USAGE);
    expect_in(out_text, "sluice COMMAND");
    assert_int_equal(sluice("--help"), COMMAND_OK);
}

static void check_tells_every_mistake(void **state)
{
    (void)state;
    assert_int_equal(sluice("check settings/bad.yaml"), COMMAND_FAILED);
    assert_string_equal(out_text, "");
    expect_in(err_text, "settings/bad.yaml:1:1: sockt: no such setting; did you mean \"socket\"?");
    // librdkafka's own names are checked in the same go.
    expect_in(err_text, "settings/bad.yaml:16: exporters.kafka.properties.compresion.type: "
                        "librdkafka has no such property; did you mean \"compression.type\"?");
    expect_in(err_text, "exporters.kafka.properties.acks: \"0\": ");
    expect_in(err_text, "24 mistakes\n");
    assert_null(strstr(err_text, "s3cret"));

    assert_int_equal(sluice("check settings/missing.yaml"), COMMAND_FAILED);
    expect_in(err_text, "settings/missing.yaml: cannot be read: No such file or directory");
    assert_int_equal(sluice("check settings"), COMMAND_FAILED);
    expect_in(err_text, "Is a directory");

    assert_int_equal(sluice("check settings/good.yaml"), COMMAND_OK);
    assert_string_equal(err_text, "");
    assert_string_equal(out_text, "settings/good.yaml: ok; exporters app (kafka), otlp (otlp); "
                                  "routes everything, traces\n");
    assert_int_equal(sluice("check settings/good.yaml --app-topic a/b"), COMMAND_FAILED);
}

static void explain_says_where_from(void **state)
{
    (void)state;
    char *const variables[] = {"SLUICE_APP_PROPERTIES_SASL_PASSWORD=hush", "OTEL_SERVICE_NAME=api",
                               NULL};
    environment = variables;
    assert_int_equal(sluice("explain --config settings/good.yaml --max-delay=20ms"), COMMAND_OK);
    environment = NULL;
    static const struct {
        const char *name, *value, *origin;
    } rows[] = {
        {"max_delay", "20ms", "flag --max-delay"},
        {"max_memory", "32MiB", "settings/good.yaml:2"},
        {"socket.mode", "0660", "default"},
        {"exporters.app.properties.sasl.password", "(hidden)",
         "environment SLUICE_APP_PROPERTIES_SASL_PASSWORD"},
        {"exporters.app.topic", "app-logs", "settings/good.yaml:4"},
        {"service.name", "api", "environment OTEL_SERVICE_NAME"},
        {"linger", "20ms", "max_delay: how long a batch waits for more records"},
        {"app: spool", "7MiB", "max_memory: segments of 1MiB"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[300];
        snprintf(line, sizeof line, "\n%-40s %-28s %s\n", rows[i].name, rows[i].value,
                 rows[i].origin);
        expect_in(out_text, line);
    }
    assert_null(strstr(out_text, "hush"));
}

static void run_refuses_wrong_settings(void **state)
{
    (void)state;
    int keep = dup(STDERR_FILENO), fds[2];
    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], STDERR_FILENO);
    int status = sluice("run --max-delay soon --set kafka.properties.x=y");
    dup2(keep, STDERR_FILENO);
    close(keep);
    close(fds[1]);
    char text[4096];
    ssize_t got = read(fds[0], text, sizeof text - 1);
    close(fds[0]);
    assert_true(got > 0);
    text[got] = '\0';
    assert_int_equal(status, COMMAND_FAILED);
    expect_in(text, "\"event\":\"setting_refused\",\"message\":\"--max-delay: max_delay: \\\"soon");
    expect_in(text, "flag --set kafka.properties.x: exporters.kafka.properties.x: librdkafka has");
}

// Runs a command line; what the own log says on standard error lands in text.
static int sluice_logging(const char *words, char *text, size_t size)
{
    int log = memfd_create("log", MFD_CLOEXEC), keep = dup(STDERR_FILENO);
    assert_true(log >= 0 && keep >= 0);
    dup2(log, STDERR_FILENO);
    int status = sluice(words);
    dup2(keep, STDERR_FILENO);
    close(keep);
    ssize_t got = pread(log, text, size - 1, 0);
    assert_true(got >= 0);
    text[got] = '\0';
    close(log);
    return status;
}

static void run_says_what_it_cannot_listen_on(void **state)
{
    (void)state;
    struct sockaddr_in taken = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof taken;
    char folder[] = "/tmp/sluice-commands-XXXXXX", words[400], lock[64], log[8192];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&taken, sizeof taken), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&taken, &length), 0);
    assert_non_null(mkdtemp(folder));
    unsigned port = ntohs(taken.sin_port);
    snprintf(words, sizeof words,
             "run --set socket.path=%s/s --set otlp_listen= --set http.listen=127.0.0.1:%u "
             "--set exporters.kafka.brokers=127.0.0.1:%u",
             folder, port, port);
    assert_int_equal(sluice_logging(words, log, sizeof log), COMMAND_FAILED);
    expect_in(log, "\"event\":\"listen_failed\",\"message\":\"http.listen: 127.0.0.1:");
    expect_in(log, "free the port");
    snprintf(lock, sizeof lock, "%s/s.lock", folder);
    unlink(lock);
    assert_int_equal(rmdir(folder), 0);
    close(fd);
}

static void version_names_the_libraries(void **state)
{
    (void)state;
    assert_int_equal(sluice("version"), COMMAND_OK);
    static const char *const wanted[] = {"sluice ",    "\nbuilt with ", "\nlibevent 2.",
                                         "\nnghttp2 ", "\nlibrdkafka ", "\nlibyaml ",
                                         "\nyajl ",    "\nzlib "};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        expect_in(out_text, wanted[i]);
}

static void documents_are_made_from_the_tables(void **state)
{
    (void)state;
    assert_int_equal(sluice("docs configuration"), COMMAND_OK);
    expect_in(out_text, "\n| `max_delay` | `200ms` | a duration with a unit");
    expect_in(out_text, "`SLUICE_SOCKET`");
    expect_in(out_text, "\n| `exporters.NAME.brokers` | `127.0.0.1:9092` |");
    assert_int_equal(sluice("docs metrics"), COMMAND_OK);
    expect_in(out_text, "\n| `sluice_received_records_total` | counter | `signal` |");
}

// --- a running agent's pages, on a thread of their own ---

struct served {
    struct loop *loop;
    struct http_endpoint *endpoint;
    struct loop_io stop;
    struct books books;
    int stop_fds[2];
    pthread_t thread;
};

static void stop_raised(struct loop_io *io, unsigned events)
{
    (void)events;
    struct served *served = (struct served *)(void *)((char *)io - offsetof(struct served, stop));
    loop_stop(served->loop);
}

static bool ready(void *ctx)
{
    (void)ctx;
    return true;
}

static void *serve(void *arg)
{
    struct served *served = arg;
    loop_run(served->loop);
    return NULL;
}

static void serve_start(struct served *served)
{
    struct exporter_book *kafka = books_add_exporter(&served->books, "kafka");
    kafka->routed = kafka->delivered = 1234567;
    served->books.door[SIGNAL_LOGS].received = 1234569;
    served->books.door[SIGNAL_LOGS].routed = 1234567;
    served->books.door[SIGNAL_LOGS].rejected[REJECT_MALFORMED] = 2;
    kafka->closed[BATCH_DELAY] = 7;
    served->books.receive.open = 3;
    served->books.receive.connections[DIALECT_LINES] = 12;
    served->books.receive.connections[DIALECT_FOREIGN] = 1;
    served->books.receive.closed[CLOSE_TLS] = 1;
    served->books.receive.paused = 5;
    served->books.receive.read_bytes =
        (struct byte_budget){.limit = 4 << 20, .used = 20481, .peak = 1 << 20, .refused = 2};
    assert_int_equal(loop_new(&served->loop), 0);
    struct http_endpoint_config config = {
        .loop = served->loop, .listen = "127.0.0.1:0", .books = &served->books, .ready = ready};
    assert_int_equal(http_endpoint_new(&served->endpoint, &config), 0);
    assert_int_equal(pipe(served->stop_fds), 0);
    served->stop.ready = stop_raised;
    assert_int_equal(loop_io_start(served->loop, &served->stop, served->stop_fds[0], LOOP_READ), 0);
    assert_int_equal(pthread_create(&served->thread, NULL, serve, served), 0);
}

static void serve_stop(struct served *served)
{
    assert_int_equal(write(served->stop_fds[1], "x", 1), 1);
    pthread_join(served->thread, NULL);
    loop_io_stop(&served->stop);
    http_endpoint_free(served->endpoint);
    loop_free(served->loop);
    close(served->stop_fds[0]);
    close(served->stop_fds[1]);
}

static void status_prints_the_books(void **state)
{
    (void)state;
    struct served served = {0};
    char words[200];
    serve_start(&served);
    snprintf(words, sizeof words, "status --http %s", http_endpoint_address(served.endpoint));
    assert_int_equal(sluice(words), COMMAND_OK);
    expect_in(out_text, "at the door                      logs          spans        metrics\n");
    expect_in(out_text, "  received                    1234569              0              0\n");
    expect_in(out_text, "  rejected                          2              0              0\n"
                        "    malformed                       2              0              0\n");
    expect_in(out_text, "\nexporters                       kafka\n");
    expect_in(out_text, "  delivered                   1234567\n");
    expect_in(out_text, "\n  closed                            7\n"
                        "    delay                           7\n");
    expect_in(out_text, "\nconnections: 3 open\n  by dialect: lines 12, foreign 1\n"
                        "  closed by the agent: tls 1\n  reads paused for memory: 5\n"
                        "  memory for unfinished lines and frames: 20KiB of 4MiB, at most 1MiB, "
                        "refused 2 times\nbalanced: yes\n");
    // What counts nothing is left out, but for the balance.
    assert_null(strstr(out_text, "duplicate"));
    assert_null(strstr(out_text, "retries"));
    expect_in(out_text, "\n  held                              0\n");
    // Without --http, the address is that of the settings.
    snprintf(words, sizeof words, "health --http-listen %s",
             http_endpoint_address(served.endpoint));
    assert_int_equal(sluice(words), COMMAND_OK);
    assert_string_equal(out_text, "ok\n");
    snprintf(words, sizeof words, "health --http %s", http_endpoint_address(served.endpoint));
    serve_stop(&served);
    assert_int_equal(sluice(words), COMMAND_FAILED);
    expect_in(err_text, "/healthz: Connection refused");
    assert_int_equal(sluice("status --http-listen="), COMMAND_FAILED);
    expect_in(err_text, "http.listen is switched off");
    assert_int_equal(sluice("status --http nowhere"), COMMAND_FAILED);
    expect_in(err_text, "Invalid argument");
}

// --- tail, against an agent that says what the test wants ---

struct scripted {
    int fd;
    char address[32];
    const char *answer;
    char request[4096];
    pthread_t thread;
};

static void *answer_once(void *arg)
{
    struct scripted *scripted = arg;
    int peer = accept(scripted->fd, NULL, NULL);
    ssize_t got = recv(peer, scripted->request, sizeof scripted->request - 1, 0);
    scripted->request[got > 0 ? got : 0] = '\0';
    size_t size = strlen(scripted->answer);
    if (send(peer, scripted->answer, size, MSG_NOSIGNAL) != (ssize_t)size)
        scripted->request[0] = '\0'; // fails the test
    close(peer);
    return NULL;
}

// Runs `tail` against an agent that gives this answer and ends.
static int tail_of(struct scripted *scripted, const char *answer, const char *words)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof own;
    char line[500];
    scripted->answer = answer;
    scripted->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(scripted->fd, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(scripted->fd, 1), 0);
    assert_int_equal(getsockname(scripted->fd, (struct sockaddr *)&own, &length), 0);
    assert_int_equal(pthread_create(&scripted->thread, NULL, answer_once, scripted), 0);
    snprintf(line, sizeof line, "tail --http 127.0.0.1:%u%s", ntohs(own.sin_port), words);
    int status = sluice(line);
    pthread_join(scripted->thread, NULL);
    close(scripted->fd);
    return status;
}

static const char stream[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
    "{\"@timestamp\":\"2026-01-02T03:04:05.678901Z\",\"log\":{\"level\":\"warn\"},\"service\":"
    "{\"name\":\"api\"},\"message\":\"a \\u001b[2J\\nb\",\"trace\":{\"id\":\"4bf9\"},"
    "\"labels\":{\"http.route\":\"/x\",\"ok\":true},\"numeric_labels\":{\"n\":7}}\n"
    "{\"log\":{\"level\":\"info\"},\"message\":\"quiet\",\"tags\":[\"a\",\"b\"]}\n"
    "{\"message\":\"\xe2\x80\xae over\",\"log\":{\"level\":\"error\"}}\n"
    "{\"sluice\":{\"not_shown\":7}}\n"
    "{\"@timestamp\":\"2026-01-02T03:04:06.000001Z\",\"event\":{\"kind\":\"span\",\"duration\":"
    "1500000,\"outcome\":\"failure\"},\"log\":{\"level\":\"error\"},\"message\":\"GET /x\","
    "\"service\":{\"name\":\"web\"},\"trace\":{\"id\":\"4bf9\"},\"error\":{\"message\":\"no\"}}\n"
    "{\"event\":{\"kind\":\"metric\"},\"message\":\"up\",\"metric\":{\"type\":\"sum\",\"points\":3}"
    "}\n"
    "broken \x1b[2J\n";

static void tail_prints_a_harmless_line_a_record(void **state)
{
    (void)state;
    struct scripted agent;
    assert_int_equal(tail_of(&agent, stream, ""), COMMAND_FAILED); // the agent ended
    assert_string_equal(out_text, "03:04:05.678 warn   api a \\x1b[2J\\nb 4bf9\n"
                                  "--:--:--.--- info   - quiet\n"
                                  "--:--:--.--- error  - \\u202e over\n"
                                  "03:04:06.000 span   web GET /x 1.500ms failed: no 4bf9\n"
                                  "--:--:--.--- metric - up sum, 3 points\n"
                                  "broken \\u001b[2J\n");
    expect_in(err_text, "7 records not shown");
    expect_in(err_text, "the agent has ended the stream");
    assert_memory_equal(agent.request, "GET /tail HTTP/1.1\r\n", 20);
    tail_of(&agent, stream, " --json --level error");
    expect_in(out_text, "{\"message\":\"\\u202e over\",\"log\":{\"level\":\"error\"}}\n{\"@time");
    assert_null(strstr(out_text, "quiet"));
}

static void tail_shows_what_the_filter_lets_through(void **state)
{
    (void)state;
    static const struct {
        const char *words, *first, *asked;
        unsigned lines;
    } rows[] = {
        {" --level warn", "03:04:05.678 warn", "/tail ", 4},
        {" --service web", "03:04:06.000 span", "/tail?contains=web ", 2},
        {" --service a* --signal logs", "03:04:05.678", "/tail?signal=logs ", 2},
        {" --match quiet --signal=logs,metrics", "--:--:--.--- info   - quiet",
         "/tail?signal=logs,metrics&contains=quiet ", 2},
        {" --match GET*", "03:04:06.000 span", "/tail ", 2},
        {" --match ET", "03:04:06.000 span", "/tail?contains=ET ", 2},
        {" trace.id=4bf9 --level error", "03:04:06.000", "/tail?contains=4bf9 ", 2},
        {" labels.http.route=/x", "03:04:05.678", "/tail ", 2},
        {" labels.ok=true numeric_labels.n=7", "03:04:05.678", "/tail?contains=true&contains=7 ",
         2},
        {" tags=b", "--:--:--.--- info   - quiet", "/tail?contains=b ", 2},
        {" no.field=x", "broken", "/tail?contains=x ", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct scripted agent;
        unsigned lines = 0;
        tail_of(&agent, stream, rows[i].words);
        for (const char *at = out_text; (at = strchr(at, '\n')); at++)
            lines++;
        // What is no document is shown whatever the filter.
        if (lines != rows[i].lines || strncmp(out_text, rows[i].first, strlen(rows[i].first)) != 0)
            fail_msg("%s:\n%s", rows[i].words, out_text);
        if (strncmp(agent.request + 4, rows[i].asked, strlen(rows[i].asked)) != 0)
            fail_msg("%s: %s", rows[i].words, agent.request);
    }
}

static void tail_says_why_it_ends(void **state)
{
    (void)state;
    struct scripted agent;
    assert_int_equal(tail_of(&agent, "HTTP/1.1 403 Forbidden\r\n\r\nshown on loopback only\n", ""),
                     COMMAND_FAILED);
    expect_in(err_text, "answers 403: shown on loopback only\n");
    assert_int_equal(tail_of(&agent, "SMTP\r\n\r\n", ""), COMMAND_FAILED);
    expect_in(err_text, "Protocol error");
    assert_int_equal(tail_of(&agent, "", ""), COMMAND_FAILED);
    expect_in(err_text, "Protocol error");
    assert_int_equal(sluice("tail --level loud"), COMMAND_USAGE);
    expect_in(err_text, "--level loud: allowed: trace, debug, info, warn, error, fatal");
    assert_int_equal(sluice("tail trace"), COMMAND_USAGE);
    expect_in(err_text, "trace: write it as FIELD=VALUE");
    assert_int_equal(sluice("tail --http 127.0.0.1:1"), COMMAND_FAILED);
    expect_in(err_text, "Connection refused");
}

static int forget(void **state)
{
    (void)state;
    free(out_text);
    free(err_text);
    out_text = err_text = NULL;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_on_the_command_line_are_told),
        cmocka_unit_test(check_tells_every_mistake),
        cmocka_unit_test(explain_says_where_from),
        cmocka_unit_test(run_refuses_wrong_settings),
        cmocka_unit_test(run_says_what_it_cannot_listen_on),
        cmocka_unit_test(version_names_the_libraries),
        cmocka_unit_test(documents_are_made_from_the_tables),
        cmocka_unit_test(status_prints_the_books),
        cmocka_unit_test(tail_prints_a_harmless_line_a_record),
        cmocka_unit_test(tail_shows_what_the_filter_lets_through),
        cmocka_unit_test(tail_says_why_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
