// What is told of wrong settings: each mistake alone, and a whole bad file at once, in its order.
#include "base/settings_load.h"

#include "base/settings_table.h"
#include "settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static const struct {
    const char *yaml;
    const char *told;
} rows[] = {
    {"max_dealy: 1s", "s.yaml:1:1: max_dealy: no such setting; did you mean \"max_delay\"?"},
    {"qqq: 1", "s.yaml:1:1: qqq: no such setting"},
    {"topic: x", "topic: no such setting here; it belongs to exporters.NAME.topic"},
    {"http: {lisen: x}", "s.yaml:1:8: http.lisen: no such setting; did you mean \"listen\"?"},
    {"http: {listen: a, listen: b}", "s.yaml:1:19: http.listen: the key stands here twice; first"},
    {"http: [1]", "http: is a list; allowed: a mapping"},
    {"max_delay: {}", "s.yaml:1:12: max_delay: is a mapping; allowed: a duration"},
    {"max_delay: 61s", "max_delay: \"61s\" is too large; allowed: a duration"},
    {"max_memory: 1MiB", "\"1MiB\" is too small; allowed: auto, or a size"},
    {"max_delay: ten", "\"ten\" is not a duration; allowed"},
    {"max_line: 5x", "\"5x\" is not a size; allowed"},
    {"max_line: 99999999999999999999", "is beyond 64 bits"},
    {"http: {listen: localhost:1}", "\"localhost:1\" is not an address; allowed: a numeric"},
    {"http: {listen: '127.0.0.1:65536'}", "is not an address"},
    {"http: {listen: '127.0.0.1'}", "is not an address"},
    {"http: {listen: '[::1:80'}", "is not an address"},
    {"termination_message: x", "allowed: an absolute path, or \"\" for none"},
    {"socket: {path: \"a\\0b\"}", "socket.path: holds a NUL byte"},
    {"? [a]\n: 1", "is a list; allowed: a name as key"},
    {"[1, 2]", "s.yaml:1:1: the file is a list; allowed: a mapping of settings"},
    {"just text", "the file is a single value"},
    {"a: [", "not YAML: "},
    {"a: 1\n---\nb: 1", "s.yaml:2:1: a second document starts here; one is allowed"},
    {"a: 1\n---\nb: [", "not YAML: "},
    {"\tx: 1", "s.yaml:1:1: not YAML: found character that cannot start any token"},
    {"resource: 5", "resource: is a single value; allowed: a map"},
    {"resource: {a: [1]}", "resource.a: is a list; allowed: a text"},
    {"resource: {'': x}", "a name is empty or longer"},
    {"exporters: []", "exporters: is a list; allowed: a mapping of names"},
    {"exporters: {}", "exporters: is empty; leave it out for the defaults"},
    {"exporters: {x: {}}", "s.yaml:1:13: exporters: x has no type; allowed: kafka, otlp"},
    {"exporters: {x: {type: kafak}}", "did you mean \"kafka\"?"},
    {"exporters: {kafka: 5}", "exporters: kafka is a single value; allowed: a mapping"},
    {"exporters: {X: {}}", "the name \"X\" is not usable"},
    {"exporters: {kafka: {endpoint: 'http://a:1'}}",
     "exporters.kafka.endpoint: only exporters of type otlp have it"},
    {"exporters: {kafka: {mode: line}}", "\"line\" is not one of them; allowed: ecs, lines"},
    {"exporters: {kafka: {topic: 'a b'}}", "\"a b\" is not usable; allowed: 1 to 249 letters"},
    {"exporters: {kafka: {key: a..b}}", "the path of an ECS field"},
    {"exporters: {kafka: {brokers: 'a,,b'}}", "a list of brokers"},
    {"exporters: {kafka: {brokers: 'a:0'}}", "a list of brokers"},
    {"exporters: {otlp: {endpoint: 'https://a'}}", "https://HOST:PORT"},
    {"exporters: {kafka: {topic: 'logs.{service.name'}}", "fields in braces"},
    {"socket: {allowed_uids: '1000,,x'}", "or names, separated by commas"},
    {"exporters: {otlp: {endpoint: 'http://a:1/v1'}}", "OTLP/gRPC has none"},
    {"exporters: {otlp: {endpoint: a}}", "http://HOST:PORT, https://HOST:PORT or unix:///PATH"},
    {"exporters: {otlp: {concurrency: 0}}", "\"0\" is too small; allowed: a whole number from 1"},
    {"exporters: {otlp: {concurrency: many}}", "is not a whole number"},
    {"routes: {a: {signals: [logs]}}", "routes.a.exporters: names none"},
    {"routes: {a: {signals: [], exporters: [kafka]}}", "s.yaml:1:23: routes.a.signals: names none"},
    {"routes: {a: {signals: [log], exporters: [kafka]}}", "did you mean \"logs\"?"},
    {"routes: {a: {signals: [{}], exporters: [kafka]}}", "is a mapping; allowed: a name"},
    {"routes: {a: {signals: [logs], exporters: [otlp]}}",
     "s.yaml:1:43: routes.a.exporters: \"otlp\" is of type otlp, which does not take logs yet"},
    {"routes: {a: {signals: [spans], exporters: [kafka]}}",
     "\"kafka\" is of type kafka, which does not take spans yet; allowed: exporters of type otlp"},
    {"routes: {a: {signals: [logs], exporters: [kafka, kafka]}}", "\"kafka\" stands here twice"},
    {"routes: {a: {signals: [logs], exporters: [kafak]}}",
     "no exporter has the name \"kafak\"; there are: kafka, otlp; did you mean \"kafka\"?"},
    {"routes: {a: {signals: [logs], exporters: [kafka]}, b: {signals: [logs], exporters: [kafka]}}",
     "routes.b.exporters: \"kafka\" already gets logs by the route a"},
    {"service: {name: a, name_file: /dev/null}", "service.name: given twice; first by s.yaml:1"},
};

