// What syncing a mapped file from another thread does to the stores into it: the choice that
// docs/SPOOL.md explains.
//
//     sync_stall FOLDER [SECONDS]
//
// Stores of 400 bytes, 20,000 a second, in four ways, one after the other; the file is in FOLDER.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SIZE ((size_t)1 << 20)
#define STORE ((size_t)400)
#define EVERY_NS UINT64_C(50000)
#define SYNCS_MAX 200000

enum way { NO_SYNC, DATASYNC, WRITE_AHEAD, BY_CALL, WAYS };

static const char *const names[WAYS] = {"no sync", "fdatasync", "sync_file_range",
                                        "pwrite, fdatasync"};
static int fd;
static atomic_bool over;
static uint64_t syncs[SYNCS_MAX];
static size_t sync_count;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void *sync_on(void *way)
{
    while (!over && sync_count < SYNCS_MAX) {
        uint64_t begin = now_ns();
        if (*(enum way *)way == WRITE_AHEAD)
            sync_file_range(fd, 0, 0,
                            SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                SYNC_FILE_RANGE_WAIT_AFTER);
        else
            fdatasync(fd);
        syncs[sync_count++] = now_ns() - begin;
    }
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void store_all(enum way way, uint8_t *map, const uint8_t *bytes, uint64_t *took,
                      size_t count)
{
    uint64_t next = now_ns();
    size_t at = 0;
    for (size_t i = 0; i < count; i++, next += EVERY_NS) {
        while (now_ns() < next)
            nanosleep(&(struct timespec){.tv_nsec = (long)EVERY_NS}, NULL);
        uint64_t begin = now_ns();
        if (way == BY_CALL && pwrite(fd, bytes, STORE, (off_t)at) < 0)
            perror("pwrite");
        else if (way != BY_CALL)
            memset(map + at, (int)i, STORE);
        took[i] = now_ns() - begin;
        at = at + 2 * STORE <= SIZE ? at + STORE : 0;
    }
}

static void run(enum way way, uint8_t *map, const uint8_t *bytes, uint64_t *took, size_t count)
{
    pthread_t thread;
    over = false;
    sync_count = 0;
    if (way != NO_SYNC)
        pthread_create(&thread, NULL, sync_on, &way);
    store_all(way, map, bytes, took, count);
    over = true;
    if (way != NO_SYNC)
        pthread_join(thread, NULL);
    qsort(took, count, sizeof *took, by_size);
    qsort(syncs, sync_count, sizeof *syncs, by_size);
    size_t long_ones = 0;
    for (size_t i = 0; i < count; i++)
        long_ones += took[i] > 1000000;
    printf(
        "%-18s store p50 %.2f us, p99 %.1f us, max %.1f ms, %zu of %zu above 1 ms; sync p50 %.2f "
        "ms, p99 %.1f ms\n",
        names[way], (double)took[count / 2] / 1e3, (double)took[count * 99 / 100] / 1e3,
        (double)took[count - 1] / 1e6, long_ones, count,
        (double)(sync_count ? syncs[sync_count / 2] : 0) / 1e6,
        (double)(sync_count ? syncs[sync_count * 99 / 100] : 0) / 1e6);
}

int main(int argc, char **argv)
{
    char path[4096];
    size_t count = 20000 * (size_t)(argc > 2 ? strtoul(argv[2], NULL, 10) : 5);
    snprintf(path, sizeof path, "%s/sync-stall-XXXXXX", argc > 1 ? argv[1] : ".");
    uint64_t *took = calloc(count, sizeof *took);
    uint8_t *bytes = calloc(1, SIZE);
    fd = mkstemp(path);
    if (!took || !bytes || fd < 0 || unlink(path) < 0 || pwrite(fd, bytes, SIZE, 0) < 0 ||
        fsync(fd) < 0)
        return perror(path), 1;
    uint8_t *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return perror("mmap"), 1;
    for (unsigned way = 0; way < WAYS; way++)
        run((enum way)way, map, bytes, took, count);
    return 0;
}
