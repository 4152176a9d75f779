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
    says(0, true, "/tmp is no regular file");
    done();
    check(KAFKA "dead_letters: {path: /tmp/sluice-no-such-file.jsonl}\n");
    assert_int_equal(mistakes.count, 0);
    assert_int_not_equal(access("/tmp/sluice-no-such-file.jsonl", F_OK), 0); // check makes nothing
    done();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_fit_each_other),
        cmocka_unit_test(a_line_beyond_the_message),
        cmocka_unit_test(lines_beyond_the_message),
        cmocka_unit_test(topics_beyond_the_memory),
        cmocka_unit_test(the_partitioner_is_said_once),
        cmocka_unit_test(the_dead_letter_files_place),
        cmocka_unit_test(brokers_that_do_not_answer_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
