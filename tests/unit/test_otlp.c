// Export requests of real SDKs, and of none: through decode, enrich and spool, up to what an
// exporter is offered.
#include "base/refused_range.h"
#include "enrich/enrich_stored.h"
#include "otlp_door.h"

#include "decode/otlp.h"
#include "document.h"
#include "otlp_build.h"

#include <stdio.h>

#define GOLDENS "../goldens/otlp/"

static struct slice read_golden(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, GOLDENS "%s", name);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s", path);
    char *data = malloc(1 << 20);
    assert_non_null(data);
    size_t size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return slice_of(data, size);
}

static void same_value(yajl_val got, yajl_val expected, const char *path);

static void same_object(yajl_val got, yajl_val expected, const char *path)
{
    size_t surplus = 0; // what differs from run to run is not in the goldens
    for (size_t i = 0; i < expected->u.object.len; i++) {
        char inner[256];
        const char *key[] = {expected->u.object.keys[i], NULL};
        snprintf(inner, sizeof inner, "%s.%s", path, key[0]);
        yajl_val value = yajl_tree_get(got, key, yajl_t_any);
        if (!value)
            fail_msg("%s is missing", inner);
        same_value(value, expected->u.object.values[i], inner);
    }
    surplus += strcmp(path, ".event") == 0 ? 2 : 0; // id, sequence
    surplus += strcmp(path, ".agent") == 0;         // ephemeral_id
    if (got->u.object.len != expected->u.object.len + surplus)
        fail_msg("%s has members that are not expected", path);
}

static void same_value(yajl_val got, yajl_val expected, const char *path)
{
    assert_true(got && expected);
    if (!got || !expected)
        return;
    if (got->type != expected->type)
        fail_msg("%s is of another type", path);
    if (YAJL_IS_OBJECT(got)) {
        same_object(got, expected, path);
    } else if (YAJL_IS_ARRAY(got)) {
        assert_int_equal(got->u.array.len, expected->u.array.len);
        for (size_t i = 0; i < got->u.array.len; i++)
            same_value(got->u.array.values[i], expected->u.array.values[i], path);
    } else if (YAJL_IS_STRING(got)) {
        if (strcmp(got->u.string, expected->u.string) != 0)
            fail_msg("%s: %s, expected %s", path, got->u.string, expected->u.string);
    } else if (YAJL_IS_NUMBER(got)) {
        assert_string_equal(YAJL_GET_NUMBER(got), YAJL_GET_NUMBER(expected));
    }
}

static void check_golden(const char *name)
{
    char file[128];
    struct door *door = door_new();
    snprintf(file, sizeof file, "%s.msg.bin", name);
    struct slice message = read_golden(file);
    snprintf(file, sizeof file, "%s.ecs.ndjson", name);
    struct slice expected = read_golden(file);
    assert_int_equal(export_bytes(door, SIGNAL_LOGS, message), 0);
    size_t count = 0;
    for (const char *at = expected.data; at < expected.data + expected.size; count++) {
        const char *end = memchr(at, '\n', (size_t)(expected.data + expected.size - at));
        assert_true(end && count < door->sink->count);
        yajl_val golden = document_parse(slice_of(at, (size_t)(end + 1 - at)));
        yajl_val document = document_parse(door->sink->items[count].payload);
        same_value(document, golden, "");
        yajl_tree_free(golden);
        yajl_tree_free(document);
        at = end + 1;
    }
    assert_int_equal(count, door->sink->count);
    assert_int_equal(door->result.accepted, count);
    free((char *)message.data);
    free((char *)expected.data);
    door_free(door);
}

static void test_logs_of_real_sdks(void **state)
{
    (void)state;
    check_golden("py-handler-c0-s1");
    check_golden("node-grpc-again-ok-c0-s3");
    check_golden("py-dflt-multi-ok-c0-s3");
}

