// A set-associative table in a mapping: a stream has WAYS places, the one used longest ago is given
// up.
//
// A kill may strike between any two stores. So a place keeps its mark twice, each with its check:
// the lower one is overwritten, the higher one holds until the new one is whole.
#include "spool/stream_marks.h"

#include "base/error.h"
#include "spool/crc32c.h"
#include "spool/page_guard.h"
#include "spool/segment_format.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAYS 8u
#define SETS (STREAM_MARKS / WAYS)
#define MARKS_MAGIC 0x5453454349554C53u // SLUICEST
#define MARKS_VERSION 1u
#define DAMAGED_FILE STREAM_MARKS_FILE ".damaged"

// The host's byte order: the file never leaves its boot.
struct header {
    uint64_t magic;
    uint32_t version;
    uint32_t places;
    char boot[40]; // the kernel's id of this boot
    uint64_t clock;
};

struct place {
    uint8_t stream[8];
    uint64_t used;
    uint64_t last[2]; // 0: free
    uint32_t check[2];
};

struct table {
    struct header header;
    struct place places[STREAM_MARKS];
};

struct stream_marks {
    struct table *table;
    struct page_guard *guard; // of it: a place whose page is lost is free
    int file;                 // -1: memory
};

static uint32_t check_of(const struct place *place, uint64_t last)
{
    uint8_t bytes[16];
    memcpy(bytes, place->stream, 8);
    put_u64le(bytes + 8, last);
    return crc32c(0, bytes, sizeof bytes);
}

static uint64_t last_of(const struct place *place)
{
    return place->last[0] > place->last[1] ? place->last[0] : place->last[1];
}

static void read_boot(char boot[40])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, boot, 36);
    if (fd >= 0)
        close(fd);
    memset(boot + (n > 0 ? n : 0), 0, 40 - (size_t)(n > 0 ? n : 0));
}

// Halves that a kill cut go; a place with two bad ones was not cut, but damaged.
static bool mend(struct table *table)
{
    bool whole = true;
    for (unsigned i = 0; i < STREAM_MARKS; i++) {
        struct place *place = &table->places[i];
        unsigned bad = 0, used = 0;
        for (unsigned k = 0; k < 2; k++) {
            used += place->last[k] > 0;
            if (place->last[k] == 0 || place->check[k] == check_of(place, place->last[k]))
                continue;
            place->last[k] = 0;
            bad++;
        }
        whole = whole && (bad < 2 || used < 2);
        if (last_of(place) == 0)
            memset(place, 0, sizeof *place);
    }
    return whole;
}

// The magic goes first and comes last: a kill in between leaves no marks, and none of before.
static void begin(struct table *table)
{
    table->header.magic = 0;
    atomic_signal_fence(memory_order_seq_cst);
    memset(table, 0, sizeof *table);
    table->header.version = MARKS_VERSION;
    table->header.places = STREAM_MARKS;
    read_boot(table->header.boot);
    atomic_signal_fence(memory_order_seq_cst);
    table->header.magic = MARKS_MAGIC;
}

// What the mapped file says.
static enum stream_marks_found look(struct table *table)
{
    char boot[40];
    read_boot(boot);
    if (table->header.magic == 0)
        return STREAM_MARKS_NONE; // was being made
    if (table->header.magic != MARKS_MAGIC || table->header.version > MARKS_VERSION ||
        table->header.places != STREAM_MARKS)
        return STREAM_MARKS_DAMAGED;
    if (!boot[0] || memcmp(boot, table->header.boot, sizeof boot) != 0)
        return STREAM_MARKS_NONE;
    return mend(table) ? STREAM_MARKS_TAKEN : STREAM_MARKS_DAMAGED;
}

static struct table *map(int file)
{
    int flags = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *table = mmap(NULL, sizeof(struct table), PROT_READ | PROT_WRITE, flags, file, 0);
    return table == MAP_FAILED ? NULL : table;
}

