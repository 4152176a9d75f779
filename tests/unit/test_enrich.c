// Ids, routes, admission and the door's books, over real logs.
#include "enrich_fixture.h"

#include "document.h"

#include <errno.h>

#define SEGMENT SPOOL_SEGMENT_MIN
#define ERROR 17 // OpenTelemetry's number

static struct record *new_record(struct arena *arena, const char *message)
{
    struct record *record = calloc(1, sizeof *record);
    assert_non_null(record);
    arena_init(arena, 4096, 0);
    fields_clear(&record->own);
    fields_set(&record->own, ECS_MESSAGE,
               (struct value){.kind = VALUE_TEXT, .text = slice_from(message)});
    return record;
}

static void free_record(struct record *record, struct arena *arena)
{
    arena_deinit(arena);
    free(record);
}

// One log record with the message; what enrich_log says.
static int append_level(struct house *house, const char *message, uint64_t sequence,
                        uint8_t severity)
{
    struct arena arena;
    struct record *record = new_record(&arena, message);
    record->has_sequence = sequence != 0;
    record->sequence = sequence;
    record->severity = severity;
    memcpy(record->stream, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
    int r = enrich_log(house->enrich, record);
    free_record(record, &arena);
    return r;
}

static int append_log(struct house *house, const char *message, uint64_t sequence)
{
    return append_level(house, message, sequence, 0);
}

static int ask(struct house *house, enum door_policy policy, enum urgency urgency, size_t bytes,
               bool expired)
{
    const struct enrich_ask ask = {.signal = SIGNAL_LOGS,
                                   .policy = policy,
                                   .urgency = urgency,
                                   .expired = expired,
                                   .bytes = bytes};
    return enrich_admit(house->enrich, &ask);
}

static char *long_text(size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, 'x', size);
    text[size] = '\0';
    return text;
}

static void test_ids(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 1, 0);
    assert_int_equal(append_log(house, "theirs", 0x0102), 0);
    assert_int_equal(append_log(house, "ours", 0), 0);
    assert_int_equal(append_log(house, "ours", 0), 0);
    house_turn(house);
    assert_int_equal(sink->count, 3);
    assert_memory_equal(sink->items[0].parcel.id,
                        "\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\0\0\0\x01\x02", 16);
    yajl_val document = document_parse(sink->items[0].payload);
    document_has_text(document, "event.id", "11223344556677880000000000000102");
    document_has_number(document, "event.sequence", 258);
    yajl_tree_free(document);
    // Ours: the same random half, and a counter.
    assert_memory_equal(sink->items[1].parcel.id, sink->items[2].parcel.id, 15);
    assert_int_equal(sink->items[1].parcel.id[15] + 1, sink->items[2].parcel.id[15]);
    document = document_parse(sink->items[1].payload);
    document_lacks(document, "event.sequence");
    yajl_tree_free(document);
    struct house *other = house_new();
    struct sink *other_sink = house_add(other, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(other, NULL, 0, "", 1, 0);
    assert_int_equal(append_log(other, "another start", 0), 0);
    house_turn(other);
    assert_memory_not_equal(sink->items[1].parcel.id, other_sink->items[0].parcel.id, 8);
    house_free(other);
    house_free(house);
}

static void test_entry_of_a_log(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "trace.id", 1, 0);
    struct arena arena;
    struct record *record = new_record(&arena, "m");
    record->severity = 17;
    fields_set(&record->own, ECS_TRACE_ID,
               (struct value){.kind = VALUE_TEXT, .text = SLICE("abc")});
    assert_int_equal(enrich_log(house->enrich, record), 0);
    record->time_ns = 1700000000000000000u;
    fields_unset(&record->own, ECS_TRACE_ID);
    assert_int_equal(enrich_log(house->enrich, record), 0);
    house_turn(house);
    assert_int_equal(sink->items[0].parcel.severity, 17);
    assert_int_equal(sink->items[0].parcel.signal, SIGNAL_LOGS);
    assert_int_equal(sink->items[0].parcel.records, 1);
    assert_int_equal(sink->items[0].parcel.time_ns, NOW_NS);
    assert_string_equal(sink->items[0].key.data, "abc");
    assert_int_equal(sink->items[1].parcel.time_ns, 1700000000000000000u);
    assert_int_equal(sink->items[1].key.size, 0);
    free_record(record, &arena);
    house_free(house);
}

