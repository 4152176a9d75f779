// The mapping as a whole: errors, labels, app, ECS lines, and the entry points that OTLP uses.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "map_cases.h"

static void errors(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"exception\":\"Traceback (most recent call last):\\n  File \\\"a.py\\\", line 1\\n"
         "KeyError: 'k'\"}",
         {{"error.type", "\"KeyError\""}, {"error.message", "\"'k'\""}, {"message", "\"'k'\""}}},
        // The message goes on, and has lines that look like headings themselves.
        {"{\"exception\":\"Traceback (most recent call last):\\n  File 1\\nx.ValidationError: 2 "
         "errors\\nname\\n  too short\\nprice\\n\"}",
         {{"error.type", "\"x.ValidationError\""},
          {"error.message", "\"2 errors\\nname\\n  too short\\nprice\""}}},
        // Chained: the last one counts.
        {"{\"exception\":\"Traceback (most recent call last):\\n  File 1\\nA: b\\n\\nThe above "
         "exception was the direct cause of the following exception:\\n\\nTraceback (most recent "
         "call last):\\r\\n  File 2\\r\\nKeyboardInterrupt\\r\\n\"}",
         {{"error.type", "\"KeyboardInterrupt\""}, {"error.message", NULL}}},
        {"{\"exception\":\"Traceback (most recent call last):\"}", {{"error.type", NULL}}},
        {"{\"stack_trace\":\"java.lang.IllegalStateException: outer\\n\\tat Main.main\"}",
         {{"error.type", "\"java.lang.IllegalStateException\""}, {"error.message", "\"outer\""}}},
        // The message goes on to the first frame; without one only the first line is sure.
        {"{\"stack\":\"Error: a\\nb\\n\\n    at f (x.js:1:2)\"}",
         {{"error.type", "\"Error\""}, {"error.message", "\"a\\nb\""}}},
        {"{\"stack_trace\":\"a.B: c\\r\\nd\\r\\n\\tat a.B.m(B.java:1)\"}",
         {{"error.message", "\"c\\r\\nd\""}}},
        {"{\"stack_trace\":\"a.B: c\\nCaused by: a.C: d\\n\\tat a.B.m(B.java:1)\"}",
         {{"error.type", "\"a.B\""}, {"error.message", "\"c\""}}},
        {"{\"stack\":\"a.BError: c\\nd\"}", {{"error.message", "\"c\""}}},
        {"{\"ecs.version\":\"1\",\"message\":\"m\",\"error\":{\"stack_trace\":\"Traceback (most "
         "recent "
         "call last):\\n  File 1\\nA: b\"}}",
         {{"error.type", "\"A\""}, {"error.message", "\"b\""}, {"message", "\"m\""}}},
        {"{\"stack\":\"java.lang.NullPointerException\\n\\tat Main.main\"}",
         {{"error.type", "\"java.lang.NullPointerException\""}}},
        {"{\"stack\":\"main.main\\n\\t/a.go:1\",\"msg\":\"m\"}",
         {{"error.type", NULL}, {"error.stack_trace", "\"main.main\\n\\t/a.go:1\""}}},
        {"{\"stack\":\"goroutine 1 [running]:\"}", {{"error.type", NULL}}},
        {"{\"stack\":\"\",\"stacktrace\":\"b\"}",
         {{"error.stack_trace", "\"b\""}, {"labels.stack", "\"\""}}},
        {"{\"exc_info\":\"Traceback (most recent call last):\\n f\\nX: y\"}",
         {{"error.type", "\"X\""}}},
        {"{\"exc_info\":\"ValueError('x')\"}", {{"labels.exc_info", "\"ValueError('x')\""}}},
        {"{\"err\":{\"type\":\"E\",\"message\":\"m\",\"stack\":\"s\",\"code\":5,\"errno\":-2,"
         "\"syscall\":\"op\\\"en\",\"cause\":{\"a\":NaN},\"b\":true,\"c\":null,\"d\":NaN,"
         "\"\\u0001\":18446744073709551616}}",
         {{"error.type", "\"E\""},
          {"error.code", "\"5\""},
          {"app.err.errno", "-2"},
          {"app.err.syscall", "\"op\\\"en\""},
          {"app.err.cause.a", "null"},
          {"app.err.b", "true"},
          {"app.err.d", "null"},
          {"app.err.\001", "\"18446744073709551616\""}}},
        {"{\"err\":\"text\",\"error.type\":\"T\"}",
         {{"error.message", "\"text\""}, {"error.type", "\"T\""}}},
        {"{\"err\":{}}", {{"app.err", "{}"}}},
        {"{\"err\":{\"x\":1},\"err\":[2]}", {{"app.err", "[2]"}}},
        {"{\"error\":{\"message\":\"m\",\"stack\":\"s\",\"id\":\"i\"}}",
         {{"error.message", "\"m\""},
          {"error.stack_trace", "\"s\""},
          {"labels.error_id", "\"i\""}}},
    };
    CHECK_CASES(cases);
}

