// Credits: what a native client may send, by how full the logs are.
#include "decode/native_credit.h"
#include "native_fixture.h"

#define FRAME ((uint64_t)64 << 10) // max_frame here
#define STEP (FRAME / 4)
#define LEAST (4 + FRAME + STEP + NATIVE_CREDIT_RESERVE)

// The bytes that the agent has granted by now, in Welcome and Credits; other frames go.
static uint64_t granted(unsigned *credits)
{
    Sluice__Native__Frame *frame;
    uint64_t bytes = 0;
    while ((frame = answer())) {
        if (frame->body_case == SLUICE__NATIVE__FRAME__BODY_CREDIT) {
            bytes += frame->credit->bytes;
            ++*credits;
        } else if (frame->body_case == SLUICE__NATIVE__FRAME__BODY_WELCOME) {
            bytes += frame->welcome->credits;
            assert_int_equal(frame->welcome->features, wants_credits ? 2 : 0);
        }
        sluice__native__frame__free_unpacked(frame, NULL);
    }
    return bytes;
}

// A Records frame of so many bytes with its length.
static void put_run(size_t bytes)
{
    static uint8_t frame[FRAME + 4];
    // Records{count 1, spans, and a field that is not known}
    size_t body = bytes - 4 - 4;
    uint8_t *at = frame;
    *at++ = 0x12;
    for (unsigned i = 0; i < 3; i++)
        *at++ = (uint8_t)((body >> (7 * i) & 0x7F) | (i < 2 ? 0x80 : 0));
    memcpy(at, "\x10\x01\x22\x02\x12\x00\x7A", 7);
    at += 7;
    size_t unknown = body - 7 - 3;
    for (unsigned i = 0; i < 3; i++)
        *at++ = (uint8_t)((unknown >> (7 * i) & 0x7F) | (i < 2 ? 0x80 : 0));
    memset(at, 0, unknown);
    put_frame(frame, bytes - 4);
}

static void open_at(unsigned pressure)
{
    set_up(NULL);
    decoder.config.max_message = FRAME;
    wants_credits = true;
    behind.pressure = pressure;
    behind.urgency = URGENCY_NORMAL;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
}

static void send_run(size_t bytes)
{
    put_run(bytes);
    assert_int_equal(offer(), DECODE_MORE);
}

static void the_window_goes_with_the_logs(void **unused)
{
    (void)unused;
    unsigned credits = 0;
    open_at(0);
    assert_int_equal(granted(&credits), LEAST);
    assert_int_equal(behind.pressed, 7); // nothing came: any signal
    open_at(2);
    assert_int_equal(granted(&credits), NATIVE_CREDIT_RESERVE);
    assert_true(state.credit_withheld);
    assert_int_equal(credits, 0);
    set_up(NULL);
    wants_credits = true;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(granted(&credits), 2 << 20); // max_frame is 1 MiB
}

static void credit_comes_by_steps(void **unused)
{
    (void)unused;
    unsigned credits = 0;
    open_at(0);
    uint64_t left = granted(&credits);
    send_run(STEP - 1000);
    assert_int_equal(behind.pressed, 1u << SIGNAL_SPANS);
    assert_int_equal(granted(&credits), 0);
    send_run(1000);
    assert_int_equal(granted(&credits), STEP);
    assert_int_equal(credits, 1);
    assert_int_equal(state.credit_left, left);
    assert_int_equal(credit_waits, 0);
}

static void a_full_log_gives_back_to_warn_alone(void **unused)
{
    (void)unused;
    unsigned credits = 0;
    open_at(0);
    granted(&credits);
    behind.pressure = 2;
    send_run(30000);
    send_run(30000);
    assert_int_equal(granted(&credits), 0);
    assert_int_equal(credit_waits, 1); // of one writer, once
    decode_native_watch(&decoder, &state, NULL);
    assert_int_equal(behind.watched, 1);
    behind.urgency = URGENCY_HIGH;
    send_run(10000);
    assert_int_equal(granted(&credits), 0);
    send_run(10000);
    assert_int_equal(granted(&credits), 20000);
    behind.pressure = 0; // the log falls: the agent gives without being asked
    decode_native_answers(&decoder, &state);
    assert_int_equal(granted(&credits), 60000);
    assert_int_equal(state.credit_left, LEAST);
    assert_false(state.credit_withheld);
    assert_int_equal(credit_waits, 1);
}

