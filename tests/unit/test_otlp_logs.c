// What each field of a LogRecord becomes.
#include "otlp_door.h"

#include "decode/otlp_check.h"
#include "document.h"

#include <math.h>

// The document of one LogRecord; frees the record.
static yajl_val document_of(struct door *door, struct message record)
{
    size_t before = door->sink->count;
    assert_int_equal(export_message(door, SIGNAL_LOGS, request_of(record)), 0);
    assert_int_equal(door->sink->count, before + 1);
    return document_parse(door->sink->items[before].payload);
}

static yajl_val document_of_body(struct door *door, struct message any)
{
    struct message record = {0};
    put_message(&record, OTLP_LOG_BODY, any);
    return document_of(door, record);
}

static void message_is(struct door *door, struct message any, const char *expected)
{
    yajl_val document = document_of_body(door, any);
    document_has_text(document, "message", expected);
    yajl_tree_free(document);
}

static struct message any_bytes(struct slice bytes)
{
    struct message any = {0};
    put_bytes(&any, OTLP_ANY_BYTES, bytes);
    return any;
}

static struct message any_double(double number)
{
    struct message any = {0};
    put_double(&any, OTLP_ANY_DOUBLE, number);
    return any;
}

static struct message any_array(struct message item)
{
    struct message array = {0};
    struct message any = {0};
    put_message(&array, OTLP_ARRAY_VALUES, item);
    put_message(&any, OTLP_ANY_ARRAY, array);
    return any;
}

// A map of two pairs.
static struct message any_map(struct message first, struct message second)
{
    struct message list = {0};
    struct message any = {0};
    put_message(&list, OTLP_KVLIST_VALUES, first);
    put_message(&list, OTLP_KVLIST_VALUES, second);
    put_message(&any, OTLP_ANY_KVLIST, list);
    return any;
}

static void test_bodies(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message boolean = {0};
    put_varint(&boolean, OTLP_ANY_BOOL, 1);
    message_is(door, any_text("plain"), "plain");
    message_is(door, any_text(""), "");
    message_is(door, any_text("{not json}"), "{not json}");
    message_is(door, any_text("bad \xff utf-8"), "bad \xef\xbf\xbd utf-8");
    message_is(door, any_int(-42), "-42");
    message_is(door, any_double(1.5), "1.5");
    message_is(door, any_double(NAN), "");
    message_is(door, boolean, "true");
    message_is(door, any_bytes(SLICE("\x00\xff")), "AP8=");
    message_is(door, any_bytes(SLICE("\x00\xff\x01")), "AP8B");
    message_is(door, any_bytes(SLICE("\x00")), "AA==");
    message_is(door, any_array(any_int(1)), "[1]");
    message_is(door, (struct message){0}, "");
    door_free(door);
}

static void test_json_body_is_mapped_like_a_line(void **state)
{
    (void)state;
    struct door *door = door_new();
    yajl_val document = document_of_body(
        door,
        any_text("{\"event\":\"paid\",\"user_id\":7,\"level\":\"warning\",\"logger\":\"shop\","
                 "\"timestamp\":\"2026-11-22T19:35:23Z\",\"v\":NaN}"));
    document_has_text(document, "message", "paid");
    document_has_text(document, "user.id", "7");
    document_has_text(document, "log.level", "warn");
    document_has_text(document, "log.logger", "shop");
    yajl_tree_free(document);
    door_free(door);
}

static void test_map_body_goes_to_app(void **state)
{
    (void)state;
    struct door *door = door_new();
    yajl_val document = document_of_body(
        door, any_map(pair("msg", any_text("hello")), pair("n", any_array(any_double(2.5)))));
    document_has_text(document, "app.msg", "hello");
    assert_non_null(document_at(document, "app.n"));
    document_has_text(document, "message", "hello");
    yajl_tree_free(document);
    door_free(door);
}

