// The producers: what is at hand goes to the decoder in pieces of any size; what it did not take
// waits.
#include "simulation.h"

#include "enrich/enrich.h"
#include "proto/native.h"
#include "proto/native.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_FOR_NS NS_PER_S
#define JOIN_FOR_NS (100 * NS_PER_MS)

static void room(struct room_waiter *waiter)
{
    struct producer *producer =
        (struct producer *)(void *)((char *)waiter - offsetof(struct producer, waiter));
    producer->blocked = false;
}

static struct door_counts *counts(struct simulation *simulation, bool spans)
{
    return &simulation->model.door[spans ? SIGNAL_SPANS : SIGNAL_LOGS];
}

static bool may_send(const struct simulation *simulation)
{
    return !simulation->ending && simulation->model.tags < simulation->records;
}

static void put_at_hand(struct producer *producer, size_t size)
{
    producer->at = producer->offered = 0;
    producer->size = size;
}

// Offers a little more than before.
static struct slice next_offer(struct simulation *simulation, struct producer *producer)
{
    size_t left = producer->size - producer->offered;
    size_t more =
        one_in(&simulation->random, 3) ? left : random_below(&simulation->random, left + 1);
    producer->offered += more < 65536 ? more : 65536;
    return slice_of(producer->bytes + producer->at, producer->offered - producer->at);
}

static void wait_for_room(struct simulation *simulation, struct producer *producer)
{
    if (producer->blocked_ns == 0)
        producer->blocked_ns = virtual_now() + 1;
    producer->blocked = true;
    decoder_wait(simulation->decoder, &producer->waiter);
}

// --- lines

static void lines_consumed(struct simulation *simulation, struct producer *producer,
                           const uint8_t *bytes, size_t size, bool skipped)
{
    static const char continued[] = "    belongs to it\n";
    struct door_counts *own = counts(simulation, false);
    for (const uint8_t *at = bytes, *end = bytes + size; at < end; at++) {
        at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            break;
        own->received++;
        size_t before = (size_t)(at + 1 - producer->bytes);
        if (before >= sizeof continued - 1 &&
            memcmp(at + 2 - sizeof continued, continued, sizeof continued - 1) == 0)
            own->continued++;
    }
    own->received += producer->lines.skipping;
    own->received -= skipped;
}

static void lines_step(struct simulation *simulation, struct producer *producer)
{
    struct model *model = &simulation->model;
    if (producer->at == producer->size) {
        uint32_t continued = 0;
        if (line_state_pending(&producer->lines) &&
            virtual_now() - producer->fed_ns >= JOIN_FOR_NS &&
            decode_lines_flush(simulation->decoder, &producer->lines) == DECODE_BLOCKED) {
            wait_for_room(simulation, producer);
            return;
        }
        if (!may_send(simulation))
            return;
        put_at_hand(producer, message_lines(&simulation->random, producer->bytes, BUFFER_SIZE,
                                            &model->tags, &producer->again, &continued));
    }
    if (producer->blocked_ns && virtual_now() - producer->blocked_ns >= BLOCK_FOR_NS)
        line_state_expire(&producer->lines);
    size_t consumed = 0;
    bool skipped = producer->lines.skipping;
    struct slice data = next_offer(simulation, producer);
    enum decode_stop stop =
        decode_lines(simulation->decoder, &producer->lines, data, false, &consumed);
    CHECK(consumed <= data.size && stop != DECODE_CLOSE, "lines: the decoder took too much");
    producer->fed_ns = virtual_now();
    lines_consumed(simulation, producer, producer->bytes + producer->at, consumed, skipped);
    producer->at += consumed;
    if (stop == DECODE_BLOCKED)
        wait_for_room(simulation, producer);
    else
        producer->blocked_ns = 0;
}

// --- native

static void connect_native(struct simulation *simulation, struct producer *producer)
{
    native_state_deinit(&producer->native);
    decoder_wait_cancel(simulation->decoder, &producer->waiter);
    producer->blocked = false;
    producer->receipt = 0;
    memset(&producer->native, 0, sizeof producer->native);
    size_t size =
        message_hello(producer->bytes, producer->stream,
                      one_in(&simulation->random, 2) ? NATIVE_ACK_DELIVERED : NATIVE_ACK_STORED);
    producer->piece_count = producer->piece_next = 0;
    for (unsigned i = 0; i < producer->outbox_count; i++) {
        const struct outbox_run *run = &producer->outbox[i];
        if (size + run->size > BUFFER_SIZE)
            break; // cannot happen: the outbox is bounded
        memcpy(producer->bytes + size, run->frame, run->size);
        message_mark_resend(producer->bytes + size, run->size);
        size += run->size;
        producer->pieces[producer->piece_count++] = (struct piece){
            .end = size,
            .tag = run->tag,
            .records = run->records,
            .last_sequence = run->first_sequence + run->records - 1,
            .spans = run->spans,
            .resend = true,
            .huge = run->huge,
        };
    }
    put_at_hand(producer, size);
}

