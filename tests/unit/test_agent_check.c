// What check says beyond the table: librdkafka's limits against the agent's, the dead-letter file.
#include "agent_check.h"
#include "base/settings.h"
#include "base/settings_load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KAFKA "exporters: {kafka: {type: kafka}}\n"

static struct settings *settings;
static struct settings_mistakes mistakes;

static void load(const char *text)
{
    struct settings_input input = {.file = "a.yaml", .text = text, .size = strlen(text)};
    assert_int_equal(settings_load(&settings, &mistakes, &input), 0);
    assert_int_equal(mistakes.count, 0);
}

static void check(const char *text)
{
    load(text);
    agent_check(settings, &mistakes);
}

static void done(void)
{
    settings_mistakes_deinit(&mistakes);
    settings_free(settings);
    settings = NULL;
}

// The nth mistake, or warning, says so.
static void says(size_t n, bool warning, const char *text)
{
    assert_true(n < mistakes.count);
    if (!strstr(mistakes.items[n].text, text))
        fail_msg("\"%s\" lacks \"%s\"", mistakes.items[n].text, text);
    assert_int_equal(mistakes.items[n].warning, warning);
}

static void the_defaults_fit_each_other(void **state)
{
    (void)state;
    check(KAFKA);
    assert_int_equal(mistakes.count, 0);
    done();
    check("exporters: {kafka: {type: kafka, mode: lines}}\n");
    assert_int_equal(mistakes.count, 0);
    done();
}

static void a_line_beyond_the_message(void **state)
{
    (void)state;
    check("exporters: {kafka: {type: kafka, properties: {message.max.bytes: \"100000\"}}}\n");
    assert_int_equal(mistakes.count, 1);
    assert_int_equal(mistakes.errors, 0);
    says(0, true, "max_line: 262144 is more than a document of exporters.kafka may have (98976");
    says(0, true, "are cut");
    done();
    check("exporters: {kafka: {type: kafka, oversize: dead_letter, "
          "properties: {message.max.bytes: \"100000\"}}}\n");
    assert_int_equal(mistakes.count, 2);
    says(0, true, "go to the dead letters");
    says(1, true, "dead_letters.path: is not set");
    done();
}

static void lines_beyond_the_message(void **state)
{
    (void)state;
    check("max_line: 16KiB\n"
          "exporters: {kafka: {type: kafka, mode: lines, lines_bytes: 128KiB, key: trace.id, "
          "properties: {message.max.bytes: \"100000\"}}}\n");
    assert_int_equal(mistakes.count, 2);
    says(0, false,
         "exporters.kafka.lines_bytes: 131072 is more than the property "
         "message.max.bytes lets through (100000)");
    says(1, true, "exporters.kafka.key: in mode lines");
    done();
}

static void topics_beyond_the_memory(void **state)
{
    (void)state;
    check("max_memory: 64MiB\n"
          "exporters: {kafka: {type: kafka, topic: \"logs.{service.name}\", max_topics: 5000}}\n");
    assert_int_equal(mistakes.count, 1);
    says(0, true, "exporters.kafka.max_topics: so many topics cost librdkafka 29 MiB");
    done();
    check("exporters: {kafka: {type: kafka, max_topics: 5000}}\n"); // one topic, no template
    assert_int_equal(mistakes.count, 0);
    done();
}

static void the_partitioner_is_said_once(void **state)
{
    (void)state;
    check("exporters: {kafka: {type: kafka, properties: {partitioner: random}}}\n");
    assert_int_equal(mistakes.errors, 1);
    says(0, false, "setting `partitioner` says this");
    done();
}

static void the_dead_letter_files_place(void **state)
{
    (void)state;
    check(KAFKA "dead_letters: {path: /nonexistent/dead.jsonl}\n");
    assert_int_equal(mistakes.count, 1);
    says(0, true, "dead_letters.path: the folder /nonexistent takes no new file");
    done();
    check(KAFKA "dead_letters: {path: /tmp}\n");
    says(0, false, "/tmp is no regular file");
    done();
    check(KAFKA "dead_letters: {path: /tmp/sluice-no-such-file.jsonl}\n");
    assert_int_equal(mistakes.count, 0);
    assert_int_not_equal(access("/tmp/sluice-no-such-file.jsonl", F_OK), 0); // check makes nothing
    done();
}

// A mistake (or a warning, and no mistake) says so, of settings beside a Kafka exporter. Others may
// warn of this machine's disks.
static void refused(const char *more, bool warning, const char *text)
{
    char all[1024];
    bool said = false;
    snprintf(all, sizeof all, "%s%s", KAFKA, more);
    check(all);
    assert_int_equal(mistakes.errors, warning ? 0 : 1);
    for (size_t i = 0; i < mistakes.count; i++)
        said |= mistakes.items[i].warning == warning && strstr(mistakes.items[i].text, text);
    if (!said)
        fail_msg("nobody says \"%s\" of %s", text, more);
    done();
}

