// Spans and metrics: what is well-formed, how large runs are cut, and that nothing gets lost.
#include "otlp_door.h"

#include "decode/otlp.h"
#include "decode/otlp_check.h"

#include <stdio.h>

static struct message span_of(const char *name, size_t padding)
{
    struct message span = {0};
    char *text = calloc(1, padding + 1);
    assert_non_null(text);
    memset(text, 'p', padding);
    put_bytes(&span, OTLP_SPAN_TRACE_ID, SLICE("0123456789abcdef"));
    put_bytes(&span, OTLP_SPAN_SPAN_ID, SLICE("01234567"));
    put_text(&span, OTLP_SPAN_NAME, name);
    put_fixed64(&span, OTLP_SPAN_START_TIME_UNIX_NANO, 1000);
    put_message(&span, OTLP_SPAN_ATTRIBUTES, pair("padding", any_text(text)));
    put_text(&span, 99, "unknown");
    free(text);
    return span;
}

static bool valid_span(struct message span, struct otlp_tally *tally)
{
    bool valid = otlp_check(SIGNAL_SPANS, OTLP_RECORD, message_slice(&span), tally);
    message_free(&span);
    return valid;
}

static void test_spans_that_others_would_refuse(void **state)
{
    (void)state;
    struct otlp_tally tally = {0};
    assert_true(valid_span(span_of("s", 1), &tally));
    assert_int_equal(tally.records, 1);
    assert_int_equal(tally.time_ns, 1000);
    assert_false(tally.urgent);
    struct message span = span_of("s", 1);
    put_bytes(&span, OTLP_SPAN_PARENT_SPAN_ID, SLICE("")); // empty is no parent
    assert_true(valid_span(span, &tally));
    span = span_of("s", 1);
    put_bytes(&span, OTLP_SPAN_PARENT_SPAN_ID, SLICE("short"));
    assert_false(valid_span(span, &tally));
    span = span_of("s", 1);
    put_varint(&span, OTLP_SPAN_NAME, 5); // a known field of another type
    assert_false(valid_span(span, &tally));
    span = span_of("s", 1);
    struct message event = {0};
    put_bytes(&event, 3, SLICE("\x0a")); // broken three messages down
    put_message(&span, OTLP_SPAN_EVENTS, event);
    assert_false(valid_span(span, &tally));
    span = span_of("s", 1);
    struct message status = {0};
    put_varint(&status, OTLP_STATUS_CODE, OTLP_STATUS_CODE_ERROR);
    put_message(&span, OTLP_SPAN_STATUS, status);
    tally = (struct otlp_tally){0};
    assert_true(valid_span(span, &tally));
    assert_true(tally.urgent);
}

static void test_metrics_count_data_points(void **state)
{
    (void)state;
    static const uint32_t kinds[] = {OTLP_METRIC_GAUGE, OTLP_METRIC_SUM, OTLP_METRIC_HISTOGRAM,
                                     OTLP_METRIC_EXPONENTIAL_HISTOGRAM, OTLP_METRIC_SUMMARY};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct message data = {0};
        struct message metric = {0};
        for (unsigned n = 0; n < 3; n++) {
            struct message point = {0};
            put_fixed64(&point, OTLP_DATA_POINT_TIME_UNIX_NANO, 7 + n);
            put_message(&data, OTLP_METRIC_DATA_POINTS, point);
        }
        put_message(&metric, kinds[i], data);
        struct otlp_tally tally = {0};
        assert_true(otlp_check(SIGNAL_METRICS, OTLP_RECORD, message_slice(&metric), &tally));
        assert_int_equal(tally.records, 3);
        assert_int_equal(tally.time_ns, 7);
        message_free(&metric);
    }
}

static bool valid_point(uint32_t kind, uint32_t number, struct slice bytes)
{
    struct message point = {0};
    struct message data = {0};
    struct message metric = {0};
    struct otlp_tally tally = {0};
    put_bytes(&point, number, bytes);
    put_message(&data, OTLP_METRIC_DATA_POINTS, point);
    put_message(&metric, kind, data);
    bool valid = otlp_check(SIGNAL_METRICS, OTLP_RECORD, message_slice(&metric), &tally);
    message_free(&metric);
    return valid;
}

static void test_packed_numbers(void **state)
{
    (void)state;
    assert_true(valid_point(OTLP_METRIC_HISTOGRAM, 6, SLICE("12345678abcdefgh")));
    assert_false(valid_point(OTLP_METRIC_HISTOGRAM, 6, SLICE("1234567")));
    struct message buckets = {0};
    put_bytes(&buckets, 2, SLICE("\x01\x96\x01"));
    assert_true(valid_point(OTLP_METRIC_EXPONENTIAL_HISTOGRAM, 8, message_slice(&buckets)));
    put_bytes(&buckets, 2, SLICE("\x01\x96"));
    assert_false(valid_point(OTLP_METRIC_EXPONENTIAL_HISTOGRAM, 8, message_slice(&buckets)));
    message_free(&buckets);
}

