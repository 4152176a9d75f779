// Native frames: as bytes (proto/native.c), and as a connection (decode/native.c) with the OTLP
// decoder behind it played by this file.
#include "native_fixture.h"

static void a_hello_is_welcomed(void **unused)
{
    (void)unused;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    assert_true(state.greeted);
    assert_memory_equal(state.stream, "streamID", 8);
    Sluice__Native__Frame *frame = answer();
    assert_non_null(frame);
    assert_int_equal(frame->body_case, SLUICE__NATIVE__FRAME__BODY_WELCOME);
    assert_int_equal(frame->welcome->version, 1);
    assert_int_equal(frame->welcome->max_frame, 1 << 20);
    assert_int_equal(frame->welcome->ack_level, 0);
    assert_int_equal(frame->welcome->features, 0);
    assert_memory_equal(frame->welcome->agent_id.data, agent_id, 16);
    assert_string_equal(frame->welcome->agent_version, "0.1.0");
    sluice__native__frame__free_unpacked(frame, NULL);
    assert_int_equal(state.out_size, 0);
}

static void runs_are_handed_on_with_stream_and_sequence(void **unused)
{
    (void)unused;
    put_greeting();
    put_records(10, 4);
    put_records(14, 1);
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(behind.runs, 2);
    assert_int_equal(behind.last.signal, SIGNAL_SPANS);
    assert_int_equal(behind.last.sequence, 14);
    assert_int_equal(behind.last.records, 1);
    assert_int_equal(behind.last.policy, DOOR_WAIT);
    assert_memory_equal(behind.last.stream, "streamID", 8);
    assert_int_equal(behind.last.message.size, 37);
    assert_int_equal(state.received, 14);
    put_records(0, 0); // neither sequence nor count
    assert_int_equal(offer(), DECODE_MORE);
    assert_null(behind.last.stream);
    assert_int_equal(state.received, 14);
}

static void the_hellos_resource_serves_its_runs(void **unused)
{
    (void)unused;
    put(NATIVE_PREAMBLE, NATIVE_PREAMBLE_SIZE);
    put_frame("\x0A\x06\x32\x04RSRC", 8); // Hello{resource}, no stream
    put_records(1, 1);
    assert_int_equal(offer(), DECODE_MORE);
    assert_string_equal(behind.resource, "RSRC");
    assert_null(behind.last.stream);
}

static void a_full_log_holds_the_run_back(void **unused)
{
    (void)unused;
    put_greeting();
    put_flush(1);
    put_records(1, 1);
    put_flush(2);
    size_t rest = 0;
    behind.answer = DECODE_OVERLOADED;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(offer(), DECODE_BLOCKED);
        assert_true(rest == 0 || rest == input_size);
        rest = input_size;
    }
    sluice__native__frame__free_unpacked(answer(), NULL); // Welcome
    assert_flushed(1, 0);
    assert_null(answer());
    behind.answer = 0;
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(behind.runs, 1);
    assert_flushed(2, 1);
}

static void what_is_unknown_is_read_past(void **unused)
{
    (void)unused;
    put(NATIVE_PREAMBLE, NATIVE_PREAMBLE_SIZE);
    put_frame("", 0);
    put_frame("\xF2\x06\x01x\x78\x05", 6); // fields 110 and 15 of Frame
    assert_int_equal(offer(), DECODE_MORE);
    input_size = 0;
    put_frame("\x0A\x0C\xF2\x06\x01x\x20\x09\x3A\x02zz\xC8\x01", 14); // ack level 9, strange fields
    assert_int_equal(offer(), DECODE_CLOSE);                          // … and one cut short
    set_up(NULL);
    put(NATIVE_PREAMBLE, NATIVE_PREAMBLE_SIZE);
    put_frame("\x0A\x0A\xF2\x06\x01x\x20\x09\x3A\x02zz", 12);
    put_frame("\x22\x00", 2);         // Goodbye
    put_frame("\x32\x00", 2);         // RingOffer
    put_frame("\x2A\x02\x18\x05", 4); // DropReport
    put_frame("\x82\x02\x00", 3);     // a Welcome from a client
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(state.ack_level, NATIVE_ACK_NONE); // no stream, so nothing to receipt
    assert_int_equal(input_size, 0);
}