static void above_the_lower_watermark_the_window_is_less(void **unused)
{
    (void)unused;
    unsigned credits = 0;
    set_up(NULL);
    wants_credits = true;
    behind.pressure = 1;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(granted(&credits), 4 + (5 << 18) + NATIVE_CREDIT_RESERVE);
    assert_int_equal(credit_waits, 1);
}

static void an_overrun_ends_it(void **unused)
{
    (void)unused;
    unsigned credits = 0;
    open_at(2);
    assert_int_equal(granted(&credits), NATIVE_CREDIT_RESERVE);
    send_run(60000);
    assert_int_equal(behind.runs, 1);
    put_run(6000);
    assert_int_equal(offer(), DECODE_CLOSE);
    assert_int_equal(behind.runs, 1);
    assert_non_null(strstr(state.error, "6000 bytes where 5536 "));
    assert_error(SLUICE__NATIVE__ERROR_CODE__ERROR_ORDER, 0, 0, false);
    behind.pressure = 0;
    decode_native_answers(&decoder, &state);
    assert_null(answer()); // nothing comes behind an error
}

static void without_the_feature_nothing_is_counted(void **unused)
{
    (void)unused;
    unsigned credits = 0;
    open_at(2);
    set_up(NULL);
    decoder.config.max_message = FRAME;
    behind.pressure = 2;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    for (unsigned i = 0; i < 20; i++)
        send_run(60000);
    assert_int_equal(granted(&credits), 0);
    assert_int_equal(credits, 0);
    assert_int_equal(behind.runs, 20);
    assert_int_equal(credit_waits, 0);
}

static void room_that_is_full_is_waited_for(void **unused)
{
    (void)unused;
    unsigned credits = 0;
    open_at(0);
    granted(&credits);
    state.out_size = sizeof state.out - 200;
    put_run(40000);
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(state.out_size, sizeof state.out - 200);
    forget_answers();
    decode_native_answers(&decoder, &state);
    assert_int_equal(granted(&credits), 40000);
}

// A client that keeps to its credit, whatever its frames and the logs do.
static void who_obeys_goes_on(void **unused)
{
    (void)unused;
    for (unsigned seed = 1; seed <= 20; seed++) {
        unsigned credits = 0;
        uint64_t credit = 0;
        unsigned taken = 0;
        srand(seed);
        open_at((unsigned)rand() % 3);
        credit += granted(&credits);
        for (unsigned turn = 0; turn < 500; turn++) {
            size_t bytes = 100 + (size_t)rand() % (FRAME - 96);
            bool urgent = rand() % 4 == 0;
            size_t reserve = urgent ? 0 : NATIVE_CREDIT_RESERVE;
            behind.urgency = urgent ? URGENCY_HIGH : URGENCY_NORMAL;
            behind.pressure = (unsigned)rand() % 3;
            if (bytes + reserve > credit) {
                behind.pressure = (unsigned)rand() % 2; // the log falls below the upper watermark
                decode_native_answers(&decoder, &state);
                credit += granted(&credits);
            }
            assert_true(bytes + reserve <= credit); // else it would wait for ever
            credit -= bytes;
            send_run(bytes);
            taken++;
            credit += granted(&credits);
            assert_int_equal(credit, state.credit_left);
            assert_true(credit <= LEAST);
        }
        assert_int_equal(behind.runs, taken);
        assert_true(credits < taken);
        native_state_deinit(&state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_window_goes_with_the_logs),
        CASE(credit_comes_by_steps),
        CASE(a_full_log_gives_back_to_warn_alone),
        CASE(above_the_lower_watermark_the_window_is_less),
        CASE(an_overrun_ends_it),
        CASE(without_the_feature_nothing_is_counted),
        CASE(room_that_is_full_is_waited_for),
        CASE(who_obeys_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
