// The bucket of a backlog's rate, alone and in a log: live bytes are never slowed, a backlog is, on
// a clock of our own.
#include "spool_fixture.h"

#include "spool/catch_up.h"

#define KIB ((uint64_t)1024)

static uint64_t now_ns;

static uint64_t now(struct clock *clock)
{
    (void)clock;
    return now_ns;
}

static struct clock test_clock = {now, now};

static void live_bytes_bring_their_own(void **state)
{
    (void)state;
    struct catch_up bucket;
    catch_up_init(&bucket, 1, 64 * KIB, 0);
    for (unsigned i = 0; i < 1000; i++) {
        catch_up_live(&bucket, 64 * KIB);
        catch_up_live(&bucket, 7);
        assert_true(catch_up_take(&bucket, 64 * KIB));
        assert_true(catch_up_take(&bucket, 7));
    }
    assert_false(catch_up_take(&bucket, 1));
}

static void time_brings_the_rate_and_no_more_than_the_depth(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 3, 1000, 1 << 20, (uint64_t)8 << 30};
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct catch_up bucket;
        uint64_t rate = rates[i], taken = 0, at = 5;
        catch_up_init(&bucket, rate, 1, at);
        for (unsigned step = 1; step <= 10000; step++) { // ten seconds, in uneven steps
            at += step % 2 ? 300000 : 1700000;
            catch_up_fill(&bucket, at);
            taken += bucket.tokens;
            bucket.tokens = 0;
        }
        assert_in_range(taken, 10 * rate - 1, 10 * rate + rate / 100000); // 1 ns each
        catch_up_fill(&bucket, UINT64_MAX / 2);
        assert_int_equal(bucket.tokens, bucket.depth);
    }
}

static void waits_as_long_as_it_takes(void **state)
{
    (void)state;
    struct catch_up bucket;
    catch_up_init(&bucket, 1000, 5000, 0);
    assert_int_equal(catch_up_wait(&bucket, 5000), 5 * NS_PER_S + 1);
    assert_int_equal(catch_up_wait(&bucket, 1), 10 * NS_PER_MS);
    catch_up_fill(&bucket, catch_up_wait(&bucket, 5000));
    assert_true(catch_up_take(&bucket, 5000));
}

static struct fixture *fixture_paced(uint64_t rate)
{
    struct fixture *fixture = fixture_new(64);
    fixture->log->clock = &test_clock;
    catch_up_init(&fixture->log->catch_up, rate, 64 * KIB, now_ns);
    return fixture;
}

static void turn(struct fixture *fixture)
{
    // Timers of the log may wait for real time; the pump is run as they would.
    loop_timer_stop(&fixture->log->resume);
    loop_defer(fixture->loop, &fixture->log->pump);
    event_base_loop(loop_event_base(fixture->loop), EVLOOP_NONBLOCK);
}

static void a_backlog_drains_at_the_rate_and_live_goes_beside(void **state)
{
    (void)state;
    now_ns = NS_PER_S;
    struct fixture *fixture = fixture_paced(64 * KIB);
    fixture->fake.window = 0; // the sink is away
    for (unsigned i = 0; i < 640; i++)
        assert_int_equal(fixture_append(fixture, KIB, 'x', 1), 0);
    turn(fixture);
    assert_int_equal(fixture->fake.taken_count, 0);
    fixture->fake.window = SIZE_MAX; // it is back
    now_ns += 1000 * NS_PER_S;
    turn(fixture); // what was saved up, and what time brings
    size_t burst = fixture->fake.taken_count;
    assert_in_range(burst, 64, 128);
    for (unsigned tenth = 1; tenth <= 20; tenth++) {
        now_ns += NS_PER_S / 10;
        for (unsigned i = 0; i < 10; i++) // live
            assert_int_equal(fixture_append(fixture, KIB, 'y', 1), 0);
        turn(fixture);
        turn(fixture); // nothing more without more time
        assert_in_range(fixture->fake.taken_count - burst, tenth * 16, tenth * 17);
        assert_true(fixture->log->resume.armed);
    }
    for (size_t i = 0; i < fixture->fake.taken_count; i++)
        assert_int_equal(fixture->fake.taken[i], i); // the oldest first
    spool_drain(fixture->log, NULL, NULL);           // the end does not wait
    fixture_turn(fixture);
    assert_int_equal(fixture->fake.taken_count, 640 + 200);
    for (uint64_t i = 0; i < 840; i++)
        fake_answer(&fixture->fake, i, VERDICT_DELIVERED, 0);
    fixture_free(fixture);
}

static void live_traffic_is_never_slowed(void **state)
{
    (void)state;
    now_ns = NS_PER_S;
    struct fixture *fixture = fixture_paced(1);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(fixture_append(fixture, 3 * KIB, 'x', 1), 0);
        turn(fixture);
        assert_int_equal(fixture->fake.taken_count, (round + 1) * 20);
        for (unsigned i = 0; i < 20; i++)
            fake_answer(&fixture->fake, round * 20 + i, VERDICT_DELIVERED, 0);
    }
    fixture_free(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(live_bytes_bring_their_own),
        cmocka_unit_test(time_brings_the_rate_and_no_more_than_the_depth),
        cmocka_unit_test(waits_as_long_as_it_takes),
        cmocka_unit_test(a_backlog_drains_at_the_rate_and_live_goes_beside),
        cmocka_unit_test(live_traffic_is_never_slowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