static void local_variables_are_never_shipped(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "{\"event\":\"e\",\"exception\":[{\"exc_type\":\"A\",\"exc_value\":\"b\\n\\\"c\\\"\","
        "\"frames\":[1,{\"filename\":\"f.py\",\"lineno\":8,\"name\":\"<m>\",\"locals\":{\"k\":"
        "\"secret\"}},{\"locals\":{\"p\":\"secret\"}}]},{\"exc_type\":\"B\",\"exc_value\":null,"
        "\"frames\":[]}]}",
        // Deeper than JSON is kept.
        "{\"event\":\"e\",\"exception\":[{\"exc_type\":\"A\",\"frames\":[{\"locals\":[[[[[[[[[[[[[["
        "[[[[\"secret\"]]]]]]]]]]]]]]]]]]}]}]}",
        "{\"event\":\"e\",\"exception\":[{\"exc_type\":\"A\\ud800\",\"frames\":[{\"locals\":"
        "{\"a\":NaN,\"a\":\"secret\"}}]}]}",
    };
    fixture_open(1 << 20);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_null(strstr(document_of(lines[i]), "secret"));
    const struct expectation first[] = {
        {"error.type", "\"A\""},
        {"error.message", "\"b\\n\\\"c\\\"\""},
        {"error.stack_trace", "\"A: b\\n\\\"c\\\"\\n  File \\\"f.py\\\", line 8, in <m>\\n  File "
                              "\\\"\\\", line , in \\nB: \\n\""},
        {NULL, NULL}};
    check_document(lines[0], document_of(lines[0]), first);
    const struct expectation other[] = {{"app.exception", "[1,{\"a\":2}]"}, {NULL, NULL}};
    const char *line = "{\"exception\":[1,{\"a\":2}]}";
    check_document(line, document_of(line), other);
    fixture_close();
}

