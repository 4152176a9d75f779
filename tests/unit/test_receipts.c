// Receipts of the native dialect, and runs that are sent again.
#include "native_fixture.h"

static void assert_receipt(uint64_t sequence, Sluice__Native__AckLevel level)
{
    Sluice__Native__Frame *frame = answer();
    assert_non_null(frame);
    assert_int_equal(frame->body_case, SLUICE__NATIVE__FRAME__BODY_RECEIPT);
    assert_int_equal(frame->receipt->stream.len, 8);
    assert_memory_equal(frame->receipt->stream.data, "streamID", 8);
    assert_int_equal(frame->receipt->sequence, sequence);
    assert_int_equal(frame->receipt->level, level);
    sluice__native__frame__free_unpacked(frame, NULL);
}

static void assert_granted(Sluice__Native__AckLevel level)
{
    Sluice__Native__Frame *frame = answer();
    assert_non_null(frame);
    assert_int_equal(frame->body_case, SLUICE__NATIVE__FRAME__BODY_WELCOME);
    assert_int_equal(frame->welcome->ack_level, level);
    assert_int_equal(frame->welcome->features,
                     level ? SLUICE__NATIVE__FEATURE__FEATURE_RECEIPTS : 0);
    sluice__native__frame__free_unpacked(frame, NULL);
}

// Never for what waits: only for what is in the spool.
static void receipts_are_cumulative_and_never_early(void **unused)
{
    (void)unused;
    asked = SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    assert_granted(SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    assert_null(answer());
    put_records(1, 4);
    put_records(5, 2);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(6, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    assert_null(answer());
    behind.answer = DECODE_OVERLOADED;
    put_records(7, 1);
    assert_int_equal(offer(), DECODE_BLOCKED);
    assert_null(answer());
    behind.answer = 0;
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(7, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
}

static void no_more_is_granted_than_there_is(void **unused)
{
    (void)unused;
    asked = SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_DELIVERED;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    assert_granted(SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    tear_down(NULL);
    set_up(NULL);
    asked = SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_NONE;
    put_greeting();
    put_records(1, 1);
    assert_int_equal(offer(), DECODE_MORE);
    assert_granted(SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_NONE);
    assert_null(answer());
}

// Also on another connection, which is where a client sends again.
static void a_run_that_is_here_already_is_not_kept_again(void **unused)
{
    (void)unused;
    put_greeting();
    put_records(1, 4);
    put_records(5, 2);
    assert_int_equal(offer(), DECODE_MORE);
    native_state_deinit(&state);
    memset(&state, 0, sizeof state);
    asked = SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED;
    put_greeting();
    resent = true;
    put_records(5, 2); // here
    assert_int_equal(offer(), DECODE_MORE);
    assert_granted(SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    assert_receipt(6, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    assert_int_equal(behind.runs, 2);
    assert_int_equal(behind.duplicates, 2);
    put_records(6, 3); // in part: kept whole, its ids are the same
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(behind.runs, 3);
    assert_int_equal(behind.duplicates, 2);
    resent = false;
    put_records(1, 1); // a client that began anew by mistake loses nothing
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(behind.runs, 4);
}

static void put_flush_of(uint64_t token, Sluice__Native__AckLevel level)
{
    Sluice__Native__Flush flush = SLUICE__NATIVE__FLUSH__INIT;
    flush.token = token;
    flush.level = level;
    put_packed(SLUICE__NATIVE__FRAME__BODY_FLUSH, &flush);
}

static void assert_flushed_at(uint64_t token, Sluice__Native__AckLevel level)
{
    Sluice__Native__Frame *frame = answer();
    assert_non_null(frame);
    assert_int_equal(frame->body_case, SLUICE__NATIVE__FRAME__BODY_FLUSHED);
    assert_int_equal(frame->flushed->token, token);
    assert_int_equal(frame->flushed->level, level);
    sluice__native__frame__free_unpacked(frame, NULL);
}

static void greet(Sluice__Native__AckLevel level)
{
    asked = level;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    assert_granted(level);
}

// Level node: appended is not stored yet.
static void a_receipt_waits_until_its_records_are_stored(void **unused)
{
    (void)unused;
    greet(SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    for (unsigned i = 1; i <= 6; i++) { // more than the connection keeps marks apart
        behind.mark = i;
        put_records(i, 1);
        assert_int_equal(offer(), DECODE_MORE);
    }
    assert_null(answer());
    assert_true(decode_native_answers(&decoder, &state));
    behind.stored = 2;
    assert_true(decode_native_answers(&decoder, &state));
    assert_receipt(2, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    assert_null(answer());
    behind.stored = 4; // the fourth waits with the last
    assert_true(decode_native_answers(&decoder, &state));
    assert_receipt(3, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    behind.stored = 6;
    assert_false(decode_native_answers(&decoder, &state));
    assert_receipt(6, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    assert_null(answer());
}

static void level_received_waits_for_nothing(void **unused)
{
    (void)unused;
    greet(SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_RECEIVED);
    behind.mark = 1;
    put_records(1, 2);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(2, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_RECEIVED);
    assert_false(decode_native_answers(&decoder, &state));
}

static void a_flush_says_the_level_that_it_asked_for(void **unused)
{
    (void)unused;
    greet(SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_NONE);
    behind.mark = 1;
    put_records(1, 2);
    put_flush_of(1, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_NONE);
    assert_int_equal(offer(), DECODE_MORE);
    assert_flushed_at(1, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_RECEIVED);
    put_flush_of(2, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    put_flush_of(3, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_NONE); // waits with the one before
    assert_int_equal(offer(), DECODE_MORE);
    assert_null(answer());
    assert_true(decode_native_answers(&decoder, &state));
    behind.stored = 1;
    assert_false(decode_native_answers(&decoder, &state));
    assert_flushed_at(3, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED);
    assert_null(answer());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(receipts_are_cumulative_and_never_early),
        CASE(no_more_is_granted_than_there_is),
        CASE(a_run_that_is_here_already_is_not_kept_again),
        CASE(a_receipt_waits_until_its_records_are_stored),
        CASE(level_received_waits_for_nothing),
        CASE(a_flush_says_the_level_that_it_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
