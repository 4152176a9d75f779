// One strict document for any record: each key once, layers by strength, clashes kept elsewhere.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enrich/ecs_encode.h"

#include "document.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW_NS 1795375000123456789u

struct bench {
    struct agent_resource resource;
    struct ecs_encoder encoder;
    struct arena arena;
    struct record record;
    struct fields layer;
    uint8_t *text;
};

static struct bench *bench_new(const struct resource_attribute *attributes, size_t count)
{
    static const uint8_t start_id[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    assert_int_equal(agent_resource_init(&bench->resource, attributes, count), 0);
    assert_int_equal(ecs_encoder_init(&bench->encoder, &bench->resource, "0.1.0", start_id), 0);
    arena_init(&bench->arena, 1 << 16, 0);
    fields_clear(&bench->record.own);
    fields_clear(&bench->layer);
    return bench;
}

static void bench_free(struct bench *bench)
{
    ecs_encoder_deinit(&bench->encoder);
    agent_resource_deinit(&bench->resource);
    arena_deinit(&bench->arena);
    free(bench->text);
    free(bench);
}

// The record's document, parsed strictly.
static yajl_val document_of(struct bench *bench)
{
    static const uint8_t id[16] = {0xfe, 0xdc, [14] = 0x01, [15] = 0x02};
    ecs_prepare(&bench->encoder, &bench->record, id, NOW_NS);
    size_t size = 0;
    // In exactly as much room as it takes to succeed, so that ASan sees every byte past it.
    for (size_t room = 2 * JSON_SLACK; !size; room += room / 4) {
        free(bench->text);
        bench->text = malloc(room);
        assert_non_null(bench->text);
        size = ecs_encode(&bench->encoder, &bench->record, bench->text, room);
        assert_true(size <= room);
    }
    return document_parse(slice_of(bench->text, size));
}

static struct value text_value(const char *text)
{
    return (struct value){.kind = VALUE_TEXT, .text = slice_from(text)};
}

static struct value json_text(const char *json)
{
    return (struct value){.kind = VALUE_JSON, .text = slice_from(json)};
}

static struct value integer(int64_t number)
{
    return (struct value){.kind = VALUE_INTEGER, .integer = number};
}

static void add(struct bench *bench, struct named_values *list, const char *name,
                struct value value)
{
    assert_true(named_values_add(list, &bench->arena, slice_from(name), value));
}

static void test_empty_record(void **state)
{
    (void)state;
    struct bench *bench = bench_new(NULL, 0);
    yajl_val document = document_of(bench);
    document_has_text(document, "@timestamp", "2026-11-22T19:16:40.123456789Z");
    document_has_text(document, "event.created", "2026-11-22T19:16:40.123456789Z");
    document_has_text(document, "event.ingested", "2026-11-22T19:16:40.123456789Z");
    document_has_text(document, "event.id", "fedc0000000000000000000000000102");
    document_has_text(document, "message", "");
    document_has_text(document, "ecs.version", "8.11.0");
    document_has_text(document, "agent.type", "sluice");
    document_has_text(document, "agent.version", "0.1.0");
    document_has_text(document, "agent.ephemeral_id", "0123456789abcdef");
    document_has_text(document, "data_stream.type", "logs");
    document_has_text(document, "data_stream.dataset", "generic");
    document_has_text(document, "data_stream.namespace", "default");
    document_lacks(document, "log");
    document_lacks(document, "event.severity");
    document_lacks(document, "event.sequence");
    document_lacks(document, "labels");
    yajl_tree_free(document);
    bench_free(bench);
}

static void test_what_the_agent_sets(void **state)
{
    (void)state;
    struct bench *bench = bench_new(NULL, 0);
    struct record *record = &bench->record;
    record->time_ns = 946684800000000001u;
    record->observed_ns = 1709251199999999999u; // the end of a leap day
    record->severity = 12;
    record->truncated = true;
    record->has_sequence = true;
    record->sequence = 258;
    fields_set(&record->own, ECS_EVENT_ID, text_value("theirs"));
    fields_set(&record->own, ECS_ECS_VERSION, text_value("1.6.0"));
    fields_set(&record->own, ECS_ERROR_MESSAGE, text_value("it broke"));
    yajl_val document = document_of(bench);
    document_has_text(document, "@timestamp", "2000-01-01T00:00:00.000000001Z");
    document_has_text(document, "event.created", "2024-02-29T23:59:59.999999999Z");
    document_has_number(document, "event.severity", 12);
    document_has_text(document, "log.level", "info");
    document_has_text(document, "log.flags", "truncated");
    document_has_number(document, "event.sequence", 258);
    document_has_text(document, "event.id", "fedc0000000000000000000000000102");
    document_has_text(document, "labels.event_id", "theirs");
    document_has_text(document, "ecs.version", "8.11.0");
    document_has_text(document, "message", "it broke");
    yajl_tree_free(document);
    bench_free(bench);
}

static const struct resource_attribute agent_attributes[] = {
    {{"service.name", sizeof "service.name" - 1}, {"Items-API v2", sizeof "Items-API v2" - 1}},
    {{"service.name", sizeof "service.name" - 1}, {"weaker", sizeof "weaker" - 1}},
    {{"deployment.environment", sizeof "deployment.environment" - 1}, {"prod", sizeof "prod" - 1}},
    {{"deployment.environment.name", sizeof "deployment.environment.name" - 1},
     {"weaker", sizeof "weaker" - 1}},
    {{"service.instance.id", sizeof "service.instance.id" - 1}, {"i-1", sizeof "i-1" - 1}},
    {{"host.name", sizeof "host.name" - 1}, {"node\"1\"", sizeof "node\"1\"" - 1}},
    {{"k8s.pod.name", sizeof "k8s.pod.name" - 1}, {"pod-1", sizeof "pod-1" - 1}},
    {{"k8s.cluster.name", sizeof "k8s.cluster.name" - 1}, {"c1", sizeof "c1" - 1}},
    {{"cloud.region", sizeof "cloud.region" - 1}, {"eu\xff", sizeof "eu\xff" - 1}},
    {{"empty", sizeof "empty" - 1}, {"", sizeof "" - 1}},
};
#define AGENT_ATTRIBUTES (sizeof agent_attributes / sizeof *agent_attributes)

static void test_agent_layer(void **state)
{
    (void)state;
    struct bench *bench = bench_new(agent_attributes, AGENT_ATTRIBUTES);
    yajl_val document = document_of(bench);
    document_has_text(document, "service.name", "Items-API v2");
    document_has_text(document, "service.environment", "prod");
    document_has_text(document, "service.node.name", "i-1");
    document_has_text(document, "host.name", "node\"1\"");
    document_has_text(document, "kubernetes.pod.name", "pod-1");
    document_has_text(document, "orchestrator.cluster.name", "c1");
    document_has_text(document, "labels.cloud_region", "eu\xef\xbf\xbd");
    document_lacks(document, "labels.empty");
    document_has_text(document, "data_stream.dataset", "items_api_v2");
    document_has_text(document, "data_stream.namespace", "prod");
    yajl_tree_free(document);
    bench_free(bench);
}

static void test_layers_by_strength(void **state)
{
    (void)state;
    struct bench *bench = bench_new(agent_attributes, AGENT_ATTRIBUTES);
    bench->record.resource = &bench->layer;
    fields_set(&bench->layer, ECS_SERVICE_NAME, text_value("from/resource"));
    fields_set(&bench->layer, ECS_SERVICE_VERSION, text_value("7"));
    fields_set(&bench->layer, ECS_HOST_NAME, text_value("resource-host"));
    fields_set(&bench->record.own, ECS_HOST_NAME, text_value("own-host"));
    fields_set(&bench->record.own, ECS_KUBERNETES_NAMESPACE, text_value("shop"));
    add(bench, &bench->layer.labels, "cloud_region", text_value("resource"));
    add(bench, &bench->layer.labels, "a", text_value("resource"));
    add(bench, &bench->record.own.labels, "a", text_value("own"));
    add(bench, &bench->record.own.labels, "a", text_value("own again"));
    yajl_val document = document_of(bench);
    document_has_text(document, "service.name", "from/resource");
    document_has_text(document, "service.version", "7");
    document_has_text(document, "service.environment", "prod"); // the agent's, in the same object
    document_has_text(document, "host.name", "own-host");
    document_has_text(document, "kubernetes.namespace", "shop");
    document_has_text(document, "kubernetes.pod.name", "pod-1");
    document_has_text(document, "data_stream.dataset", "from_resource");
    document_has_text(document, "data_stream.namespace", "prod");
    document_has_text(document, "labels.cloud_region", "resource");
    document_has_text(document, "labels.a", "own");
    document_has_text(document, "labels.a_2", "own again");
    yajl_tree_free(document);
    bench_free(bench);
}

static void test_lists(void **state)
{
    (void)state;
    struct bench *bench = bench_new(NULL, 0);
    struct fields *own = &bench->record.own;
    add(bench, &own->labels, "b", (struct value){.kind = VALUE_BOOLEAN, .boolean = true});
    add(bench, &own->labels, "quote\"d", text_value("x"));
    add(bench, &own->numeric_labels, "n", integer(-5));
    add(bench, &own->numeric_labels, "d", (struct value){.kind = VALUE_DOUBLE, .number = 0.5});
    add(bench, &own->app, "k", json_text("{\"a\":[1,null]}"));
    yajl_val document = document_of(bench);
    document_has_text(document, "labels.b", "true");
    document_has_text(document, "labels.quote\"d", "x");
    document_has_number(document, "numeric_labels.n", -5);
    assert_non_null(document_at(document, "app.k.a"));
    yajl_tree_free(document);
    bench_free(bench);
}

static void test_paths_without_a_slot(void **state)
{
    (void)state;
    struct bench *bench = bench_new(agent_attributes, AGENT_ATTRIBUTES);
    struct fields *own = &bench->record.own;
    fields_set(own, ECS_HTTP_REQUEST_METHOD, text_value("GET"));
    add(bench, &own->other, "server.address", text_value("s"));
    add(bench, &own->other, "http.request.bytes", integer(12));
    add(bench, &own->other, "http.response.body.bytes", integer(34));
    add(bench, &own->other, "user.name", text_value("anna"));
    add(bench, &own->other, "service.type", text_value("web"));
    add(bench, &own->other, "network.protocol", text_value("http"));
    add(bench, &own->other, "network-x", text_value("between in bytes, not in paths"));
    add(bench, &own->other, "network", text_value("scalar where others have an object"));
    yajl_val document = document_of(bench);
    document_has_text(document, "server.address", "s");
    document_has_text(document, "http.request.method", "GET");
    document_has_number(document, "http.request.bytes", 12);
    document_has_number(document, "http.response.body.bytes", 34);
    document_has_text(document, "user.name", "anna");
    document_has_text(document, "service.type", "web");
    document_has_text(document, "service.name", "Items-API v2");
    document_has_text(document, "network.protocol", "http");
    document_has_text(document, "labels.network", "scalar where others have an object");
    document_has_text(document, "@timestamp", "2026-11-22T19:16:40.123456789Z");
    yajl_tree_free(document);
    bench_free(bench);
}

static void test_clashes_with_the_table(void **state)
{
    (void)state;
    struct bench *bench = bench_new(NULL, 0);
    struct fields *own = &bench->record.own;
    fields_set(own, ECS_USER_ID, text_value("u1"));
    add(bench, &own->other, "message.text", text_value("below a field"));
    add(bench, &own->other, "message.deep", json_text("{\"a\":1}"));
    add(bench, &own->other, "http", integer(5));
    add(bench, &own->other, "log.origin", json_text("1.50"));
    add(bench, &own->other, "user.id", text_value("another"));
    add(bench, &own->other, "labels", text_value("a list"));
    add(bench, &own->other, "labels.x.y", text_value("in the list"));
    add(bench, &own->other, "numeric_labels.n", json_text("1.25"));
    add(bench, &own->other, "app.o", json_text("[1]"));
    add(bench, &own->other, "a..b", text_value("empty segment"));
    add(bench, &own->other, "", text_value("no name"));
    add(bench, &own->other, "twice", integer(1));
    add(bench, &own->other, "twice", integer(2));
    yajl_val document = document_of(bench);
    document_has_text(document, "labels.message_text", "below a field");
    document_has_number(document, "app.message_deep.a", 1);
    document_has_text(document, "labels.http", "5");
    document_has_text(document, "labels.log_origin", "1.50");
    document_has_text(document, "user.id", "u1");
    document_has_text(document, "labels.user_id", "another");
    document_has_text(document, "labels.labels", "a list");
    document_has_text(document, "labels.x_y", "in the list");
    assert_true(YAJL_IS_DOUBLE(document_at(document, "numeric_labels.n")));
    assert_non_null(document_at(document, "app.o"));
    document_has_text(document, "labels.a__b", "empty segment");
    document_has_number(document, "twice", 1);
    document_has_text(document, "labels.twice", "2");
    yajl_tree_free(document);
    bench_free(bench);
}

static uint64_t seed = 88172645463325252u;

static unsigned random_below(unsigned bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed % bound);
}

