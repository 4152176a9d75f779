// Flips bits and cuts the end at every offset of a segment between two whole ones, and lets the
// whole recovery run over it: never a wrong record, never more lost than the damage touches, and
// what is lost is counted.
#include "spool_remains.h"
#include "virtual_loop.h"

#include "base/own_log.h"
#include "deliver/exporter.h"
#include "spool/segment_image.h"
#include "spool/spool_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE SEGMENT_SIZE_MIN
#define ENTRIES 8
#define VICTIM 2 // of the files 1, 2, 3
#define ALL (3 * ENTRIES)

// Where the victim's entries have their bytes.
static struct {
    uint32_t payload, payload_end, blob, blob_end; // 0: no blob
    bool pending;
} places[ENTRIES];

static struct {
    struct exporter exporter; // first
    struct exporter_book book;
    unsigned offered[ALL];
} bench;

static char folder[SPOOL_FOLDER_SIZE], log_folder[SPOOL_FOLDER_SIZE + 8];
static uint8_t whole[SIZE], damaged[SIZE];
static char current[64]; // what is tried

static void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
static void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "damage: %s: ", current);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(1);
}

static size_t payload_of(unsigned number, char out[512])
{
    size_t size = 90 + number * 7;
    memset(out, 'a' + (int)(number % 26), size);
    snprintf(out, 32, "payload %u", number);
    return size;
}

// --- the exporter

static int start(struct exporter *exporter, struct verdict_sink verdicts)
{
    (void)exporter;
    (void)verdicts;
    return 0;
}

static int offer(struct exporter *exporter, const struct parcel *parcel)
{
    char expected[512];
    unsigned number = parcel->id[15];
    (void)exporter;
    if (number >= ALL || parcel->records != 1 + number % 3 ||
        parcel->payload.size != payload_of(number, expected) ||
        memcmp(parcel->payload.data, expected, parcel->payload.size) != 0 ||
        parcel->key.size != (number % 2 ? 4u : 0u) ||
        (parcel->key.size && memcmp(parcel->key.data, "same", 4) != 0))
        fail("a wrong record is offered");
    bench.offered[number]++;
    return 0;
}

static void flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

static const struct exporter_ops ops = {
    .type = "bench", .start = start, .offer = offer, .flush = flush};

// --- the three segments

static void fill(struct segment *segment, unsigned first)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        char bytes[512];
        size_t size = payload_of(first + i, bytes);
        struct spool_entry entry = {.records = 1 + (first + i) % 3};
        entry.id[15] = (uint8_t)(first + i);
        if ((first + i) % 2)
            entry.resend.key = SLICE("same"); // one blob for all of them
        memcpy(segment_tail(segment), bytes, size);
        segment_append(segment, (uint32_t)size, &entry);
    }
    for (unsigned i = 0; i < ENTRIES; i++)
        segment_take_waiting(segment);
    segment_mark(segment, 2, SEGMENT_DELIVERED, 1 + (first + 2) % 3);
    segment_mark(segment, 5, SEGMENT_DEAD, 1 + (first + 5) % 3);
}

static void note_places(const struct segment *segment)
{
    memcpy(whole, segment->data, SIZE);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        const uint8_t *entry = whole + SEGMENT_HEADER_SIZE + i * SEGMENT_ENTRY_SIZE;
        places[i].payload = get_u32le(entry + ENTRY_PAYLOAD_OFFSET);
        places[i].payload_end = places[i].payload + get_u32le(entry + ENTRY_PAYLOAD_LENGTH);
        places[i].blob = get_u32le(entry + ENTRY_RESEND_OFFSET);
        places[i].blob_end = places[i].blob ? places[i].blob + RESEND_BYTES + 4 : 0;
        places[i].pending = entry[ENTRY_VERDICT] == SEGMENT_PENDING;
    }
}

static void write_segments(void)
{
    struct store *store = NULL;
    if (store_open_folder(&store, log_folder, 0) < 0)
        fail("no folder");
    for (unsigned n = 0; n < 3; n++) {
        struct segment *segment = NULL;
        struct segment_identity identity = {.generation = n + 1, .base_position = 100 * n};
        if (segment_new(&segment, store, SIZE) < 0)
            fail("no segment");
        segment_start(segment, &identity);
        fill(segment, n * ENTRIES);
        if (segment->piece.number == VICTIM)
            note_places(segment);
        segment_detach(segment);
    }
    store_close(store);
}

static void write_victim(size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%08u.damaged", log_folder, VICTIM);
    unlink(path);
    snprintf(path, sizeof path, "%s/%08u.segment", log_folder, VICTIM);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, damaged, size) != (ssize_t)size)
        fail("the file cannot be written: %s", strerror(errno));
    close(fd);
}

// --- one start over it

