// Who gets memory when unfinished messages want more than there is.
#include "base/byte_budget.h"
#include "base/clock.h"
#include "grpc/message_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define LIMIT 1000u
#define SHARES 60

struct pond {
    struct clock clock; // first
    uint64_t now;
    struct byte_budget budget;
    struct message_pool pool;
    struct pool_share shares[SHARES];
    unsigned evicted;
};

static struct pond pond;

static uint64_t pond_now(struct clock *clock)
{
    (void)clock;
    return pond.now;
}

static void evict(struct pool_share *share)
{
    pond.evicted++;
    pool_give(share, share->bytes);
}

static void open_pond(void)
{
    pond = (struct pond){.clock = {pond_now, pond_now}, .budget = {.limit = LIMIT}};
    pond.pool = (struct message_pool){.budget = &pond.budget, .clock = &pond.clock};
    for (unsigned i = 0; i < SHARES; i++)
        pond.shares[i] = (struct pool_share){.pool = &pond.pool, .evict = evict};
}

static void close_pond(void)
{
    for (unsigned i = 0; i < SHARES; i++)
        pool_give(&pond.shares[i], pond.shares[i].bytes);
    assert_int_equal(pond.budget.used, 0);
    assert_null(pond.pool.large);
    assert_null(pond.pool.oldest);
    assert_null(pond.pool.newest);
}

static void test_a_quarter_each(void **state)
{
    (void)state;
    open_pond();
    for (unsigned i = 0; i < 4; i++)
        assert_true(pool_take(&pond.shares[i], 250));
    assert_null(pond.pool.large);
    assert_false(pool_take(&pond.shares[4], 1));
    assert_int_equal(pond.budget.refused, 1);
    assert_int_equal(pond.budget.used, LIMIT);
    pool_give(&pond.shares[0], 100);
    assert_true(pool_take(&pond.shares[4], 100));
    close_pond();
}

// One message may go on whatever the others hold; a second such one may not.
static void test_the_large_one_always_gets_through(void **state)
{
    (void)state;
    open_pond();
    for (unsigned i = 0; i < 4; i++)
        assert_true(pool_take(&pond.shares[i], 250));
    for (unsigned i = 0; i < 75; i++)
        assert_true(pool_take(&pond.shares[0], 10));
    assert_ptr_equal(pond.pool.large, &pond.shares[0]);
    assert_false(pool_take(&pond.shares[1], 1));
    assert_int_equal(pond.budget.used, LIMIT + 750);
    pool_give(&pond.shares[0], 1000);
    assert_true(pool_take(&pond.shares[1], 1));
    close_pond();
}

static void test_small_ones_get_through_beside_it(void **state)
{
    (void)state;
    open_pond();
    assert_true(pool_take(&pond.shares[0], 251));
    assert_true(pool_take(&pond.shares[0], 749));
    for (unsigned i = 1; i <= 5; i++)
        assert_true(pool_take(&pond.shares[i], 100));
    assert_false(pool_take(&pond.shares[6], 1)); // half of the budget is theirs
    close_pond();
}

// Sixty messages that grow in turn never hold more than the budget and one message.
static void test_the_sum_is_bounded(void **state)
{
    (void)state;
    open_pond();
    const size_t message = 950;
    bool refused[SHARES] = {false};
    unsigned whole = 0;
    for (unsigned round = 0; round < 95; round++)
        for (unsigned i = 0; i < SHARES; i++) {
            if (refused[i])
                continue;
            refused[i] = !pool_take(&pond.shares[i], 10);
            if (refused[i])
                pool_give(&pond.shares[i], pond.shares[i].bytes);
            whole += pond.shares[i].bytes == message;
        }
    assert_true(whole > 0);
    assert_true(pond.budget.peak <= LIMIT + message);
    assert_int_equal(pond.evicted, 0);
    close_pond();
}

