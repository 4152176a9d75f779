// What was dropped becomes a document: where, when, and what it says; and a lost one makes none.
#include "enrich_fixture.h"

#include "document.h"

#include "enrich/enrich_room.h"

#include <stdio.h>

#define SEGMENT SPOOL_SEGMENT_MIN
#define MINUTE (60 * NS_PER_S)

static uint64_t monotonic_ns, realtime_ns;

static uint64_t test_monotonic(struct clock *clock)
{
    (void)clock;
    return monotonic_ns;
}

static uint64_t test_realtime(struct clock *clock)
{
    (void)clock;
    return realtime_ns;
}

static struct house *gap_house(uint32_t tellers, unsigned exporters)
{
    struct house *house = house_new();
    monotonic_ns = 1000 * NS_PER_S;
    realtime_ns = NOW_NS;
    house->clock = (struct clock){test_realtime, test_monotonic};
    house->gap_interval_ns = MINUTE;
    struct gap_counters_config config = {
        .clock = &house->clock, .books = &house->books, .tellers = tellers};
    assert_int_equal(gap_counters_new(&house->gaps, &config), 0);
    for (unsigned i = 0; i < exporters; i++)
        house_add(house, i ? "other" : "kafka", SEGMENT, 2 * SEGMENT, SPOOL_WHEN_FULL_SHED);
    return house;
}

static struct gap_documents *documents_of(struct house *house)
{
    return &house->enrich->gap_documents;
}

// What the timer does, at the test's own time.
static void expire(struct house *house)
{
    struct gap_documents *documents = documents_of(house);
    assert_true(documents->timer.armed);
    loop_timer_stop(&documents->timer);
    documents->timer.expired(&documents->timer);
}

// A log record of this service; what enrich_log says.
static int append(struct house *house, const char *service, uint8_t severity, size_t size)
{
    struct record record = {.severity = severity};
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    fields_set(&record.own, ECS_MESSAGE,
               (struct value){.kind = VALUE_TEXT, .text = slice_of(text, size)});
    fields_set(&record.own, ECS_SERVICE_NAME,
               (struct value){.kind = VALUE_TEXT, .text = slice_from(service)});
    int r = enrich_log(house->enrich, &record);
    free(text);
    return r;
}

static void shed(struct house *house, enum signal_kind signal, unsigned records)
{
    while (records--)
        enrich_shed_rest(house->enrich, signal, URGENCY_HIGH);
}

static void fill(struct house *house)
{
    while (append(house, "filler", 17, 8000) != ENRICH_SHED)
        ;
}

static bool has_text(yajl_val document, const char *path, const char *text)
{
    yajl_val value = document_at(document, path);
    const char *found = value ? YAJL_GET_STRING(value) : NULL;
    return found && strcmp(found, text) == 0;
}

static uint64_t records_of(const struct kept *item, const char *reason)
{
    yajl_val document = document_parse(item->payload);
    uint64_t records = 0;
    if (has_text(document, "event.action", "gap") &&
        has_text(document, "labels.gap_reason", reason)) {
        yajl_val value = document_at(document, "numeric_labels.gap_records");
        assert_true(value && YAJL_IS_INTEGER(value));
        if (value)
            records = (uint64_t)YAJL_GET_INTEGER(value);
    }
    yajl_tree_free(document);
    return records;
}

static uint64_t told(const struct sink *sink, const char *reason)
{
    uint64_t records = 0;
    for (size_t i = 0; i < sink->count; i++)
        records += records_of(&sink->items[i], reason);
    return records;
}

static void what_the_document_says(void **state)
{
    (void)state;
    struct house *house = gap_house(1, 1);
    struct enrich_target target = {.form = WIRE_ECS_JSON,
                                   .key_field = SLICE("service.name"),
                                   .topic = SLICE("logs.{service.name}"),
                                   .max_topics = 10};
    house_open_targets(house, NULL, 0, &target, 1);
    struct sink *sink = &house->sinks[0];
    fill(house);
    for (unsigned i = 0; i < 1204; i++) {
        realtime_ns += 50 * NS_PER_MS;
        append(house, "checkout", 5, 8000);
    }
    house_confirm(house);
    size_t before = sink->count;
    monotonic_ns += MINUTE;
    expire(house);
    house_turn(house);
    assert_int_equal(sink->count, before + 2); // of the filler, and of these
    struct kept *item = &sink->items[before + 1];
    assert_true(slice_equal(item->topic, SLICE("logs.checkout")));
    assert_true(slice_equal(item->key, SLICE("checkout")));
    yajl_val document = document_parse(item->payload);
    document_has_text(document, "message",
                      "1,204 debug records of checkout were lost between 2026-11-22 19:16:40 and "
                      "19:17:40 UTC: the log of exporter kafka was kept for "
                      "more severe ones (level)");
    document_has_text(document, "event.kind", "pipeline_error");
    document_has_text(document, "event.action", "gap");
    document_has_text(document, "event.start", "2026-11-22T19:16:40.173456789Z");
    document_has_text(document, "event.end", "2026-11-22T19:17:40.323456789Z");
    document_has_text(document, "@timestamp", "2026-11-22T19:17:40.323456789Z");
    document_has_text(document, "log.level", "warn");
    document_has_text(document, "service.name", "checkout");
    document_has_text(document, "data_stream.dataset", "checkout");
    document_has_text(document, "labels.gap_reason", "level");
    document_has_text(document, "labels.gap_exporter", "kafka");
    document_has_text(document, "labels.gap_level", "debug");
    document_has_text(document, "labels.gap_signal", "logs");
    document_has_number(document, "numeric_labels.gap_records", 1204);
    yajl_tree_free(document);
    assert_int_equal(sink->book->generated, 2);
    assert_int_equal(sink->book->untold, 0);
    assert_false(documents_of(house)->timer.armed);
    house_free(house);
}

