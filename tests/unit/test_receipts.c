// Receipts of the native dialect, and runs that are sent again.
#include "native_fixture.h"

#define LEVEL_NONE SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_NONE
#define LEVEL_RECEIVED SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_RECEIVED
#define LEVEL_STORED SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_STORED
#define LEVEL_DELIVERED SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_DELIVERED

static void assert_receipt(uint64_t sequence, Sluice__Native__AckLevel level)
{
    Sluice__Native__Frame *frame = answer();
    assert_non_null(frame);
    assert_int_equal(frame->body_case, SLUICE__NATIVE__FRAME__BODY_RECEIPT);
    assert_int_equal(frame->receipt->stream.len, 8);
    assert_memory_equal(frame->receipt->stream.data, "streamID", 8);
    assert_int_equal(frame->receipt->sequence, sequence);
    assert_int_equal(frame->receipt->level, level);
    assert_int_equal(frame->receipt->n_refused, 0);
    sluice__native__frame__free_unpacked(frame, NULL);
}

// The next receipt, which goes so far, and names so many ranges, the first of them this.
static void assert_refused(uint64_t sequence, size_t ranges, uint64_t first, uint64_t count,
                           Sluice__Native__ErrorCode code)
{
    Sluice__Native__Frame *frame = answer();
    assert_non_null(frame);
    assert_int_equal(frame->body_case, SLUICE__NATIVE__FRAME__BODY_RECEIPT);
    assert_int_equal(frame->receipt->sequence, sequence);
    assert_int_equal(frame->receipt->n_refused, ranges);
    assert_int_equal(frame->receipt->refused[0]->first, first);
    assert_int_equal(frame->receipt->refused[0]->count, count);
    assert_int_equal(frame->receipt->refused[0]->code, code);
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
    asked = LEVEL_STORED;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    assert_granted(LEVEL_STORED);
    assert_null(answer());
    put_records(1, 4);
    put_records(5, 2);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(6, LEVEL_STORED);
    assert_null(answer());
    behind.answer = DECODE_OVERLOADED;
    put_records(7, 1);
    assert_int_equal(offer(), DECODE_BLOCKED);
    assert_null(answer());
    behind.answer = 0;
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(7, LEVEL_STORED);
}

static void what_was_not_asked_for_is_not_granted(void **unused)
{
    (void)unused;
    asked = LEVEL_NONE;
    put_greeting();
    put_records(1, 1);
    assert_int_equal(offer(), DECODE_MORE);
    assert_granted(LEVEL_NONE);
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
    asked = LEVEL_STORED;
    put_greeting();
    resent = true;
    put_records(5, 2); // here
    assert_int_equal(offer(), DECODE_MORE);
    assert_granted(LEVEL_STORED);
    assert_receipt(6, LEVEL_STORED);
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
    greet(LEVEL_STORED);
    for (unsigned i = 1; i <= 6; i++) { // more than the connection keeps marks apart
        behind.mark = i;
        put_records(i, 1);
        assert_int_equal(offer(), DECODE_MORE);
    }
    assert_null(answer());
    assert_true(decode_native_answers(&decoder, &state));
    behind.stored = 2;
    assert_true(decode_native_answers(&decoder, &state));
    assert_receipt(2, LEVEL_STORED);
    assert_null(answer());
    behind.stored = 4; // the fourth waits with the last
    assert_true(decode_native_answers(&decoder, &state));
    assert_receipt(3, LEVEL_STORED);
    behind.stored = 6;
    assert_false(decode_native_answers(&decoder, &state));
    assert_receipt(6, LEVEL_STORED);
    assert_null(answer());
}

static void level_received_waits_for_nothing(void **unused)
{
    (void)unused;
    greet(LEVEL_RECEIVED);
    behind.mark = 1;
    put_records(1, 2);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(2, LEVEL_RECEIVED);
    assert_false(decode_native_answers(&decoder, &state));
}

static void a_flush_says_the_level_that_it_asked_for(void **unused)
{
    (void)unused;
    greet(LEVEL_NONE);
    behind.mark = 1;
    put_records(1, 2);
    put_flush_of(1, LEVEL_NONE);
    assert_int_equal(offer(), DECODE_MORE);
    assert_flushed_at(1, LEVEL_RECEIVED);
    put_flush_of(2, LEVEL_STORED);
    put_flush_of(3, LEVEL_NONE); // waits with the one before
    assert_int_equal(offer(), DECODE_MORE);
    assert_null(answer());
    assert_true(decode_native_answers(&decoder, &state));
    behind.stored = 1;
    assert_false(decode_native_answers(&decoder, &state));
    assert_flushed_at(3, LEVEL_STORED);
    assert_null(answer());
}