static void test_who_stands_still_goes_when_others_need_it(void **state)
{
    (void)state;
    open_pond();
    for (unsigned i = 0; i < 4; i++) {
        assert_true(pool_take(&pond.shares[i], 250));
        pond.now += NS_PER_S;
    }
    pond.now = POOL_STALL_NS - 1; // since the first one came
    pool_came(&pond.shares[0], POOL_STEP - 1);
    assert_false(pool_take(&pond.shares[4], 1));
    pond.now = POOL_STALL_NS;
    assert_true(pool_take(&pond.shares[4], 1));
    assert_int_equal(pond.evicted, 1);
    assert_int_equal(pond.shares[0].bytes, 0);
    // The next oldest has moved on meanwhile, the one after it is in hand already.
    pool_came(&pond.shares[1], POOL_STEP);
    pool_settle(&pond.shares[2]);
    pond.now = 2 * POOL_STALL_NS - 1;
    assert_true(pool_take(&pond.shares[5], 249));
    assert_true(pool_take(&pond.shares[6], 250));
    assert_int_equal(pond.evicted, 2);
    assert_int_equal(pond.shares[3].bytes, 0);
    assert_int_equal(pond.shares[1].bytes, 250);
    assert_int_equal(pond.shares[2].bytes, 250);
    close_pond();
}

// A large one that dribbles does not keep other large ones out for ever.
static void test_the_large_one_may_be_evicted(void **state)
{
    (void)state;
    open_pond();
    assert_true(pool_take(&pond.shares[0], 300));
    for (unsigned i = 0; i < 29; i++) {
        pond.now += NS_PER_S;
        pool_came(&pond.shares[0], 1);
    }
    assert_false(pool_take(&pond.shares[1], 300));
    pond.now += NS_PER_S;
    assert_true(pool_take(&pond.shares[1], 300));
    assert_ptr_equal(pond.pool.large, &pond.shares[1]);
    close_pond();
}

static void test_handing_over(void **state)
{
    (void)state;
    open_pond();
    struct pool_share body;
    assert_true(pool_take(&pond.shares[0], 300));
    pool_hand_over(&pond.shares[0], &body);
    assert_int_equal(pond.shares[0].bytes, 0);
    assert_int_equal(body.bytes, 300);
    assert_ptr_equal(pond.pool.large, &body);
    pond.now = 10 * POOL_STALL_NS;
    assert_false(pool_take(&pond.shares[1], 300)); // never evicted
    pool_give(&body, 300);
    assert_true(pool_take(&pond.shares[1], 300));
    close_pond();
}

static void test_without_a_pool_or_a_limit(void **state)
{
    (void)state;
    open_pond();
    struct pool_share share = {0}, body;
    assert_true(pool_take(&share, 1u << 30));
    pool_came(&share, 1u << 30);
    pool_hand_over(&share, &body);
    assert_int_equal(body.bytes, 1u << 30);
    pool_give(&body, 1u << 30);
    pond.budget.limit = 0;
    assert_true(pool_take(&pond.shares[0], 1u << 30));
    assert_null(pond.pool.large);
    close_pond();
}

static void test_connections_come_first(void **state)
{
    (void)state;
    open_pond();
    assert_true(pool_reserve(&pond.pool, 400));
    assert_false(pool_reserve(&pond.pool, 101));
    for (unsigned i = 0; i < 4; i++)
        assert_true(pool_take(&pond.shares[i], 150)); // a quarter of what is left
    assert_int_equal(pond.budget.used, LIMIT);
    assert_null(pond.pool.large);
    assert_false(pool_take(&pond.shares[4], 1));
    pool_release(&pond.pool, 400);
    assert_true(pool_take(&pond.shares[4], 1));
    close_pond();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_quarter_each),
        cmocka_unit_test(test_the_large_one_always_gets_through),
        cmocka_unit_test(test_small_ones_get_through_beside_it),
        cmocka_unit_test(test_the_sum_is_bounded),
        cmocka_unit_test(test_who_stands_still_goes_when_others_need_it),
        cmocka_unit_test(test_the_large_one_may_be_evicted),
        cmocka_unit_test(test_handing_over),
        cmocka_unit_test(test_without_a_pool_or_a_limit),
        cmocka_unit_test(test_connections_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