static void at_most_one_a_minute_and_only_with_room(void **state)
{
    (void)state;
    struct house *house = gap_house(1, 1);
    house_open(house, NULL, 0, "", 1, 0);
    struct sink *sink = &house->sinks[0];
    fill(house);
    uint64_t last = 0, made = 0;
    for (unsigned second = 0; second < 900; second++) {
        monotonic_ns += NS_PER_S;
        realtime_ns += NS_PER_S;
        if (second >= 300)
            house_confirm(house);
        expire(house);
        if (sink->book->generated > made) {
            assert_true(second >= 300 && sink->book->generated == made + 1);
            assert_true(made == 0 || monotonic_ns - last >= MINUTE);
            made++;
            last = monotonic_ns;
        }
        fill(house);
        assert_true(documents_of(house)->timer.armed);
    }
    assert_int_equal(made, 10);
    assert_int_equal(told(sink, "shed") + sink->book->untold, sink->book->dropped[DROP_SHED]);
    house_confirm(house);
    enrich_tell_gaps(house->enrich); // the end waits for no minute
    assert_int_equal(sink->book->untold, 0);
    house_turn(house);
    assert_int_equal(told(sink, "shed"), sink->book->dropped[DROP_SHED]);
    house_free(house);
}

static void what_is_shed_unseen_has_no_level(void **state)
{
    (void)state;
    struct house *house = gap_house(3, 2);
    house_open(house, NULL, 0, "", 3, 0);
    shed(house, SIGNAL_LOGS, 5000);
    enrich_tell_gaps(house->enrich);
    house_turn(house);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(house->sinks[i].count, 1);
        assert_int_equal(told(&house->sinks[i], "shed"), 5000);
        yajl_val document = document_parse(house->sinks[i].items[0].payload);
        document_lacks(document, "labels.gap_level");
        document_lacks(document, "service.name");
        document_has_text(document, "labels.gap_exporter", i ? "other" : "kafka");
        yajl_tree_free(document);
    }
    house_free(house);
}

static void the_doors_losses_are_told_by_every_exporter_of_logs(void **state)
{
    (void)state;
    struct house *house = gap_house(1, 2);
    house_open(house, NULL, 0, "", 1, 2);
    static const char resource[] = "\x0a\x16\x0a\x0cservice.name\x12\x06\x0a\x04shop";
    enrich_reject(house->enrich, SIGNAL_LOGS, REJECT_MALFORMED, 3);
    enrich_reject(house->enrich, SIGNAL_SPANS, REJECT_TOO_LARGE, 4);
    enrich_reject(house->enrich, SIGNAL_SPANS, REJECT_OVERLOADED, 5); // their sender has them
    enrich_reject(house->enrich, SIGNAL_LOGS, REJECT_UNROUTED, 6);
    enrich_duplicate(house->enrich, SIGNAL_LOGS, 7);
    enrich_client_lost(house->enrich, SIGNAL_SPANS, GAP_CLIENT_DEADLINE, 8,
                       slice_of(resource, sizeof resource - 1));
    shed(house, SIGNAL_SPANS, 9); // by an exporter that takes no logs
    enrich_tell_gaps(house->enrich);
    house_turn(house);
    struct sink *logs = &house->sinks[0];
    assert_int_equal(logs->count, 4);
    assert_int_equal(house->sinks[1].count, 0);
    assert_int_equal(told(logs, "malformed"), 3);
    assert_int_equal(told(logs, "too_large"), 4);
    assert_int_equal(told(logs, "client_deadline"), 8);
    assert_int_equal(told(logs, "shed"), 9);
    yajl_val document = document_parse(logs->items[2].payload);
    document_has_text(document, "message",
                      "8 spans of shop were lost between 2026-11-22 19:16:40 and 19:16:40 UTC: the "
                      "app ended before they could be sent (client_deadline)");
    yajl_tree_free(document);
    assert_int_equal(logs->book->generated, 4);
    house_free(house);
}