static void recover(void)
{
    struct loop *loop = NULL;
    struct spool_log *log = NULL;
    memset(&bench, 0, sizeof bench);
    bench.exporter = (struct exporter){&ops, "bench", &bench.book};
    struct spool_config config = {
        .name = "bench",
        .level = SPOOL_PROCESS,
        .folder = log_folder,
        .segment_size = SPOOL_SEGMENT_MIN,
        .max_bytes = 4 * SPOOL_SEGMENT_MIN,
        .clock = virtual_clock(),
        .exporter = &bench.exporter,
        .book = &bench.book,
    };
    if (loop_new(&loop) < 0)
        fail("no memory");
    config.loop = loop;
    int r = spool_log_new(&log, &config);
    if (r < 0)
        fail("the log cannot be opened: %s", strerror(-r));
    for (unsigned turns = 0; backlog_left(&log->backlog) > 0 || log->waiting > 0; turns++) {
        if (!virtual_loop_turn(loop))
            virtual_advance(NS_PER_S);
        if (turns > 10000)
            fail("the recovery does not come to an end");
    }
    if (books_exporter_gap(&bench.book) != 0)
        fail("the books are off");
    spool_log_abandon(log);
    loop_free(loop);
}

static bool overlaps(uint32_t from, uint32_t end, uint32_t at, uint32_t at_end)
{
    return from < at_end && at < end;
}

// Whether bytes from…end belong to what the victim's entry i needs.
static bool touches(uint32_t i, uint32_t from, uint32_t end)
{
    uint32_t index = SEGMENT_HEADER_SIZE + i * SEGMENT_ENTRY_SIZE;
    return overlaps(from, end, 0, HEADER_COMMIT) ||
           overlaps(from, end, index, index + SEGMENT_ENTRY_SIZE) ||
           overlaps(from, end, places[i].payload, places[i].payload_end) ||
           overlaps(from, end, places[i].blob, places[i].blob_end);
}

static uint64_t check_neighbours(void)
{
    uint64_t lost = 0;
    for (unsigned number = 0; number < ALL; number++) {
        unsigned slot = number % ENTRIES;
        bool pending = slot != 2 && slot != 5;
        if (bench.offered[number] > 1)
            fail("record %u is offered twice", number);
        if (number / ENTRIES == VICTIM - 1)
            lost += pending && !bench.offered[number];
        else if (bench.offered[number] != pending)
            fail("record %u of a whole segment is offered %u times", number, bench.offered[number]);
    }
    return lost;
}

// from…end of the victim are damaged.
static void check(uint32_t from, uint32_t end)
{
    uint64_t lost = check_neighbours();
    for (uint32_t i = 0; i < ENTRIES; i++) {
        unsigned offered = bench.offered[(VICTIM - 1) * ENTRIES + i];
        bool touched = touches(i, from, end);
        if (!offered && places[i].pending && !touched)
            fail("entry %u is lost, and was not touched", i);
        if (offered && !places[i].pending && !touched)
            fail("entry %u has its verdict, and is offered", i);
    }
    if (lost > 0 && bench.book.damaged + bench.book.set_aside == 0)
        fail("%llu records are lost, and not counted", (unsigned long long)lost);
    if (bench.book.damaged > ENTRIES || bench.book.damaged_records > 3 * ENTRIES)
        fail("more is counted as lost than there was");
    if (bench.book.set_aside > 1)
        fail("whole segments are set aside");
}

static void flip(uint32_t at, unsigned bit)
{
    snprintf(current, sizeof current, "bit %u of byte %u", bit, at);
    memcpy(damaged, whole, SIZE);
    damaged[at] ^= (uint8_t)(1u << bit);
    write_victim(SIZE);
    recover();
    check(at, at + 1);
}

static void cut(uint32_t size)
{
    snprintf(current, sizeof current, "cut at %u", size);
    memcpy(damaged, whole, SIZE);
    write_victim(size);
    recover();
    if (size > 0) // an empty file is one that was made and never written
        check(size < 4096 ? 0 : size / 4096 * 4096, SIZE);
    else
        check_neighbours();
}

int main(void)
{
    unsigned tries = 0;
    own_log_threshold((enum log_level)(OWN_ERROR + 1));
    if (!spool_folder_make(folder))
        fail("no temporary folder");
    snprintf(log_folder, sizeof log_folder, "%s/log", folder);
    write_segments();
    for (uint32_t at = 0; at < SIZE; at++) {
        // What means something has each of its bits tried.
        bool meant = at < 256 || (at >= SEGMENT_HEADER_SIZE &&
                                  at < SEGMENT_HEADER_SIZE + ENTRIES * SEGMENT_ENTRY_SIZE);
        for (unsigned bit = 0; bit < (meant ? 8 : 1); bit++, tries++)
            flip(at, meant ? bit : at % 8);
    }
    for (uint32_t size = 0; size <= SIZE; size++, tries++)
        cut(size);
    printf("%u starts over a damaged segment\n", tries);
    spool_folder_remove(log_folder);
    rmdir(folder);
    return 0;
}
