// Documents that a sink or a segment does not take: shortened, marked, counted, and never broken.
#include "enrich_fixture.h"

#include "document.h"

#include <stdio.h>

#define SEGMENT SPOOL_SEGMENT_MIN

static struct value text(const char *s)
{
    return (struct value){.kind = VALUE_TEXT, .text = slice_from(s)};
}

static char *long_text(size_t size)
{
    char *made = malloc(size + 1);
    assert_non_null(made);
    memset(made, 'x', size);
    made[size] = '\0';
    return made;
}

// A record that only has a message; what enrich_log says.
static int append_message(struct house *house, const char *message)
{
    struct record record = {0};
    fields_clear(&record.own);
    fields_set(&record.own, ECS_MESSAGE, text(message));
    return enrich_log(house->enrich, &record);
}

static void the_longest_text_gives(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 8 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    struct enrich_target target = {
        .document_max = 8000, .cut = true, .key_field = SLICE("labels.tenant")};
    house_open_targets(house, NULL, 0, &target, 1);
    struct arena arena;
    struct record record = {0};
    arena_init(&arena, 4096, 0);
    fields_clear(&record.own);
    char *message = long_text(20000), *tenant = long_text(300);
    fields_set(&record.own, ECS_MESSAGE, text(message));
    fields_set(&record.own, ECS_ERROR_STACK_TRACE, text("three\nshort\nlines"));
    named_values_add(&record.own.labels, &arena, SLICE("tenant"), text(tenant));
    assert_int_equal(enrich_log(house->enrich, &record), 0);
    house_turn(house);
    assert_int_equal(sink->count, 1);
    struct slice payload = sink->items[0].payload;
    assert_true(payload.size - 1 <= 8000 && payload.size > 6500);
    yajl_val document = document_parse(payload);
    document_has_text(document, "log.flags", "truncated");
    document_has_text(document, "error.stack_trace", "three\nshort\nlines");
    document_has_text(document, "labels.tenant", tenant);
    yajl_tree_free(document);
    assert_int_equal(sink->items[0].key.size, 300); // the key is the whole text's
    assert_int_equal(sink->book->cut, 1);
    assert_int_equal(house->books.door[SIGNAL_LOGS].routed, 1);
    message[100] = '\0'; // what fits is not touched
    assert_int_equal(append_message(house, message), 0);
    house_turn(house);
    document = document_parse(sink->items[1].payload);
    document_lacks(document, "log.flags");
    yajl_tree_free(document);
    assert_int_equal(sink->book->cut, 1);
    free(message);
    free(tenant);
    arena_deinit(&arena);
    house_free(house);
}

// Three sinks: one takes it whole, two take less; none gets more than it may.
static void each_target_gets_its_own_length(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sinks[3];
    static const char *const names[] = {"least", "whole", "middle"};
    for (unsigned i = 0; i < 3; i++)
        sinks[i] = house_add(house, names[i], SEGMENT, 8 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    struct enrich_target targets[3] = {
        {.document_max = 4000, .cut = true},
        {.document_max = 4000}, // dead_letter: the sink refuses it
        {.document_max = 9000, .cut = true},
    };
    house_open_targets(house, NULL, 0, targets, 3);
    char *message = long_text(30000);
    assert_int_equal(append_message(house, message), 0);
    house_turn(house);
    static const size_t most[] = {4001, 40000, 9001}, least[] = {2500, 30000, 7500};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(sinks[i]->count, 1);
        assert_true(sinks[i]->items[0].payload.size <= most[i]);
        assert_true(sinks[i]->items[0].payload.size >= least[i]);
        assert_memory_equal(sinks[i]->items[0].parcel.id, sinks[0]->items[0].parcel.id, 16);
        yajl_tree_free(document_parse(sinks[i]->items[0].payload));
        assert_int_equal(sinks[i]->book->cut, i != 1);
    }
    free(message);
    house_free(house);
}

static void what_no_segment_takes_is_cut_or_refused(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 8 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    struct sink *other = house_add(house, "other", SEGMENT, 8 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    struct enrich_target targets[2] = {{.document_max = 1000000}, {.document_max = 1000000}};
    house_open_targets(house, NULL, 0, targets, 2);
    char *message = long_text(4 * SEGMENT);
    assert_int_equal(append_message(house, message), ENRICH_REJECTED);
    assert_int_equal(house->books.door[SIGNAL_LOGS].rejected[REJECT_TOO_LARGE], 1);
    enrich_free(house->enrich);
    targets[0].cut = true;
    house_open_targets(house, NULL, 0, targets, 2);
    assert_int_equal(append_message(house, message), 0);
    house_turn(house);
    assert_int_equal(sink->count, 1);
    assert_int_equal(other->count, 1); // whole it could not go on either
    assert_int_equal(sink->book->cut, 1);
    assert_true(sink->items[0].payload.size > SEGMENT / 2);
    yajl_tree_free(document_parse(sink->items[0].payload));
    free(message);
    house_free(house);
}

// Nothing to shorten: the agent's own attributes are too much. It goes on, for the sink to refuse.
static void what_cannot_be_cut_goes_on(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 8 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    char *value = long_text(2000);
    const struct resource_attribute attribute = {SLICE("big"), slice_from(value)};
    struct enrich_target target = {.document_max = 1000, .cut = true};
    house_open_targets(house, &attribute, 1, &target, 1);
    assert_int_equal(append_message(house, "short"), 0);
    house_turn(house);
    assert_int_equal(sink->count, 1);
    assert_int_equal(sink->book->cut, 0);
    yajl_tree_free(document_parse(sink->items[0].payload));
    free(value);
    house_free(house);
}

// --- anything ---

static uint32_t seed;

static uint32_t random_below(uint32_t bound)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)seed * bound) >> 32);
}