static void labels(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"a\":\"s\",\"b\":true,\"c\":1.5,\"d\":[1],\"e\":{\"f\":1},\"g\":null,\"h\":-0}",
         {{"labels.a", "\"s\""},
          {"labels.b", "\"true\""},
          {"numeric_labels.c", "1.5"},
          {"app.d", "[1]"},
          {"app.e.f", "1"},
          {"labels.g", NULL},
          {"numeric_labels.h", "-0"}}},
        {"{\"\":\"e\",\" x\":\"s\",\"a\\\"b\":\"q\",\"a*\":\"t\"}",
         {{"labels._", "\"e\""},
          {"labels._x", "\"s\""},
          {"labels.a_b", "\"q\""},
          {"labels.a_", "\"t\""}}},
        {"{\"a.b\":\"1\",\"a_b\":\"2\",\"a b\":\"3\",\"a_b_2\":\"4\"}",
         {{"labels.a_b", "\"2\""},
          {"labels.a_b_2", "\"4\""},
          {"labels.a_b_3", "\"3\""},
          {"labels.a_b_4", "\"1\""}}},
        {"{\"a.b\":\"1\",\"a_b\":2,\"a.b.c\":[]}",
         {{"labels.a_b", "\"1\""}, {"numeric_labels.a_b", "2"}, {"app.a_b_c", "[]"}}},
        {"{\"labels\":{\"n\":5,\"t\":true,\"x\":{\"y\":\"z\"},\"l\":[1]},\"n\":\"top\"}",
         {{"labels.n", "\"5\""},
          {"labels.n_2", "\"top\""},
          {"labels.t", "\"true\""},
          {"labels.x_y", "\"z\""},
          {"app.labels_l", "[1]"}}},
        {"{\"numeric_labels\":{\"n\":5,\"s\":\"x\"}}",
         {{"numeric_labels.n", "5"}, {"labels.numeric_labels_s", "\"x\""}}},
        {"{\"topic\":\"t\",\"partition\":1,\"offset\":2,\"headers\":{},\"message_key\":\"k\","
         "\"source_type\":\"s\"}",
         {{"topic", NULL},
          {"partition", NULL},
          {"offset", NULL},
          {"headers", NULL},
          {"labels.topic", "\"t\""},
          {"numeric_labels.offset", "2"},
          {"app.headers", "{}"}}},
        {"{\"k\":0.00000000000000000000000000000000000000000000000000000000000000000025,"
         "\"req\":{\"n\":-2.500000000000000000000000000000000000000000000000000000000000000000}}",
         {{"numeric_labels.k", "2.4999999999999999e-67"}, {"app.req.n", "-2.5"}}},
        {"{\"k\":18446744073709551616,\"v\":1e999}",
         {{"labels.k", "\"18446744073709551616\""}, {"labels.v", "\"1e999\""}}},
    };
    CHECK_CASES(cases);
}

static void loguru(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        // Its shape alone counts.
        {"{\"text\":\"t\",\"record\":{\"message\":\"m\"}}",
         {{"message", "\"\""}, {"labels.text", "\"t\""}, {"app.record.message", "\"m\""}}},
        {"{\"text\":1,\"record\":{\"message\":\"m\",\"level\":{\"no\":20}}}",
         {{"app.record.message", "\"m\""}}},
        {"{\"text\":\"t\",\"record\":[1]}", {{"app.record", "[1]"}}},
        // What the table of parts does not have, or cannot take, is kept.
        {"{\"text\":\"[m]\",\"record\":{\"message\":\"m\",\"level\":{\"no\":-1,\"x\":1},"
         "\"file\":\"f\",\"new\":{\"a\":1},\"\":2,\"module\":[3],\"extra\":[4]}}",
         {{"message", "\"m\""},
          {"labels.text", NULL},
          {"log.level", "\"trace\""},
          {"numeric_labels.record_level_x", "1"},
          {"labels.record_file", "\"f\""},
          {"app.record_new.a", "1"},
          {"app.record_module", "[3]"},
          {"app.record_extra", "[4]"}}},
        // The line's own members are the stronger, the program's the weakest.
        {"{\"message\":\"own\",\"text\":\"m\",\"record\":{\"message\":\"m\",\"level\":{\"no\":55},"
         "\"extra\":{\"message\":\"x\",\"process.pid\":7}}}",
         {{"message", "\"own\""},
          {"log.level", "\"fatal\""},
          {"labels.record_message", "\"m\""},
          {"labels.extra_message", "\"x\""},
          {"process.pid", "7"}}},
        // A zone that only Python writes; a drawn variable that holds the message.
        {"{\"text\":\"e\\nTraceback (most recent call last):\\n  f(m)\\n    \u2514 'm1'\\nE: x\","
         "\"record\":{\"message\":\"m1\",\"level\":{\"no\":40,\"name\":\"ERROR\"},"
         "\"exception\":{\"type\":null,\"value\":\"\",\"traceback\":true},\"time\":{\"repr\":"
         "\"2026-11-23 02:51:38+00:00:01\",\"timestamp\":1795402298.5}}}",
         {{"@timestamp", "\"2026-11-23T02:51:38.500000000Z\""},
          {"labels.@timestamp", "\"2026-11-23 02:51:38+00:00:01\""},
          {"labels.text", "\"e\\n\""},
          {"error.type", "\"E\""},
          {"error.stack_trace", "\"Traceback (most recent call last):\\n  f(m)\\nE: x\""}}},
    };
    CHECK_CASES(cases);
}