// The file of the folder, mapped, as large as it must be; NULL: there cannot be one.
static struct table *map_file(int folder, int *file)
{
    struct stat status;
    *file = openat(folder, STREAM_MARKS_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*file < 0)
        return NULL;
    // Reserved before it is written: a store into a hole could end the agent.
    bool sound = fstat(*file, &status) == 0 && S_ISREG(status.st_mode) &&
                 posix_fallocate(*file, 0, sizeof(struct table)) == 0;
    struct table *table = sound ? map(*file) : NULL;
    if (!table) {
        close(*file);
        *file = -1;
    }
    return table;
}

static void unmap(struct stream_marks *marks)
{
    page_guard_remove(marks->guard);
    marks->guard = NULL;
    if (marks->table)
        munmap(marks->table, sizeof *marks->table);
    if (marks->file >= 0)
        close(marks->file);
    marks->table = NULL;
    marks->file = -1;
}

static void take_table(struct stream_marks *marks, struct table *table)
{
    marks->table = table;
    if (table)
        (void)page_guard_add(&marks->guard, table, sizeof *table);
}

int stream_marks_new(struct stream_marks **out, int folder, enum stream_marks_found *found)
{
    struct stream_marks *marks = calloc(1, sizeof *marks);
    if (!marks)
        return -ENOMEM;
    marks->file = -1;
    *found = STREAM_MARKS_NONE;
    if (folder >= 0)
        take_table(marks, map_file(folder, &marks->file));
    if (marks->table)
        *found = look(marks->table);
    if (*found == STREAM_MARKS_DAMAGED) {
        unmap(marks);
        if (renameat(folder, STREAM_MARKS_FILE, folder, DAMAGED_FILE) == 0)
            take_table(marks, map_file(folder, &marks->file));
    }
    if (!marks->table)
        marks->table = map(-1);
    if (!marks->table) {
        free(marks);
        return -ENOMEM;
    }
    if (*found != STREAM_MARKS_TAKEN)
        begin(marks->table);
    *out = marks;
    return 0;
}

void stream_marks_free(struct stream_marks *marks)
{
    if (!marks)
        return;
    unmap(marks);
    free(marks);
}

void stream_marks_forget(struct stream_marks *marks)
{
    begin(marks->table);
}

int stream_marks_sync_device(const struct stream_marks *marks)
{
    return marks->file >= 0 && syncfs(marks->file) < 0 ? error_from_errno() : 0;
}

// Streams are random, but a peer may choose them: mixed, so that neighbours spread.
static size_t set_of(const uint8_t stream[8])
{
    return (size_t)((get_u64le(stream) * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % SETS * WAYS;
}

static struct place *find(const struct stream_marks *marks, const uint8_t stream[8])
{
    struct place *set = &marks->table->places[set_of(stream)];
    for (unsigned i = 0; i < WAYS; i++)
        if (last_of(&set[i]) && memcmp(set[i].stream, stream, 8) == 0)
            return &set[i];
    return NULL;
}

uint64_t stream_marks_last(const struct stream_marks *marks, const uint8_t stream[8])
{
    const struct place *place = find(marks, stream);
    return place ? last_of(place) : 0;
}

// A free place of the stream's set, or the one used longest ago, emptied.
static struct place *take_place(struct stream_marks *marks, const uint8_t stream[8])
{
    struct place *set = &marks->table->places[set_of(stream)], *oldest = set;
    for (unsigned i = 1; i < WAYS; i++)
        if (set[i].used < oldest->used)
            oldest = &set[i];
    oldest->last[0] = oldest->last[1] = 0;
    atomic_signal_fence(memory_order_seq_cst); // the compiler keeps the order; a kill sees it
    memcpy(oldest->stream, stream, 8);
    return oldest;
}

void stream_marks_store(struct stream_marks *marks, const uint8_t stream[8], uint64_t sequence)
{
    struct place *place = find(marks, stream);
    assert(sequence > 0);
    if (!place)
        place = take_place(marks, stream);
    place->used = ++marks->table->header.clock;
    if (sequence <= last_of(place))
        return;
    unsigned lower = place->last[0] <= place->last[1] ? 0 : 1;
    atomic_signal_fence(memory_order_seq_cst);
    place->check[lower] = check_of(place, sequence);
    atomic_signal_fence(memory_order_seq_cst);
    place->last[lower] = sequence;
    atomic_signal_fence(memory_order_seq_cst);
}
