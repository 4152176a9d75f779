// Topic, key and headers of a document, as they reach the exporter.
#include "enrich_fixture.h"

#include "base/settings.h"

#include <errno.h>
#include <stdio.h>

#define SEGMENT SPOOL_SEGMENT_MIN

// One record of the service, with a tenant where it is not NULL.
static void append(struct house *house, const char *service, const char *tenant)
{
    struct arena arena;
    struct record record = {0};
    arena_init(&arena, 4096, 0);
    fields_clear(&record.own);
    fields_set(&record.own, ECS_SERVICE_NAME,
               (struct value){.kind = VALUE_TEXT, .text = slice_from(service)});
    if (tenant)
        assert_true(
            named_values_add(&record.own.labels, &arena, SLICE("tenant"),
                             (struct value){.kind = VALUE_TEXT, .text = slice_from(tenant)}));
    assert_int_equal(enrich_log(house->enrich, &record), 0);
    arena_deinit(&arena);
}

static struct house *open_with(struct sink **sink, struct enrich_target *target)
{
    struct house *house = house_new();
    *sink = house_add(house, "kafka", SEGMENT, 8 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open_targets(house, NULL, 0, target, 1);
    return house;
}

static void a_plain_topic_is_the_exporters_own(void **state)
{
    (void)state;
    struct sink *sink;
    struct enrich_target target = {.topic = SLICE("logs"), .max_topics = 1};
    struct house *house = open_with(&sink, &target);
    append(house, "a", NULL);
    house_turn(house);
    assert_int_equal(sink->items[0].topic.size, 0);
    assert_int_equal(sink->items[0].headers.size, 0);
    assert_int_equal(sink->items[0].key.size, 0);
    house_free(house);
}

static void further_topics_become_other(void **state)
{
    (void)state;
    struct sink *sink;
    struct enrich_target target = {.topic = SLICE("logs.{service.name}"), .max_topics = 2};
    struct house *house = open_with(&sink, &target);
    static const char *const services[] = {"a", "b b", "c", "a", "d", "b b"};
    static const char *const topics[] = {"logs.a", "logs.b_b",   "logs.other",
                                         "logs.a", "logs.other", "logs.b_b"};
    for (size_t i = 0; i < 6; i++)
        append(house, services[i], NULL);
    house_turn(house);
    for (size_t i = 0; i < 6; i++)
        assert_string_equal(sink->items[i].topic.data, topics[i]);
    house_free(house);
}

static void headers_are_encoded_as_kafka_wants_them(void **state)
{
    (void)state;
    struct sink *sink;
    char n1[] = "source", v1[] = "sluice", n2[] = "tenant", v2[] = "t/{labels.tenant}";
    struct setting_pair pairs[] = {{n1, v1}, {n2, v2}};
    const struct setting_map headers = {pairs, 2};
    struct enrich_target target = {.headers = &headers, .key_field = SLICE("labels.tenant")};
    struct house *house = open_with(&sink, &target);
    memset(n1, '?', sizeof n1 - 1); // copied
    append(house, "a", "\xe2\x82\xac");
    append(house, "a", NULL);
    house_turn(house);
    assert_true(slice_equal(sink->items[0].headers,
                            SLICE("\6\0source\6\0\0\0sluice\6\0tenant\5\0\0\0t/\xe2\x82\xac")));
    assert_string_equal(sink->items[0].key.data, "\xe2\x82\xac");
    // A header that would say half is left out.
    assert_true(slice_equal(sink->items[1].headers, SLICE("\6\0source\6\0\0\0sluice")));
    assert_int_equal(sink->items[1].key.size, 0);
    assert_int_equal(sink->book->resends_cut, 0);
    house_free(house);
}

static void fixed_headers_cost_nothing_to_say(void **state)
{
    (void)state;
    struct sink *sink;
    char n1[] = "a", v1[] = "1", n2[] = "b", v2[] = "";
    struct setting_pair pairs[] = {{n1, v1}, {n2, v2}};
    const struct setting_map headers = {pairs, 2};
    struct enrich_target target = {.headers = &headers};
    struct house *house = open_with(&sink, &target);
    append(house, "a", NULL);
    house_turn(house);
    assert_true(slice_equal(sink->items[0].headers, SLICE("\1\0a\1\0\0\0"
                                                          "1\1\0b\0\0\0\0")));
    house_free(house);
}

static void what_is_too_long_is_counted(void **state)
{
    (void)state;
    struct sink *sink;
    char names[5][2] = {"a", "b", "c", "d", "e"}, value[] = "{labels.tenant}", tenant[1001];
    struct setting_pair pairs[5];
    for (unsigned i = 0; i < 5; i++)
        pairs[i] = (struct setting_pair){names[i], value};
    const struct setting_map headers = {pairs, 5};
    struct enrich_target target = {.headers = &headers,
                                   .topic = SLICE("t-{labels.tenant}"),
                                   .max_topics = 10,
                                   .key_field = SLICE("labels.tenant")};
    struct house *house = open_with(&sink, &target);
    memset(tenant, 'x', 1000);
    tenant[1000] = '\0';
    append(house, "a", tenant);
    append(house, "a", "short");
    tenant[650] = '\0'; // the headers fit, the whole does not
    append(house, "a", tenant);
    tenant[500] = '\0';
    append(house, "a", tenant);
    house_turn(house);
    assert_int_equal(sink->book->resends_cut, 2);
    assert_int_equal(sink->items[0].topic.size, 249);
    assert_int_equal(sink->items[0].headers.size, 0);
    assert_int_equal(sink->items[0].key.size, 0);
    assert_string_equal(sink->items[1].topic.data, "t-short");
    assert_int_equal(sink->items[1].headers.size, 5 * (7 + 5));
    assert_int_equal(sink->items[2].headers.size, 0);
    assert_int_equal(sink->items[3].headers.size, 5 * (7 + 500));
    assert_int_equal(sink->items[3].key.size, 500);
    house_free(house);
}

static void unknown_fields_are_refused(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 8 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 1, 0);
    char name[] = "h", value[] = "{service.nome}";
    struct setting_pair pair = {name, value};
    const struct setting_map headers = {&pair, 1};
    const struct enrich_target targets[] = {
        {.log = sink->log, .topic = SLICE("{service.nome}"), .max_topics = 1},
        {.log = sink->log, .headers = &headers},
        {.log = sink->log, .key_field = SLICE("service.nome")},
        {.log = sink->log, .key_field = SLICE("kubernetes.labels")},
    };
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct enrich *enrich = NULL;
        struct enrich_config config = {.clock = &house->clock,
                                       .books = &house->books,
                                       .targets[SIGNAL_LOGS] = &targets[i],
                                       .target_count[SIGNAL_LOGS] = 1};
        assert_int_equal(enrich_new(&enrich, &config), -EINVAL);
        assert_null(enrich);
    }
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_topic_is_the_exporters_own),
        cmocka_unit_test(further_topics_become_other),
        cmocka_unit_test(headers_are_encoded_as_kafka_wants_them),
        cmocka_unit_test(fixed_headers_cost_nothing_to_say),
        cmocka_unit_test(what_is_too_long_is_counted),
        cmocka_unit_test(unknown_fields_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