// One run: scopes of so many spans each, named s0, s1 … across all.
static struct message run_of(unsigned scopes, unsigned spans, size_t padding)
{
    struct message run = {0};
    unsigned count = 0;
    put_message(&run, OTLP_RUN_RESOURCE, resource_of("service.name", "cut"));
    for (unsigned i = 0; i < scopes; i++) {
        struct message scope = {0};
        struct message name = {0};
        put_text(&name, OTLP_INSTRUMENTATION_SCOPE_NAME, "scope");
        put_message(&scope, OTLP_SCOPE_SCOPE, name);
        for (unsigned n = 0; n < spans; n++) {
            char text[16];
            snprintf(text, sizeof text, "s%u", count++);
            put_message(&scope, OTLP_SCOPE_RECORDS, span_of(text, padding));
        }
        put_text(&scope, OTLP_SCOPE_SCHEMA_URL, "scope-schema");
        put_text(&scope, 98, "unknown of the scope");
        put_message(&run, OTLP_RUN_SCOPES, scope);
    }
    put_text(&run, OTLP_RUN_SCHEMA_URL, "run-schema");
    put_text(&run, 97, "unknown of the run");
    return run;
}

struct seen {
    unsigned spans, scopes, resources, run_schemas, run_unknown, scope_names, scope_unknown;
};

static void see_span(struct seen *seen, struct wire_cursor span)
{
    struct wire_field field;
    char name[16];
    bool unknown = false;
    snprintf(name, sizeof name, "s%u", seen->spans);
    while (wire_next(&span, &field) == 0) {
        unknown |= field.number == 99;
        if (field.number == OTLP_SPAN_NAME)
            assert_memory_equal(field.data, name, field.size); // in order
    }
    assert_true(unknown);
    seen->spans++;
}

static void see_scope(struct seen *seen, struct wire_cursor scope)
{
    struct wire_field field;
    seen->scopes++;
    while (wire_next(&scope, &field) == 0) {
        if (wire_is(&field, OTLP_SCOPE_RECORDS, WIRE_BYTES))
            see_span(seen, wire_inside(&field));
        seen->scope_names += field.number == OTLP_SCOPE_SCOPE;
        seen->scope_unknown += field.number == 98;
    }
}

static void see_payload(struct seen *seen, struct slice payload)
{
    struct wire_cursor cursor = wire_cursor_of(payload.data, payload.size);
    struct wire_field field;
    assert_int_equal(wire_next(&cursor, &field), 0);
    assert_true(wire_is(&field, OTLP_REQUEST_RESOURCES, WIRE_BYTES) && cursor.at == cursor.end);
    cursor = wire_inside(&field);
    while (wire_next(&cursor, &field) == 0) {
        if (wire_is(&field, OTLP_RUN_SCOPES, WIRE_BYTES))
            see_scope(seen, wire_inside(&field));
        seen->resources += field.number == OTLP_RUN_RESOURCE;
        seen->run_schemas += field.number == OTLP_RUN_SCHEMA_URL;
        seen->run_unknown += field.number == 97;
    }
}

// Sends the run and looks at all its pieces; returns how many there are.
static size_t check_cut(unsigned scopes, unsigned spans, size_t padding, size_t *largest)
{
    struct door *door = door_of(64u << 20, 1 << 20, 1, 1);
    struct message request = {0};
    struct seen seen = {0};
    struct otlp_tally tally = {0};
    uint64_t first = 0;
    put_message(&request, OTLP_REQUEST_RESOURCES, run_of(scopes, spans, padding));
    assert_true(otlp_check(SIGNAL_SPANS, OTLP_REQUEST, message_slice(&request), &tally));
    assert_int_equal(tally.records, scopes * spans);
    assert_int_equal(export_message(door, SIGNAL_SPANS, request), 0);
    assert_int_equal(door->result.accepted, scopes * spans);
    size_t pieces = door->sink->count;
    *largest = 0;
    for (size_t i = 0; i < pieces; i++) {
        const struct kept *kept = &door->sink->items[i];
        unsigned before = seen.spans;
        see_payload(&seen, kept->payload);
        assert_true(otlp_check(SIGNAL_SPANS, OTLP_REQUEST, kept->payload, &tally));
        assert_int_equal(kept->parcel.records, seen.spans - before);
        assert_int_equal(kept->parcel.time_ns, 1000);
        *largest = kept->payload.size > *largest ? kept->payload.size : *largest;
        // Ids go on from piece to piece.
        uint64_t id = 0;
        for (unsigned n = 8; n < 16; n++)
            id = id << 8 | kept->parcel.id[n];
        first = i == 0 ? id : first;
        assert_int_equal(id, first + before);
    }
    assert_int_equal(seen.spans, scopes * spans);
    assert_int_equal(seen.resources, pieces);
    assert_int_equal(seen.run_schemas, pieces);
    assert_int_equal(seen.run_unknown, pieces);
    assert_int_equal(seen.scope_names, seen.scopes);
    assert_int_equal(seen.scope_unknown, seen.scopes);
    door_free(door);
    return pieces;
}