static size_t outbox_bytes(const struct producer *producer)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < producer->outbox_count; i++)
        bytes += producer->outbox[i].size;
    return bytes;
}

static void outbox_drop(struct producer *producer, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(producer->outbox[i].frame);
    producer->outbox_count -= count;
    memmove(producer->outbox, producer->outbox + count,
            producer->outbox_count * sizeof producer->outbox[0]);
}

static bool write_frames(struct simulation *simulation, struct producer *producer)
{
    size_t size = 0;
    producer->piece_count = producer->piece_next = 0;
    for (uint64_t runs = 1 + random_below(&simulation->random, 4);
         runs > 0 && producer->outbox_count < OUTBOX_MAX &&
         outbox_bytes(producer) < BUFFER_SIZE - 120000;
         runs--) {
        struct piece piece = {.tag = simulation->model.tags,
                              .spans = one_in(&simulation->random, 2)};
        uint8_t *frame = producer->bytes + size;
        size_t most = BUFFER_SIZE - 100000 - outbox_bytes(producer);
        if (most < 160000 || size > 60000)
            break;
        size_t bytes =
            message_frame(&simulation->random, frame, most, &piece, producer->next_sequence);
        size += bytes;
        piece.end = size;
        struct outbox_run *run = &producer->outbox[producer->outbox_count++];
        *run = (struct outbox_run){.first_sequence = producer->next_sequence,
                                   .tag = piece.tag,
                                   .records = piece.records,
                                   .frame = malloc(bytes),
                                   .size = bytes,
                                   .spans = piece.spans,
                                   .huge = piece.huge};
        CHECK(run->frame, "no memory");
        memcpy(run->frame, frame, bytes);
        producer->pieces[producer->piece_count++] = piece;
        producer->next_sequence += piece.records;
        simulation->model.tags += piece.records;
    }
    put_at_hand(producer, size);
    return size > 0;
}

// Of level `delivered`: no log has a record of it without a verdict.
static void check_delivered(const struct simulation *simulation, const struct producer *producer,
                            uint64_t sequence)
{
    for (unsigned i = 0; i < producer->outbox_count; i++) {
        const struct outbox_run *run = &producer->outbox[i];
        for (uint32_t n = 0; n < run->records && run->first_sequence + n <= sequence; n++)
            for (unsigned sink = 0; sink < SINK_COUNT; sink++)
                CHECK(simulation->model.copies[sink].fates[run->tag + n] != FATE_HELD,
                      "a receipt of level delivered for record %u, which log %u has no verdict of",
                      run->tag + n, sink);
    }
}

static void receipt(struct simulation *simulation, struct producer *producer,
                    const Sluice__Native__Receipt *receipt)
{
    CHECK(receipt->stream.len == 8 && memcmp(receipt->stream.data, producer->stream, 8) == 0,
          "a receipt for another stream");
    // Ranges that do not fit into one are told before it is reached.
    CHECK(receipt->sequence > producer->receipt ||
              (receipt->sequence == producer->receipt && receipt->n_refused > 0),
          "a receipt that goes back");
    for (size_t i = 0; i < receipt->n_refused; i++)
        CHECK(receipt->refused[i]->first + receipt->refused[i]->count - 1 <= producer->taken,
              "a refusal of what was not taken");
    CHECK(receipt->sequence <= producer->taken, "a receipt for what was not taken");
    if (receipt->level == SLUICE__NATIVE__ACK_LEVEL__ACK_LEVEL_DELIVERED)
        check_delivered(simulation, producer, receipt->sequence);
    simulation->receipts++;
    producer->receipt = receipt->sequence;
    if (receipt->sequence > producer->receipted)
        producer->receipted = receipt->sequence;
}