static void breaches_are_answered_and_end_it(void **unused)
{
    (void)unused;
    static const struct {
        const char *bytes;
        size_t size;
        Sluice__Native__ErrorCode code;
    } cases[] = {
#define BREACH(literal, code) {literal, sizeof(literal) - 1, SLUICE__NATIVE__ERROR_CODE__##code}
        BREACH("\xC1SL\x02", ERROR_VERSION),
        BREACH("\xC1SX\x01", ERROR_MALFORMED),
        BREACH("\xC1SL\x01\x02\0\0\0\x12\0", ERROR_ORDER),                // Records first
        BREACH("\xC1SL\x01\x02\0\0\0\x0A\x05", ERROR_MALFORMED),          // Hello cut short
        BREACH("\xC1SL\x01\x01\0\0\0\x0A", ERROR_MALFORMED),              // half a tag
        BREACH("\xC1SL\x01\x05\0\0\0\x0A\x03\x1A\x01x", ERROR_MALFORMED), // stream of 1
        BREACH("\xC1SL\x01\x01\0\x10\0", ERROR_TOO_LARGE),
        BREACH("\xC1SL\x01\xFF\xFF\xFF\xFF", ERROR_TOO_LARGE),
        BREACH("\xC1SL\x01\x02\0\0\0\x0A\0\x02\0\0\0\x0A\0", ERROR_ORDER),           // Hello twice
        BREACH("\xC1SL\x01\x02\0\0\0\x0A\0\x03\0\0\0\x1A\x01\x08", ERROR_MALFORMED), // Flush
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        set_up(NULL);
        put(cases[i].bytes, cases[i].size);
        assert_int_equal(offer(), DECODE_CLOSE);
        assert_int_equal(input_size, 0);
        if (state.greeted)
            sluice__native__frame__free_unpacked(answer(), NULL);
        assert_error(cases[i].code, 0, 0, false);
        assert_int_equal(state.error_code, cases[i].code);
        assert_int_equal(behind.reject_count, 0);
    }
}

static void a_resource_has_a_limit(void **unused)
{
    (void)unused;
    static char resource[NATIVE_MAX_RESOURCE + 1];
    for (size_t over = 0; over < 2; over++) {
        uint8_t frame[NATIVE_MAX_RESOURCE + 16];
        size_t size = NATIVE_MAX_RESOURCE + over;
        size_t at = 0;
        set_up(NULL);
        size_t body = size + 4; // tag, three bytes of length
        frame[at++] = 0x0A;
        frame[at++] = (uint8_t)(body | 0x80);
        frame[at++] = (uint8_t)(body >> 7 | 0x80);
        frame[at++] = (uint8_t)(body >> 14);
        frame[at++] = 0x32;
        frame[at++] = (uint8_t)(size | 0x80);
        frame[at++] = (uint8_t)(size >> 7 | 0x80);
        frame[at++] = (uint8_t)(size >> 14);
        memcpy(frame + at, resource, size);
        put(NATIVE_PREAMBLE, NATIVE_PREAMBLE_SIZE);
        put_frame(frame, at + size);
        assert_int_equal(offer(), over ? DECODE_CLOSE : DECODE_MORE);
        assert_int_equal(state.resource_size, over ? 0 : size);
        native_state_deinit(&state);
    }
}

static void a_broken_run_is_booked_with_a_believable_count(void **unused)
{
    (void)unused;
    static const struct {
        const char *body;
        size_t size;
        enum signal_kind signal;
        uint64_t booked, sequence;
    } cases[] = {
        {"\x08\x05\x10\x03", 4, SIGNAL_LOGS, 2, 5},                           // no payload
        {"\x10\xFF\xFF\x03\x22\x04\x12\x02\x12\x00", 10, SIGNAL_SPANS, 5, 0}, // 65535 in 4 bytes
        {"\x10\x80\x80\x80\x80\x10\x2A\x00", 8, SIGNAL_LOGS, 4, 0}, // a count above 32 bits
        {"\x08\x01\x1A\x09", 4, SIGNAL_LOGS, 1, 0},                 // cut short
        {"\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01\x10\x02\x2A\x04\x12\x02\x12\x00", 19,
         SIGNAL_LOGS, 1, 0}, // past the last sequence
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t frame[64] = {0x12, (uint8_t)cases[i].size};
        set_up(NULL);
        put_greeting();
        memcpy(frame + 2, cases[i].body, cases[i].size);
        put_frame(frame, cases[i].size + 2);
        assert_int_equal(offer(), DECODE_CLOSE);
        assert_true(behind.reject_count > 0 && behind.reject_count <= cases[i].size / 2);
        assert_int_equal(behind.reject_signal, cases[i].signal);
        assert_int_equal(behind.runs, 0);
        sluice__native__frame__free_unpacked(answer(), NULL);
        assert_error(SLUICE__NATIVE__ERROR_CODE__ERROR_MALFORMED, cases[i].sequence,
                     behind.reject_count, false);
    }
}

static void what_came_before_a_breach_is_answered_first(void **unused)
{
    (void)unused;
    put_greeting();
    put_flush(3);
    put_flush(4);
    behind.answer = DECODE_MALFORMED;
    put_records(9, 2);
    assert_int_equal(offer(), DECODE_CLOSE);
    sluice__native__frame__free_unpacked(answer(), NULL);
    assert_flushed(4, 0);
    assert_error(SLUICE__NATIVE__ERROR_CODE__ERROR_MALFORMED, 9, 2, false);
    assert_null(answer());
    assert_int_equal(behind.reject_count, 0); // the OTLP decoder has booked it
}

