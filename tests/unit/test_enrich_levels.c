// Who is refused first: records of every level, in random order, to logs whose exporters stall.
#include "enrich_fixture.h"

#include "spool/watermark.h"

#include <string.h>

#define SEGMENT SPOOL_SEGMENT_MIN
#define STEPS 20000

static uint32_t random_state;

static uint32_t random_next(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static int append(struct house *house, uint8_t severity, size_t size, bool sheds)
{
    static char text[4000];
    struct record record = {.severity = severity, .sheds = sheds};
    memset(text, 'x', sizeof text);
    fields_clear(&record.own);
    fields_set(&record.own, ECS_MESSAGE,
               (struct value){.kind = VALUE_TEXT, .text = slice_of(text, size)});
    return enrich_log(house->enrich, &record);
}

static int append_spans(struct house *house, uint8_t severity)
{
    static const char bytes[3000] = {0};
    const struct slice rest[] = {slice_of(bytes, sizeof bytes)};
    const struct otlp_run run = {
        .signal = SIGNAL_SPANS, .records = 4, .severity = severity, .rest = rest, .rest_count = 1};
    return enrich_otlp(house->enrich, &run);
}

struct seen {
    uint64_t kept[URGENCY_HIGH + 1];
    uint64_t level[URGENCY_HIGH + 1];
    uint64_t full[URGENCY_HIGH + 1];
};

// One record, or run, of a random level, and what must hold of what became of it.
static void step(struct house *house, struct sink *sink, bool sheds, struct seen *seen)
{
    static const uint8_t severities[] = {1, 5, 9, 0, 13, 17, 21};
    uint8_t severity = severities[random_next() % (random_next() % 8 ? 4 : 7)];
    enum urgency urgency = urgency_of(severity);
    bool above = spool_is_above(sink->log, urgency);
    bool spans = !sheds && random_next() % 8 == 0;
    const uint64_t *dropped = sink->book->dropped;
    uint64_t level = dropped[DROP_LEVEL];
    uint64_t full = dropped[DROP_SHED];
    int r = spans ? append_spans(house, severity)
                  : append(house, severity, random_next() % 3000, sheds);
    level = dropped[DROP_LEVEL] - level;
    full = dropped[DROP_SHED] - full;
    assert_int_equal(level + full, r == 0 ? 0 : spans ? 4 : 1);
    assert_int_equal(r, level ? ENRICH_LEVEL : full ? ENRICH_SHED : 0);
    seen->kept[urgency] += r == 0;
    seen->level[urgency] += level > 0;
    seen->full[urgency] += full > 0;
    if (!above)
        assert_int_equal(level, 0);
    if (above && urgency == URGENCY_LOW)
        assert_int_equal(r, ENRICH_LEVEL);
    if (full) // only a log without room refuses what it would keep
        assert_true(spool_is_above(sink->log, URGENCY_NORMAL));
}

static void run(enum spool_when_full policy, bool sheds, unsigned seed)
{
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 20 * SEGMENT, policy);
    house_open(house, NULL, 0, "", 1, 1);
    struct seen seen = {0};
    random_state = seed;
    for (unsigned i = 0; i < STEPS; i++) {
        step(house, sink, sheds, &seen);
        if (random_next() % 1500 == 0)
            house_confirm(house); // else it stalls
    }
    house_turn(house);
    // What the reserve is for got it; the others were refused by their level alone.
    assert_true(seen.level[URGENCY_LOW] > 0 && seen.level[URGENCY_NORMAL] > 0);
    assert_int_equal(seen.level[URGENCY_HIGH], 0);
    assert_int_equal(seen.full[URGENCY_LOW], 0);
    assert_int_equal(seen.full[URGENCY_NORMAL], 0);
    assert_true(seen.kept[URGENCY_HIGH] > seen.full[URGENCY_HIGH]);
    house_free(house);
}

static void test_the_less_urgent_goes_first(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 5; seed++) {
        run(SPOOL_WHEN_FULL_SHED, false, seed);
        run(SPOOL_WHEN_FULL_AUTO, true, seed); // lines that have waited for block_for
    }
}

