// Which field a key's value becomes, whatever logger wrote it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "map_cases.h"

#define RECEIVED "\"2026-11-22T19:16:40.000000000Z\""

static void times(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"ts\":1795375728.9116893}",
         {{"@timestamp", "\"2026-11-22T19:28:48.911689300Z\""}, {"numeric_labels.ts", NULL}}},
        {"{\"ts\":1.7953757289116893e9}", {{"labels.ts", NULL}, {"numeric_labels.ts", NULL}}},
        {"{\"time\":1795375485229.5}", {{"@timestamp", "\"2026-11-22T19:24:45.229500000Z\""}}},
        {"{\"T\":\"2026-11-22T20:28:47.061+0100\"}",
         {{"@timestamp", "\"2026-11-22T19:28:47.061000000Z\""}}},
        {"{\"time\":\"2026-11-22T20:28:47+01\"}",
         {{"@timestamp", "\"2026-11-22T19:28:47.000000000Z\""}}},
        {"{\"time\":\"2026-11-22 20:28:47,061 +01:00\"}",
         {{"@timestamp", "\"2026-11-22T19:28:47.061000000Z\""}}},
        {"{\"time\":\"2026-11-22T19:28:47.1234567899Z\"}",
         {{"@timestamp", "\"2026-11-22T19:28:47.123456789Z\""}}},
        {"{\"time\":\"2024-02-29T00:00:00Z\"}",
         {{"@timestamp", "\"2024-02-29T00:00:00.000000000Z\""}}},
        {"{\"time\":\"1971-01-01T00:00:00Z\"}",
         {{"@timestamp", "\"1971-01-01T00:00:00.000000000Z\""}}},
        {"{\"time\":\"2262-04-11T23:47:16.854775807Z\"}",
         {{"@timestamp", "\"2262-04-11T23:47:16.854775807Z\""}}},
        {"{\"time\":\"2262-04-11T23:47:16.854775808Z\"}",
         {{"@timestamp", RECEIVED}, {"labels.time", "\"2262-04-11T23:47:16.854775808Z\""}}},
        {"{\"time\":\"2023-02-29T00:00:00Z\"}",
         {{"@timestamp", RECEIVED}, {"labels.time", "\"2023-02-29T00:00:00Z\""}}},
        {"{\"time\":\"0001-01-01T00:00:00Z\"}",
         {{"@timestamp", RECEIVED}, {"labels.time", "\"0001-01-01T00:00:00Z\""}}},
        {"{\"time\":\"2026-11-22T19:28:47+1\"}", {{"@timestamp", RECEIVED}}},
        {"{\"time\":\"2026-11-22T19:28:47+25:00\"}", {{"@timestamp", RECEIVED}}},
        {"{\"time\":\"2026-11-22T19:28:47Zx\"}", {{"@timestamp", RECEIVED}}},
        {"{\"time\":\"2026-11-22X19:28:47Z\"}", {{"@timestamp", RECEIVED}}},
        {"{\"time\":\"20a6-11-22T19:28:47Z\"}", {{"@timestamp", RECEIVED}}},
        {"{\"time\":\"12345678901234567890\"}", {{"@timestamp", RECEIVED}}},
        {"{\"time\":946684799}", {{"@timestamp", RECEIVED}, {"numeric_labels.time", "946684799"}}},
        {"{\"time\":946684800}", {{"@timestamp", "\"2000-01-01T00:00:00.000000000Z\""}}},
        {"{\"time\":100000000000}", // 1973 in milliseconds
         {{"@timestamp", RECEIVED}, {"numeric_labels.time", "100000000000"}}},
        {"{\"time\":true,\"ts\":{}}",
         {{"@timestamp", RECEIVED}, {"labels.time", "\"true\""}, {"app.ts", "{}"}}},
        {"{\"timestamp\":\"2026-11-22T19:16:46Z\",\"asctime\":\"2026-11-22 20:16:46,000\"}",
         {{"@timestamp", "\"2026-11-22T19:16:46.000000000Z\""},
          {"labels.asctime", "\"2026-11-22 20:16:46,000\""}}},
        {"{\"timestamp\":1795375898558,\"nanoseconds\":-5}",
         {{"@timestamp", "\"2026-11-22T19:31:38.558000000Z\""},
          {"numeric_labels.nanoseconds", "-5"}}},
        {"{\"ecs.version\":\"1\",\"event.created\":\"2026-11-22T19:00:00Z\"}",
         {{"event.created", "\"2026-11-22T19:00:00.000000000Z\""}}},
    };
    CHECK_CASES(cases);
}