static void test_keys_of_other_kinds(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "labels.tenant", 1, 0);
    struct arena arena;
    struct record *record = new_record(&arena, "m");
    named_values_add(&record->own.labels, &arena, SLICE("tenant"),
                     (struct value){.kind = VALUE_INTEGER, .integer = 42});
    assert_int_equal(enrich_log(house->enrich, record), 0);
    house_turn(house);
    assert_string_equal(sink->items[0].key.data, "42");
    free_record(record, &arena);
    house_free(house);
}

static void test_refused_settings(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 1, 0);
    struct enrich *enrich = NULL;
    struct enrich_target target = {.log = sink->log, .form = WIRE_OTLP};
    struct enrich_config config = {.clock = &house->clock,
                                   .books = &house->books,
                                   .targets[SIGNAL_LOGS] = &target,
                                   .target_count[SIGNAL_LOGS] = 1};
    assert_int_equal(enrich_new(&enrich, &config), -EINVAL);
    target.form = WIRE_ECS_JSON;
    target.key_field = SLICE("no.such.field");
    assert_int_equal(enrich_new(&enrich, &config), -EINVAL);
    assert_null(enrich);
    house_free(house);
}

static void test_a_copy_for_each_target(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *first = house_add(house, "one", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    struct sink *second = house_add(house, "two", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 3, 0);
    assert_int_equal(append_log(house, "both", 0), 0);
    house_turn(house);
    assert_int_equal(first->count, 1);
    assert_int_equal(second->count, 1);
    assert_true(slice_equal(first->items[0].payload, second->items[0].payload));
    assert_memory_equal(first->items[0].parcel.id, second->items[0].parcel.id, 16);
    assert_int_equal(house->books.door[SIGNAL_LOGS].received, 1);
    assert_int_equal(house->books.door[SIGNAL_LOGS].routed, 1);
    house_free(house);
}

static void test_unrouted(void **state)
{
    (void)state;
    struct house *house = house_new();
    house_add(house, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 0, 0);
    assert_false(enrich_routes(house->enrich, SIGNAL_LOGS));
    assert_int_equal(ask(house, DOOR_WAIT, URGENCY_HIGH, 1 << 30, false), 0);
    assert_int_equal(append_log(house, "nowhere", 0), ENRICH_REJECTED);
    const struct otlp_run run = {.signal = SIGNAL_SPANS, .records = 3};
    assert_int_equal(enrich_otlp(house->enrich, &run), ENRICH_REJECTED);
    assert_int_equal(house->books.door[SIGNAL_LOGS].rejected[REJECT_UNROUTED], 1);
    assert_int_equal(house->books.door[SIGNAL_SPANS].rejected[REJECT_UNROUTED], 3);
    enrich_reject(house->enrich, SIGNAL_METRICS, REJECT_MALFORMED, 5);
    assert_int_equal(house->books.door[SIGNAL_METRICS].received, 5);
    assert_int_equal(house->books.door[SIGNAL_METRICS].rejected[REJECT_MALFORMED], 5);
    house_free(house);
}

static void test_too_large(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *large = house_add(house, "one", 16 * SEGMENT, 64 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    struct sink *small = house_add(house, "two", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 3, 0);
    char *text = long_text(SEGMENT);
    // The first log would take it, the second could not: none does.
    assert_int_equal(append_log(house, text, 0), ENRICH_REJECTED);
    text[spool_payload_max(small->log) - 1024] = '\0';
    assert_int_equal(append_log(house, text, 0), 0); // grows to its size in several attempts
    house_turn(house);
    assert_int_equal(large->count, 1);
    yajl_val document = document_parse(large->items[0].payload);
    document_has_text(document, "message", text);
    yajl_tree_free(document);
    assert_int_equal(house->books.door[SIGNAL_LOGS].received, 2);
    assert_int_equal(house->books.door[SIGNAL_LOGS].rejected[REJECT_TOO_LARGE], 1);
    free(text);
    house_free(house);
}

// Appends until the log has no room for one more. Returns how many went in.
static unsigned fill(struct house *house)
{
    char *text = long_text(2000);
    unsigned count = 0;
    while (ask(house, DOOR_WAIT, URGENCY_HIGH, 4096, false) == 0) {
        assert_int_equal(append_log(house, text, 0), 0);
        assert_true(++count < 100000);
    }
    free(text);
    return count;
}

struct counted_waiter {
    struct room_waiter waiter; // first
    unsigned called;
};

static void room(struct room_waiter *waiter)
{
    ((struct counted_waiter *)waiter)->called++;
}

static void test_admission_of_a_log_that_asks_the_door(void **state)
{
    (void)state;
    struct house *house = house_new();
    house_add(house, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 1, 0);
    fill(house);
    assert_int_equal(ask(house, DOOR_WAIT, URGENCY_HIGH, 4096, true), ENRICH_BLOCKED);
    assert_int_equal(ask(house, DOOR_REFUSE, URGENCY_HIGH, 4096, false), ENRICH_BLOCKED);
    assert_int_equal(ask(house, DOOR_SHED, URGENCY_HIGH, 4096, false), ENRICH_BLOCKED);
    struct counted_waiter waiter = {.waiter.room = room};
    enrich_wait(house->enrich, &waiter.waiter);
    assert_int_equal(ask(house, DOOR_SHED, URGENCY_HIGH, 4096, true), 0);
    house_turn(house);
    assert_int_equal(waiter.called, 0);
    house_confirm(house);
    assert_int_equal(waiter.called, 1);
    assert_int_equal(ask(house, DOOR_WAIT, URGENCY_HIGH, 4096, false), 0);
    // More than the log could ever promise comes when it is empty.
    assert_int_equal(ask(house, DOOR_WAIT, URGENCY_HIGH, 1 << 30, false), 0);
    house_free(house);
}

static void test_waiting_is_cancelled_at_the_right_log(void **state)
{
    (void)state;
    struct house *house = house_new();
    house_add(house, "one", 16 * SEGMENT, 64 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_add(house, "two", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 3, 0);
    fill(house); // the second is full first
    struct counted_waiter waiter = {.waiter.room = room};
    enrich_wait(house->enrich, &waiter.waiter);
    assert_true(waiter.waiter.waiting);
    enrich_wait_cancel(house->enrich, &waiter.waiter);
    assert_false(waiter.waiter.waiting);
    house_confirm(house);
    assert_int_equal(waiter.called, 0);
    house_free(house);
}

static void test_a_log_that_sheds_never_blocks(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_SHED);
    house_open(house, NULL, 0, "", 1, 0);
    char *text = long_text(2000);
    for (unsigned i = 0; i < 500; i++) {
        assert_int_equal(ask(house, DOOR_WAIT, URGENCY_HIGH, 4096, false), 0);
        uint64_t shed = sink->book->dropped[DROP_SHED];
        int r = append_level(house, text, 0, ERROR);
        assert_int_equal(r, sink->book->dropped[DROP_SHED] > shed ? ENRICH_SHED : 0);
    }
    uint64_t shed = sink->book->dropped[DROP_SHED];
    assert_true(shed > 0);
    enrich_shed_rest(house->enrich, SIGNAL_LOGS, URGENCY_HIGH);
    enrich_shed_rest(house->enrich, SIGNAL_LOGS, URGENCY_NORMAL);
    house_confirm(house);
    assert_int_equal(sink->count + shed, 500);
    assert_int_equal(sink->book->dropped[DROP_SHED], shed + 1);
    assert_int_equal(sink->book->dropped[DROP_LEVEL], 1);
    assert_int_equal(house->books.door[SIGNAL_LOGS].routed, 502);
    free(text);
    house_free(house);
}

static void test_a_log_that_blocks_holds_every_door(void **state)
{
    (void)state;
    struct house *house = house_new();
    house_add(house, "kafka", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_BLOCK);
    struct sink *other =
        house_add(house, "other", 16 * SEGMENT, 64 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 3, 0);
    unsigned count = fill(house);
    assert_int_equal(ask(house, DOOR_SHED, URGENCY_HIGH, 4096, true), ENRICH_BLOCKED);
    house_turn(house);
    assert_int_equal(other->count, count); // nothing half routed
    house_free(house);
}

// A log that is full for good while the other takes: the copy is shed, the record routed.
static void test_only_the_full_copy_is_shed(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *small = house_add(house, "small", SEGMENT, 2 * SEGMENT, SPOOL_WHEN_FULL_SHED);
    struct sink *large = house_add(house, "large", SEGMENT, 32 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    house_open(house, NULL, 0, "", 3, 0);
    char *text = long_text(2000);
    for (unsigned i = 0; i < 300; i++)
        assert_int_equal(append_level(house, text, 0, ERROR), 0);
    house_turn(house);
    assert_int_equal(large->count, 300);
    assert_true(small->count > 0 && small->count < 300);
    assert_int_equal(small->book->dropped[DROP_SHED], 300 - small->count);
    free(text);
    house_free(house);
}

struct shown {
    unsigned count;
    enum signal_kind signal;
    char text[4096];
};

static void show(void *ctx, enum signal_kind signal, struct slice payload)
{
    struct shown *shown = ctx;
    shown->count++;
    shown->signal = signal;
    assert_true(payload.size < sizeof shown->text);
    memcpy(shown->text, payload.data, payload.size);
    shown->text[payload.size] = '\0';
}

static void test_who_watches_sees_each_record_once(void **state)
{
    (void)state;
    struct house *house = house_new();
    house_add(house, "one", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_SHED);
    house_add(house, "two", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_SHED);
    house_open(house, NULL, 0, "", 3, 3);
    struct shown shown = {0};
    const struct slice rest[] = {SLICE("\x12\x00")};
    struct otlp_run run = {.signal = SIGNAL_METRICS, .records = 3, .rest = rest, .rest_count = 1};
    assert_int_equal(append_log(house, "before", 0), 0);
    enrich_set_tap(house->enrich, show, &shown);
    assert_int_equal(shown.count, 0);
    assert_int_equal(append_log(house, "seen", 0), 0);
    assert_int_equal(shown.count, 1);
    assert_int_equal(shown.signal, SIGNAL_LOGS);
    assert_non_null(strstr(shown.text, "\"message\":\"seen\""));
    assert_int_equal(enrich_otlp(house->enrich, &run), 0);
    assert_int_equal(shown.count, 2);
    assert_int_equal(shown.signal, SIGNAL_METRICS);
    assert_memory_equal(shown.text, "\x0a\x02\x12\x00", 4);
    char *text = long_text(SEGMENT);
    assert_int_equal(append_log(house, text, 0), ENRICH_REJECTED);
    assert_int_equal(shown.count, 2);
    free(text);
    enrich_set_tap(house->enrich, NULL, NULL);
    assert_int_equal(append_log(house, "after", 0), 0);
    assert_int_equal(shown.count, 2);
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_entry_of_a_log),
        cmocka_unit_test(test_keys_of_other_kinds),
        cmocka_unit_test(test_refused_settings),
        cmocka_unit_test(test_a_copy_for_each_target),
        cmocka_unit_test(test_unrouted),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_admission_of_a_log_that_asks_the_door),
        cmocka_unit_test(test_waiting_is_cancelled_at_the_right_log),
        cmocka_unit_test(test_a_log_that_sheds_never_blocks),
        cmocka_unit_test(test_a_log_that_blocks_holds_every_door),
        cmocka_unit_test(test_only_the_full_copy_is_shed),
        cmocka_unit_test(test_who_watches_sees_each_record_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