static void ecs_lines(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"ecs.version\":\"1.6.0\",\"server\":{\"port\":1},\"server.address\":\"a\","
         "\"tags\":[\"t\"],\"file\":{\"path\":\"/f\",\"x\":{}},\"nested\":{\"a\":1}}",
         {{"server.port", "1"},
          {"server.address", "\"a\""},
          {"tags", "[\"t\"]"},
          {"file.path", "\"/f\""},
          {"app.file_x", "{}"},
          {"app.nested.a", "1"},
          {"ecs.version", "\"8.11.0\""}}},
        {"{\"ecs\":{\"version\":\"1\"},\"user.name\":\"n\",\"user.name.first\":\"f\",\"http\":"
         "{\"request\":\"clash\"},\"log.level.x\":1}",
         {{"user.name.first", "\"f\""},
          {"labels.user_name", "\"n\""},
          {"labels.http_request", "\"clash\""},
          {"numeric_labels.log_level_x", "1"}}},
        {"{\"ecs.version\":\"1\",\"event\":{\"id\":\"mine\",\"kind\":\"k\"},\"agent.type\":\"x\","
         "\"url..x\":1,\"url.\":2,\"host.cpu\":NaN}",
         {{"event.kind", "\"k\""},
          {"labels.event_id", "\"mine\""},
          {"labels.agent_type", "\"x\""},
          {"numeric_labels.url__x", "1"},
          {"numeric_labels.url_", "2"},
          {"numeric_labels.host_cpu", "null"}}},
        {"{\"ecs.version\":\"1\",\"source\":{\"ip\":\"1.1.1.1\"}}", {{"app.source.ip", NULL}}},
        {"{\"server\":{\"port\":1},\"server.address\":\"a\",\"file\":{\"path\":\"/f\"}}",
         {{"numeric_labels.server_port", "1"},
          {"labels.server_address", "\"a\""},
          {"app.file.path", "\"/f\""}}},
    };
    CHECK_CASES(cases);
}

static void objects_that_stand_for_the_line(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"@fields\":{\"level\":\"info\",\"http\":{\"request\":{\"id\":\"r\"}}},\"@message\":"
         "\"m\"}",
         {{"log.level", "\"info\""}, {"message", "\"m\""}, {"http.request.id", "\"r\""}}},
        {"{\"target\":\"t\",\"fields\":{\"message\":\"m\",\"n\":1}}",
         {{"message", "\"m\""}, {"log.logger", "\"t\""}, {"numeric_labels.n", "1"}}},
        {"{\"fields\":{\"message\":\"m\"}}", {{"app.fields.message", "\"m\""}}},
        {"{\"mdc\":{\"user\":\"a\",\"user_id\":\"7\"},\"user\":\"b\"}",
         {{"labels.user", "\"b\""}, {"labels.mdc_user", "\"a\""}, {"user.id", "\"7\""}}},
        {"{\"mdc\":\"text\"}", {{"labels.mdc", "\"text\""}}},
    };
    CHECK_CASES(cases);
}