// Spans and metrics of real SDKs come out byte for byte.
static void test_spans_and_metrics_pass_through(void **state)
{
    (void)state;
    const struct {
        const char *name;
        enum signal_kind signal;
        uint32_t records;
    } captures[] = {
        {"go-otlp-again-ok-c0-s1.msg.bin", SIGNAL_SPANS, 2},
        {"node-grpc-again-ok-c0-s1.msg.bin", SIGNAL_SPANS, 1},
        {"py-dflt-gzip-ok-c0-s1.msg.bin", SIGNAL_SPANS, 2},
        {"py-dflt-multi-ok-c0-s13.msg.bin", SIGNAL_SPANS, 1},
        {"py-dflt-multi-ok-c0-s11.msg.bin", SIGNAL_METRICS, 2},
    };
    struct door *door = door_new();
    for (size_t i = 0; i < sizeof captures / sizeof *captures; i++) {
        struct slice message = read_golden(captures[i].name);
        assert_int_equal(export_bytes(door, captures[i].signal, message), 0);
        assert_int_equal(door->sink->count, i + 1);
        const struct kept *kept = &door->sink->items[i];
        assert_true(slice_equal(kept->payload, message));
        assert_int_equal(kept->parcel.records, captures[i].records);
        assert_int_equal(kept->parcel.signal, captures[i].signal);
        assert_int_equal(door->result.accepted, captures[i].records);
        free((char *)message.data);
    }
    door_free(door);
}

static void test_another_signal_is_malformed(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct slice logs = read_golden("py-handler-c0-s1.msg.bin");
    assert_int_equal(export_bytes(door, SIGNAL_SPANS, logs), DECODE_MALFORMED);
    assert_non_null(door->result.reason);
    assert_int_equal(door->sink->count, 0);
    assert_int_equal(door->house->books.door[SIGNAL_SPANS].rejected[REJECT_MALFORMED], 1);
    free((char *)logs.data);
    door_free(door);
}

// A good record before a bad one is not appended either.
static void test_checked_whole_before_anything_is_appended(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct slice message = read_golden("py-handler-c0-s1.msg.bin");
    for (size_t size = 1; size < message.size; size++)
        assert_int_equal(export_bytes(door, SIGNAL_LOGS, slice_of(message.data, size)),
                         DECODE_MALFORMED);
    assert_int_equal(door->sink->count, 0);
    assert_int_equal(door->house->books.door[SIGNAL_LOGS].received, message.size - 1);
    assert_int_equal(export_bytes(door, SIGNAL_LOGS, slice_of(NULL, 0)), 0);
    assert_int_equal(door->result.accepted, 0);
    assert_int_equal(door->house->books.door[SIGNAL_LOGS].received, message.size - 1);
    free((char *)message.data);
    door_free(door);
}

static void test_unrouted_is_a_partial_success(void **state)
{
    (void)state;
    struct door *door = door_of(8u << 20, 0, 0, 0);
    struct slice message = read_golden("py-handler-c0-s1.msg.bin");
    assert_int_equal(export_bytes(door, SIGNAL_LOGS, message), 0);
    assert_int_equal(door->result.accepted, 0);
    assert_int_equal(door->result.rejected, 9);
    assert_non_null(strstr(door->result.reason, "route"));
    free((char *)message.data);
    message = read_golden("go-otlp-again-ok-c0-s1.msg.bin");
    assert_int_equal(export_bytes(door, SIGNAL_SPANS, message), 0);
    assert_int_equal(door->result.rejected, 2);
    free((char *)message.data);
    door_free(door);
}

