// The connection, and the rooms behind it as the tests script them.
#include "native_fixture.h"

#include "base/clock.h"
#include "enrich/enrich_stored.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- the rooms behind: what they are handed, and what they shall answer

struct behind behind;

Sluice__Native__AckLevel asked; // by the next greeting
bool wants_credits;             // likewise
bool resent;                    // the next runs say so
int run_level;                  // that the next runs ask for themselves; -1: none

int decode_resource_run(struct decoder *by, const struct resource_run *run,
                        struct run_outcome *outcome)
{
    (void)by;
    if (behind.answer != 0) {
        outcome->records = outcome->rejected = behind.answer == DECODE_MALFORMED ? run->records : 0;
        return behind.answer;
    }
    behind.runs++;
    behind.last = *run;
    behind.here = run->stream ? run->sequence + run->records - 1 : 0;
    snprintf(behind.resource, sizeof behind.resource, "%.*s", (int)run->resource.size,
             run->resource.data ? run->resource.data : "");
    outcome->records = run->records ? run->records : 7;
    outcome->rejected = behind.rejected;
    outcome->shed = behind.shed;
    outcome->urgency = behind.urgency;
    return 0;
}

void enrich_reject(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                   uint64_t records)
{
    (void)enrich;
    assert_int_equal(reason, REJECT_MALFORMED);
    behind.reject_signal = signal;
    behind.reject_count += records;
}

void enrich_client_lost(struct enrich *enrich, enum signal_kind signal, enum gap_reason reason,
                        uint64_t records, struct slice resource)
{
    (void)enrich;
    assert_true(resource.size == 0 || resource.data);
    behind.lost_signal = signal;
    behind.lost_reason = reason;
    behind.lost += records;
}

void enrich_duplicate(struct enrich *enrich, enum signal_kind signal, uint32_t records)
{
    (void)enrich;
    assert_int_equal(signal, SIGNAL_SPANS);
    behind.duplicates += records;
}

uint64_t enrich_mark(struct enrich *enrich, enum mark_level level, enum signal_kind signal)
{
    (void)enrich;
    assert_int_equal(signal, SIGNAL_SPANS);
    return level == MARK_STORED ? behind.mark : behind.delivered_mark;
}

bool enrich_has_reached(const struct enrich *enrich, enum mark_level level, enum signal_kind signal,
                        uint64_t mark)
{
    (void)enrich;
    (void)signal;
    return mark <= (level == MARK_STORED ? behind.stored : behind.delivered);
}

bool enrich_backlog_is_delivered(const struct enrich *enrich)
{
    (void)enrich;
    return !behind.backlog;
}

bool enrich_has(const struct enrich *enrich, enum signal_kind signal, const uint8_t stream[8],
                uint64_t sequence)
{
    (void)enrich;
    assert_int_equal(signal, SIGNAL_SPANS);
    assert_memory_equal(stream, "streamID", 8);
    return behind.here >= sequence;
}

size_t enrich_take_refused(struct enrich *enrich, const uint8_t stream[8], uint64_t upto,
                           struct refused_range *ranges, size_t most)
{
    (void)enrich;
    return refusals_take(&behind.refusals, stream, upto, ranges, most);
}

uint64_t enrich_refused_unknown(const struct enrich *enrich)
{
    (void)enrich;
    return behind.refusals.unknown;
}

unsigned enrich_pressure(const struct enrich *enrich, unsigned signals)
{
    (void)enrich;
    behind.pressed = signals;
    return behind.pressure;
}

void enrich_pressure_watch(const struct enrich *enrich, unsigned signals,
                           struct room_waiter *waiter)
{
    (void)enrich;
    (void)signals;
    (void)waiter;
    behind.watched++;
}

void enrich_pressure_watch_cancel(const struct enrich *enrich, struct room_waiter *waiter)
{
    (void)enrich;
    (void)waiter;
}

static uint64_t now(struct clock *clock)
{
    (void)clock;
    return behind.now_ns;
}

static struct clock fixture_clock = {now, now};

// --- a connection

