// Topics and texts made of a record's fields: safe names, bounded lengths, a bounded number.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enrich/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct bench {
    struct agent_resource resource;
    struct ecs_encoder encoder;
    struct arena arena;
    struct record record;
};

static int begin(void **state)
{
    static const uint8_t start_id[8] = {1};
    const struct resource_attribute attributes[] = {{SLICE("service.name"), SLICE("agent's")}};
    struct bench *bench = calloc(1, sizeof *bench);
    if (!bench || agent_resource_init(&bench->resource, attributes, 1) < 0 ||
        ecs_encoder_init(&bench->encoder, &bench->resource, "0", start_id) < 0)
        return -1;
    arena_init(&bench->arena, 4096, 0);
    fields_clear(&bench->record.own);
    *state = bench;
    return 0;
}

static int finish(void **state)
{
    struct bench *bench = *state;
    ecs_encoder_deinit(&bench->encoder);
    agent_resource_deinit(&bench->resource);
    arena_deinit(&bench->arena);
    free(bench);
    return 0;
}

static void set(struct bench *bench, enum ecs_field field, enum value_kind kind, const char *text)
{
    fields_set(&bench->record.own, field, (struct value){.kind = kind, .text = slice_from(text)});
}

static void label(struct bench *bench, const char *name, const char *text)
{
    assert_true(named_values_add(&bench->record.own.labels, &bench->arena, slice_from(name),
                                 (struct value){.kind = VALUE_TEXT, .text = slice_from(text)}));
}

static void topic_is(struct bench *bench, const char *text, const char *expected)
{
    struct template compiled;
    char topic[TOPIC_MAX + 1];
    assert_int_equal(template_compile(&compiled, slice_from(text)), 0);
    topic[template_topic(&compiled, &bench->encoder, &bench->record, NULL, topic)] = '\0';
    assert_string_equal(topic, expected);
    template_deinit(&compiled);
}

static void what_cannot_be_a_template(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{",    "}",       "a{service.name",      "{}",        "{service.nome}",   "{labels.}",
        "a}b{", "{labels", "{kubernetes.labels}", "{service}", "{{service.name}}",
    };
    struct template compiled;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (template_compile(&compiled, slice_from(wrong[i])) != -EINVAL)
            fail_msg("%s is taken", wrong[i]);
    assert_int_equal(template_compile(&compiled, SLICE("plain.topic")), 0);
    assert_int_equal(compiled.fields, 0);
    template_deinit(&compiled);
    assert_int_equal(template_compile(&compiled, SLICE("")), 0);
    assert_int_equal(compiled.fields, 0);
    template_deinit(&compiled);
    template_deinit(&compiled); // safe twice
}

static void fields_take_their_place(void **state)
{
    struct bench *bench = *state;
    topic_is(bench, "logs.{service.name}", "logs.agent_s");
    set(bench, ECS_SERVICE_NAME, VALUE_TEXT, "items-api");
    fields_set(&bench->record.own, ECS_HTTP_RESPONSE_STATUS_CODE,
               (struct value){.kind = VALUE_INTEGER, .integer = 404});
    label(bench, "tenant", "A_1");
    topic_is(bench, "logs.{service.name}", "logs.items-api");
    topic_is(bench, "{service.name}", "items-api");
    topic_is(bench, "{service.name}.{labels.tenant}-{http.response.status_code}.x",
             "items-api.A_1-404.x");
    topic_is(bench, "l.{service.environment}.{labels.none}", "l.unknown.unknown");
    fields_set(&bench->record.own, ECS_SERVICE_NAME, (struct value){.kind = VALUE_NULL});
    topic_is(bench, "{service.name}", "unknown");
    set(bench, ECS_SERVICE_NAME, VALUE_TEXT, "");
    topic_is(bench, "{service.name}", "unknown");
}

static void topics_are_safe(void **state)
{
    struct bench *bench = *state;
    set(bench, ECS_SERVICE_NAME, VALUE_TEXT, "a b/c:\xe2\x82\xac\xf0\x9f\x98\x80\n");
    topic_is(bench, "{service.name}", "a_b_c____");
    set(bench, ECS_SERVICE_NAME, VALUE_ESCAPED, "a\\\"b\\u20ac\\ud83d\\ude00\\u0041\\n");
    topic_is(bench, "{service.name}", "a_b__A_");
    set(bench, ECS_SERVICE_NAME, VALUE_TEXT, ".");
    topic_is(bench, "{service.name}", "_");
    topic_is(bench, "{service.name}{service.name}", "__");
    topic_is(bench, "{service.name}{service.name}{service.name}", "...");
}