static void test_overloaded_is_refused_whole(void **state)
{
    (void)state;
    struct door *door = door_of(2 * SPOOL_SEGMENT_MIN, SPOOL_SEGMENT_MIN, 1, 1);
    struct slice message = read_golden("py-handler-c0-s1.msg.bin");
    uint64_t accepted = 0;
    unsigned requests = 0;
    while (export_bytes(door, SIGNAL_LOGS, message) == 0) {
        assert_int_equal(door->result.accepted, 9);
        accepted += 9;
        assert_true(++requests < 1000);
    }
    assert_int_equal(door->result.rejected, 9);
    assert_non_null(door->result.reason);
    assert_true(requests > 0);
    const struct door_book *book = &door->house->books.door[SIGNAL_LOGS];
    assert_int_equal(book->routed, accepted);
    assert_int_equal(book->rejected[REJECT_OVERLOADED], 9);
    assert_int_equal(door->sink->book->dropped[DROP_SHED], 0);
    house_confirm(door->house);
    assert_int_equal(export_bytes(door, SIGNAL_LOGS, message), 0);
    assert_int_equal(door->sent, accepted + 9); // what was refused took no number
    yajl_val document = document_parse(door->sink->items[accepted].payload);
    document_has_number(document, "event.sequence", (long long)accepted + 1);
    yajl_tree_free(document);
    free((char *)message.data);
    door_free(door);
}

static void test_too_large_is_a_partial_success(void **state)
{
    (void)state;
    struct door *door = door_of(4 * SPOOL_SEGMENT_MIN, SPOOL_SEGMENT_MIN, 1, 1);
    struct message scope = {0};
    struct message run = {0};
    struct message request = {0};
    char *text = calloc(1, SPOOL_SEGMENT_MIN + 1);
    memset(text, 'x', SPOOL_SEGMENT_MIN);
    const char *const bodies[] = {"before", text, "after"};
    for (unsigned i = 0; i < 3; i++) {
        struct message record = {0};
        put_message(&record, OTLP_LOG_BODY, any_text(bodies[i]));
        put_message(&scope, OTLP_SCOPE_RECORDS, record);
    }
    put_message(&run, OTLP_RUN_SCOPES, scope);
    put_message(&request, OTLP_REQUEST_RESOURCES, run);
    assert_int_equal(export_message(door, SIGNAL_LOGS, request), 0);
    assert_int_equal(door->result.accepted, 2);
    assert_int_equal(door->result.rejected, 1);
    assert_non_null(strstr(door->result.reason, "large"));
    assert_int_equal(door->sink->count, 2);
    assert_int_equal(door->house->books.door[SIGNAL_LOGS].rejected[REJECT_TOO_LARGE], 1);
    free(text);
    door_free(door);
}

// A few kilobytes of gzip hold millions of empty records. What the log cannot take is counted in
// one step, and told: it was not stored.
static void test_more_than_the_log_holds_is_a_partial_success(void **state)
{
    (void)state;
    enum { RECORDS = 50000 };
    struct door *door = door_of(2 * SPOOL_SEGMENT_MIN, SPOOL_SEGMENT_MIN, 1, 1);
    struct message scope = {0};
    struct message run = {0};
    struct message request = {0};
    for (unsigned i = 0; i < RECORDS; i++)
        put_bytes(&scope, OTLP_SCOPE_RECORDS, slice_of(NULL, 0));
    put_message(&run, OTLP_RUN_SCOPES, scope);
    put_message(&request, OTLP_REQUEST_RESOURCES, run);
    assert_int_equal(export_message(door, SIGNAL_LOGS, request), 0);
    const struct exporter_book *book = door->sink->book;
    assert_true(door->result.accepted > 0 && door->result.rejected > 0);
    assert_int_equal(door->result.accepted + door->result.rejected, RECORDS);
    assert_non_null(strstr(door->result.reason, "full"));
    assert_int_equal(book->dropped[DROP_SHED], door->result.rejected);
    assert_int_equal(book->routed, RECORDS);
    assert_true(books_balanced(&door->house->books));
    house_confirm(door->house);
    assert_int_equal(book->delivered, door->result.accepted);
    door_free(door);
}