static void each_mistake_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct loaded l = load_text(rows[i].yaml);
        if (l.result != SETTINGS_MISTAKEN || !has_mistake(&l, rows[i].told))
            fail_msg("%s: %d", rows[i].yaml, l.result);
        unload(&l);
    }
}

static void names_outside_the_file_are_checked(void **state)
{
    (void)state;
    char *environment[] = {"SLUICE_KAFKA_BROKER=x",
                           "SLUICE_BACKUP_BROKERS=x",
                           "SLUICE_MAX_DELAY=soon",
                           "SLUICE_RESOURCE=a",
                           "SLUICE_SERVICE_HOST=k8s",
                           "SLUICE_OTLP_HEADERS=a=hush%zz",
                           NULL};
    const struct settings_flag flags[] = {
        {"--max-dely", "max-dely", "1s", false},
        {"--set kafka.topik", "kafka.topik", "x", true},
        {"--set backup.topic", "backup.topic", "x", true},
        {"--set zzz", "zzz", "x", true},
    };
    struct loaded l = load_input(
        (struct settings_input){.environment = environment, .flags = flags, .flag_count = 4});
    assert_int_equal(l.result, SETTINGS_MISTAKEN);
    assert_true(has_mistake(
        &l, "SLUICE_KAFKA_BROKER: no such setting; did you mean \"SLUICE_KAFKA_BROKERS\"?"));
    assert_true(has_mistake(&l, "SLUICE_BACKUP_BROKERS: no exporter has the name \"backup\"; there "
                                "are: kafka, otlp"));
    assert_true(has_mistake(&l, "SLUICE_MAX_DELAY: max_delay: \"soon\" is not a duration"));
    assert_true(has_mistake(
        &l, "SLUICE_RESOURCE: resource: the text of 1 bytes is not a list of key=value"));
    assert_true(has_mistake(&l, "SLUICE_SERVICE_HOST: not a setting; ignored"));
    assert_true(has_mistake(
        &l, "SLUICE_OTLP_HEADERS: exporters.otlp.headers: the text of 9 bytes has a %"));
    assert_true(has_mistake(&l, "--max-dely: no such setting; did you mean \"--max-delay\"?"));
    assert_true(
        has_mistake(&l, "--set kafka.topik: no such setting; did you mean \"kafka.topic\"?"));
    assert_true(has_mistake(&l, "--set backup.topic: no exporter has the name \"backup\""));
    assert_true(has_mistake(&l, "--set zzz: no such setting"));
    assert_int_equal(l.mistakes.errors, 9);
    unload(&l);
}

static void secrets_are_never_told(void **state)
{
    (void)state;
    struct loaded l = load_text("exporters: {otlp: {headers: {authorization: [hush]}}, \n"
                                "  kafka: {properties: {sasl.password_file: /nonexistent/hush}}}");
    char *environment[] = {"SLUICE_KAFKA_PROPERTIES_SASL_PASSWORD=hush",
                           "SLUICE_OTLP_ENDPOINT=http://user:hush@host:1/",
                           "SLUICE_KAFKA_BROKERS=user:hush@host:1",
                           "SLUICE_KAFKA_PROPERTIES=sasl.password=hush%zz",
                           "SLUICE_OTLP_HEADERS=x-team=hush,y",
                           "SLUICE_MAX_LINE=1",
                           NULL};
    struct loaded e = load_input((struct settings_input){.environment = environment});
    const struct loaded *both[] = {&l, &e};
    for (size_t b = 0; b < 2; b++) {
        assert_int_equal(both[b]->mistakes.errors, b ? 5 : 2);
        for (size_t i = 0; i < both[b]->mistakes.count; i++) {
            const char *text = both[b]->mistakes.items[i].text;
            // The name of the file is no secret; its content would be.
            assert_true(!strstr(text, "hush") || strstr(text, "/nonexistent/hush"));
        }
    }
    assert_true(has_mistake(&e, "endpoint: \"http://(hidden)@host:1/\" is not usable"));
    unload(&l);
    unload(&e);
}