const uint8_t agent_id[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
struct decoder decoder;
struct native_state state;
uint64_t credit_waits;
static uint8_t input[70000];
size_t input_size;

int set_up(void **unused)
{
    (void)unused;
    memset(&behind, 0, sizeof behind);
    memset(&state, 0, sizeof state);
    asked = SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_NONE;
    resent = false;
    wants_credits = false;
    credit_waits = 0;
    run_level = -1;
    decoder.config = (struct decoder_config){.clock = &fixture_clock,
                                             .max_message = (size_t)16 << 20,
                                             .agent_id = agent_id,
                                             .credit_waits = &credit_waits,
                                             .agent_version = "0.1.0"};
    input_size = 0;
    return 0;
}

int tear_down(void **unused)
{
    (void)unused;
    refusals_deinit(&behind.refusals);
    native_state_deinit(&state);
    native_state_deinit(&state);
    return 0;
}

void put(const void *data, size_t size)
{
    assert_true(size <= sizeof input - input_size);
    memcpy(input + input_size, data, size);
    input_size += size;
}

void put_frame(const void *frame, size_t size)
{
    for (unsigned i = 0; i < 4; i++)
        put(&(uint8_t){(uint8_t)(size >> (8 * i))}, 1);
    put(frame, size);
}

void put_packed(Sluice__Native__Frame__BodyCase body, void *message)
{
    uint8_t packed[4096];
    Sluice__Native__Frame frame = SLUICE__NATIVE__FRAME__INIT;
    frame.body_case = body;
    frame.hello = message; // all members of the union are pointers
    assert_true(sluice__native__frame__get_packed_size(&frame) <= sizeof packed);
    put_frame(packed, sluice__native__frame__pack(&frame, packed));
}

void put_greeting(void)
{
    Sluice__Native__Hello hello = SLUICE__NATIVE__HELLO__INIT;
    hello.stream.data = (uint8_t *)"streamID";
    hello.stream.len = 8;
    hello.ack_level = asked;
    hello.features = wants_credits ? NATIVE_FEATURE_CREDITS : 0;
    put(NATIVE_PREAMBLE, NATIVE_PREAMBLE_SIZE);
    put_packed(SLUICE__NATIVE__FRAME__BODY_HELLO, &hello);
}

void put_records(uint64_t first, uint32_t count)
{
    Sluice__Native__Records records = SLUICE__NATIVE__RECORDS__INIT;
    Sluice__Otlp__ResourceSpans spans = SLUICE__OTLP__RESOURCE_SPANS__INIT;
    spans.schema_url = (char *)"an address of more than a few bytes";
    records.first_sequence = first;
    records.count = count;
    records.resend = resent;
    if (run_level >= 0) {
        records.ack_level_override_case = SLUICE__NATIVE__RECORDS__ACK_LEVEL_OVERRIDE_ACK_LEVEL;
        records.ack_level = (Sluice__Native__AckLevel)run_level;
    }
    records.payload_case = SLUICE__NATIVE__RECORDS__PAYLOAD_SPANS;
    records.spans = &spans;
    put_packed(SLUICE__NATIVE__FRAME__BODY_RECORDS, &records);
}

void put_flush(uint64_t token)
{
    Sluice__Native__Flush flush = SLUICE__NATIVE__FLUSH__INIT;
    flush.token = token;
    put_packed(SLUICE__NATIVE__FRAME__BODY_FLUSH, &flush);
}

// Offers what was put; what is consumed goes.
enum decode_stop offer(void)
{
    size_t consumed = SIZE_MAX;
    enum decode_stop stop = decode_native(&decoder, &state, slice_of(input, input_size), &consumed);
    assert_true(consumed <= input_size);
    memmove(input, input + consumed, input_size - consumed);
    input_size -= consumed;
    return stop;
}

// The next frame that the agent wrote; the caller frees it.
Sluice__Native__Frame *answer(void)
{
    const uint8_t *frame;
    size_t size;
    if (state.out_size == 0)
        return NULL;
    assert_int_equal(native_frame(state.out, state.out_size, sizeof state.out, &frame, &size), 0);
    Sluice__Native__Frame *unpacked = sluice__native__frame__unpack(NULL, size, frame);
    assert_non_null(unpacked);
    size_t whole = size + NATIVE_LENGTH_SIZE;
    memmove(state.out, state.out + whole, state.out_size - whole);
    state.out_size -= whole;
    return unpacked;
}

void forget_answers(void)
{
    state.out_size = 0;
}

void assert_error(Sluice__Native__ErrorCode code, uint64_t sequence, uint64_t count, bool open)
{
    Sluice__Native__Frame *frame = answer();
    assert_non_null(frame);
    assert_int_equal(frame->body_case, SLUICE__NATIVE__FRAME__BODY_ERROR);
    assert_int_equal(frame->error->code, code);
    assert_int_equal(frame->error->sequence, sequence);
    assert_int_equal(frame->error->count, count);
    assert_int_equal(frame->error->open, open);
    assert_int_equal(frame->error->version, NATIVE_VERSION);
    assert_true(strlen(frame->error->message) > 5);
    sluice__native__frame__free_unpacked(frame, NULL);
}

void assert_flushed(uint64_t token, uint64_t sequence)
{
    Sluice__Native__Frame *frame = answer();
    assert_non_null(frame);
    assert_int_equal(frame->body_case, SLUICE__NATIVE__FRAME__BODY_FLUSHED);
    assert_int_equal(frame->flushed->token, token);
    assert_int_equal(frame->flushed->sequence, sequence);
    assert_int_equal(frame->flushed->level, SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_RECEIVED);
    sluice__native__frame__free_unpacked(frame, NULL);
}
