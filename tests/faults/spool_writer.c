// Writes records whose every byte follows from their number, and refuses to be offered others.
#include "spool_writer.h"

#include "base/error.h"
#include "base/loop.h"
#include "spool/segment_format.h"
#include "spool/spool_stored.h"
#include "spool/sync_thread.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENTS 6
#define TIME_NS 1700000000000000000u
#define NUMBER_SIZE 4 // a payload begins with the record's number

void writer_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _exit(1);
}

// What every payload and key is cut from, so that writing one takes few instructions.
static uint8_t pattern[SPOOL_SEGMENT_MIN + 4096];

static void pattern_fill(uint32_t seed)
{
    uint32_t mixed = seed * 2654435761u + 1;
    for (size_t i = 0; i < sizeof pattern; i++) {
        mixed = mixed * 1664525u + 1013904223u;
        pattern[i] = (uint8_t)(mixed >> 24);
    }
}

static const uint8_t *bytes_of(uint32_t number)
{
    return pattern + number * 7919u % 4096u;
}

uint64_t writer_last_sequence(uint32_t number)
{
    return 3 * (uint64_t)number + 1 + number % 3;
}

// What goes beside the payload.
static struct spool_entry entry_of(uint32_t number)
{
    uint64_t sequence = writer_last_sequence(number) - number % 3;
    struct spool_entry entry = {
        .id = WRITER_STREAM,
        .records = 1 + number % 3,
        .time_ns = TIME_NS + number,
        .source = 7,
        .source_position = sequence,
        .sequenced = true,
        .severity = (uint8_t)(1 + number % 24),
        .resend = {.topic = SLICE("logs")},
    };
    for (unsigned i = 0; i < 8; i++)
        entry.id[8 + i] = (uint8_t)(sequence >> (56 - 8 * i));
    if (number % 2) // every other entry has a blob of its own
        entry.resend.key = slice_of(bytes_of(number), 8 + number % 8);
    return entry;
}

static void parcel_check(const struct ledger *ledger, uint32_t number, const struct parcel *parcel)
{
    struct spool_entry entry = entry_of(number);
    if (parcel->payload.size != ledger->size[number])
        writer_fail("record %u: %zu bytes, not %u", number, parcel->payload.size,
                    ledger->size[number]);
    if (memcmp(parcel->payload.data + NUMBER_SIZE, bytes_of(number),
               parcel->payload.size - NUMBER_SIZE) != 0)
        writer_fail("record %u has other bytes", number);
    if (memcmp(parcel->id, entry.id, sizeof entry.id) != 0 || parcel->records != entry.records ||
        parcel->time_ns != entry.time_ns || parcel->severity != entry.severity ||
        !slice_equal(parcel->topic, entry.resend.topic) ||
        !slice_equal(parcel->key, entry.resend.key))
        writer_fail("record %u: its entry is another's", number);
}

static int take_start(struct exporter *exporter, struct verdict_sink sink)
{
    ((struct writer *)exporter)->sink = sink;
    return 0;
}

static int take_offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct writer *writer = (struct writer *)exporter;
    if (parcel->payload.size < NUMBER_SIZE)
        writer_fail("an entry that nobody wrote: %zu bytes", parcel->payload.size);
    uint32_t number = get_u32le((const uint8_t *)parcel->payload.data);
    if (number >= writer->ledger->count)
        writer_fail("record %u, which nobody wrote", number);
    parcel_check(writer->ledger, number, parcel);
    if (writer->held_count == LEDGER_MAX)
        writer_fail("more records than were written");
    writer->held[writer->held_count++] = (struct writer_parcel){parcel->position, number};
    return 0;
}

static void take_flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

static const struct exporter_ops ops = {
    .type = "writer", .start = take_start, .offer = take_offer, .flush = take_flush};

static uint64_t standing(struct clock *clock)
{
    (void)clock;
    return TIME_NS;
}

void writer_open(struct writer *writer, enum spool_level level)
{
    pattern_fill(writer->ledger->seed);
    writer->exporter.ops = &ops;
    writer->clock = (struct clock){standing, standing};
    writer->book = (struct exporter_book){0};
    writer->held_count = 0;
    int r = loop_new(&writer->loop);
    if (r == 0 && level == SPOOL_NODE)
        r = sync_thread_new(&writer->sync, writer->loop);
    struct spool_config config = {
        .name = "writer",
        .level = level,
        .folder = writer->folder,
        .segment_size = SPOOL_SEGMENT_MIN,
        .max_bytes = (uint64_t)SEGMENTS * SPOOL_SEGMENT_MIN,
        .loop = writer->loop,
        .clock = &writer->clock,
        .exporter = &writer->exporter,
        .sync = writer->sync,
        .book = &writer->book,
    };
    if (r == 0)
        r = spool_log_new(&writer->log, &config);
    if (r < 0)
        writer_fail("the log does not open: %s", strerror(-r));
}

void writer_append(struct writer *writer, uint32_t size)
{
    struct ledger *ledger = writer->ledger;
    uint32_t number = ledger->count;
    struct spool_slot slot;
    if (number == LEDGER_MAX)
        writer_fail("the ledger is full");
    ledger->size[number] = size;
    ledger->state[number] = LEDGER_APPENDING;
    ledger->count = number + 1;
    int r = spool_reserve(writer->log, size, &slot);
    if (r != 0)
        writer_fail("no room for record %u: %d", number, r);
    put_u32le(slot.data, number);
    memcpy(slot.data + NUMBER_SIZE, bytes_of(number), size - NUMBER_SIZE);
    struct spool_entry entry = entry_of(number);
    spool_commit(writer->log, size, &entry);
    ledger->state[number] = LEDGER_COMMITTED;
}

void writer_turn(struct writer *writer)
{
    // The first may only find that a timer is due.
    for (int turn = 0; turn < 8; turn++)
        event_base_loop(loop_event_base(writer->loop), EVLOOP_NONBLOCK);
    if (books_exporter_gap(&writer->book) != 0)
        writer_fail("the books do not balance: %lld", (long long)books_exporter_gap(&writer->book));
}

void writer_await_stored(struct writer *writer)
{
    while (spool_stored(writer->log) < spool_position(writer->log))
        event_base_loop(loop_event_base(writer->loop), EVLOOP_ONCE);
}

static void answer(struct writer *writer, uint32_t index, enum verdict_kind kind)
{
    struct verdict verdict = {.position = writer->held[index].position, .kind = kind};
    verdict.reason = "refused";
    writer->held_count--;
    memmove(&writer->held[index], &writer->held[index + 1],
            (writer->held_count - index) * sizeof writer->held[0]);
    writer->sink.verdict(writer->sink.ctx, &verdict, 1);
}

void writer_answer(struct writer *writer, uint32_t number, enum verdict_kind kind)
{
    uint32_t index = 0;
    while (index < writer->held_count && writer->held[index].number != number)
        index++;
    if (index == writer->held_count)
        writer_fail("record %u was not offered", number);
    writer->ledger->state[number] = LEDGER_ANSWERING;
    answer(writer, index, kind);
    writer->ledger->state[number] = LEDGER_ANSWERED;
}

void writer_close(struct writer *writer)
{
    while (writer->held_count > 0)
        answer(writer, writer->held_count - 1, VERDICT_RETURNED);
    if (books_exporter_gap(&writer->book) != 0)
        writer_fail("the books do not balance: %lld", (long long)books_exporter_gap(&writer->book));
    spool_log_free(writer->log);
    sync_thread_free(writer->sync);
    loop_free(writer->loop);
    writer->log = NULL;
    writer->sync = NULL;
    writer->loop = NULL;
}