static void names_that_hold_secrets_are_known(void **state)
{
    (void)state;
    static const char *const secrets[] = {
        "exporters.kafka.properties.sasl.password",
        "exporters.kafka.properties.ssl.key.password",
        "exporters.kafka.properties.ssl.keystore.password",
        "exporters.kafka.properties.ssl.key.pem",
        "exporters.kafka.properties.sasl.oauthbearer.client.secret",
        "exporters.kafka.properties.sasl.oauthbearer.config",
        "exporters.kafka.headers.tenant",
        "exporters.otlp.headers.x-honeycomb-team",
        "exporters.otlp.headers.Authorization",
        "resource.api.token",
    };
    static const char *const open[] = {"exporters.kafka.brokers", "exporters.otlp.endpoint",
                                       "exporters.kafka.properties.sasl.username", "log_level"};
    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        assert_true(setting_is_secret(secrets[i]));
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        assert_false(setting_is_secret(open[i]));
}

static void brackets_in_each_other_have_a_limit(void **state)
{
    (void)state;
    static const struct {
        const char *part, *at;
        unsigned times;
    } shapes[] = {
        {"[", "s.yaml:1:17: more than 16 levels of mappings and lists", 100000},
        {"{a: ", "s.yaml:1:65: more than 16 levels", 100000},
        {"a: [", "more than 16 levels", 30000},
        {"- ", "more than 16 levels", 50000},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        size_t size = strlen(shapes[i].part);
        char *yaml = calloc(shapes[i].times, size + 1);
        assert_non_null(yaml);
        for (unsigned n = 0; n < shapes[i].times; n++)
            memcpy(yaml + n * size, shapes[i].part, size);
        struct loaded l = load_text(yaml); // minutes, if it is read to its end
        assert_true(has_mistake(&l, shapes[i].at));
        unload(&l);
        free(yaml);
    }
    // Brackets in texts are no levels.
    struct loaded l =
        load_text("resource: {a: '[[[[[[[[[[[[[[[[[[[[[[[['}\n# [[[[[[[[[[[[[[[[[[[[[[\n");
    assert_int_equal(l.result, 0);
    unload(&l);
}

static void too_many_mistakes_are_counted(void **state)
{
    (void)state;
    char *yaml = calloc(1, 16384);
    assert_non_null(yaml);
    sprintf(yaml, "otlp_listen: ''\n"); // or a warning would be counted too
    for (int i = 0; i < 1200; i++)
        sprintf(yaml + strlen(yaml), "k%d: 1\n", i);
    struct loaded l = load_text(yaml);
    assert_int_equal(l.mistakes.count, SETTINGS_MISTAKES_MAX);
    assert_int_equal(l.mistakes.errors, 1000); // 999 keys, and that there are more
    assert_int_equal(l.mistakes.left_off, 900);
    unload(&l);
    free(yaml);
}

static void a_bad_file_is_told_at_once(void **state)
{
    (void)state;
    char *yaml, *golden;
    size_t size, golden_size, used = 0;
    assert_int_equal(settings_read_file("settings/bad.yaml", 65536, &yaml, &size), 0);
    assert_int_equal(settings_read_file("settings/bad.txt", 65536, &golden, &golden_size), 0);
    struct loaded l =
        load_input((struct settings_input){.file = "bad.yaml", .text = yaml, .size = size});
    char *told = calloc(1, 65536);
    assert_non_null(told);
    for (size_t i = 0; i < l.mistakes.count; i++)
        used += (size_t)sprintf(told + used, "%s\n", l.mistakes.items[i].text);
    assert_string_equal(told, golden);
    free(told);
    free(yaml);
    free(golden);
    unload(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_told),
        cmocka_unit_test(names_outside_the_file_are_checked),
        cmocka_unit_test(secrets_are_never_told),
        cmocka_unit_test(names_that_hold_secrets_are_known),
        cmocka_unit_test(brackets_in_each_other_have_a_limit),
        cmocka_unit_test(too_many_mistakes_are_counted),
        cmocka_unit_test(a_bad_file_is_told_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