// Every document would repeat it.
static void test_a_huge_resource_is_too_large(void **state)
{
    (void)state;
    struct door *door = door_of(4u << 20, 1u << 20, 1, 1);
    struct message scope = {0};
    struct message run = {0};
    struct message request = {0};
    char *text = calloc(1, (64u << 10) + 1);
    memset(text, 'x', 64u << 10);
    put_bytes(&scope, OTLP_SCOPE_RECORDS, slice_of(NULL, 0));
    put_message(&run, OTLP_RUN_SCOPES, scope);
    put_message(&run, OTLP_RUN_RESOURCE, resource_of("big", text));
    put_message(&request, OTLP_REQUEST_RESOURCES, run);
    assert_int_equal(export_message(door, SIGNAL_LOGS, request), 0);
    assert_int_equal(door->result.rejected, 1);
    assert_int_equal(door->house->books.door[SIGNAL_LOGS].rejected[REJECT_TOO_LARGE], 1);
    free(text);
    door_free(door);
}

static struct message log_run(const char *service, unsigned records)
{
    struct message scope = {0};
    struct message run = {0};
    for (unsigned i = 0; i < records; i++) {
        struct message record = {0};
        put_message(&record, OTLP_LOG_BODY, any_int(i));
        put_message(&scope, OTLP_SCOPE_RECORDS, record);
    }
    put_message(&run, OTLP_RUN_SCOPES, scope); // scopes before the resource: any order is legal
    put_message(&run, OTLP_RUN_RESOURCE, resource_of("service.name", service));
    return run;
}

static void test_each_run_has_its_own_resource(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message request = {0};
    put_message(&request, OTLP_REQUEST_RESOURCES, log_run("one", 2));
    put_message(&request, OTLP_REQUEST_RESOURCES, log_run("two", 1));
    put_text(&request, 77, "unknown fields are no error");
    assert_int_equal(export_message(door, SIGNAL_LOGS, request), 0);
    const char *const services[] = {"one", "one", "two"};
    assert_int_equal(door->sink->count, 3);
    for (unsigned i = 0; i < 3; i++) {
        yajl_val document = document_parse(door->sink->items[i].payload);
        document_has_text(document, "service.name", services[i]);
        document_has_text(document, "data_stream.dataset", services[i]);
        document_has_text(document, "message", i == 1 ? "1" : "0");
        document_has_number(document, "event.sequence", i + 1); // of one connection
        yajl_tree_free(document);
    }
    door_free(door);
}