static void deep_values_are_kept_as_text(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"event\":\"e\",\"v\":[[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]]}",
         {{"message", "\"e\""}, {"app.v", "\"[[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]]\""}}},
        {"{\"event\":\"e\",\"logger\":[[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]],\"level\":"
         "[[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]]}",
         {{"log.logger", NULL},
          {"log.level", NULL},
          {"app.logger", "\"[[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]]\""}}},
        {"{\"event\":\"[[not deep\",\"exception\":\"[not a list\"}",
         {{"message", "\"[[not deep\""}, {"error.stack_trace", "\"[not a list\""}}},
    };
    CHECK_CASES(cases);
}

static void many_members_stay_quick_and_exact(void **state)
{
    (void)state;
    fixture_open(1 << 20);
    size_t size = 1;
    char *line = malloc(1 << 20);
    line[0] = '{';
    for (int i = 0; i < 20000; i++)
        size += (size_t)sprintf(line + size, "\"k.%d\":%d,", i % 15000, i);
    memcpy(line + size - 1, "}", 2);
    const struct expectation expect[] = {{"numeric_labels.k_0", "15000"},
                                         {"numeric_labels.k_4999", "19999"},
                                         {"numeric_labels.k_5000", "5000"},
                                         {NULL, NULL}};
    decode_stream(slice_of(line, size));
    assert_int_equal(documents.count, 1);
    // Not with flat_parse, whose search for equal keys is quadratic.
    for (size_t i = 0; expect[i].path; i++) {
        char text[64];
        snprintf(text, sizeof text, "\"%s\":%s", strchr(expect[i].path, '.') + 1, expect[i].value);
        assert_non_null(strstr(documents.text[0], text));
    }
    assert_int_equal(documents.last.own.numeric_labels.count, 15000);
    free(line);
    fixture_close();
}

static void a_record_too_large_is_rejected(void **state)
{
    (void)state;
    fixture_open(1 << 12);
    fixture.decoder->arena.limit = 1 << 10; // as if the line's scratch had outgrown its bound
    fixture.decoder->arena.keep_bytes = 1 << 8;
    decode_stream(SLICE("{\"a.b\":1,\"c\":[NaN]}\n"
                        "\xFF\xFE\xFD\xFC not JSON, and broken\n"));
    assert_true(documents.count + documents.rejected == 2);
    assert_true(documents.rejected >= 1);
    fixture_close();
}

static struct value text_value(const char *text)
{
    return (struct value){.kind = VALUE_TEXT, .text = slice_from(text)};
}

// What the OTLP decoder does with a record's attributes.
static void attributes(void **state)
{
    (void)state;
    fixture_open(1 << 20);
    struct decoder *decoder = fixture.decoder;
    struct record *record = &decoder->record;
    decoder_next_record(decoder);
    map_begin(&decoder->mapper, record, &decoder->arena);
    record->time_ns = 1795375000000000001U;
    record->severity = 10;
    fields_set(&record->own, ECS_TRACE_ID, text_value("0af7651916cd43dd8448eb211c80319c"));
    map_value(&decoder->mapper, SLICE("severity_text"), text_value("Level 25"));
    map_value(&decoder->mapper, SLICE("trace_id"), text_value("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"));
    map_value(&decoder->mapper, SLICE("http.response.status_code"),
              (struct value){.kind = VALUE_INTEGER, .integer = 200});
    map_value(&decoder->mapper, SLICE("user.id"),
              (struct value){.kind = VALUE_INTEGER, .integer = -7});
    map_value(&decoder->mapper, SLICE("ratio"),
              (struct value){.kind = VALUE_DOUBLE, .number = 0.25});
    map_value(&decoder->mapper, SLICE("duration_ms"),
              (struct value){.kind = VALUE_DOUBLE, .number = 1.5});
    map_value(&decoder->mapper, SLICE("url"),
              (struct value){.kind = VALUE_JSON, .text = SLICE("{\"path\":\"/p\"}")});
    map_value(&decoder->mapper, SLICE("list"),
              (struct value){.kind = VALUE_JSON, .text = SLICE("[1]")});
    map_value(&decoder->mapper, SLICE("http.url"),
              (struct value){.kind = VALUE_DOUBLE, .number = 0.5});
    assert_false(map_json_text(&decoder->mapper, SLICE("{\"event\":\"half\",")));
    assert_false(map_json_text(&decoder->mapper, SLICE("[1]")));
    assert_true(map_json_text(&decoder->mapper,
                              SLICE(" {\"event\":\"body\",\"level\":\"error\",\"timestamp\":5} ")));
    assert_true(map_end(&decoder->mapper));
    enrich_log(NULL, record);
    const struct expectation first[] = {{"@timestamp", "\"2026-11-22T19:16:40.000000001Z\""},
                                        {"log.level", "\"info\""},
                                        {"event.severity", "10"},
                                        {"labels.level_original", "\"Level 25\""},
                                        {"trace.id", "\"0af7651916cd43dd8448eb211c80319c\""},
                                        {"labels.trace_id", "\"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\""},
                                        {"http.response.status_code", "200"},
                                        {"user.id", "\"-7\""},
                                        {NULL, NULL}};
    const struct expectation second[] = {{"numeric_labels.ratio", "0.25"},
                                         {"event.duration", "1500000"},
                                         {"url.path", "\"/p\""},
                                         {"app.list", "[1]"},
                                         {"url.full", "\"0.5\""},
                                         {"message", "\"body\""},
                                         {"numeric_labels.timestamp", "5"},
                                         {NULL, NULL}};
    check_document("attributes", documents.text[0], first);
    check_document("attributes", documents.text[0], second);
    fixture_close();
}