static struct value random_value(void)
{
    static const char *const texts[] = {"",
                                        "x",
                                        "a\nb\"c\\",
                                        "\x01\x02",
                                        "gr\xc3\xbc\xc3\x9f",
                                        "longer than one stride of sixteen bytes, with \t in it"};
    static const char *const escaped[] = {"", "x", "a\\nb\\\"c", "\\u0001", "\\ud83d\\ude42"};
    static const char *const jsons[] = {"{}", "[]", "{\"a\":{\"b\":[1,2.5,null]}}", "-1.5e3"};
    switch (random_below(7)) {
    case 0:
        return (struct value){.kind = VALUE_NULL};
    case 1:
        return text_value(texts[random_below(6)]);
    case 2:
        return (struct value){.kind = VALUE_ESCAPED, .text = slice_from(escaped[random_below(5)])};
    case 3:
        return json_text(jsons[random_below(4)]);
    case 4:
        return integer((int64_t)(seed >> random_below(64)));
    case 5:
        return (struct value){.kind = VALUE_DOUBLE, .number = (double)(int)random_below(1000) / 8};
    default:
        return (struct value){.kind = VALUE_BOOLEAN, .boolean = random_below(2)};
    }
}

static void fill_random(struct bench *bench, struct fields *fields)
{
    static const char *const segments[] = {"a",       "b",          "a_2",    "http",
                                           "request", "id",         "labels", "x-y",
                                           "message", "@timestamp", "\"q\"",  ""};
    struct named_values *lists[] = {&fields->labels, &fields->numeric_labels, &fields->app};
    fields_clear(fields);
    for (unsigned i = random_below(20); i > 0; i--)
        fields_set(fields, (enum ecs_field)random_below(ECS_FIELD_COUNT), random_value());
    for (unsigned i = random_below(8); i > 0; i--)
        add(bench, lists[random_below(3)], segments[random_below(12)], random_value());
    for (unsigned i = random_below(2) * random_below(12); i > 0; i--) {
        char *path = arena_alloc(&bench->arena, 64);
        snprintf(path, 64, "%s%s%s%s%s", segments[random_below(12)], random_below(3) ? "." : "",
                 random_below(3) ? segments[random_below(12)] : "", random_below(4) ? "" : ".",
                 random_below(4) ? "" : segments[random_below(12)]);
        add(bench, &fields->other, path, random_value());
    }
}