static void levels(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"levelno\":10}", {{"log.level", "\"debug\""}, {"event.severity", "5"}}},
        {"{\"levelno\":0}", {{"log.level", "\"debug\""}}},
        {"{\"levelno\":50}", {{"log.level", "\"fatal\""}}},
        {"{\"levelno\":-1}", {{"log.level", NULL}, {"numeric_labels.levelno", "-1"}}},
        {"{\"level\":-1}", {{"log.level", NULL}, {"numeric_labels.level", "-1"}}},
        {"{\"level\":\"WARN-1\"}",
         {{"log.level", "\"info\""}, {"labels.level_original", "\"WARN-1\""}}},
        {"{\"level\":\"INFO+x\"}", {{"log.level", NULL}, {"labels.level", "\"INFO+x\""}}},
        {"{\"level\":\" ERROR \"}", {{"log.level", "\"error\""}}},
        {"{\"level\":\"Level 35\"}", {{"log.level", "\"warn\""}}},
        {"{\"level\":\"a-level-name-that-is-too-long-to-be-one\"}", {{"log.level", NULL}}},
        {"{\"level\":200,\"level_name\":\"CRITICAL\"}", {{"log.level", "\"fatal\""}}},
        {"{\"severity_number\":10}", {{"log.level", "\"info\""}, {"event.severity", "10"}}},
        {"{\"severityNumber\":25}", {{"log.level", NULL}}},
        {"{\"severity\":\"sev1\"}", {{"log.level", NULL}, {"labels.severity", "\"sev1\""}}},
        {"{\"log.level\":\"error\",\"event.severity\":3,\"ecs.version\":\"1\"}",
         {{"event.severity", "17"}, {"numeric_labels.event_severity", "3"}}},
        {"{\"event.severity\":3}", {{"event.severity", "3"}, {"log.level", NULL}}},
        {"{\"level\":\"info\",\"level_original\":\"kept\"}",
         {{"labels.level_original", "\"kept\""}}},
    };
    CHECK_CASES(cases);
}

#define T32 "0af7651916cd43dd8448eb211c80319c"
#define S16 "b7ad6b7169203331"

static void ids(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"trace_id\":\"0AF76519-16cd-43dd-8448-eb211c80319c\",\"span_id\":\"0x" S16 "\"}",
         {{"trace.id", "\"" T32 "\""}, {"span.id", "\"" S16 "\""}, {"labels.trace_id", NULL}}},
        {"{\"trace_id\":\"00000000000000000000000000000000\",\"span_id\":\"0\"}",
         {{"trace.id", NULL}, {"span.id", NULL}, {"labels.trace_id", NULL}}},
        {"{\"otelTraceID\":\"0\",\"otelSpanID\":\"0\",\"otelTraceSampled\":false}",
         {{"trace.id", NULL}, {"labels.otelTraceID", NULL}, {"labels.otelTraceSampled", NULL}}},
        {"{\"dd\":{\"trace_id\":\"1234567890123456789\",\"span_id\":\"1234567890123456\"}}",
         {{"trace.id", "\"0000000000000000112210f47de98115\""},
          {"span.id", "\"000462d53c8abac0\""}}},
        {"{\"dd.trace_id\":1234567890123456789,\"dd.service\":\"s\"}",
         {{"trace.id", "\"0000000000000000112210f47de98115\""}, {"service.name", "\"s\""}}},
        {"{\"trace_id\":\"340282366920938463463374607431768211455\"}",
         {{"trace.id", "\"ffffffffffffffffffffffffffffffff\""}}},
        {"{\"trace_id\":\"340282366920938463463374607431768211456\"}",
         {{"trace.id", NULL}, {"labels.trace_id", "\"340282366920938463463374607431768211456\""}}},
        {"{\"span_id\":18446744073709551615}", {{"span.id", "\"ffffffffffffffff\""}}},
        {"{\"trace_id\":\"" S16 "\"}", {{"trace.id", "\"0000000000000000" S16 "\""}}},
        {"{\"trace_id\":\"xyz\",\"span_id\":[]}",
         {{"trace.id", NULL}, {"labels.trace_id", "\"xyz\""}, {"app.span_id", "[]"}}},
        {"{\"traceparent\":\"00-" T32 "-" S16 "-01\"}",
         {{"trace.id", "\"" T32 "\""}, {"span.id", "\"" S16 "\""}, {"labels.traceparent", NULL}}},
        {"{\"traceparent\":\"00-" T32 "-0000000000000000-01\"}",
         {{"trace.id", NULL}, {"labels.traceparent", "\"00-" T32 "-0000000000000000-01\""}}},
        {"{\"traceparent\":\"00-" T32 "-" S16 "-0g\"}", {{"trace.id", NULL}}},
        {"{\"traceparent\":\"00-" T32 "-" S16 "-01\",\"trace_id\":\"" T32 "\"}",
         {{"trace.id", "\"" T32 "\""}, {"span.id", "\"" S16 "\""}}},
        {"{\"trace\":{\"id\":\"" T32 "\"},\"transaction.id\":\"" S16 "\"}",
         {{"trace.id", "\"" T32 "\""}, {"transaction.id", "\"" S16 "\""}}},
    };
    CHECK_CASES(cases);
}

