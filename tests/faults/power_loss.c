// Cuts the power of a log at level `node`, again and again, and looks what the next start finds.
//
// The log, its decisions when to sync, and the recovery are the product's; the device below is
// power_device.c. After each cut: every record that was reported as stored is found, with its bytes
// and once, unless it had its verdict; nothing is found that was never written, nor what an earlier
// use of a file left there. Then the log goes on from what was found.
//
//   power_loss [--seed N] [--cuts N]
#include "power_device.h"
#include "spool_remains.h"
#include "virtual_loop.h"

#include "base/own_log.h"
#include "deliver/exporter.h"
#include "spool/segment_image.h"
#include "spool/spool_log.h"
#include "spool/spool_stored.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT ((size_t)SPOOL_SEGMENT_MIN)
#define SEGMENTS 4
#define HELD_MAX 20000

// One payload that was appended, named by its place in `records`.
struct record {
    uint64_t generation;
    uint32_t file;
    uint32_t author; // the agent that appended it
    uint32_t found;  // by this agent's recovery
    bool stored, settled;
    bool gone; // was not found once: must never be again
};

struct held {
    uint64_t position;
    uint32_t record;
};

struct bench {
    struct exporter exporter; // first
    struct verdict_sink verdicts;
    struct random random;
    struct device *device;
    struct loop *loop;
    struct spool_log *log;
    struct exporter_book book;
    char folder[SPOOL_FOLDER_SIZE];
    struct record *records;
    uint32_t count, room;
    uint32_t first;          // of this agent, at first_position
    uint64_t first_position; // of its log
    uint32_t author;         // agents so far
    bool recovering;
    uint32_t stored_upto; // of this agent's, those before it were reported
    struct held held[HELD_MAX];
    size_t held_count;
    uint64_t cuts, found, again, promised;
};

static uint64_t seed;
static const struct bench *running;

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "power_loss: ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr,
            "\n  after cut %" PRIu64 "; to repeat: power_loss --seed %" PRIu64 " --cuts %" PRIu64
            "\n",
            running->cuts, seed, running->cuts);
    exit(1);
}

// The log's own id repeats with the seed.
ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags)
{
    static struct random entropy;
    (void)flags;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)random_next(&entropy);
    return (ssize_t)size;
}

// --- what a record's bytes are: drawn from its number

static size_t put_payload(uint32_t record, uint8_t *out)
{
    struct random random = {record * UINT64_C(0x1000193)};
    // Never so short that other bytes could be the same by chance.
    size_t size = 8 + random_skewed(&random, one_in(&random, 12) ? 24000 : 3000);
    memset(out, (int)random_below(&random, 256), size);
    for (size_t i = 0; i + 8 <= size; i += 64) {
        uint64_t mark = random_next(&random);
        memcpy(out + i, &mark, 8);
    }
    return size;
}

static size_t put_key(uint32_t record, char key[32])
{
    return record % 3 ? 0 : (size_t)snprintf(key, 32, "key-%u", record / 9);
}

static uint32_t runs_of(uint32_t record)
{
    return 1 + record % 4;
}

// --- the exporter

static int start(struct exporter *exporter, struct verdict_sink verdicts)
{
    ((struct bench *)exporter)->verdicts = verdicts;
    return 0;
}

static const struct segment *segment_of(const struct bench *bench, uint64_t position)
{
    for (uint32_t i = 0; i < bench->log->live_count; i++) {
        const struct segment *segment = bench->log->live[i];
        if (position - segment->identity.base_position < segment->entries)
            return segment;
    }
    return NULL;
}

static void check_bytes(const struct parcel *parcel, uint32_t record)
{
    static uint8_t expected[1 << 16];
    char key[32];
    size_t size = put_payload(record, expected);
    size_t key_size = put_key(record, key);
    if (parcel->payload.size != size || memcmp(parcel->payload.data, expected, size) != 0 ||
        parcel->records != runs_of(record) || parcel->key.size != key_size ||
        (key_size && memcmp(parcel->key.data, key, key_size) != 0))
        fail("record %u has other bytes", record);
}