static void test_runs_are_cut(void **state)
{
    (void)state;
    size_t largest;
    assert_int_equal(check_cut(3, 10, 100, &largest), 1);
    assert_true(check_cut(40, 100, 1000, &largest) >= 16); // between scopes
    assert_true(largest <= 256 * 1024 + 64);
    assert_true(check_cut(1, 4000, 1000, &largest) >= 16); // within one
    assert_true(largest <= 256 * 1024 + 64);
    assert_true(check_cut(3, 700, 1000, &largest) >= 9); // small scopes among large ones
    // A span larger than a piece goes alone.
    assert_int_equal(check_cut(1, 3, 300 * 1024, &largest), 3);
}

static void test_a_clients_sequence_goes_on(void **state)
{
    (void)state;
    static const uint8_t stream[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    struct door *door = door_of(64u << 20, 1 << 20, 1, 1);
    struct message message = run_of(2, 400, 1000);
    struct resource_run run = {.signal = SIGNAL_SPANS,
                               .message = message_slice(&message),
                               .stream = stream,
                               .sequence = 1000,
                               .records = 800,
                               .policy = DOOR_WAIT};
    struct run_outcome outcome = {0};
    assert_int_equal(decode_resource_run(door->decoder, &run, &outcome), 0);
    house_turn(door->house);
    uint64_t expected = 1000;
    assert_true(door->sink->count > 1);
    for (size_t i = 0; i < door->sink->count; i++) {
        const struct parcel *parcel = &door->sink->items[i].parcel;
        assert_memory_equal(parcel->id, stream, 8);
        assert_int_equal(parcel->id[14] << 8 | parcel->id[15], expected);
        expected += parcel->records;
    }
    assert_int_equal(expected, 1800);
    message_free(&message);
    door_free(door);
}

static void test_severity_is_the_pieces_own(void **state)
{
    (void)state;
    struct door *door = door_new();
    struct message request = {0};
    struct message span = span_of("broken", 1);
    struct message status = {0};
    put_varint(&status, OTLP_STATUS_CODE, OTLP_STATUS_CODE_ERROR);
    put_message(&span, OTLP_SPAN_STATUS, status);
    struct message broken = request_of(span);
    put_message(&request, OTLP_REQUEST_RESOURCES, run_of(1, 2, 10));
    // Requests concatenate.
    memcpy(message_room(&request, broken.size), broken.data, broken.size);
    request.size += broken.size;
    message_free(&broken);
    assert_int_equal(export_message(door, SIGNAL_SPANS, request), 0);
    assert_int_equal(door->sink->count, 2);
    assert_int_equal(door->sink->items[0].parcel.severity, 9);
    assert_int_equal(door->sink->items[0].parcel.records, 2);
    assert_int_equal(door->sink->items[1].parcel.severity, 17);
    assert_int_equal(door->sink->items[1].parcel.records, 1);
    door_free(door);
}

// What every piece would repeat is more than half of one: the run stays whole, and is refused where
// no segment takes it.
static void test_nothing_large_is_repeated(void **state)
{
    (void)state;
    struct door *door = door_of(64u << 20, 1 << 20, 1, 1);
    char *text = calloc(1, 200 * 1024 + 1);
    memset(text, 'r', 200 * 1024);
    struct message run = run_of(1, 200, 1000);
    put_message(&run, OTLP_RUN_RESOURCE, resource_of("huge", text));
    struct message request = {0};
    put_message(&request, OTLP_REQUEST_RESOURCES, run);
    assert_int_equal(export_message(door, SIGNAL_SPANS, request), 0);
    assert_int_equal(door->sink->count, 1);
    assert_int_equal(door->sink->items[0].parcel.records, 200);
    struct message scope = {0};
    struct message name = {0};
    put_text(&name, OTLP_INSTRUMENTATION_SCOPE_NAME, text);
    put_message(&scope, OTLP_SCOPE_SCOPE, name);
    for (unsigned i = 0; i < 1000; i++)
        put_message(&scope, OTLP_SCOPE_RECORDS, span_of("s", 1000));
    run = (struct message){0};
    put_message(&run, OTLP_RUN_SCOPES, scope);
    request = (struct message){0};
    put_message(&request, OTLP_REQUEST_RESOURCES, run);
    assert_int_equal(export_message(door, SIGNAL_SPANS, request), 0);
    assert_int_equal(door->result.rejected, 1000);
    assert_int_equal(door->house->books.door[SIGNAL_SPANS].rejected[REJECT_TOO_LARGE], 1000);
    assert_int_equal(door->sink->count, 1);
    free(text);
    door_free(door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_that_others_would_refuse),
        cmocka_unit_test(test_metrics_count_data_points),
        cmocka_unit_test(test_packed_numbers),
        cmocka_unit_test(test_runs_are_cut),
        cmocka_unit_test(test_a_clients_sequence_goes_on),
        cmocka_unit_test(test_severity_is_the_pieces_own),
        cmocka_unit_test(test_nothing_large_is_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