// Nothing below warn is in the part of the log that is kept for warn and above.
static void test_the_reserve_is_for_warnings(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sink = house_add(house, "kafka", SEGMENT, 20 * SEGMENT, SPOOL_WHEN_FULL_SHED);
    house_open(house, NULL, 0, "", 1, 0);
    for (unsigned i = 0; i < STEPS; i++)
        append(house, i % 2 ? 5 : 9, 1000, false);
    assert_int_equal(sink->book->dropped[DROP_SHED], 0);
    unsigned warnings = 0;
    while (append(house, 13, 1000, false) == 0)
        warnings++;
    assert_in_range(warnings, SEGMENT / 1500,
                    3 * SEGMENT / 1000); // 5 % is a segment, and the slack
    assert_int_equal(append(house, 9, 10, false), ENRICH_LEVEL);
    house_turn(house);
    house_free(house);
}

static int ask(struct house *house, enum door_policy policy, enum urgency urgency, bool expired)
{
    const struct enrich_ask ask = {.signal = SIGNAL_LOGS,
                                   .policy = policy,
                                   .urgency = urgency,
                                   .expired = expired,
                                   .bytes = 2000};
    return enrich_admit(house->enrich, &ask);
}

// Which doors wait at which watermark.
static void test_who_waits(void **state)
{
    (void)state;
    static const struct {
        enum spool_when_full log;
        enum door_policy door;
        bool low, normal; // wait at 75 %; at 90 % all that is not HIGH does
    } cases[] = {
        {SPOOL_WHEN_FULL_AUTO, DOOR_WAIT, false, false},
        {SPOOL_WHEN_FULL_AUTO, DOOR_REFUSE, false, false},
        {SPOOL_WHEN_FULL_AUTO, DOOR_SHED, true, false},
        {SPOOL_WHEN_FULL_BLOCK, DOOR_WAIT, false, false},
        {SPOOL_WHEN_FULL_BLOCK, DOOR_SHED, false, false},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct house *house = house_new();
        struct sink *sink = house_add(house, "kafka", SEGMENT, 20 * SEGMENT, cases[i].log);
        house_open(house, NULL, 0, "", 1, 0);
        while (!spool_is_above(sink->log, URGENCY_LOW))
            append(house, 17, 1000, false);
        assert_int_equal(ask(house, cases[i].door, URGENCY_LOW, false), cases[i].low);
        assert_int_equal(ask(house, cases[i].door, URGENCY_NORMAL, false), cases[i].normal);
        while (!spool_is_above(sink->log, URGENCY_NORMAL))
            append(house, 17, 1000, false);
        assert_int_equal(ask(house, cases[i].door, URGENCY_LOW, false), ENRICH_BLOCKED);
        assert_int_equal(ask(house, cases[i].door, URGENCY_NORMAL, false), ENRICH_BLOCKED);
        assert_int_equal(ask(house, cases[i].door, URGENCY_HIGH, false), 0);
        while (ask(house, cases[i].door, URGENCY_HIGH, false) == 0)
            append(house, 17, 1000, false);
        bool sheds = cases[i].log == SPOOL_WHEN_FULL_AUTO && cases[i].door == DOOR_SHED;
        assert_int_equal(ask(house, cases[i].door, URGENCY_LOW, true), !sheds);
        assert_int_equal(sink->book->dropped[DROP_LEVEL] + sink->book->dropped[DROP_SHED], 0);
        house_confirm(house);
        assert_int_equal(ask(house, cases[i].door, URGENCY_LOW, false), 0);
        house_free(house);
    }
}

// A log that blocks is never half filled by one that sheds: each keeps to its own policy.
static void test_one_sheds_and_another_blocks(void **state)
{
    (void)state;
    struct house *house = house_new();
    struct sink *sheds = house_add(house, "sheds", SEGMENT, 4 * SEGMENT, SPOOL_WHEN_FULL_SHED);
    struct sink *blocks = house_add(house, "blocks", SEGMENT, 40 * SEGMENT, SPOOL_WHEN_FULL_BLOCK);
    house_open(house, NULL, 0, "", 3, 0);
    unsigned count = 0;
    while (ask(house, DOOR_SHED, URGENCY_LOW, true) == 0) {
        assert_int_equal(append(house, 5, 1000, true), 0);
        count++;
    }
    assert_true(spool_is_above(blocks->log, URGENCY_NORMAL));
    house_turn(house);
    assert_int_equal(blocks->count, count);
    assert_int_equal(sheds->count + sheds->book->dropped[DROP_LEVEL], count);
    assert_true(sheds->book->dropped[DROP_LEVEL] > 0);
    assert_int_equal(blocks->book->dropped[DROP_LEVEL], 0);
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_less_urgent_goes_first),
        cmocka_unit_test(test_the_reserve_is_for_warnings),
        cmocka_unit_test(test_who_waits),
        cmocka_unit_test(test_one_sheds_and_another_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
