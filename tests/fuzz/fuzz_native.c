// Fuzzes a native connection with the real rooms behind it: however the bytes are cut, the outcome
// is the same, the answers stay within their buffer, and the door's books balance.
//
// The low seven bits of the first byte are the size of the pieces (0: whole); the rest is the
// connection. With the high bit records have a log, whose sink gives its verdicts late: what is
// owed then must come, each Flush by its deadline.
#include "base/clock.h"
#include "base/loop.h"
#include "base/room_waiter.h"
#include "decode/decode_native.h"
#include "deliver/exporter.h"
#include "enrich/enrich.h"
#include "proto/native.h"
#include "spool/spool.h"

#include <event2/event.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LATER 0x80
#define HELD_MAX 4096

static struct books books;
static struct decoder *decoders[2]; // without a route; with one

// The sink: keeps what it is offered until it is told to answer.
static uint64_t held[HELD_MAX];
static size_t held_count;
static struct verdict_sink verdicts;
static struct loop *loop;
static uint64_t now_ns;

static void require(bool holds)
{
    if (!holds)
        abort();
}

static uint64_t now(struct clock *clock)
{
    (void)clock;
    return now_ns;
}

static int sink_start(struct exporter *exporter, struct verdict_sink sink)
{
    (void)exporter;
    verdicts = sink;
    return 0;
}

static int sink_offer(struct exporter *exporter, const struct parcel *parcel)
{
    (void)exporter;
    if (held_count == HELD_MAX)
        return EXPORTER_FULL;
    held[held_count++] = parcel->position;
    return 0;
}

static void sink_flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

static const struct exporter_ops sink_ops = {
    .type = "sink", .start = sink_start, .offer = sink_offer, .flush = sink_flush};

static void further(struct room_waiter *waiter)
{
    (void)waiter;
}

static struct room_waiter waiter = {.room = further};

// The newer half of what is held, or all of it.
static void deliver(bool all)
{
    decoder_wait_stored(decoders[true], &waiter);
    event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK);
    while (held_count > 0) {
        size_t count = all ? held_count : (held_count + 1) / 2;
        while (count-- > 0) {
            struct verdict verdict = {.position = held[--held_count], .kind = VERDICT_DELIVERED};
            verdicts.verdict(verdicts.ctx, &verdict, 1);
        }
        event_base_loop(loop_event_base(loop), EVLOOP_NONBLOCK);
        if (!all)
            return;
    }
}

static void build(bool later)
{
    static const uint8_t agent_id[16] = {1};
    static struct clock clock = {now, now};
    static struct exporter exporter = {.ops = &sink_ops};
    struct enrich *enrich;
    // Without a route every record ends as rejected{unrouted}, after it was decoded.
    struct enrich_config config = {.clock = &clock, .books = &books, .agent_version = "0"};
    struct enrich_target logs = {.form = WIRE_ECS_JSON}, spans = {.form = WIRE_OTLP};
    if (later) {
        struct spool_log *log;
        struct exporter_book *book = books_add_exporter(&books, "sink");
        require(loop_new(&loop) == 0);
        require(spool_log_new(&log, &(struct spool_config){.name = "sink",
                                                           .segment_size = SPOOL_SEGMENT_MIN,
                                                           .max_bytes = 8 * SPOOL_SEGMENT_MIN,
                                                           .loop = loop,
                                                           .clock = &clock,
                                                           .exporter = &exporter,
                                                           .book = book}) == 0);
        logs.log = spans.log = log;
        logs.book = spans.book = book;
        config.targets[SIGNAL_LOGS] = &logs;
        config.targets[SIGNAL_SPANS] = config.targets[SIGNAL_METRICS] = &spans;
        config.target_count[SIGNAL_LOGS] = config.target_count[SIGNAL_SPANS] =
            config.target_count[SIGNAL_METRICS] = 1;
    }
    require(enrich_new(&enrich, &config) == 0);
    struct decoder_config decoder_config = {.enrich = enrich,
                                            .clock = &clock,
                                            .max_line = 4096,
                                            .max_message = 65536,
                                            .agent_id = agent_id,
                                            .agent_version = "0"};
    require(decoder_new(&decoders[later], &decoder_config) == 0);
}

static enum decode_stop run(struct native_state *state, const uint8_t *data, size_t size,
                            size_t step, bool later)
{
    enum decode_stop stop = DECODE_MORE;
    size_t from = 0;
    size_t to = 0;
    while (stop == DECODE_MORE && to < size) {
        size_t consumed = SIZE_MAX;
        to = step == 0 || size - to < step ? size : to + step;
        while ((stop = decode_native(decoders[later], state, slice_of(data + from, to - from),
                                     &consumed)) == DECODE_BLOCKED) {
            require(later); // elsewhere nothing can be full
            state->out_size = 0;
            from += consumed;
            deliver(true);
        }
        require(consumed <= to - from && state->out_size <= sizeof state->out);
        state->out_size = 0;
        from += consumed;
        now_ns += NS_PER_MS;
        if (later)
            deliver(false);
    }
    return stop;
}

// Writes what is owed, as often as there is room for it. Whether something still is.
static bool answer(struct decoder *decoder, struct native_state *state)
{
    bool owes = true;
    for (unsigned i = 0; owes && i < NATIVE_OWED + NATIVE_FLUSHES; i++) {
        owes = decode_native_answers(decoder, state);
        require(state->out_size <= sizeof state->out);
        state->out_size = 0;
    }
    return owes;
}

// Everything that is owed comes, and what has a deadline by then.
static void end(struct native_state *state, bool later)
{
    uint64_t deadline = decode_native_deadline(state);
    now_ns = deadline > now_ns ? deadline : now_ns;
    answer(decoders[later], state);
    deadline = decode_native_deadline(state);
    require(deadline == 0 || deadline > now_ns);
    decode_native_end(decoders[later], state);
    require(state->flush_count == 0 && state->out_size <= sizeof state->out);
    state->out_size = 0;
    if (later)
        deliver(true);
    require(!answer(decoders[later], state));
    native_state_deinit(state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct native_state pieces = {0};
    struct native_state whole = {0};
    if (!loop) {
        build(false);
        build(true);
    }
    if (size == 0)
        return 0;
    bool later = data[0] & LATER;
    enum decode_stop first = run(&pieces, data + 1, size - 1, data[0] & (LATER - 1), later);
    enum decode_stop second = run(&whole, data + 1, size - 1, 0, later);
    // When a Credit is given depends on the pieces; so does what is sent without one.
    bool overrun = (pieces.credits && pieces.error_code == NATIVE_ERROR_ORDER) ||
                   (whole.credits && whole.error_code == NATIVE_ERROR_ORDER);
    if (!overrun) {
        require(first == second && pieces.error_code == whole.error_code);
        require(pieces.greeted == whole.greeted && pieces.received == whole.received);
        require(pieces.flush_token == whole.flush_token);
    }
    end(&pieces, later);
    end(&whole, later);
    for (unsigned i = 0; i < SIGNAL_COUNT; i++)
        require(books_door_gap(&books.door[i]) == 0);
    return 0;
}