static void check_found(struct bench *bench, const struct parcel *parcel, uint32_t number)
{
    struct record *record = &bench->records[number];
    const struct segment *segment = segment_of(bench, parcel->position);
    if (!segment)
        fail("record %u is offered from no segment", number);
    if (record->found == bench->author)
        fail("record %u is found twice", number);
    if (record->gone)
        fail("record %u was gone, and is found", number);
    record->found = bench->author;
    record->stored = true; // it is on the device now
    if (record->file != segment->piece.number ||
        record->generation != segment->identity.generation ||
        record->author != device_header_author(bench->device, record->file))
        fail("record %u of agent %u, file %u, generation %" PRIu64
             " is found in file %u, generation "
             "%" PRIu64 " of agent %u",
             number, record->author, record->file, record->generation, segment->piece.number,
             segment->identity.generation,
             device_header_author(bench->device, segment->piece.number));
    bench->found++;
    bench->again += record->settled;
}

static int offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct bench *bench = (struct bench *)exporter;
    if (bench->held_count == HELD_MAX)
        return EXPORTER_FULL;
    uint32_t number = (uint32_t)parcel->id[12] << 24 | (uint32_t)parcel->id[13] << 16 |
                      (uint32_t)parcel->id[14] << 8 | parcel->id[15];
    if (number >= bench->count || memcmp(parcel->id, "power-lo\0\0\0", 11) != 0)
        fail("record %u was never written", number);
    check_bytes(parcel, number);
    if (bench->recovering)
        check_found(bench, parcel, number);
    bench->held[bench->held_count++] = (struct held){parcel->position, number};
    return 0;
}

static void flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

static const struct exporter_ops ops = {
    .type = "bench", .start = start, .offer = offer, .flush = flush};

static void answer_some(struct bench *bench)
{
    // All of them now and then, so that segments are used again.
    size_t answers =
        one_in(&bench->random, 4) ? bench->held_count : random_below(&bench->random, 30);
    for (; answers > 0 && bench->held_count > 0; answers--) {
        size_t at = one_in(&bench->random, 3) ? random_below(&bench->random, bench->held_count) : 0;
        struct held held = bench->held[at];
        bench->held[at] = bench->held[--bench->held_count];
        struct verdict verdict = {.position = held.position, .kind = VERDICT_DELIVERED};
        if (one_in(&bench->random, 10))
            verdict.kind = VERDICT_RETURNED;
        else
            bench->records[held.record].settled = true;
        bench->verdicts.verdict(bench->verdicts.ctx, &verdict, 1);
    }
}

// --- the agent

static void agent_start(struct bench *bench)
{
    if (loop_new(&bench->loop) < 0)
        fail("no memory");
    memset(&bench->book, 0, sizeof bench->book);
    struct spool_config config = {
        .name = "bench",
        .level = SPOOL_NODE,
        .folder = bench->folder,
        .segment_size = SEGMENT,
        .max_bytes = SEGMENTS * SEGMENT,
        .loop = bench->loop,
        .clock = virtual_clock(),
        .exporter = &bench->exporter,
        .sync = device_sync_thread(bench->device),
        .book = &bench->book,
    };
    bench->author++;
    bench->held_count = 0;
    int r = spool_log_new(&bench->log, &config);
    if (r < 0)
        fail("the log cannot be opened: %s", strerror(-r));
}

// All that is there is offered, and nothing else.
static void recover(struct bench *bench)
{
    bench->recovering = true;
    while (backlog_left(&bench->log->backlog) > 0 || bench->log->waiting > 0) {
        if (!virtual_loop_turn(bench->loop))
            virtual_advance(NS_PER_MS);
    }
    bench->recovering = false;
    for (uint32_t i = 0; i < bench->count; i++) {
        const struct record *record = &bench->records[i];
        if (record->stored && !record->settled && !record->gone && record->found != bench->author)
            fail("record %u was reported as stored, and is lost", i);
    }
    for (uint32_t i = 0; i < bench->count; i++)
        bench->records[i].gone = bench->records[i].found != bench->author;
    bench->first = bench->count;
    bench->first_position = spool_position(bench->log);
    bench->stored_upto = bench->count;
}

