// What a watcher is shown of spans and metrics: valid JSON, whatever they hold.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/tail_runs.h"
#include "otlp_build.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_tree.h>

static char lines[65536];
static size_t used;

static void on_line(void *ctx, struct slice json)
{
    char why[200], copy[16384];
    (void)ctx;
    assert_true(json.size < sizeof copy && used + json.size + 2 < sizeof lines);
    memcpy(copy, json.data, json.size);
    copy[json.size] = '\0';
    yajl_val document = yajl_tree_parse(copy, why, sizeof why);
    if (!document)
        fail_msg("%s\n%s", why, copy);
    yajl_tree_free(document);
    used += (size_t)sprintf(lines + used, "%s\n", copy);
}

static int read_run(enum signal_kind signal, const struct message *payload)
{
    used = 0;
    lines[0] = '\0';
    return tail_runs_read(signal, message_slice(payload), on_line, NULL);
}

// A Resource{Spans,Metrics} field whose one scope holds the record.
static struct message run_of(struct message record, const char *service)
{
    struct message scope = {0}, run = {0}, payload = {0};
    put_message(&scope, OTLP_SCOPE_RECORDS, record);
    put_message(&run, OTLP_RUN_SCOPES, scope);
    put_message(&run, OTLP_RUN_RESOURCE,
                resource_of("service.name", service)); // after what it is about
    put_message(&payload, OTLP_REQUEST_RESOURCES, run);
    return payload;
}

static struct message span_of(const char *name, uint64_t start, uint64_t end, bool failed)
{
    struct message span = {0}, status = {0};
    put_bytes(&span, OTLP_SPAN_TRACE_ID, slice_from("0123456789abcdef"));
    put_bytes(&span, OTLP_SPAN_SPAN_ID, slice_from("01234567"));
    put_text(&span, OTLP_SPAN_NAME, name);
    put_fixed64(&span, OTLP_SPAN_START_TIME_UNIX_NANO, start);
    put_fixed64(&span, OTLP_SPAN_END_TIME_UNIX_NANO, end);
    put_text(&status, OTLP_STATUS_MESSAGE, failed ? "no \"luck\"" : "");
    put_varint(&status, OTLP_STATUS_CODE, failed ? OTLP_STATUS_CODE_ERROR : OTLP_STATUS_CODE_OK);
    put_message(&span, OTLP_SPAN_STATUS, status);
    return span;
}

static void spans_are_shown_with_ecs_names(void **state)
{
    (void)state;
    struct message payload =
        run_of(span_of("GET /", 1767323045678901234, 1767323045680401234, true), "web");
    assert_int_equal(read_run(SIGNAL_SPANS, &payload), 0);
    assert_string_equal(
        lines, "{\"@timestamp\":\"2026-01-02T03:04:05.678901Z\",\"event\":{\"kind\":\"span\","
               "\"duration\":1500000,\"outcome\":\"failure\"},\"log\":{\"level\":\"error\"},"
               "\"message\":\"GET /\",\"service\":{\"name\":\"web\"},\"trace\":{\"id\":"
               "\"30313233343536373839616263646566\"},\"span\":{\"id\":\"3031323334353637\"},"
               "\"error\":{\"message\":\"no \\\"luck\\\"\"}}\n");
    message_free(&payload);
}

static void times_that_make_no_sense_are_left_out(void **state)
{
    (void)state;
    struct message payload = run_of(span_of("x", 0, 0, false), "");
    assert_int_equal(read_run(SIGNAL_SPANS, &payload), 0);
    assert_memory_equal(lines, "{\"event\":{\"kind\":\"span\",\"duration\":0,", 37);
    message_free(&payload);
    payload = run_of(span_of("x", UINT64_MAX, 1, false), "");
    assert_int_equal(read_run(SIGNAL_SPANS, &payload), 0);
    assert_non_null(strstr(lines, "\"duration\":0,"));
    message_free(&payload);
}

static void long_and_strange_names_stay_json(void **state)
{
    (void)state;
    char name[5000];
    memset(name, 0x01, sizeof name - 1); // six bytes each once escaped
    name[sizeof name - 1] = '\0';
    struct message payload = run_of(span_of(name, 1, 2, true), name);
    assert_int_equal(read_run(SIGNAL_SPANS, &payload), 0);
    assert_in_range(used, 3000, 8000);
    message_free(&payload);
    payload = run_of(span_of("\xff\xc3 \x1b \xe2\x80\xae", 1, 2, false), "a\"\\b");
    assert_int_equal(read_run(SIGNAL_SPANS, &payload), 0);
    assert_non_null(strstr(lines, "\"message\":\"\xef\xbf\xbd\xef\xbf\xbd \\u001b \\u202e\""));
    assert_non_null(strstr(lines, "\"name\":\"a\\\"\\\\b\""));
    message_free(&payload);
}

static void metrics_are_shown_by_name_and_points(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind;
        const char *name;
    } kinds[] = {
        {OTLP_METRIC_GAUGE, "gauge"},
        {OTLP_METRIC_SUM, "sum"},
        {OTLP_METRIC_HISTOGRAM, "histogram"},
        {OTLP_METRIC_EXPONENTIAL_HISTOGRAM, "exponential_histogram"},
        {OTLP_METRIC_SUMMARY, "summary"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct message metric = {0}, data = {0};
        for (int n = 0; n < 2; n++) {
            struct message point = {0};
            put_fixed64(&point, OTLP_DATA_POINT_TIME_UNIX_NANO, 1767323045000000000);
            put_message(&data, OTLP_METRIC_DATA_POINTS, point);
        }
        put_text(&metric, OTLP_METRIC_NAME, "requests");
        put_text(&metric, OTLP_METRIC_UNIT, "1");
        put_message(&metric, kinds[i].kind, data);
        struct message payload = run_of(metric, "web");
        char wanted[300];
        assert_int_equal(read_run(SIGNAL_METRICS, &payload), 0);
        snprintf(wanted, sizeof wanted,
                 "{\"@timestamp\":\"2026-01-02T03:04:05.000000Z\",\"event\":{\"kind\":\"metric\"},"
                 "\"message\":\"requests\",\"service\":{\"name\":\"web\"},\"metric\":{\"type\":"
                 "\"%s\",\"points\":2,\"unit\":\"1\"}}\n",
                 kinds[i].name);
        assert_string_equal(lines, wanted);
        message_free(&payload);
    }
}

static void broken_runs_end_quietly(void **state)
{
    (void)state;
    struct message spans = run_of(span_of("x", 1, 2, true), "web"), metric = {0}, data = {0};
    put_text(&data, OTLP_METRIC_DATA_POINTS, "");
    put_text(&metric, OTLP_METRIC_NAME, "m");
    put_message(&metric, OTLP_METRIC_GAUGE, data);
    struct message metrics = run_of(metric, "web");
    for (int s = 0; s < 2; s++) {
        const struct message *whole = s ? &metrics : &spans;
        for (size_t cut = 0; cut < whole->size; cut++) {
            struct message part = {whole->data, cut};
            int r = read_run(s ? SIGNAL_METRICS : SIGNAL_SPANS, &part);
            assert_int_equal(r, cut ? -EBADMSG : 0);
        }
    }
    message_free(&spans);
    message_free(&metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_are_shown_with_ecs_names),
        cmocka_unit_test(times_that_make_no_sense_are_left_out),
        cmocka_unit_test(long_and_strange_names_stay_json),
        cmocka_unit_test(metrics_are_shown_by_name_and_points),
        cmocka_unit_test(broken_runs_end_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
