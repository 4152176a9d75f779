// The settings' defaults, their strength, names in the environment and as flags, values from files.
#include "base/settings.h"

#include "settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB ((uint64_t)1024 * 1024)

static void defaults_alone_make_an_agent(void **state)
{
    (void)state;
    struct loaded l = load_input((struct settings_input){0});
    assert_int_equal(l.result, 0);
    // The defaults of an SDK and of a collector are one address: told, unless --dev replaces it.
    assert_int_equal(l.mistakes.count, 1);
    assert_true(has_mistake(&l, "exporters.otlp.endpoint: the default is the agent itself"));
    const struct settings *s = l.settings;
    assert_string_equal(s->socket.path, "/run/sluice/sluice.sock");
    assert_int_equal(s->socket.mode, 0660);
    assert_string_equal(s->otlp_listen, "127.0.0.1:4317");
    assert_string_equal(s->http.listen, "127.0.0.1:9598");
    assert_int_equal(s->max_delay_ns, 200000000);
    assert_int_equal(s->max_memory, 64 * MIB);
    assert_int_equal(s->max_line, 256 * 1024);
    assert_int_equal(s->max_message, 16 * MIB);
    assert_int_equal(s->exporter_count, 2);
    const struct exporter_settings *kafka = &s->exporters[0], *otlp = &s->exporters[1];
    assert_string_equal(kafka->name, "kafka");
    assert_string_equal(kafka->type, "kafka");
    assert_string_equal(kafka->brokers, "127.0.0.1:9092");
    assert_string_equal(kafka->topic, "logs");
    assert_string_equal(kafka->mode, "ecs");
    assert_int_equal(kafka->properties.count, 1);
    assert_string_equal(kafka->properties.items[0].name, "compression.type");
    assert_string_equal(kafka->properties.items[0].value, "lz4");
    assert_string_equal(otlp->type, "otlp");
    assert_string_equal(otlp->endpoint, "http://127.0.0.1:4317");
    assert_string_equal(otlp->topic, "logs"); // never NULL
    assert_int_equal(otlp->max_request, 4 * MIB);
    assert_int_equal(otlp->concurrency, 4);
    assert_int_equal(s->route_count, 3);
    assert_true(s->routes[0].signals[SIGNAL_LOGS] && !s->routes[0].signals[SIGNAL_SPANS]);
    assert_int_equal(s->routes[0].exporters[0], 0);
    assert_true(s->routes[1].signals[SIGNAL_SPANS] && s->routes[2].signals[SIGNAL_METRICS]);
    // The default endpoint is the agent's own port: told, and not used.
    assert_int_equal(s->routes[1].exporter_count, 0);
    assert_true(has_mistake(&l, "spans and metrics are refused"));
    unload(&l);
    const struct settings_flag flag = {"--otlp-endpoint", "otlp-endpoint", "http://c:4317", false};
    l = load_input((struct settings_input){.flags = &flag, .flag_count = 1});
    assert_int_equal(l.settings->routes[1].exporter_count, 1);
    assert_int_equal(l.settings->routes[1].exporters[0], 1);
    unload(&l);
}

static void circles_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *endpoint, *listen, *socket;
        bool circle;
    } rows[] = {
        {"http://localhost:4317", "127.0.0.1:4317", "/s", true},
        {"http://localhost:4317/", "0.0.0.0:4317", "/s", true},
        {"http://10.0.0.1:4317", "10.0.0.1:4317", "/s", true},
        {"http://10.0.0.2:4317", "10.0.0.1:4317", "/s", false},
        {"http://[::1]:4317", "[::]:4317", "/s", true},
        {"http://localhost:4318", "127.0.0.1:4317", "/s", false},
        {"http://localhost:431", "127.0.0.1:4317", "/s", false},
        {"http://localhost:4317", "", "/s", false},
        {"unix:///s", "", "/s", true},
        {"unix:///t", "", "/s", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct settings_flag flags[] = {
            {"--otlp-endpoint", "otlp-endpoint", rows[i].endpoint, false},
            {"--otlp-listen", "otlp-listen", rows[i].listen, false},
            {"--socket", "socket", rows[i].socket, false},
        };
        struct settings_input input = {.flags = flags, .flag_count = 3};
        struct loaded l = load_input(input);
        if ((l.result == SETTINGS_MISTAKEN) != rows[i].circle)
            fail_msg("%s, %s: %d", rows[i].endpoint, rows[i].listen, l.result);
        assert_true(!rows[i].circle || has_mistake(&l, "is the agent itself"));
        unload(&l);
        input.dev = true;
        l = load_input(input);
        assert_int_equal(l.mistakes.count, 0);
        unload(&l);
    }
}