static void durations(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"duration_ms\":29.53}", {{"event.duration", "29530000"}}},
        {"{\"duration_ms\":\"29\"}", {{"event.duration", NULL}, {"labels.duration_ms", "\"29\""}}},
        {"{\"duration_ms\":-1}", {{"numeric_labels.duration_ms", "-1"}}},
        {"{\"duration_ms\":NaN}", {{"numeric_labels.duration_ms", "null"}}},
        {"{\"duration_s\":9223372037}", {{"numeric_labels.duration_s", "9223372037"}}},
        {"{\"duration_ms\":1e300}", {{"numeric_labels.duration_ms", "1e300"}}},
        {"{\"duration_ms\":1.2e1}", {{"event.duration", "12000000"}}},
        {"{\"latency_us\":0.0005}", {{"event.duration", "1"}}},
        {"{\"level\":\"info\",\"ts\":1795375728.9,\"duration\":1.5}",
         {{"event.duration", "1500000000"}}},
        {"{\"time\":\"2026-11-22T19:28:47Z\",\"level\":\"INFO\",\"msg\":\"m\",\"duration\":1500}",
         {{"event.duration", "1500"}}},
        {"{\"duration\":1.5}", {{"event.duration", NULL}, {"numeric_labels.duration", "1.5"}}},
        {"{\"elapsed\":\"1h2m3.5s\"}", {{"event.duration", "3723500000000"}}},
        {"{\"latency\":\"150\xC2\xB5s\"}", {{"event.duration", "150000"}}},
        {"{\"latency\":\"fast\"}", {{"labels.latency", "\"fast\""}}},
        {"{\"latency\":\"\"}", {{"labels.latency", "\"\""}}},
        {"{\"latency\":\"1.2.3s\"}", {{"labels.latency", "\"1.2.3s\""}}},
        {"{\"event\":{\"duration\":5},\"duration_ms\":1}",
         {{"event.duration", "5"}, {"numeric_labels.duration_ms", "1"}}},
    };
    CHECK_CASES(cases);
}

