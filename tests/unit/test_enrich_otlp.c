// Runs of spans and metrics: the attributes they get, what is too large, and new attributes for
// all.
#include "enrich_fixture.h"

#include "document.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#define SEGMENT SPOOL_SEGMENT_MIN

static char *long_text(size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static void append_log(struct house *house)
{
    struct record record = {0};
    fields_clear(&record.own);
    assert_int_equal(enrich_log(house->enrich, &record), 0);
}

static void test_a_full_log_sheds_runs(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "otlp", SEGMENT, 2 * SEGMENT, SPOOL_WHEN_FULL_SHED);
    house_open(house, NULL, 0, "", 0, 1);
    char *text = long_text(20000);
    const struct slice rest[] = {slice_of(text, 20000)};
    const struct otlp_run run = {
        .signal = SIGNAL_SPANS, .records = 3, .severity = 17, .rest = rest, .rest_count = 1};
    for (unsigned i = 0; i < 20; i++) {
        uint64_t shed = sink->book->dropped[DROP_SHED];
        int r = enrich_otlp(house->enrich, &run);
        assert_int_equal(r, sink->book->dropped[DROP_SHED] > shed ? ENRICH_SHED : 0);
    }
    house_turn(house);
    assert_true(sink->count > 0 && sink->count < 20);
    assert_int_equal(sink->book->dropped[DROP_SHED], 3 * (20 - sink->count));
    assert_int_equal(house->books.door[SIGNAL_SPANS].routed, 60);
    free(text);
    house_free(house);
}

static size_t put_attribute(uint8_t *out, const char *name, const char *value)
{
    uint8_t any[256];
    uint8_t pair[512];
    uint8_t *end = wire_put_bytes(any, OTLP_ANY_STRING, value, strlen(value));
    size_t any_size = (size_t)(end - any);
    end = wire_put_bytes(pair, OTLP_KEY_VALUE_KEY, name, strlen(name));
    end = wire_put_bytes(end, OTLP_KEY_VALUE_VALUE, any, any_size);
    return (size_t)(wire_put_bytes(out, OTLP_RESOURCE_ATTRIBUTES, pair, (size_t)(end - pair)) -
                    out);
}

// The keys of the Resource in a fragment, each followed by a space.
static void resource_keys(struct slice payload, char *keys, size_t *unknown)
{
    struct wire_cursor cursor = wire_cursor_of(payload.data, payload.size);
    struct wire_field field;
    assert_int_equal(wire_next(&cursor, &field), 0);
    assert_true(wire_is(&field, OTLP_REQUEST_RESOURCES, WIRE_BYTES));
    assert_true(cursor.at == cursor.end);
    cursor = wire_inside(&field);
    assert_int_equal(wire_next(&cursor, &field), 0);
    assert_true(wire_is(&field, OTLP_RUN_RESOURCE, WIRE_BYTES));
    struct wire_cursor resource = wire_inside(&field);
    keys[0] = '\0';
    while (wire_next(&resource, &field) == 0) {
        struct wire_cursor pair = wire_inside(&field);
        struct wire_field key;
        *unknown += field.number == 99;
        if (!wire_is(&field, OTLP_RESOURCE_ATTRIBUTES, WIRE_BYTES))
            continue;
        assert_int_equal(wire_next(&pair, &key), 0);
        memcpy(keys, key.data, key.size);
        keys += key.size;
        memcpy(keys++, " ", 2);
    }
}