static void test_times(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message record = {0};
    put_fixed64(&record, OTLP_LOG_TIME_UNIX_NANO, 1795376123792848384u);
    put_fixed64(&record, OTLP_LOG_OBSERVED_TIME_UNIX_NANO, 1795376123792992493u);
    yajl_val document = document_of(door, record);
    document_has_text(document, "@timestamp", "2026-11-22T19:35:23.792848384Z");
    document_has_text(document, "event.created", "2026-11-22T19:35:23.792992493Z");
    yajl_tree_free(document);
    record = (struct message){0};
    put_fixed64(&record, OTLP_LOG_OBSERVED_TIME_UNIX_NANO, 1795376123792992493u);
    document = document_of(door, record);
    document_has_text(document, "@timestamp", "2026-11-22T19:35:23.792992493Z");
    yajl_tree_free(document);
    record = (struct message){0}; // clocks that cannot be right
    put_fixed64(&record, OTLP_LOG_TIME_UNIX_NANO, 1);
    put_fixed64(&record, OTLP_LOG_OBSERVED_TIME_UNIX_NANO, UINT64_MAX);
    document = document_of(door, record);
    document_has_text(document, "@timestamp", "2026-11-22T19:16:40.123456789Z");
    document_has_text(document, "event.created", "2026-11-22T19:16:40.123456789Z");
    document_has_text(document, "labels.time_unix_nano", "1");
    document_has_text(document, "labels.observed_time_unix_nano", "18446744073709551615");
    yajl_tree_free(document);
    door_free(door);
}

static void test_severity(void **state)
{
    (void)state;
    struct door *door = door_new();
    static const char *const names[] = {"trace", "debug", "info", "warn", "error", "fatal"};
    for (unsigned number = 1; number <= 24; number++) {
        struct message record = {0};
        put_varint(&record, OTLP_LOG_SEVERITY_NUMBER, number);
        put_text(&record, OTLP_LOG_SEVERITY_TEXT, "Level 25");
        yajl_val document = document_of(door, record);
        document_has_text(document, "log.level", names[(number - 1) / 4]);
        document_has_number(document, "event.severity", number);
        document_has_text(document, "labels.level_original", "Level 25");
        yajl_tree_free(document);
        assert_int_equal(door->sink->items[number - 1].parcel.severity, number);
    }
    struct message record = {0};
    put_text(&record, OTLP_LOG_SEVERITY_TEXT, "CRITICAL"); // no number: the text says it
    yajl_val document = document_of(door, record);
    document_has_text(document, "log.level", "fatal");
    document_has_number(document, "event.severity", 21);
    yajl_tree_free(document);
    record = (struct message){0};
    put_varint(&record, OTLP_LOG_SEVERITY_NUMBER, 25); // no such number
    document = document_of(door, record);
    document_lacks(document, "event.severity");
    yajl_tree_free(document);
    door_free(door);
}

static void test_ids(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message record = {0};
    put_bytes(&record, OTLP_LOG_TRACE_ID,
              SLICE("\x01\x23\x45\x67\x89\xab\xcd\xef\xff\x00\x00\x00\x00\x00\x00\x0f"));
    put_bytes(&record, OTLP_LOG_SPAN_ID, SLICE("\x00\x00\x00\x00\x00\x00\x00\x00"));
    put_text(&record, OTLP_LOG_EVENT_NAME, "order.paid");
    yajl_val document = document_of(door, record);
    document_has_text(document, "trace.id", "0123456789abcdefff0000000000000f");
    document_has_text(document, "event.action", "order.paid");
    document_lacks(document, "span");
    yajl_tree_free(document);
    record = (struct message){0};
    put_bytes(&record, OTLP_LOG_TRACE_ID, SLICE("short"));
    put_bytes(&record, OTLP_LOG_SPAN_ID, SLICE("\x00\x00\x00\x00\x00\x00\x00\x80"));
    document = document_of(door, record);
    document_lacks(document, "trace");
    document_has_text(document, "span.id", "0000000000000080");
    yajl_tree_free(document);
    door_free(door);
}

static void test_attributes(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message record = {0};
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("exception.type", any_text("KeyError")));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("http.response.status_code", any_int(404)));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("tenant", any_text("a\"b")));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("blob", any_bytes(SLICE("\xff"))));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("count", any_int(5)));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("bad \xff key", any_text("kept")));
    put_message(&record, OTLP_LOG_ATTRIBUTES,
                pair("nested", any_map(pair("k", any_int(1)), pair("k", any_text("last")))));
    yajl_val document = document_of(door, record);
    document_has_text(document, "error.type", "KeyError");
    document_has_number(document, "http.response.status_code", 404);
    document_has_text(document, "labels.tenant", "a\"b");
    document_has_text(document, "labels.blob", "/w==");
    document_has_number(document, "numeric_labels.count", 5);
    document_has_text(document, "app.nested.k", "last"); // each key once
    yajl_tree_free(document);
    door_free(door);
}