static void append(struct bench *bench)
{
    static uint8_t bytes[1 << 16];
    char key[32];
    struct spool_slot slot;
    size_t size = put_payload(bench->count, bytes);
    if (spool_reserve(bench->log, size, &slot) != 0)
        return;
    memcpy(slot.data, bytes, size);
    struct spool_entry entry = {.records = runs_of(bench->count), .time_ns = bench->count};
    memcpy(entry.id, "power-lo", 8);
    for (unsigned i = 0; i < 4; i++)
        entry.id[12 + i] = (uint8_t)(bench->count >> (24 - 8 * i));
    entry.resend.key = slice_of(key, put_key(bench->count, key));
    const struct segment *active = bench->log->live[bench->log->live_count - 1];
    if (bench->count == bench->room) {
        bench->room = bench->room ? 2 * bench->room : 1024;
        bench->records = realloc(bench->records, bench->room * sizeof *bench->records);
        if (!bench->records)
            fail("no memory");
    }
    bench->records[bench->count++] = (struct record){.generation = active->identity.generation,
                                                     .file = active->piece.number,
                                                     .author = bench->author};
    spool_commit(bench->log, size, &entry);
}

static void take_reports(struct bench *bench)
{
    uint64_t stored = spool_stored(bench->log);
    while (bench->stored_upto < bench->count &&
           bench->first_position + (bench->stored_upto - bench->first) < stored) {
        bench->promised += !bench->records[bench->stored_upto].settled;
        bench->records[bench->stored_upto++].stored = true;
    }
}

static void step(struct bench *bench)
{
    uint64_t choice = random_below(&bench->random, 100);
    if (choice < 45)
        for (uint64_t n = 1 + random_below(&bench->random, 6); n > 0; n--)
            append(bench);
    else if (choice < 70)
        virtual_loop_turn(bench->loop);
    else if (choice < 85)
        answer_some(bench);
    else if (choice < 95)
        device_sync(bench->device);
    else
        virtual_advance(random_below(&bench->random, NS_PER_S));
    device_observe(bench->device, bench->author);
    take_reports(bench);
    if (books_exporter_gap(&bench->book) != 0)
        fail("the books are off by %lld", (long long)books_exporter_gap(&bench->book));
}

static void run(struct bench *bench, uint64_t cuts)
{
    for (bench->cuts = 0; bench->cuts < cuts;) {
        for (uint64_t n = 1 + random_skewed(&bench->random, 160); n > 0; n--)
            step(bench);
        spool_log_abandon(bench->log);
        loop_free(bench->loop);
        device_cut(bench->device);
        bench->cuts++;
        agent_start(bench);
        recover(bench);
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    uint64_t cuts = 4000;
    seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--cuts") == 0)
            cuts = strtoull(argv[i + 1], NULL, 10);
    }
    own_log_threshold((enum log_level)(OWN_ERROR + 1));
    running = &bench;
    bench.random.state = seed;
    bench.exporter = (struct exporter){&ops, "bench", &bench.book};
    if (!spool_folder_make(bench.folder))
        fail("no temporary folder");
    bench.device = device_new(bench.folder, &bench.random);
    agent_start(&bench);
    bench.first_position = spool_position(bench.log);
    run(&bench, cuts);
    spool_log_abandon(bench.log);
    loop_free(bench.loop);
    const struct device_counts *counts = device_counts(bench.device);
    printf("%" PRIu64 " cuts, %u payloads, %" PRIu64
           " reported as stored before their verdict, %" PRIu64 " found, %" PRIu64
           " of these with a verdict that was lost; %" PRIu64 " syncs, %" PRIu64 " failed; %" PRIu64
           " dirty pages, %" PRIu64 " torn, %" PRIu64 " files absent, %" PRIu64 " shortened\n",
           bench.cuts, bench.count, bench.promised, bench.found, bench.again, counts->syncs,
           counts->failures, counts->dirty, counts->torn, counts->absent, counts->shortened);
    device_free(bench.device);
    spool_folder_remove(bench.folder);
    free(bench.records);
    return 0;
}