static void a_delivered_receipt_waits_for_the_sinks(void **unused)
{
    (void)unused;
    greet(LEVEL_DELIVERED);
    behind.mark = 1; // never stored: a verdict is more
    for (unsigned i = 1; i <= 2; i++) {
        behind.delivered_mark = i;
        put_records(i, 1);
        assert_int_equal(offer(), DECODE_MORE);
    }
    assert_null(answer());
    behind.delivered = 1;
    assert_true(decode_native_answers(&decoder, &state));
    assert_receipt(1, LEVEL_DELIVERED);
    behind.delivered = 2;
    assert_false(decode_native_answers(&decoder, &state));
    assert_receipt(2, LEVEL_DELIVERED);
    assert_null(answer());
}

// Each run has its receipt at its own level; what comes behind waits for it.
static void a_run_may_ask_for_another_level(void **unused)
{
    (void)unused;
    greet(LEVEL_RECEIVED);
    behind.delivered_mark = behind.mark = 1;
    put_records(1, 1);
    run_level = LEVEL_DELIVERED;
    put_records(2, 1);
    run_level = -1;
    put_records(3, 1);
    run_level = LEVEL_NONE;
    put_records(4, 1);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(1, LEVEL_RECEIVED);
    assert_null(answer());
    behind.delivered = 1;
    assert_false(decode_native_answers(&decoder, &state));
    assert_receipt(2, LEVEL_DELIVERED);
    assert_receipt(3, LEVEL_RECEIVED);
    assert_null(answer());
}

static void put_flush_until(uint64_t token, Sluice__Native__AckLevel level, uint32_t ms)
{
    Sluice__Native__Flush flush = SLUICE__NATIVE__FLUSH__INIT;
    flush.token = token;
    flush.level = level;
    flush.deadline_ms = ms;
    put_packed(SLUICE__NATIVE__FRAME__BODY_FLUSH, &flush);
}

#define MS 1000000u

static void at_its_deadline_a_flush_says_what_was_reached(void **unused)
{
    (void)unused;
    greet(LEVEL_NONE);
    behind.now_ns = 5 * MS;
    behind.mark = behind.delivered_mark = 1;
    put_records(1, 2);
    put_flush_until(1, LEVEL_DELIVERED, 10);
    put_flush_until(2, LEVEL_DELIVERED, 20);
    put_flush_until(3, LEVEL_DELIVERED, 0);
    assert_int_equal(offer(), DECODE_MORE);
    assert_null(answer());
    assert_int_equal(decode_native_deadline(&state), 15 * MS);
    behind.now_ns = 15 * MS - 1;
    assert_true(decode_native_answers(&decoder, &state));
    assert_null(answer());
    behind.now_ns = 15 * MS;
    assert_true(decode_native_answers(&decoder, &state));
    assert_flushed_at(1, LEVEL_RECEIVED);
    assert_int_equal(decode_native_deadline(&state), 25 * MS);
    behind.stored = 1;
    behind.now_ns = 30 * MS;
    assert_true(decode_native_answers(&decoder, &state));
    assert_flushed_at(2, LEVEL_STORED);
    assert_int_equal(decode_native_deadline(&state), 0); // the third waits for as long as it takes
    assert_null(answer());
    behind.delivered = 1;
    assert_false(decode_native_answers(&decoder, &state));
    assert_flushed_at(3, LEVEL_DELIVERED);
}

// More than are kept apart: the last answers for those that it stands for, at the earliest
// deadline.
static void many_flushes_wait_together(void **unused)
{
    (void)unused;
    greet(LEVEL_NONE);
    behind.mark = 1;
    put_records(1, 1);
    for (unsigned i = 1; i <= 6; i++)
        put_flush_until(i, LEVEL_STORED, 100 - 10 * i);
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(decode_native_deadline(&state), 40 * MS);
    behind.now_ns = 40 * MS;
    assert_false(decode_native_answers(&decoder, &state));
    assert_flushed_at(6, LEVEL_RECEIVED);
    assert_null(answer());
}

// An error that closes is the last frame: what was reached comes before it, the rest never.
static void nothing_comes_behind_a_closing_error(void **unused)
{
    (void)unused;
    greet(LEVEL_STORED);
    put_records(1, 2);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(2, LEVEL_STORED);
    behind.mark = 7;
    put_records(3, 1);
    put_greeting(); // its preamble reads as a length beyond all
    assert_int_equal(offer(), DECODE_CLOSE);
    behind.stored = 7;
    assert_false(decode_native_answers(&decoder, &state));
    decode_native_end(&decoder, &state);
    assert_error(SLUICE__NATIVE__ERROR_CODE__ERROR_TOO_LARGE, 0, 0, false);
    assert_null(answer());
}