static void the_stronger_wins(void **state)
{
    (void)state;
    static const char yaml[] = "max_delay: 1ms\nblock_for: 1ms\nmax_line: 1KiB\n";
    char *environment[] = {"SLUICE_MAX_DELAY=2ms", "SLUICE_BLOCK_FOR=2ms", NULL};
    struct settings_flag flag = {"--max-delay", "max-delay", "3ms", false};
    struct loaded l = load_input((struct settings_input){.file = "s.yaml",
                                                         .text = yaml,
                                                         .size = sizeof yaml - 1,
                                                         .environment = environment,
                                                         .flags = &flag,
                                                         .flag_count = 1});
    assert_int_equal(l.result, 0);
    assert_int_equal(l.settings->max_delay_ns, 3000000);
    assert_int_equal(l.settings->block_for_ns, 2000000);
    assert_int_equal(l.settings->max_line, 1024);
    assert_string_equal(effective_of(&l, "max_delay")->origin, "flag --max-delay");
    assert_string_equal(effective_of(&l, "block_for")->origin, "environment SLUICE_BLOCK_FOR");
    assert_string_equal(effective_of(&l, "max_line")->origin, "s.yaml:3");
    assert_string_equal(effective_of(&l, "max_line")->value, "1KiB");
    assert_string_equal(effective_of(&l, "drain_timeout")->origin, "default");
    unload(&l);
}

static void the_environment_addresses_every_setting(void **state)
{
    (void)state;
    static const char yaml[] = "exporters: {kafka: {}, otlp: {}, backup-2: {type: kafka}}\n"
                               "routes: {logs: {signals: [logs], exporters: [kafka]},\n"
                               "         rest: {signals: [spans, metrics], exporters: [otlp]}}\n";
    char *environment[] = {"SLUICE_SOCKET=/tmp/a.sock",
                           "SLUICE_HTTP_LISTEN=",
                           "SLUICE_KAFKA_BROKERS=a:1, b:2",
                           "SLUICE_BACKUP_2_TOPIC=second",
                           "SLUICE_EXPORTERS_OTLP_ENDPOINT=unix:///x",
                           "SLUICE_KAFKA_PROPERTIES_SECURITY_PROTOCOL=ssl",
                           "SLUICE_OTLP_HEADERS_X_TENANT=t",
                           "SLUICE_OTLP_HEADERS=a=b%2Cc,d=e",
                           "SLUICE_RESOURCE=team=a b",
                           "SLUICE_ROUTES_LOGS_EXPORTERS=kafka, backup-2",
                           "OTHER=1",
                           "SLUICE_CLIENTS=somebody else's",
                           NULL};
    struct loaded l = load_input((struct settings_input){
        .file = "s.yaml", .text = yaml, .size = sizeof yaml - 1, .environment = environment});
    assert_true(has_mistake(&l, "SLUICE_CLIENTS: not a setting; ignored"));
    assert_int_equal(l.result, 0);
    const struct settings *s = l.settings;
    assert_string_equal(s->socket.path, "/tmp/a.sock");
    assert_string_equal(s->http.listen, "");
    assert_string_equal(s->exporters[0].brokers, "a:1, b:2");
    assert_string_equal(s->exporters[2].topic, "second");
    assert_string_equal(s->exporters[1].endpoint, "unix:///x");
    assert_string_equal(s->exporters[0].properties.items[1].name, "security.protocol");
    assert_string_equal(s->exporters[1].headers.items[0].name, "x-tenant");
    assert_string_equal(s->exporters[1].headers.items[1].value, "b,c");
    assert_string_equal(s->resource.items[0].value, "a b");
    assert_int_equal(s->routes[0].exporter_count, 2);
    assert_int_equal(s->routes[0].exporters[1], 2);
    unload(&l);
}