static void fields(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"user_id\":42,\"service\":true,\"env\":1.50}",
         {{"user.id", "\"42\""},
          {"service.name", "\"true\""},
          {"service.environment", "\"1.50\""}}},
        {"{\"status_code\":\"404\",\"pid\":1.0,\"lineno\":2.5}",
         {{"http.response.status_code", "404"},
          {"process.pid", "1"},
          {"numeric_labels.lineno", "2.5"}}},
        {"{\"pid\":\"-\",\"status_code\":\"99999999999999999999\",\"lineno\":"
         "\"9223372036854775808\"}",
         {{"labels.pid", "\"-\""}, {"labels.lineno", "\"9223372036854775808\""}}},
        {"{\"client_ip\":\"10.0.0.1\"}", {{"client.ip", "\"10.0.0.1\""}}},
        {"{\"client_ip\":\"::1\"}", {{"client.ip", "\"::1\""}}},
        {"{\"client_ip\":\"unix:\"}", {{"client.ip", NULL}, {"client.address", "\"unix:\""}}},
        {"{\"client_ip\":7}", {{"numeric_labels.client_ip", "7"}}},
        {"{\"caller\":\"a/b.go:12\"}",
         {{"log.origin.file.name", "\"a/b.go\""}, {"log.origin.file.line", "12"}}},
        {"{\"caller\":\"unknown\",\"C\":\":5\"}",
         {{"labels.caller", "\"unknown\""}, {"labels.C", "\":5\""}}},
        {"{\"req\":{\"id\":7,\"method\":\"GET\",\"url\":\"/a?b=c\",\"remoteAddress\":\"::1\"},"
         "\"res\":{\"statusCode\":200,\"headers\":{\"x\":1}},\"responseTime\":3}",
         {{"http.request.id", "\"7\""},
          {"url.path", "\"/a\""},
          {"url.query", "\"b=c\""},
          {"url.original", "\"/a?b=c\""},
          {"client.ip", "\"::1\""},
          {"http.response.status_code", "200"},
          {"app.res.headers.x", "1"}}},
        {"{\"req\":{\"url\":\"http://h/a\"}}",
         {{"url.original", "\"http://h/a\""}, {"url.path", NULL}, {"app.req", NULL}}},
        {"{\"level\":30,\"name\":\"svc\"}", {{"log.logger", "\"svc\""}}},
        {"{\"levelname\":\"INFO\",\"name\":\"svc\"}", {{"log.logger", "\"svc\""}}},
        {"{\"severity\":\"INFO\",\"time\":\"2026-11-22 19:31:38,558\",\"name\":\"svc\"}",
         {{"log.logger", "\"svc\""}}},
        {"{\"severity\":\"INFO\",\"timestamp\":\"2026-11-22 19:31:38,558\",\"name\":\"svc\"}",
         {{"log.logger", "\"svc\""}}},
        {"{\"level\":\"info\",\"pid\":1,\"hostname\":\"h\",\"name\":\"svc\"}",
         {{"log.logger", "\"svc\""}}},
        {"{\"time\":\"2026-11-22T19:31:38.558Z\",\"level\":\"INFO\",\"msg\":\"m\",\"name\":\"x\"}",
         {{"labels.name", "\"x\""}}},
        {"{\"event\":\"item_created\",\"name\":\"x\"}", {{"labels.name", "\"x\""}}},
        {"{\"logger\":\"a\",\"logger_name\":\"b\",\"N\":\"a\"}",
         {{"log.logger", "\"a\""}, {"labels.logger_name", "\"b\""}, {"labels.N", NULL}}},
        {"{\"http\":{\"request.method\":\"GET\"},\"http.request\":{\"id\":\"r\"}}",
         {{"http.request.method", "\"GET\""}, {"http.request.id", "\"r\""}}},
        {"{\"service\":{\"name\":\"n\",\"version\":[1]},\"host\":\"h\"}",
         {{"service.name", "\"n\""}, {"app.service_version", "[1]"}, {"labels.host", "\"h\""}}},
    };
    CHECK_CASES(cases);
}

static void messages(void **state)
{
    (void)state;
    static const struct map_case cases[] = {
        {"{\"msg\":42}", {{"message", "\"42\""}, {"numeric_labels.msg", NULL}}},
        {"{\"msg\":[1]}", {{"message", "\"\""}, {"app.msg", "[1]"}}},
        {"{\"error\":\"boom\"}", {{"message", "\"boom\""}, {"error.message", "\"boom\""}}},
        {"{\"message\":\"m\",\"event\":\"e\"}", {{"message", "\"m\""}, {"labels.event", "\"e\""}}},
        {"{\"level\":\"INFO\",\"msg\":\"first\",\"msg\":\"second\"}", {{"message", "\"first\""}}},
        {"{\"level\":30,\"msg\":\"first\",\"msg\":\"second\"}", {{"message", "\"second\""}}},
        {"{\"level\":\"info\",\"time\":\"2026-11-22T19:28:47Z\",\"pid\":1,\"hostname\":\"h\","
         "\"msg\":\"first\",\"msg\":\"second\"}",
         {{"message", "\"second\""}}},
        {"{\"message\":\"first\",\"message\":\"second\"}", {{"message", "\"second\""}}},
        {"{\"pid\":1,\"pid\":2,\"a\":1,\"a\":2}",
         {{"process.pid", "1"}, {"numeric_labels.a", "2"}}},
        {"{\"msg\":5,\"msg\":\"text\"}", {{"message", "\"text\""}}},
    };
    CHECK_CASES(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),     cmocka_unit_test(levels), cmocka_unit_test(ids),
        cmocka_unit_test(durations), cmocka_unit_test(fields), cmocka_unit_test(messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