static void test_a_run_gets_the_attributes_it_lacks(void **state)
{
    (void)state;
    const struct resource_attribute attributes[] = {
        {SLICE("service.name"), SLICE("ours")},
        {SLICE("deployment.environment"), SLICE("ours")},
        {SLICE("host.name"), SLICE("ours")},
    };
    struct house *house = house_new();
    struct sink *sink = house_add(house, "otlp", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, attributes, 3, "", 0, 1);
    uint8_t resource[512];
    size_t size = put_attribute(resource, "service.name", "theirs");
    size += put_attribute(resource + size, "deployment.environment.name", "theirs");
    size = (size_t)(wire_put_bytes(resource + size, 99, "?", 1) - resource);
    const struct slice rest[] = {SLICE("\x12\x00"), SLICE("\x1a\x01u")};
    struct otlp_run run = {.signal = SIGNAL_SPANS,
                           .records = 7,
                           .time_ns = 5,
                           .severity = 17,
                           .resource = slice_of(resource, size),
                           .rest = rest,
                           .rest_count = 2};
    assert_int_equal(enrich_otlp(house->enrich, &run), 0);
    run.signal = SIGNAL_METRICS;
    run.resource.size = 0;
    run.has_sequence = true;
    run.sequence = 9;
    assert_int_equal(enrich_otlp(house->enrich, &run), 0);
    house_turn(house);
    char keys[256];
    size_t unknown = 0;
    resource_keys(sink->items[0].payload, keys, &unknown);
    assert_string_equal(keys, "service.name deployment.environment.name host.name ");
    assert_int_equal(unknown, 1);
    const struct slice payload = sink->items[0].payload;
    assert_memory_equal(payload.data + payload.size - 5, "\x12\x00\x1a\x01u", 5);
    assert_int_equal(sink->items[0].parcel.records, 7);
    assert_int_equal(sink->items[0].parcel.severity, 17);
    assert_int_equal(sink->items[0].parcel.time_ns, 5);
    resource_keys(sink->items[1].payload, keys, &unknown);
    assert_string_equal(keys, "service.name deployment.environment host.name ");
    assert_int_equal(sink->items[1].parcel.signal, SIGNAL_METRICS);
    assert_int_equal(sink->items[1].parcel.id[15], 9);
    assert_int_equal(house->books.door[SIGNAL_SPANS].routed, 7);
    house_free(house);
}

static void test_a_run_without_any_resource(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "otlp", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 0, 1);
    const struct slice rest[] = {SLICE("\x12\x00")};
    struct otlp_run run = {.signal = SIGNAL_SPANS, .records = 2, .rest = rest, .rest_count = 1};
    assert_int_equal(enrich_otlp(house->enrich, &run), 0);
    assert_int_equal(enrich_otlp(house->enrich, &run), 0);
    char *text = long_text(SEGMENT);
    const struct slice large[] = {slice_of(text, SEGMENT)};
    run.rest = large;
    assert_int_equal(enrich_otlp(house->enrich, &run), ENRICH_REJECTED);
    house_turn(house);
    assert_int_equal(sink->count, 2);
    assert_true(slice_equal(sink->items[0].payload, SLICE("\x0a\x02\x12\x00")));
    // The second run's first id follows the first run's last.
    assert_int_equal(sink->items[0].parcel.id[15] + 2, sink->items[1].parcel.id[15]);
    assert_int_equal(house->books.door[SIGNAL_SPANS].rejected[REJECT_TOO_LARGE], 2);
    free(text);
    house_free(house);
}

static void test_other_attributes_from_now_on(void **state)
{
    (void)state;
    struct resource_attribute attributes[] = {
        {SLICE("service.name"), SLICE("before")},
        {SLICE("k8s.pod.label.app.kubernetes.io/name"), SLICE("a \"b\"")},
    };
    struct house *house = house_new();
    struct sink *sink = house_add(house, "both", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, attributes, 1, "", 1, 1);
    append_log(house);
    attributes[0].value = SLICE("after");
    assert_int_equal(enrich_set_resource(house->enrich, attributes, 2), 0);
    append_log(house);
    const struct slice rest[] = {SLICE("\x12\x00")};
    struct otlp_run run = {.signal = SIGNAL_SPANS, .records = 1, .rest = rest, .rest_count = 1};
    assert_int_equal(enrich_otlp(house->enrich, &run), 0);
    house_turn(house);
    yajl_val document = document_parse(sink->items[0].payload);
    document_has_text(document, "service.name", "before");
    document_lacks(document, "kubernetes");
    yajl_tree_free(document);
    document = document_parse(sink->items[1].payload);
    document_has_text(document, "service.name", "after");
    document_has_text(document, "data_stream.dataset", "after");
    document_has_text(document, "kubernetes.labels.app_kubernetes_io/name", "a \"b\"");
    // The counter of our ids goes on.
    assert_int_equal(sink->items[0].parcel.id[15] + 1, sink->items[1].parcel.id[15]);
    yajl_tree_free(document);
    char keys[256];
    size_t unknown = 0;
    resource_keys(sink->items[2].payload, keys, &unknown);
    assert_string_equal(keys, "service.name k8s.pod.label.app.kubernetes.io/name ");
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_log_sheds_runs),
        cmocka_unit_test(test_a_run_gets_the_attributes_it_lacks),
        cmocka_unit_test(test_a_run_without_any_resource),
        cmocka_unit_test(test_other_attributes_from_now_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