static void flags_are_paths_or_dashes(void **state)
{
    (void)state;
    const struct settings_flag flags[] = {
        {"--kafka-topic", "kafka-topic", "first", false},
        {"--set kafka.topic", "kafka.topic", "last", true},
        {"--set resource.a_b.C", "resource.a_b.C", "kept", true},
        {"--set kafka.properties.sasl.username", "kafka.properties.sasl.username", "u", true},
        {"--routes-logs-exporters", "routes-logs-exporters", "kafka", false},
    };
    struct loaded l = load_input((struct settings_input){.flags = flags, .flag_count = 5});
    assert_int_equal(l.result, 0);
    assert_string_equal(l.settings->exporters[0].topic, "last");
    assert_string_equal(l.settings->resource.items[0].name, "a_b.C");
    assert_string_equal(l.settings->exporters[0].properties.items[1].name, "sasl.username");
    assert_string_equal(effective_of(&l, "routes.logs.exporters")->origin,
                        "flag --routes-logs-exporters");
    unload(&l);
}

static void a_file_that_names_exporters_has_only_those(void **state)
{
    (void)state;
    struct loaded l = load_text("exporters: {otlp: {}, app: {type: kafka, topic: app}}\n");
    assert_int_equal(l.result, 0);
    assert_int_equal(l.settings->exporter_count, 2);
    assert_string_equal(l.settings->exporters[1].name, "app");
    assert_string_equal(l.settings->exporters[1].brokers, "127.0.0.1:9092");
    // Without routes, by type.
    assert_int_equal(l.settings->route_count, 3);
    assert_int_equal(l.settings->routes[0].exporters[0], 1);
    unload(&l);

    l = load_text("exporters: {kafka: {}}\n");
    assert_int_equal(l.settings->route_count, 1); // nobody takes spans: unrouted, and counted
    assert_true(l.settings->routes[0].signals[SIGNAL_LOGS]);
    unload(&l);
}

static void values_come_from_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/sluice-settings-XXXXXX", path[64], yaml[300];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/password", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("s3cret\n", file);
    fclose(file);
    snprintf(yaml, sizeof yaml,
             "exporters: {kafka: {topic_file: %s, properties: {sasl.password_file: %s}}}\n", path,
             path);
    char variable[100];
    snprintf(variable, sizeof variable, "SLUICE_SERVICE_NAME_FILE=%s", path);
    char *environment[] = {variable, NULL};
    struct loaded l = load_input((struct settings_input){
        .file = "s.yaml", .text = yaml, .size = strlen(yaml), .environment = environment});
    assert_int_equal(l.result, 0);
    const struct setting_map *properties = &l.settings->exporters[0].properties;
    assert_string_equal(l.settings->exporters[0].topic, "s3cret");
    assert_string_equal(l.settings->service.name, "s3cret");
    assert_string_equal(properties->items[1].name, "sasl.password");
    assert_string_equal(properties->items[1].value, "s3cret");
    assert_true(effective_of(&l, "exporters.kafka.properties.sasl.password")->secret);
    unload(&l);

    snprintf(yaml, sizeof yaml, "service: {name_file: %s}\n", folder);
    l = load_text(yaml);
    assert_true(has_mistake(&l, "s.yaml:1:22: service.name: cannot read the file"));
    assert_true(has_mistake(&l, "Is a directory"));
    unload(&l);

    // A FIFO must be refused, not waited for.
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(yaml, sizeof yaml, "service: {name_file: %s}\n", path);
    l = load_text(yaml);
    assert_true(has_mistake(&l, "not a regular file"));
    unload(&l);
    unlink(path);
    rmdir(folder);
}