static void read_answers(struct simulation *simulation, struct producer *producer)
{
    struct native_state *state = &producer->native;
    for (size_t at = 0; at < state->out_size;) {
        const uint8_t *frame;
        size_t size;
        CHECK(native_frame(state->out + at, state->out_size - at, NATIVE_OUT_SIZE, &frame, &size) ==
                  0,
              "an answer that is no frame");
        Sluice__Native__Frame *answer = sluice__native__frame__unpack(NULL, size, frame);
        CHECK(answer, "an answer that is no message");
        if (answer->body_case == SLUICE__NATIVE__FRAME__BODY_RECEIPT)
            receipt(simulation, producer, answer->receipt);
        else if (answer->body_case == SLUICE__NATIVE__FRAME__BODY_ERROR)
            CHECK(answer->error->open && ((int)answer->error->code == NATIVE_ERROR_TOO_LARGE ||
                                          (int)answer->error->code == NATIVE_ERROR_REFUSED),
                  "the agent refuses: %s", answer->error->message);
        sluice__native__frame__free_unpacked(answer, NULL);
        at += size + NATIVE_LENGTH_SIZE;
    }
    state->out_size = 0;
    unsigned done = 0;
    while (done < producer->outbox_count &&
           producer->outbox[done].first_sequence + producer->outbox[done].records - 1 <=
               producer->receipted)
        done++;
    // The last ones are kept: their receipt may be lost on the way.
    unsigned kept = (unsigned)random_below(&simulation->random, 4);
    if (done > kept)
        outbox_drop(producer, done - kept);
}

static uint64_t upto(uint64_t last, uint64_t first, uint32_t records)
{
    uint64_t count = last >= first ? last - first + 1 : 0;
    return count < records ? count : records;
}

// What a log took of the stream before, in this agent or in one that was killed, it does not take
// again.
static void native_booked(struct simulation *simulation, const struct producer *producer,
                          const struct piece *piece)
{
    struct door_counts *own = counts(simulation, piece->spans);
    const uint64_t *last = simulation->model.streams[producer->stream_at].last;
    uint64_t first = piece->last_sequence - piece->records + 1;
    uint64_t here[SINK_COUNT] = {0};
    for (unsigned i = 0; i < SINK_COUNT && piece->resend; i++)
        here[i] = upto(last[i], first, piece->records);
    uint64_t all = here[0] < here[1] ? here[0] : here[1];
    if (piece->spans)
        all = here[2];
    own->duplicate += all;
    if (piece->huge)
        own->too_large += piece->records - all;
    for (unsigned i = 0; i < 2 && !piece->spans && !piece->huge; i++)
        simulation->model.copies[i].here += here[i] - all;
}

static void native_consumed(struct simulation *simulation, struct producer *producer)
{
    while (producer->piece_next < producer->piece_count &&
           producer->pieces[producer->piece_next].end <= producer->at) {
        const struct piece *piece = &producer->pieces[producer->piece_next++];
        struct door_counts *own = counts(simulation, piece->spans);
        own->received += piece->records;
        native_booked(simulation, producer, piece);
        if (piece->last_sequence > producer->taken)
            producer->taken = piece->last_sequence;
    }
}

static void native_step(struct simulation *simulation, struct producer *producer)
{
    if (!producer->native.preamble && producer->size == 0)
        connect_native(simulation, producer);
    if (one_in(&simulation->random, 200)) {
        simulation->disconnects++;
        connect_native(simulation, producer);
    }
    decode_native_answers(simulation->decoder, &producer->native);
    read_answers(simulation, producer);
    if (producer->at == producer->size &&
        (!may_send(simulation) || !write_frames(simulation, producer)))
        return;
    size_t consumed = 0;
    struct slice data = next_offer(simulation, producer);
    enum decode_stop stop = decode_native(simulation->decoder, &producer->native, data, &consumed);
    CHECK(stop != DECODE_CLOSE, "the agent closes: %s", producer->native.error);
    CHECK(consumed <= data.size, "native: the decoder took too much");
    producer->at += consumed;
    native_consumed(simulation, producer);
    read_answers(simulation, producer);
    if (stop == DECODE_BLOCKED)
        wait_for_room(simulation, producer);
}

// --- OTLP

