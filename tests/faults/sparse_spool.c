// Starts over a spool of 10 GiB, sparse: how much the start reads, and what memory the recovery
// behind it takes. Prints how long the start took, and asserts nothing about time.
#include "spool_remains.h"
#include "virtual_loop.h"

#include "base/own_log.h"
#include "deliver/exporter.h"
#include "spool/spool_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SIZE SPOOL_SEGMENT_MAX
#define FILES 2560u // of 4 MiB

static struct {
    struct exporter exporter; // first
    struct verdict_sink verdicts;
    struct exporter_book book;
    uint64_t offered[64];
    unsigned count;
} bench;

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "sparse_spool: %s\n", what);
    exit(1);
}

static int start(struct exporter *exporter, struct verdict_sink verdicts)
{
    (void)exporter;
    bench.verdicts = verdicts;
    return 0;
}

static int offer(struct exporter *exporter, const struct parcel *parcel)
{
    (void)exporter;
    if (bench.count == 64)
        return EXPORTER_FULL;
    bench.offered[bench.count++] = parcel->position;
    return 0;
}

static void flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

static const struct exporter_ops ops = {
    .type = "bench", .start = start, .offer = offer, .flush = flush};

// A number behind a name in a file of /proc/self.
static uint64_t self(const char *file, const char *name)
{
    char text[4096];
    FILE *opened = fopen(file, "re");
    uint64_t value = 0;
    require(opened, "no /proc");
    while (fgets(text, sizeof text, opened))
        if (strncmp(text, name, strlen(name)) == 0)
            value = strtoull(text + strlen(name), NULL, 10);
    fclose(opened);
    return value;
}

// One entry in each: its header, its index's first page and its payload's; the rest is a hole.
static void write_files(const char *folder)
{
    struct store *store = NULL;
    struct segment *segment = NULL;
    require(store_open_memory(&store, "template") == 0, "no memory");
    require(segment_new(&segment, store, SIZE) == 0, "no memory");
    for (unsigned i = 0; i < FILES; i++) {
        struct segment_identity identity = {.generation = i + 1};
        struct spool_entry entry = {.records = 1};
        char path[160];
        segment_start(segment, &identity);
        uint32_t payload = segment->payload_end;
        memcpy(segment_tail(segment), "payload\n", 8);
        segment_append(segment, 8, &entry);
        segment_take_waiting(segment);
        snprintf(path, sizeof path, "%s/%08u.segment", folder, i + 1);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        bool written = fd >= 0 && ftruncate(fd, SIZE) == 0 &&
                       pwrite(fd, segment->data, 8192, 0) == 8192 &&
                       pwrite(fd, segment->data + payload, 8, payload) == 8;
        require(written, "the files cannot be written");
        close(fd);
        segment_mark(segment, 0, SEGMENT_DELIVERED, 1);
    }
    segment_remove(segment, store);
    store_close(store);
}

// Everything is confirmed as it comes; returns the most private memory it took, in KiB.
static uint64_t drain(struct spool_log *log, struct loop *loop)
{
    uint64_t peak = 0;
    for (unsigned turns = 0; !spool_drained(log); turns++) {
        require(turns < 1000000, "the recovery does not come to an end");
        if (!virtual_loop_turn(loop))
            virtual_advance(NS_PER_MS);
        while (bench.count > 0) {
            struct verdict verdict = {.position = bench.offered[--bench.count]};
            verdict.kind = VERDICT_DELIVERED;
            bench.verdicts.verdict(bench.verdicts.ctx, &verdict, 1);
        }
        uint64_t now = turns % 64 ? 0 : self("/proc/self/status", "VmRSS:");
        peak = now > peak ? now : peak;
    }
    return peak;
}

int main(void)
{
    char folder[SPOOL_FOLDER_SIZE];
    struct loop *loop = NULL;
    struct spool_log *log = NULL;
    struct timespec before, after;
    own_log_threshold((enum log_level)(OWN_ERROR + 1));
    require(spool_folder_make(folder) && loop_new(&loop) == 0, "no temporary folder");
    write_files(folder);
    bench.exporter = (struct exporter){&ops, "bench", &bench.book};
    struct spool_config config = {
        .name = "bench",
        .level = SPOOL_PROCESS,
        .folder = folder,
        .segment_size = SIZE,
        .max_bytes = (uint64_t)FILES * SIZE,
        .loop = loop,
        .clock = virtual_clock(),
        .exporter = &bench.exporter,
        .book = &bench.book,
    };
    uint64_t read_before = self("/proc/self/io", "rchar:");
    uint64_t memory = self("/proc/self/status", "VmRSS:");
    clock_gettime(CLOCK_MONOTONIC, &before);
    require(spool_log_new(&log, &config) == 0, "the log cannot be opened");
    clock_gettime(CLOCK_MONOTONIC, &after);
    uint64_t bytes = self("/proc/self/io", "rchar:") - read_before;
    uint64_t started = self("/proc/self/status", "VmRSS:");
    uint64_t peak = drain(log, loop);
    double ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
                (double)(after.tv_nsec - before.tv_nsec) / 1e6;
    printf("%u segments of %u bytes: ready after %.0f ms and %llu bytes read; memory %llu KiB, "
           "%llu when ready, at most %llu while it recovers\n",
           FILES, SIZE, ms, (unsigned long long)bytes, (unsigned long long)memory,
           (unsigned long long)started, (unsigned long long)peak);
    require(bench.book.delivered == FILES, "not every record was delivered");
    require(bytes < (uint64_t)FILES * SEGMENT_HEADER_SIZE + 65536, "more than headers was read");
    require(started < memory + 2048 && peak < memory + 32768, "the memory grows with the spool");
    spool_log_free(log);
    loop_free(loop);
    spool_folder_remove(folder);
    return 0;
}