static char *variable(const char *format, const char *path)
{
    static char texts[16][160];
    static unsigned next;
    char *text = texts[next++ % 16];
    snprintf(text, sizeof texts[0], format, path);
    return text;
}

static void put_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void every_type_comes_from_a_file(void **state)
{
    (void)state;
    static const struct {
        const char *variable, *content, *path, *value;
    } rows[] = {
        {"SLUICE_TERMINATION_MESSAGE_FILE=%s", "/tmp/x\n", "termination_message", "/tmp/x"},
        {"SLUICE_MAX_LINE_FILE=%s", "4KiB\r\n", "max_line", "4KiB"},
        {"SLUICE_MAX_DELAY_FILE=%s", "5ms\n", "max_delay", "5ms"},
        {"SLUICE_MAX_CONNECTIONS_FILE=%s", "7", "max_connections", "7"},
        {"SLUICE_SOCKET_MODE_FILE=%s", "666\n", "socket.mode", "0666"},
        {"SLUICE_OTLP_LISTEN_FILE=%s", "127.0.0.1:1\n", "otlp_listen", "127.0.0.1:1"},
        {"SLUICE_LOG_LEVEL_FILE=%s", "warn\n", "log_level", "warn"},
        {"SLUICE_OTLP_COMPRESSION_FILE=%s", "gzip\n", "exporters.otlp.compression", "gzip"},
        {"SLUICE_KAFKA_PROPERTIES_SASL_PASSWORD_FILE=%s", " a b \n\n",
         "exporters.kafka.properties.sasl.password", " a b "},
        {"SLUICE_OTLP_HEADERS_X_TEAM_FILE=%s", "k\n", "exporters.otlp.headers.x-team", "k"},
        {"SLUICE_OTLP_HEADERS_FILE=%s", "a=b%2Cc\nd=e,\n", "exporters.otlp.headers.a", "b,c"},
        {"SLUICE_RESOURCE_FILE=%s", "team=x\n", "resource.team", "x"},
        {"SLUICE_ROUTES_LOGS_EXPORTERS_FILE=%s", "kafka\n", "routes.logs.exporters", "kafka"},
        {"SLUICE_SERVICE_NAME_FILE=%s", "", "service.name", ""},
    };
    static const char yaml[] = "routes: {logs: {signals: [logs], exporters: [kafka]}}\n";
    char path[] = "/tmp/sluice-settings-XXXXXX";
    close(mkstemp(path));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *environment[] = {variable(rows[i].variable, path), NULL};
        put_file(path, rows[i].content);
        struct loaded l = load_input((struct settings_input){
            .file = "s.yaml", .text = yaml, .size = sizeof yaml - 1, .environment = environment});
        const struct effective_setting *effective = effective_of(&l, rows[i].path);
        if (l.result != 0 || !effective || strcmp(effective->value, rows[i].value) != 0)
            fail_msg("%s: %s, %s", environment[0], effective ? effective->value : "(none)",
                     l.mistakes.count ? l.mistakes.items[0].text : "");
        unload(&l);
    }
    unlink(path);
    // What is not there is told with its name and its reason, by whatever way it was named.
    char *environment[] = {"SLUICE_KAFKA_PROPERTIES_SASL_PASSWORD_FILE=/nonexistent/a",
                           "SLUICE_OTLP_HEADERS_FILE=/nonexistent/b", NULL};
    const struct settings_flag flag = {"--max-delay-file", "max-delay-file", "/nonexistent/c",
                                       false};
    static const char missing[] = "max_line_file: /nonexistent/d\n"
                                  "exporters: {kafka: {headers_file: /nonexistent/e}, otlp: {}}\n";
    struct loaded l = load_input((struct settings_input){.file = "s.yaml",
                                                         .text = missing,
                                                         .size = sizeof missing - 1,
                                                         .environment = environment,
                                                         .flags = &flag,
                                                         .flag_count = 1});
    static const char *const told[] = {
        "sasl.password: cannot read the file \"/nonexistent/a\" that holds the value: No such",
        "SLUICE_KAFKA_PROPERTIES_SASL_PASSWORD_FILE: exporters.kafka.properties.sasl.password: ",
        "exporters.otlp.headers: cannot read the file \"/nonexistent/b\"",
        "--max-delay-file: max_delay: cannot read the file \"/nonexistent/c\"",
        "s.yaml:1:16: max_line: cannot read the file \"/nonexistent/d\"",
        "exporters.kafka.headers: cannot read the file \"/nonexistent/e\"",
    };
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        assert_true(has_mistake(&l, told[i]));
    unload(&l);
}