static void test_a_run_of_a_native_client(void **state)
{
    (void)state;
    static const uint8_t stream[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct door *door = door_new();
    struct message message = {0};
    struct message scope = {0};
    for (unsigned i = 0; i < 3; i++)
        put_bytes(&scope, OTLP_SCOPE_RECORDS, slice_of(NULL, 0)); // records may be empty
    put_message(&message, OTLP_RUN_SCOPES, scope);
    struct message resource = resource_of("service.name", "from the hello");
    struct resource_run run = {.signal = SIGNAL_LOGS,
                               .message = message_slice(&message),
                               .resource = message_slice(&resource),
                               .stream = stream,
                               .sequence = 100,
                               .records = 3,
                               .policy = DOOR_WAIT};
    struct run_outcome outcome = {0};
    assert_int_equal(decode_resource_run(door->decoder, &run, &outcome), 0);
    assert_int_equal(outcome.records, 3);
    assert_int_equal(outcome.rejected, 0);
    house_turn(door->house);
    for (unsigned i = 0; i < 3; i++) {
        yajl_val document = document_parse(door->sink->items[i].payload);
        document_has_text(document, "service.name", "from the hello");
        document_has_number(document, "event.sequence", 100 + i);
        yajl_tree_free(document);
        assert_memory_equal(door->sink->items[i].parcel.id, stream, 8);
        assert_int_equal(door->sink->items[i].parcel.id[15], 100 + i);
    }
    run.records = 4; // not what it holds
    assert_int_equal(decode_resource_run(door->decoder, &run, &outcome), DECODE_MALFORMED);
    assert_int_equal(outcome.records, 4);
    run.records = 0;
    run.message = SLICE("\x12\x7f");
    assert_int_equal(decode_resource_run(door->decoder, &run, &outcome), DECODE_MALFORMED);
    assert_int_equal(door->house->books.door[SIGNAL_LOGS].rejected[REJECT_MALFORMED], 5);
    message_free(&message);
    message_free(&resource);
    door_free(door);
}

// What the door refuses of a client's stream is noted for its next receipt, record by record.
static void test_a_native_run_says_which_were_refused(void **state)
{
    (void)state;
    static const uint8_t stream[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct door *door = door_of(4 * SPOOL_SEGMENT_MIN, SPOOL_SEGMENT_MIN, 1, 1);
    struct message scope = {0};
    struct message message = {0};
    char *text = calloc(1, SPOOL_SEGMENT_MIN + 1);
    assert_non_null(text);
    memset(text, 'x', SPOOL_SEGMENT_MIN);
    const char *const bodies[] = {"before", text, text, "after", text};
    for (unsigned i = 0; i < 5; i++) {
        struct message record = {0};
        put_message(&record, OTLP_LOG_BODY, any_text(bodies[i]));
        put_message(&scope, OTLP_SCOPE_RECORDS, record);
    }
    put_message(&message, OTLP_RUN_SCOPES, scope);
    struct resource_run run = {.signal = SIGNAL_LOGS,
                               .message = message_slice(&message),
                               .stream = stream,
                               .sequence = 100,
                               .records = 5,
                               .policy = DOOR_SHED};
    struct run_outcome outcome = {0};
    assert_int_equal(decode_resource_run(door->decoder, &run, &outcome), 0);
    assert_int_equal(outcome.rejected, 3);
    struct refused_range ranges[4];
    struct enrich *enrich = door->house->enrich;
    assert_int_equal(enrich_take_refused(enrich, stream, 1000, ranges, 4), 2);
    assert_true(ranges[0].first == 101 && ranges[0].count == 2);
    assert_true(ranges[1].first == 104 && ranges[1].count == 1);
    assert_int_equal(enrich_refused_unknown(enrich), 0);
    message_free(&message);
    free(text);
    door_free(door);
}

static void test_a_native_run_waits(void **state)
{
    (void)state;
    struct door *door = door_of(2 * SPOOL_SEGMENT_MIN, SPOOL_SEGMENT_MIN, 1, 1);
    struct message message = log_run("s", 50);
    struct resource_run run = {
        .signal = SIGNAL_LOGS, .message = message_slice(&message), .policy = DOOR_WAIT};
    struct run_outcome outcome = {0};
    uint64_t before = 0;
    int r;
    while ((r = decode_resource_run(door->decoder, &run, &outcome)) == 0)
        assert_true(++before < 1000);
    assert_int_equal(r, DECODE_OVERLOADED);
    assert_int_equal(door->house->books.door[SIGNAL_LOGS].received, 50 * before);
    assert_int_equal(door->sink->book->dropped[DROP_SHED], 0);
    house_confirm(door->house);
    assert_int_equal(decode_resource_run(door->decoder, &run, &outcome), 0);
    message_free(&message);
    door_free(door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logs_of_real_sdks),
        cmocka_unit_test(test_spans_and_metrics_pass_through),
        cmocka_unit_test(test_another_signal_is_malformed),
        cmocka_unit_test(test_checked_whole_before_anything_is_appended),
        cmocka_unit_test(test_unrouted_is_a_partial_success),
        cmocka_unit_test(test_overloaded_is_refused_whole),
        cmocka_unit_test(test_too_large_is_a_partial_success),
        cmocka_unit_test(test_more_than_the_log_holds_is_a_partial_success),
        cmocka_unit_test(test_a_huge_resource_is_too_large),
        cmocka_unit_test(test_each_run_has_its_own_resource),
        cmocka_unit_test(test_a_run_of_a_native_client),
        cmocka_unit_test(test_a_native_run_says_which_were_refused),
        cmocka_unit_test(test_a_native_run_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