static void answer(struct sink *sink, size_t item, enum verdict_kind kind, uint32_t refused)
{
    struct verdict verdict = {.position = sink->items[item].parcel.position,
                              .kind = kind,
                              .refused = refused,
                              .reason = "invalid"};
    sink->verdicts.verdict(sink->verdicts.ctx, &verdict, 1);
    sink->confirmed++;
}

static void a_lost_gap_document_makes_none(void **state)
{
    (void)state;
    struct house *house = gap_house(1, 1);
    house_open(house, NULL, 0, "", 1, 0);
    struct sink *sink = &house->sinks[0];
    append(house, "a", 9, 10);
    append(house, "a", 9, 10);
    house_turn(house);
    answer(sink, 0, VERDICT_DEAD, 0);
    answer(sink, 1, VERDICT_DELIVERED, 1);
    assert_int_equal(sink->book->untold, 2);
    enrich_tell_gaps(house->enrich);
    house_turn(house);
    assert_int_equal(told(sink, "dead"), 1);
    assert_int_equal(told(sink, "refused"), 1);
    assert_int_equal(sink->count, 4);
    yajl_val document = document_parse(sink->items[2].payload);
    document_has_text(document, "service.name", "a");
    document_has_text(document, "labels.gap_level", "info");
    yajl_tree_free(document);
    answer(sink, 2, VERDICT_DEAD, 0);
    answer(sink, 3, VERDICT_DELIVERED, 1);
    assert_int_equal(sink->book->dead, 2);
    assert_int_equal(sink->book->untold, 0);
    enrich_tell_gaps(house->enrich);
    house_turn(house);
    assert_int_equal(sink->count, 4);
    assert_int_equal(sink->book->generated, 2);
    house_free(house);
}

static void an_interval_of_none_makes_none(void **state)
{
    (void)state;
    struct house *house = gap_house(1, 1);
    house_open(house, NULL, 0, "", 1, 0);
    struct sink *sink = &house->sinks[0];
    shed(house, SIGNAL_LOGS, 1);
    enrich_set_gap_interval(house->enrich, 0);
    shed(house, SIGNAL_LOGS, 2);
    assert_false(documents_of(house)->timer.armed);
    enrich_tell_gaps(house->enrich);
    house_turn(house);
    assert_int_equal(sink->count, 0);
    enrich_set_gap_interval(house->enrich, NS_PER_S); // what was counted before is told
    monotonic_ns += NS_PER_S;
    expire(house);
    house_turn(house);
    assert_int_equal(told(sink, "shed"), 1);
    house_free(house);
}

// Whatever is dropped how: what the documents say and what is untold add up to the books.
static void the_sums_are_the_books(void **state)
{
    (void)state;
    uint32_t random = 12345;
    struct house *house = gap_house(1, 1);
    house_open(house, NULL, 0, "", 1, 0);
    struct sink *sink = &house->sinks[0];
    for (unsigned step = 0; step < 20000; step++) {
        char service[16];
        random = random * 1664525u + 1013904223u;
        snprintf(service, sizeof service, "s%u", random >> 8 & 511);
        append(house, service, (uint8_t)(random >> 20 & 15), random >> 24 & 1 ? 3000 : 10);
        monotonic_ns += random >> 12 & 0xffffff;
        if (random >> 28 == 3)
            shed(house, SIGNAL_LOGS, random >> 16 & 63);
        if (random >> 27 == 9)
            house_turn(house);
        while (random >> 26 == 21 && sink->confirmed < sink->count)
            answer(sink, sink->confirmed, random >> 9 & 7 ? VERDICT_DELIVERED : VERDICT_DEAD, 0);
        if (documents_of(house)->timer.armed && random >> 26 == 23)
            expire(house);
    }
    while (sink->book->untold > 0 || sink->book->held > 0) {
        house_turn(house);
        while (sink->confirmed < sink->count)
            answer(sink, sink->confirmed, VERDICT_DELIVERED, 0);
        enrich_tell_gaps(house->enrich);
    }
    house_turn(house);
    assert_true(sink->book->dropped[DROP_SHED] > 1000 && sink->book->dead > 100);
    assert_int_equal(told(sink, "shed") + told(sink, "other"), sink->book->dropped[DROP_SHED]);
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_document_says),
        cmocka_unit_test(at_most_one_a_minute_and_only_with_room),
        cmocka_unit_test(what_is_shed_unseen_has_no_level),
        cmocka_unit_test(the_doors_losses_are_told_by_every_exporter_of_logs),
        cmocka_unit_test(a_lost_gap_document_makes_none),
        cmocka_unit_test(an_interval_of_none_makes_none),
        cmocka_unit_test(the_sums_are_the_books),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