static void files_have_a_limit(void **state)
{
    (void)state;
    char *text;
    size_t size;
    char path[] = "/tmp/sluice-settings-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "12345", 5), 5);
    close(fd);
    assert_int_equal(settings_read_file(path, 4, &text, &size), -EFBIG);
    assert_int_equal(settings_read_file(path, 5, &text, &size), 0);
    assert_int_equal(size, 5);
    assert_string_equal(text, "12345");
    free(text);
    unlink(path);
    assert_int_equal(settings_read_file(path, 5, &text, &size), -ENOENT);
}

static void memory_follows_the_cgroup(void **state)
{
    (void)state;
    struct loaded l = load_input((struct settings_input){.memory_limit = 48 * MIB});
    assert_int_equal(l.settings->max_memory, 24 * MIB);
    assert_string_equal(effective_of(&l, "max_memory")->value, "24MiB");
    assert_string_equal(effective_of(&l, "max_memory")->origin,
                        "default: half of the cgroup's limit of 48MiB");
    // Defaults shrink to their shares: what is left beside the spool, by ninths.
    assert_true(l.settings->max_message < 16 * MIB);
    assert_string_equal(effective_of(&l, "max_message")->origin,
                        "default: max_memory's share for decompression");
    unload(&l);

    static const char more[] = "max_memory: 49MiB\n";
    l = load_input((struct settings_input){
        .file = "s.yaml", .text = more, .size = sizeof more - 1, .memory_limit = 48 * MIB});
    assert_int_equal(l.result, SETTINGS_MISTAKEN);
    assert_true(
        has_mistake(&l, "s.yaml:1:13: max_memory: 49MiB is more than the cgroup's limit of 48MiB"));
    unload(&l);

    l = load_input((struct settings_input){.memory_limit = 10 * MIB});
    assert_true(has_mistake(&l, "half of the cgroup's limit of 10MiB is too small"));
    unload(&l);

    l = load_text("max_memory: 8MiB\nmax_message: 16MiB\n");
    assert_true(has_mistake(
        &l, "s.yaml:2:14: max_message: 16MiB is more than max_memory's share for decompression"));
    unload(&l);
}

static void nothing_is_as_good_as_not_given(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "---\n", "# only a comment\n",
                                        "exporters:\nroutes: ~\nservice:\nmax_delay: null\n", "{}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct loaded l = load_text(texts[i]);
        assert_int_equal(l.result, 0);
        assert_int_equal(l.settings->exporter_count, 2);
        unload(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_alone_make_an_agent),
        cmocka_unit_test(circles_are_told),
        cmocka_unit_test(the_stronger_wins),
        cmocka_unit_test(the_environment_addresses_every_setting),
        cmocka_unit_test(flags_are_paths_or_dashes),
        cmocka_unit_test(a_file_that_names_exporters_has_only_those),
        cmocka_unit_test(values_come_from_files),
        cmocka_unit_test(every_type_comes_from_a_file),
        cmocka_unit_test(files_have_a_limit),
        cmocka_unit_test(memory_follows_the_cgroup),
        cmocka_unit_test(nothing_is_as_good_as_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