// A text of about that size in one of the forms that records hold.
static struct value random_value(struct arena *arena, size_t size)
{
    static const char *const texts[] = {"a",  "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"", "\\",
                                        "\n", "\x01",         "\xc3\xa9"};
    static const char *const escaped[] = {"a",    "\xe2\x82\xac", "\\u20ac", "\\ud83d\\ude00",
                                          "\\\"", "\\\\",         "\\n",     "\xf0\x9f\x98\x80"};
    unsigned form = random_below(4);
    char *made = arena_alloc(arena, size + 40);
    assert_non_null(made);
    size_t used = 0;
    if (form == 3) {
        used = (size_t)sprintf(made, "[\"");
        while (used < size)
            used += (size_t)sprintf(made + used, "%s", escaped[random_below(8)]);
        used += (size_t)sprintf(made + used, "\"]");
        return (struct value){.kind = VALUE_JSON, .text = slice_of(made, used)};
    }
    const char *const *from = form == 2 ? escaped : texts;
    while (used < size)
        used += (size_t)sprintf(made + used, "%s", from[random_below(8)]);
    return (struct value){.kind = form == 2 ? VALUE_ESCAPED : VALUE_TEXT,
                          .text = slice_of(made, used)};
}

static void random_list(struct named_values *list, struct arena *arena, const char *prefix,
                        size_t total)
{
    unsigned count = random_below(3) ? random_below(20) : random_below(900);
    for (unsigned i = 0; i < count; i++) {
        char *name = arena_alloc(arena, 40);
        assert_non_null(name);
        int size = sprintf(name, "%s%u", prefix, i);
        assert_true(
            named_values_add(list, arena, slice_of(name, (size_t)size),
                             random_value(arena, random_below((uint32_t)total / count + 1))));
    }
}

static void random_layer(struct fields *fields, struct arena *arena)
{
    fields_clear(fields);
    size_t total = random_below(300000);
    static const enum ecs_field slots[] = {ECS_MESSAGE, ECS_ERROR_STACK_TRACE, ECS_URL_FULL,
                                           ECS_SERVICE_NAME, ECS_LOG_LOGGER};
    for (unsigned i = 0; i < 5; i++) {
        struct value value = random_value(arena, random_below((uint32_t)total + 1));
        if (random_below(2) && value.kind != VALUE_JSON)
            fields_set(fields, slots[i], value);
    }
    random_list(&fields->labels, arena, "l", random_below((uint32_t)total + 1));
    if (random_below(2))
        random_list(&fields->app, arena, "a", random_below((uint32_t)total + 1));
    if (random_below(4) == 0)
        random_list(&fields->other, arena, "cloud.x.y", random_below((uint32_t)total + 1));
}

// Half a pair is no character; yajl would let it pass.
static void pairs_are_whole(struct slice document)
{
    const char *end = document.data + document.size;
    for (const char *at = document.data; at + 6 <= end; at++) {
        if (memcmp(at, "\\ud83d", 6) == 0)
            assert_true(at + 12 <= end && memcmp(at + 6, "\\ude00", 6) == 0);
        at += *at == '\\'; // an escaped backslash begins no escape
    }
}

static void any_record_fits_after_it_was_cut(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", 16 * SEGMENT, 64 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    struct sink *small =
        house_add(house, "small", 16 * SEGMENT, 64 * SEGMENT, SPOOL_WHEN_FULL_AUTO);
    const struct resource_attribute attribute = {SLICE("region"), SLICE("eu")};
    static struct fields resource;
    static struct record record;
    struct arena arena;
    arena_init(&arena, 1 << 20, 0);
    uint64_t cuts = 0;
    for (unsigned round = 0; round < 80; round++) {
        seed = round;
        struct enrich_target targets[2] = {
            {.document_max = 20000 + random_below(400000), .cut = true},
            {.document_max = 4000 + random_below(10000), .cut = true},
        };
        house_open_targets(house, &attribute, 1, targets, 2);
        arena_reset(&arena);
        memset(&record, 0, sizeof record);
        random_layer(&record.own, &arena);
        random_layer(&resource, &arena);
        const struct fields *shared = random_below(2) ? &resource : NULL;
        record.resource = shared;
        const struct fields before = resource;
        struct slice first = {0};
        if (resource.labels.count)
            first = resource.labels.items[0].value.text;
        assert_int_equal(enrich_log(house->enrich, &record), 0);
        assert_ptr_equal(record.resource, shared);
        // The resource is shared: others must find it as it was.
        assert_memory_equal(&before, &resource, sizeof before);
        assert_true(!resource.labels.count ||
                    resource.labels.items[0].value.text.size == first.size);
        house_confirm(house);
        struct slice payloads[2] = {sink->items[round].payload, small->items[round].payload};
        for (unsigned i = 0; i < 2; i++) {
            if (payloads[i].size > targets[i].document_max + 1)
                fail_msg("round %u: %zu bytes of %zu", round, payloads[i].size,
                         targets[i].document_max);
            pairs_are_whole(payloads[i]);
            yajl_tree_free(document_parse(payloads[i]));
        }
        cuts = sink->book->cut + small->book->cut;
        enrich_free(house->enrich);
        house->enrich = NULL;
    }
    assert_true(cuts > 60);
    arena_deinit(&arena);
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_text_gives),
        cmocka_unit_test(each_target_gets_its_own_length),
        cmocka_unit_test(what_no_segment_takes_is_cut_or_refused),
        cmocka_unit_test(what_cannot_be_cut_goes_on),
        cmocka_unit_test(any_record_fits_after_it_was_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