static void memory_that_runs_out_ends_it(void **unused)
{
    (void)unused;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    forget_answers();
    behind.answer = -ENOMEM;
    put_records(9, 2);
    assert_int_equal(offer(), DECODE_CLOSE);
    assert_error(SLUICE__NATIVE__ERROR_CODE__ERROR_INTERNAL, 9, 2, false);
}

static void records_too_large_are_told_and_survived(void **unused)
{
    (void)unused;
    put_greeting();
    assert_int_equal(offer(), DECODE_MORE);
    forget_answers();
    behind.rejected = 1;
    put_records(5, 3);
    assert_int_equal(offer(), DECODE_MORE);
    assert_error(SLUICE__NATIVE__ERROR_CODE__ERROR_TOO_LARGE, 5, 1, true);
    // However many: there is room left for a flush's answer and the last error.
    for (uint64_t i = 0; i < 100; i++)
        put_records(8 + i, 1);
    put_flush(9);
    put_frame("x", 1);
    assert_int_equal(offer(), DECODE_CLOSE);
    assert_int_equal(behind.runs, 101);
    Sluice__Native__Frame *frame;
    Sluice__Native__Frame__BodyCase last[2] = {0};
    while ((frame = answer())) {
        last[0] = last[1];
        last[1] = frame->body_case;
        sluice__native__frame__free_unpacked(frame, NULL);
    }
    assert_int_equal(last[0], SLUICE__NATIVE__FRAME__BODY_FLUSHED);
    assert_int_equal(last[1], SLUICE__NATIVE__FRAME__BODY_ERROR);
}

static void writers_write_nothing_that_does_not_fit(void **unused)
{
    (void)unused;
    uint8_t out[256];
    struct native_welcome welcome = {1 << 20, agent_id, 0, 1, 5, "1.2.3"};
    struct native_error error = {NATIVE_ERROR_ORDER, "text", 1, 2, true};
    for (size_t room = 0; room < sizeof out; room++) {
        size_t sizes[] = {native_write_welcome(out, room, &welcome),
                          native_write_error(out, room, &error),
                          native_write_flushed(out, room, 300, 1, NATIVE_ACK_RECEIVED)};
        for (unsigned i = 0; i < 3; i++)
            assert_true(sizes[i] <= room && (sizes[i] > 0) == (room >= (size_t[]){42, 23, 14}[i]));
    }
    welcome.agent_id = NULL;
    welcome.agent_version = NULL;
    error.message = NULL;
    assert_int_equal(native_write_welcome(out, sizeof out, &welcome), 17);
    assert_int_equal(native_write_error(out, sizeof out, &error), 17);
}

static void put_drop_report(Sluice__Native__DropReport__Signal signal,
                            Sluice__Native__DropReport__Reason reason, uint64_t count)
{
    Sluice__Native__DropReport report = SLUICE__NATIVE__DROP_REPORT__INIT;
    report.signal = signal;
    report.reason = reason;
    report.count = count;
    put_packed(SLUICE__NATIVE__FRAME__BODY_DROP_REPORT, &report);
}

static void what_the_client_lost_is_handed_on(void **unused)
{
    (void)unused;
    put_greeting();
    put_drop_report(SLUICE__NATIVE__DROP_REPORT__SIGNAL__SIGNAL_SPANS,
                    SLUICE__NATIVE__DROP_REPORT__REASON__REASON_DEADLINE, 7);
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(behind.lost, 7);
    assert_int_equal(behind.lost_signal, SIGNAL_SPANS);
    assert_int_equal(behind.lost_reason, GAP_CLIENT_DEADLINE);
    // What is not known here is not refused, and nobody's claim is without bound.
    put_drop_report((Sluice__Native__DropReport__Signal)9, (Sluice__Native__DropReport__Reason)99,
                    UINT64_MAX);
    assert_int_equal(offer(), DECODE_MORE);
    assert_int_equal(behind.lost, 7 + (uint64_t)UINT32_MAX);
    assert_int_equal(behind.lost_signal, SIGNAL_COUNT);
    assert_int_equal(behind.lost_reason, GAP_CLIENT);
    const uint8_t broken[] = {0x2a, 2, 0x18, 0x80}; // a count that does not end
    put_frame(broken, sizeof broken);
    assert_int_equal(offer(), DECODE_CLOSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_the_client_lost_is_handed_on),
        CASE(a_hello_is_welcomed),
        CASE(runs_are_handed_on_with_stream_and_sequence),
        CASE(the_hellos_resource_serves_its_runs),
        CASE(a_full_log_holds_the_run_back),
        CASE(what_is_unknown_is_read_past),
        CASE(breaches_are_answered_and_end_it),
        CASE(a_resource_has_a_limit),
        CASE(a_broken_run_is_booked_with_a_believable_count),
        CASE(what_came_before_a_breach_is_answered_first),
        CASE(memory_that_runs_out_ends_it),
        CASE(records_too_large_are_told_and_survived),
        CASE(writers_write_nothing_that_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