static void test_any_record_is_strict_json(void **state)
{
    (void)state;
    struct bench *bench = bench_new(agent_attributes, AGENT_ATTRIBUTES);
    for (unsigned round = 0; round < 5000; round++) {
        arena_reset(&bench->arena);
        fill_random(bench, &bench->record.own);
        fill_random(bench, &bench->layer);
        bench->record.resource = random_below(2) ? &bench->layer : NULL;
        bench->record.severity = (uint8_t)random_below(30);
        yajl_val document = document_of(bench);
        assert_non_null(document_at(document, "message"));
        document_has_text(document, "event.id", "fedc0000000000000000000000000102");
        document_has_text(document, "ecs.version", "8.11.0");
        yajl_tree_free(document);
    }
    bench_free(bench);
}

static void test_many_names(void **state)
{
    (void)state;
    struct bench *bench = bench_new(NULL, 0);
    for (unsigned i = 0; i < 3000; i++) {
        char *name = arena_alloc(&bench->arena, 16);
        snprintf(name, 16, "n%u", i);
        add(bench, &bench->record.own.labels, name, integer(i));
    }
    yajl_val document = document_of(bench);
    document_has_text(document, "labels.n2999", "2999");
    yajl_tree_free(document);
    fields_clear(&bench->record.own);
    add(bench, &bench->record.own.labels, "n1", text_value("the set was emptied"));
    document = document_of(bench);
    document_has_text(document, "labels.n1", "the set was emptied");
    yajl_tree_free(document);
    bench_free(bench);
}