static void places_of_the_wrong_kind(void **state)
{
    (void)state;
    refused("spool: {path: /dev/null}\n", false, "spool.path: /dev/null is no folder");
    refused("spool: {path: /dev/null/x}\n", false, "spool.path: /dev/null/x Not a directory");
    refused("spool: {path: /nonexistent/x}\n", true, "spool.path: the folder /nonexistent takes");
    refused("spool: {durability: process}\n", false,
            "spool.durability: process needs a spool.path");
    refused("spool: {path: /tmp, durability: memory}\n", true, "is not used");
    refused("socket: {path: /dev/null}\n", false, "socket.path: /dev/null is there and no socket");
    refused("socket: {path: /nonexistent/s}\n", true, "socket.path: the folder /nonexistent");
    refused("dead_letters: {path: /tmp/x}\ntermination_message: /tmp/x\n", false,
            "termination_message: /tmp/x is dead_letters.path too");
    refused("dead_letters: {path: /tmp/kafka}\nspool: {path: /tmp}\n", false,
            "an exporter's folder in spool.path");
}

static void names_that_nobody_has(void **state)
{
    (void)state;
    refused("socket: {group: no-such-group}\n", true, "no group is called \"no-such-group\"");
    refused("socket: {allowed_uids: \"0, no-such-user\"}\n", true, "called \"no-such-user\"");
    refused("socket: {allowed_gids: \"no-such-group,0\"}\n", true, "called \"no-such-group\"");
    check(KAFKA "socket: {group: \"0\", allowed_uids: \"0,root\", allowed_gids: \"0\"}\n");
    assert_int_equal(mistakes.count, 0);
    done();
}

#define OTLP "exporters: {otlp: {type: otlp, endpoint: \"http://127.0.0.1:1\", "

static void headers_that_cannot_be_sent(void **state)
{
    (void)state;
    check(OTLP "headers: {\"a b\": x, te: x, X-Tenant: x, good: \"a b\", bad: \"a\\nb\"}}}\n");
    assert_int_equal(mistakes.errors, 3);
    says(0, false, "exporters.otlp.headers.a b: is no name that a request may have");
    says(1, false, "exporters.otlp.headers.te: is no name");
    says(2, false, "exporters.otlp.headers.bad: the value of 3 bytes cannot be sent");
    done();
    char many[2048] = OTLP "headers: {h: x";
    for (int i = 0; i < 32; i++)
        snprintf(many + strlen(many), sizeof many - strlen(many), ", h%d: x%s", i,
                 i < 31 ? "" : "}}}\n");
    check(many);
    assert_int_equal(mistakes.errors, 1);
    says(0, false, "33 headers of ");
    done();
}

static void headers_that_differ_by_case(void **state)
{
    (void)state;
    check(OTLP "headers: {X-Tenant: a, x-tenant: b, x-other: c}}}\n");
    assert_int_equal(mistakes.errors, 2);
    says(0, false, "exporters.otlp.headers.X-Tenant: is given twice");
    says(1, false, "exporters.otlp.headers.x-tenant: is given twice");
    done();
}

static void tls_beside_plain_text(void **state)
{
    (void)state;
    check(OTLP "tls_ca_path: /etc/hostname, tls_verify: none}}\n");
    assert_int_equal(mistakes.errors, 0);
    assert_int_equal(mistakes.count, 2);
    says(0, true, "exporters.otlp.tls_ca_path: is not used: the endpoint http://127.0.0.1:1");
    says(1, true, "exporters.otlp.tls_verify: is not used");
    done();
}

static void a_pipe_where_a_certificate_is_wanted(void **state)
{
    (void)state;
    char folder[] = "/tmp/sluice-check-XXXXXX", path[64], text[512];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(text, sizeof text,
             "exporters: {kafka: {type: kafka, properties: {security.protocol: ssl, "
             "ssl.ca.location: %s}}, otlp: {type: otlp, endpoint: \"https://127.0.0.1:1\", "
             "tls_ca_path: %s}}\n",
             path, path);
    check(text);
    assert_int_equal(mistakes.errors, 2);
    says(0, false, "not a regular file");
    says(1, false, "not a regular file");
    done();
    unlink(path);
    rmdir(folder);
}

static void brokers_that_do_not_answer_are_named(void **state)
{
    (void)state;
    load("exporters: {kafka: {type: kafka, brokers: \"127.0.0.1:1\"}}\n");
    agent_check_brokers(settings, &mistakes);
    assert_int_equal(mistakes.count, 1);
    says(0, true, "127.0.0.1:1: exporters.kafka.brokers: ");
    says(0, true, "Connection refused");
    done();
}

static void a_catch_up_rate_without_its_unit(void **state)
{
    (void)state;
    check("exporters: {kafka: {type: kafka, catch_up_rate: 32}}\n");
    assert_int_equal(mistakes.count, 1);
    says(0, true,
         "exporters.kafka.catch_up_rate: 32 bytes a second: a MiB that waited takes 32768 s");
    done();
    check("exporters: {kafka: {type: kafka, catch_up_rate: 0B}}\n");
    assert_int_equal(mistakes.count, 0);
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_fit_each_other),
        cmocka_unit_test(a_line_beyond_the_message),
        cmocka_unit_test(lines_beyond_the_message),
        cmocka_unit_test(topics_beyond_the_memory),
        cmocka_unit_test(the_partitioner_is_said_once),
        cmocka_unit_test(the_dead_letter_files_place),
        cmocka_unit_test(places_of_the_wrong_kind),
        cmocka_unit_test(names_that_nobody_has),
        cmocka_unit_test(headers_that_cannot_be_sent),
        cmocka_unit_test(headers_that_differ_by_case),
        cmocka_unit_test(tls_beside_plain_text),
        cmocka_unit_test(a_pipe_where_a_certificate_is_wanted),
        cmocka_unit_test(a_catch_up_rate_without_its_unit),
        cmocka_unit_test(brokers_that_do_not_answer_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