static void topics_are_short(void **state)
{
    struct bench *bench = *state;
    char longest[400], expected[400];
    memset(longest, 'x', 399);
    longest[399] = '\0';
    set(bench, ECS_SERVICE_NAME, VALUE_TEXT, longest);
    label(bench, "tenant", longest);
    snprintf(expected, sizeof expected, "logs.%.239s-tail", longest);
    assert_int_equal(strlen(expected), TOPIC_MAX);
    topic_is(bench, "logs.{service.name}-tail", expected);
    snprintf(expected, sizeof expected, "%.124s-%.124s", longest, longest);
    topic_is(bench, "{service.name}-{labels.tenant}", expected);
    label(bench, "short", "ab");
    snprintf(expected, sizeof expected, "ab-%.246s", longest); // what one leaves another may use
    topic_is(bench, "{labels.short}-{labels.tenant}", expected);
}

static void other_takes_every_place(void **state)
{
    struct bench *bench = *state;
    struct template compiled;
    char topic[TOPIC_MAX];
    assert_int_equal(template_compile(&compiled, SLICE("{service.name}.{labels.a}.z")), 0);
    size_t size = template_topic(&compiled, &bench->encoder, &bench->record, "other", topic);
    assert_true(slice_equal(slice_of(topic, size), SLICE("other.other.z")));
    template_deinit(&compiled);
}

static void text_is_kept_as_it_is(void **state)
{
    struct bench *bench = *state;
    struct template compiled;
    char text[2000], room[FIELD_TEXT_MIN];
    assert_int_equal(template_compile(&compiled, SLICE("<{service.name}/{labels.a}>")), 0);
    assert_int_equal(template_text(&compiled, &bench->encoder, &bench->record, text, sizeof text),
                     SIZE_MAX);
    label(bench, "a", "\xe2\x82\xac b");
    set(bench, ECS_SERVICE_NAME, VALUE_ESCAPED, "a\\tb\\\\\\u00e9");
    size_t size = template_text(&compiled, &bench->encoder, &bench->record, text, sizeof text);
    assert_true(slice_equal(slice_of(text, size), SLICE("<a\tb\\\xc3\xa9/\xe2\x82\xac b>")));
    char longest[1200];
    memset(longest, 'y', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    set(bench, ECS_SERVICE_NAME, VALUE_TEXT, longest);
    assert_int_equal(template_text(&compiled, &bench->encoder, &bench->record, room, sizeof room),
                     sizeof room + 1);
    // Of one field a bounded part, cut between characters.
    memcpy(longest + 1022, "\xe2\x82\xac", 3);
    size = template_text(&compiled, &bench->encoder, &bench->record, text, sizeof text);
    assert_int_equal(size, 1 + 1022 + 1 + 5 + 1);
    set(bench, ECS_SERVICE_NAME, VALUE_ESCAPED, longest);
    memcpy(longest, "\\n", 2); // one byte shorter: now it fits
    size = template_text(&compiled, &bench->encoder, &bench->record, text, sizeof text);
    assert_true(size >= 1 + 1021 + 7 && size <= 1 + 1024 + 7);
    template_deinit(&compiled);
}

static void the_number_of_topics_is_bounded(void **state)
{
    (void)state;
    struct topic_set set;
    char name[20];
    assert_int_equal(topic_set_init(&set, 100), 0);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 1000; i++) {
            int size = snprintf(name, sizeof name, "t%u", i);
            assert_int_equal(topic_set_take(&set, slice_of(name, (size_t)size)), i < 100);
        }
    }
    topic_set_deinit(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_a_template),
        cmocka_unit_test_setup_teardown(fields_take_their_place, begin, finish),
        cmocka_unit_test_setup_teardown(topics_are_safe, begin, finish),
        cmocka_unit_test_setup_teardown(topics_are_short, begin, finish),
        cmocka_unit_test_setup_teardown(other_takes_every_place, begin, finish),
        cmocka_unit_test_setup_teardown(text_is_kept_as_it_is, begin, finish),
        cmocka_unit_test(the_number_of_topics_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