static void test_times(void **state)
{
    (void)state;
    struct ecs_second second = {.second = UINT64_MAX};
    const struct {
        uint64_t ns;
        const char *text;
    } times[] = {
        {0, "1970-01-01T00:00:00.000000000Z"},
        {951782400000000000u, "2000-02-29T00:00:00.000000000Z"},
        {951868799999999999u, "2000-02-29T23:59:59.999999999Z"},
        {951868800000000000u, "2000-03-01T00:00:00.000000000Z"},
        {4107542400000000000u, "2100-03-01T00:00:00.000000000Z"},
        {4107542399000000000u, "2100-02-28T23:59:59.000000000Z"},
        {UINT64_MAX, "2554-07-21T23:34:33.709551615Z"},
    };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        char text[ECS_TIME_SIZE];
        ecs_time(&second, text, times[i].ns);
        assert_memory_equal(text, times[i].text, ECS_TIME_SIZE);
    }
}

static void test_labels_of_the_pod(void **state)
{
    (void)state;
    const struct resource_attribute attributes[] = {
        {SLICE("k8s.pod.label.app.kubernetes.io/name"), SLICE("shop")},
        {SLICE("k8s.pod.label.app_kubernetes_io/name"), SLICE("the same name, weaker")},
        {SLICE("k8s.pod.label.t\"m"), SLICE("1.2")},
        {SLICE("k8s.pod.name"), SLICE("pod")},
        {SLICE("host.hostname"), SLICE("machine")},
    };
    struct bench *bench = bench_new(attributes, 5);
    // Alone, beside an object that the record shares, and as a tree: always the same object.
    for (unsigned i = 0; i < 3; i++) {
        fields_clear(&bench->record.own);
        if (i == 1)
            fields_set(&bench->record.own, ECS_KUBERNETES_NAMESPACE, text_value("theirs"));
        if (i == 2)
            add(bench, &bench->record.own.other, "cloud.region", text_value("eu"));
        yajl_val document = document_of(bench);
        document_has_text(document, "kubernetes.pod.name", "pod");
        document_has_text(document, "host.hostname", "machine");
        yajl_val labels = document_at(document, "kubernetes.labels");
        assert_non_null(labels);
        assert_int_equal(labels->u.object.len, 2);
        document_has_text(document, "kubernetes.labels.app_kubernetes_io/name", "shop");
        document_has_text(document, "kubernetes.labels.t\"m", "1.2");
        document_lacks(document, "labels");
        yajl_tree_free(document);
    }
    bench_free(bench);
}

// A record that was ECS already keeps its own object; the agent's is not lost.
static void test_labels_of_a_record_of_its_own(void **state)
{
    (void)state;
    const struct resource_attribute attribute = {SLICE("k8s.pod.label.a"), SLICE("ours")};
    struct bench *bench = bench_new(&attribute, 1);
    add(bench, &bench->record.own.other, "kubernetes.labels.a", text_value("theirs"));
    yajl_val document = document_of(bench);
    document_has_text(document, "kubernetes.labels.a", "theirs");
    document_has_text(document, "app.kubernetes_labels.a", "ours");
    yajl_tree_free(document);
    bench_free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_record),
        cmocka_unit_test(test_what_the_agent_sets),
        cmocka_unit_test(test_agent_layer),
        cmocka_unit_test(test_layers_by_strength),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_paths_without_a_slot),
        cmocka_unit_test(test_clashes_with_the_table),
        cmocka_unit_test(test_any_record_is_strict_json),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_labels_of_the_pod),
        cmocka_unit_test(test_labels_of_a_record_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