// What is no number is null, wherever it stands; it does not vanish.
static void test_numbers_that_are_none(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message record = {0};
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("ratio", any_double(NAN)));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("most", any_double(INFINITY)));
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("half", any_double(0.5)));
    put_message(&record, OTLP_LOG_ATTRIBUTES,
                pair("in", any_map(pair("k", any_double(-INFINITY)), pair("n", any_double(2.5)))));
    put_message(&record, OTLP_LOG_BODY, any_map(pair("b", any_double(NAN)), pair("c", any_int(1))));
    yajl_val document = document_of(door, record);
    assert_true(YAJL_IS_NULL(document_at(document, "numeric_labels.ratio")));
    assert_true(YAJL_IS_NULL(document_at(document, "numeric_labels.most")));
    assert_true(YAJL_IS_NULL(document_at(document, "app.in.k")));
    assert_true(YAJL_IS_NULL(document_at(document, "app.b")));
    assert_true(YAJL_IS_NUMBER(document_at(document, "numeric_labels.half")));
    yajl_tree_free(document);
    door_free(door);
}

// Nested deeper than Elasticsearch takes: kept as text. Deeper than protobuf's readers take:
// refused.
static void test_depth(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message any = any_int(1);
    for (unsigned i = 0; i < 30; i++)
        any = any_array(any);
    struct message record = {0};
    put_message(&record, OTLP_LOG_ATTRIBUTES, pair("deep", any));
    yajl_val document = document_of(door, record);
    assert_true(YAJL_IS_STRING(document_at(document, "labels.deep")));
    yajl_tree_free(document);
    any = any_int(1);
    for (unsigned i = 0; i < 60; i++)
        any = any_array(any);
    record = (struct message){0};
    put_message(&record, OTLP_LOG_BODY, any);
    assert_int_equal(export_message(door, SIGNAL_LOGS, request_of(record)), DECODE_MALFORMED);
    door_free(door);
}

static void test_scope_and_resource(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message scope_name = {0};
    struct message scope = {0};
    struct message record = {0};
    struct message run = {0};
    struct message request = {0};
    put_message(&record, OTLP_LOG_BODY, any_text("m"));
    put_message(&scope, OTLP_SCOPE_RECORDS, record);
    put_text(&scope_name, OTLP_INSTRUMENTATION_SCOPE_NAME, "items.repo");
    put_message(&scope, OTLP_SCOPE_SCOPE, scope_name); // after its records
    put_message(&run, OTLP_RUN_RESOURCE, resource_of("service.name", "first"));
    put_message(&run, OTLP_RUN_SCOPES, scope);
    put_message(&run, OTLP_RUN_RESOURCE, resource_of("k8s.pod.name", "merged"));
    put_message(&request, OTLP_REQUEST_RESOURCES, run);
    assert_int_equal(export_message(door, SIGNAL_LOGS, request), 0);
    yajl_val document = document_parse(door->sink->items[0].payload);
    document_has_text(document, "log.logger", "items.repo");
    document_has_text(document, "service.name", "first");
    document_has_text(document, "kubernetes.pod.name", "merged");
    yajl_tree_free(document);
    door_free(door);
}

// What is asked of the log for a request is never less than what its documents take.
static void test_the_bound_holds(void **state)
{
    (void)state;
    struct door *door = door_of(64u << 20, 4 << 20, 1, 1);
    char *text = malloc(100001);
    static const char *const fillers[] = {"\x01", "\xff", "\"", "x", "\xc3\xbc"};
    for (unsigned i = 0; i < 3 * sizeof fillers / sizeof *fillers; i++) {
        size_t step = strlen(fillers[i / 3]);
        for (size_t at = 0; at < 100000; at += step)
            memcpy(text + at, fillers[i / 3], step);
        text[100000] = '\0';
        struct message any = i % 3 == 0   ? any_text(text)
                             : i % 3 == 1 ? any_bytes(slice_from(text))
                                          : any_array(any_text(text));
        struct message record = {0};
        put_message(&record, OTLP_LOG_ATTRIBUTES, pair("a", any));
        struct message request = request_of(record);
        size_t bound =
            otlp_text_bound(message_slice(&request)) + enrich_log_overhead(door->house->enrich);
        assert_int_equal(export_message(door, SIGNAL_LOGS, request), 0);
        assert_int_equal(door->sink->count, i + 1);
        assert_true(door->sink->items[i].payload.size <= bound);
    }
    free(text);
    door_free(door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_json_body_is_mapped_like_a_line),
        cmocka_unit_test(test_map_body_goes_to_app),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_severity),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_numbers_that_are_none),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_scope_and_resource),
        cmocka_unit_test(test_the_bound_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