static void otlp_done(struct simulation *simulation, struct producer *producer, int outcome,
                      const struct otlp_result *result)
{
    struct door_counts *own = counts(simulation, producer->spans);
    CHECK(outcome == 0 || outcome == DECODE_OVERLOADED, "a request ends with %d", outcome);
    decode_otlp_free(producer->progress);
    producer->progress = NULL;
    own->received += producer->records;
    own->on_the_way -= producer->records;
    if (outcome == DECODE_OVERLOADED)
        own->overloaded += producer->records;
    else
        CHECK(result->accepted + result->rejected == producer->records, "a reply of other records");
    if (outcome == 0 && producer->huge)
        own->too_large += producer->records;
}

static void otlp_step(struct simulation *simulation, struct producer *producer)
{
    struct otlp_result result = {0};
    if (!producer->progress) {
        if (!may_send(simulation))
            return;
        struct piece piece = {.tag = simulation->model.tags,
                              .spans = !one_in(&simulation->random, 4)};
        size_t size = message_export(&simulation->random, producer->bytes, BUFFER_SIZE, &piece);
        simulation->model.tags += piece.records;
        producer->spans = piece.spans;
        producer->records = piece.records;
        producer->huge = piece.huge;
        counts(simulation, piece.spans)->on_the_way += piece.records;
        CHECK(decode_otlp_begin(simulation->decoder, piece.spans ? SIGNAL_SPANS : SIGNAL_LOGS,
                                slice_of(producer->bytes, size), NULL, &producer->progress) == 0,
              "no memory");
    }
    int outcome = decode_otlp_step(producer->progress, false, &result);
    if (outcome == DECODE_FULL)
        wait_for_room(simulation, producer);
    else if (outcome != DECODE_AGAIN)
        otlp_done(simulation, producer, outcome, &result);
}

// --- all of them

static void (*const steps[])(struct simulation *, struct producer *) = {
    [LINES] = lines_step, [NATIVE] = native_step, [OTLP] = otlp_step};

void producer_step(struct simulation *simulation, struct producer *producer)
{
    bool patient =
        producer->dialect != LINES || virtual_now() - producer->blocked_ns < BLOCK_FOR_NS;
    if (producer->blocked && patient)
        return;
    decoder_wait_cancel(simulation->decoder, &producer->waiter);
    producer->blocked = false;
    steps[producer->dialect](simulation, producer);
}

void producers_init(struct simulation *simulation)
{
    static const enum dialect dialects[] = {LINES, LINES, NATIVE, NATIVE, OTLP};
    for (unsigned i = 0; i < PRODUCERS; i++) {
        struct producer *producer = &simulation->producers[i];
        producer->dialect = dialects[i % 5];
        producer->waiter.room = room;
        producer->bytes = malloc(BUFFER_SIZE + 100000);
        producer->pieces = calloc(OUTBOX_MAX + 8, sizeof *producer->pieces);
        CHECK(producer->bytes && producer->pieces, "no memory");
        producer->next_sequence = 1;
        uint64_t stream = random_next(&simulation->random);
        memcpy(producer->stream, &stream, 8);
        producer->stream_at = simulation->model.stream_count++;
        memcpy(simulation->model.streams[producer->stream_at].id, &stream, 8);
    }
}

static void forget(struct simulation *simulation, struct producer *producer)
{
    decoder_wait_cancel(simulation->decoder, &producer->waiter);
    line_state_deinit(simulation->decoder, &producer->lines);
    native_state_deinit(&producer->native);
    decode_otlp_free(producer->progress);
    producer->progress = NULL;
    memset(&producer->lines, 0, sizeof producer->lines);
    memset(&producer->native, 0, sizeof producer->native);
    producer->blocked = producer->again = false;
    producer->blocked_ns = 0;
    producer->taken = 0;
    put_at_hand(producer, 0);
}

void producers_crash(struct simulation *simulation)
{
    for (unsigned i = 0; i < PRODUCERS; i++)
        forget(simulation, &simulation->producers[i]);
}

void producers_deinit(struct simulation *simulation)
{
    for (unsigned i = 0; i < PRODUCERS; i++) {
        struct producer *producer = &simulation->producers[i];
        forget(simulation, producer);
        outbox_drop(producer, producer->outbox_count);
        free(producer->bytes);
        free(producer->pieces);
    }
}

bool producers_end(const struct simulation *simulation)
{
    bool done = true;
    for (unsigned i = 0; i < PRODUCERS; i++) {
        const struct producer *producer = &simulation->producers[i];
        done = done && !producer->blocked && !producer->progress &&
               producer->at == producer->size && !line_state_pending(&producer->lines) &&
               (producer->dialect != NATIVE || producer->receipted == producer->next_sequence - 1);
    }
    return done;
}