// A resource's attributes become a layer: no time, level or message is sought among them.
static void resource_layer(void **state)
{
    (void)state;
    fixture_open(1 << 20);
    struct decoder *decoder = fixture.decoder;
    decoder_next_resource(decoder);
    map_begin_fields(&decoder->mapper, &decoder->resource, &decoder->resource_arena);
    map_value(&decoder->mapper, SLICE("service.name"), text_value("svc"));
    map_value(&decoder->mapper, SLICE("k8s.pod.name"), text_value("pod"));
    map_value(&decoder->mapper, SLICE("telemetry.sdk.name"), text_value("otel"));
    map_value(&decoder->mapper, SLICE("level"), text_value("error"));
    map_value(&decoder->mapper, SLICE("time"), text_value("2026-11-22T19:16:46Z"));
    map_value(&decoder->mapper, SLICE("message"), text_value("m"));
    map_value(&decoder->mapper, SLICE("levelno"),
              (struct value){.kind = VALUE_INTEGER, .integer = 50});
    assert_true(map_end(&decoder->mapper));
    decoder_next_record(decoder);
    map_begin(&decoder->mapper, &decoder->record, &decoder->arena);
    map_value(&decoder->mapper, SLICE("service.name"), text_value("own"));
    assert_true(map_end(&decoder->mapper));
    decoder->record.resource = &decoder->resource;
    enrich_log(NULL, &decoder->record);
    const struct expectation expect[] = {{"service.name", "\"own\""},
                                         {"kubernetes.pod.name", "\"pod\""},
                                         {"labels.telemetry_sdk_name", "\"otel\""},
                                         {"labels.level", "\"error\""},
                                         {"numeric_labels.levelno", "50"},
                                         {"log.level", NULL},
                                         {"message", "\"\""},
                                         {NULL, NULL}};
    check_document("resource", documents.text[0], expect);
    fixture_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors),
        cmocka_unit_test(local_variables_are_never_shipped),
        cmocka_unit_test(labels),
        cmocka_unit_test(loguru),
        cmocka_unit_test(ecs_lines),
        cmocka_unit_test(objects_that_stand_for_the_line),
        cmocka_unit_test(deep_values_are_kept_as_text),
        cmocka_unit_test(many_members_stay_quick_and_exact),
        cmocka_unit_test(a_record_too_large_is_rejected),
        cmocka_unit_test(attributes),
        cmocka_unit_test(resource_layer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