static void a_receipt_comes_before_a_closing_error(void **unused)
{
    (void)unused;
    greet(LEVEL_STORED);
    put_records(1, 2);
    put_greeting(); // its preamble reads as a length beyond all
    assert_int_equal(offer(), DECODE_CLOSE);
    decode_native_end(&decoder, &state);
    assert_receipt(2, LEVEL_STORED);
    assert_error(SLUICE__NATIVE__ERROR_CODE__ERROR_TOO_LARGE, 0, 0, false);
    assert_null(answer());
}

#define REFUSED SLUICE__NATIVE__ERROR_CODE__ERROR_REFUSED
#define STREAM (const uint8_t *)"streamID"

static void a_receipt_names_what_was_given_up(void **unused)
{
    (void)unused;
    greet(LEVEL_STORED);
    refusals_note(&behind.refusals, STREAM, 3, 2);
    refusals_note(&behind.refusals, STREAM, 9, 4); // it may be known ahead of its receipt
    refusals_note(&behind.refusals, (const uint8_t *)"another1", 2, 1);
    refusals_note(&behind.refusals, STREAM, 4, 2); // by another log
    put_records(1, 10);
    assert_int_equal(offer(), DECODE_MORE);
    assert_refused(10, 2, 3, 3, REFUSED);
    put_records(11, 5);
    assert_int_equal(offer(), DECODE_MORE);
    assert_refused(15, 1, 11, 2, REFUSED);
    put_records(16, 1);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(16, LEVEL_STORED); // once each
}

static void many_ranges_take_several_receipts(void **unused)
{
    (void)unused;
    greet(LEVEL_STORED);
    put_records(1, 1);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(1, LEVEL_STORED);
    for (uint64_t i = 0; i < 20; i++)
        refusals_note(&behind.refusals, STREAM, UINT64_C(1) << 62 | (3 * i + 1), 1);
    for (uint64_t i = 0; i < 6; i++)
        put_records((UINT64_C(1) << 62) + 10 * i, 10);
    assert_int_equal(offer(), DECODE_MORE);
    size_t told = 0;
    uint64_t reached = 0;
    for (unsigned turns = 0; reached != (UINT64_C(1) << 62) + 59 && turns < 10; turns++) {
        decode_native_answers(&decoder, &state);
        for (Sluice__Native__Frame *frame; (frame = answer());) {
            assert_true(reached <= 1); // those before the last go no further than was reached
            told += frame->receipt->n_refused;
            reached = frame->receipt->sequence;
            sluice__native__frame__free_unpacked(frame, NULL);
        }
    }
    assert_int_equal(told, 20);
    assert_true(reached == (UINT64_C(1) << 62) + 59);
}

static void where_nobody_knows_whose_all_may_be_lost(void **unused)
{
    (void)unused;
    behind.refusals.unknown = 7; // before this connection
    greet(LEVEL_STORED);
    put_records(1, 10);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(10, LEVEL_STORED);
    behind.refusals.unknown++;
    put_records(11, 5);
    assert_int_equal(offer(), DECODE_MORE);
    assert_refused(15, 1, 11, 5, SLUICE__NATIVE__ERROR_CODE__ERROR_INTERNAL);
    put_records(16, 1);
    assert_int_equal(offer(), DECODE_MORE);
    assert_receipt(16, LEVEL_STORED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(receipts_are_cumulative_and_never_early),
        CASE(what_was_not_asked_for_is_not_granted),
        CASE(a_run_that_is_here_already_is_not_kept_again),
        CASE(a_receipt_waits_until_its_records_are_stored),
        CASE(level_received_waits_for_nothing),
        CASE(a_flush_says_the_level_that_it_asked_for),
        CASE(a_delivered_receipt_waits_for_the_sinks),
        CASE(a_run_may_ask_for_another_level),
        CASE(at_its_deadline_a_flush_says_what_was_reached),
        CASE(many_flushes_wait_together),
        CASE(nothing_comes_behind_a_closing_error),
        CASE(a_receipt_comes_before_a_closing_error),
        CASE(a_receipt_names_what_was_given_up),
        CASE(many_ranges_take_several_receipts),
        CASE(where_nobody_knows_whose_all_may_be_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
