// Ranges that were given up: joined, bounded, taken once; and which verdicts note them.
#include "spool_fixture.h"

#include "spool/refusals.h"
#include "spool/spool_settled.h"

static const uint8_t one[8] = "stream-1", two[8] = "stream-2";

static void neighbours_are_one_range(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    struct refused_range ranges[4];
    refusals_note(&refusals, one, 5, 1);
    refusals_note(&refusals, two, 6, 1);
    refusals_note(&refusals, one, 6, 3);
    refusals_note(&refusals, one, 4, 1);
    refusals_note(&refusals, one, 5, 2);
    assert_int_equal(refusals.count, 2);
    assert_int_equal(refusals_take(&refusals, one, 3, ranges, 4), 0);
    assert_int_equal(refusals_take(&refusals, one, 5, ranges, 4), 1);
    assert_true(ranges[0].first == 4 && ranges[0].count == 2);
    assert_int_equal(refusals_take(&refusals, one, 100, ranges, 4), 1);
    assert_true(ranges[0].first == 6 && ranges[0].count == 3);
    assert_int_equal(refusals_take(&refusals, one, 100, ranges, 4), 0);
    assert_int_equal(refusals.count, 1);
    refusals_deinit(&refusals);
}

// A wider range says too much, never too little.
static void too_many_ranges_become_one(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    struct refused_range range;
    refusals_note(&refusals, two, 1, 1);
    for (uint64_t i = 1; i <= REFUSALS_MAX; i++)
        refusals_note(&refusals, one, 2 * i, 1);
    assert_int_equal(refusals.count, 3);
    assert_int_equal(refusals.unknown, 0);
    uint64_t upto = 2 * REFUSALS_MAX, covered = 0;
    while (refusals_take(&refusals, one, upto, &range, 1) == 1)
        covered += range.count;
    assert_true(covered >= REFUSALS_MAX);
    refusals_deinit(&refusals);
}

static void a_stream_too_many_is_told_of(void **state)
{
    (void)state;
    struct refusals refusals = {0};
    struct refused_range range;
    uint8_t stream[8] = {0};
    for (unsigned i = 0; i <= REFUSALS_MAX; i++) {
        stream[0] = (uint8_t)i;
        stream[1] = (uint8_t)(i >> 8);
        refusals_note(&refusals, stream, 1, 1);
    }
    assert_int_equal(refusals.count, REFUSALS_MAX);
    assert_int_equal(refusals.unknown, 1);
    assert_int_equal(refusals_take(&refusals, stream, 1, &range, 1), 1);
    refusals_deinit(&refusals);
}

static void put(struct fixture *fixture, uint64_t sequence, uint64_t position, uint32_t records)
{
    struct spool_slot slot;
    struct spool_entry entry = {
        .records = records, .source_position = position, .sequenced = position > 0};
    memcpy(entry.id, one, 8);
    entry.id[15] = (uint8_t)sequence;
    assert_int_equal(spool_reserve(fixture->log, 10, &slot), 0);
    memset(slot.data, 'x', 10);
    spool_commit(fixture->log, 10, &entry);
}

static void a_verdict_notes_what_the_sink_refused(void **state)
{
    (void)state;
    struct fixture *fixture = fixture_new(8);
    struct refused_range ranges[4];
    put(fixture, 1, 1, 4);
    put(fixture, 5, 5, 1);
    put(fixture, 6, 6, 3);
    put(fixture, 9, 0, 1); // the agent's own id
    fixture_turn(fixture);
    fake_answer(&fixture->fake, fixture->fake.taken[0], VERDICT_DELIVERED, 0);
    fake_answer(&fixture->fake, fixture->fake.taken[1], VERDICT_DEAD, 0);
    fake_answer(&fixture->fake, fixture->fake.taken[2], VERDICT_DELIVERED, 1); // which one?
    fake_answer(&fixture->fake, fixture->fake.taken[3], VERDICT_DEAD, 0);
    assert_int_equal(refusals_take(spool_refusals(fixture->log), one, 100, ranges, 4), 1);
    assert_true(ranges[0].first == 5 && ranges[0].count == 4);
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_are_one_range),
        cmocka_unit_test(too_many_ranges_become_one),
        cmocka_unit_test(a_stream_too_many_is_told_of),
        cmocka_unit_test(a_verdict_notes_what_the_sink_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
