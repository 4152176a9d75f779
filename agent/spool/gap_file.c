// Opens, reads and writes the file `gaps`.
//
// A mapping and no write(2): a flood drops millions a second, and what was counted before a SIGKILL
// must be there afterwards. The compiler must keep the order of the stores; a single thread's
// stores reach the file's pages in that order. What is being written says so: its version (the
// file's magic) is zero until one aligned store of 8 bytes ends it.
#include "spool/gap_file.h"

#include "base/error.h"
#include "base/own_log.h"
#include "spool/crc32c.h"
#include "spool/page_guard.h"
#include "spool/segment_format.h"

#include <endian.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define GAP_MAGIC 0x5047454349554C53u // SLUICEGP
#define GAP_VERSION 1u

enum {
    FILE_MAGIC = 0,     // u64, written last; 0: not begun
    FILE_VERSION = 8,   // u32
    FILE_ROWS = 12,     // u32
    FILE_ROW_SIZE = 16, // u32
    FILE_CRC = 20,      // u32, over bytes 8..19
    FILE_HEADER_SIZE = 4096,
};

enum {
    ROW_CRC = 0,  // u32, over bytes 4..255
    ROW_USED = 4, // u8, 1
    ROW_REASON = 5,
    ROW_SIGNAL = 6,
    ROW_LEVEL = 7,
    ROW_SERVICE = 16, // NUL-padded, likewise the others
    ROW_EXPORTER = 128,
    ROW_TELLER = 192,
    ROW_COUNTS = 256, // two of COUNT_SIZE
    ROW_SIZE = 512,
};

enum {
    COUNT_VERSION = 0, // u64, written last; 0: not whole
    COUNT_OPEN = 8,    // u64 records, first, last
    COUNT_TAKEN = 32,  // u64 records, first, last
    COUNT_TAKEN_ID = 56,
    COUNT_CRC = 72, // u32, over the row's number and bytes 0..71
    COUNT_SIZE = 96,
};

#define FILE_SIZE ((size_t)FILE_HEADER_SIZE + (size_t)GAP_ROWS * ROW_SIZE)

_Static_assert(ROW_EXPORTER - ROW_SERVICE == GAP_SERVICE_MAX, "a service's name fits");
_Static_assert(ROW_COUNTS - ROW_TELLER == EXPORTER_NAME_MAX, "an exporter's name fits");

// All that was stored before is there when this is.
static void store_last(uint8_t *at, uint64_t value)
{
    atomic_signal_fence(memory_order_seq_cst);
    __atomic_store_n((uint64_t *)(void *)at, htole64(value), __ATOMIC_RELEASE);
    atomic_signal_fence(memory_order_seq_cst);
}

static uint8_t *row_at(const struct gap_file *file, unsigned number)
{
    return file->bytes + FILE_HEADER_SIZE + (size_t)number * ROW_SIZE;
}

static uint32_t count_crc(const uint8_t *at, unsigned number)
{
    uint8_t salt[4];
    put_u32le(salt, number); // a count in another row's place is none
    return crc32c(crc32c(0, salt, sizeof salt), at, COUNT_CRC);
}

static uint32_t header_crc(const uint8_t *bytes)
{
    return crc32c(0, bytes + FILE_VERSION, FILE_CRC - FILE_VERSION);
}

// NULL: it is one, or not begun yet.
static const char *header_wrong(const uint8_t *bytes, off_t size)
{
    uint64_t magic = size >= FILE_HEADER_SIZE ? get_u64le(bytes + FILE_MAGIC) : 0;
    if (magic == 0)
        return NULL;
    if (magic != GAP_MAGIC || get_u32le(bytes + FILE_CRC) != header_crc(bytes))
        return "its header is damaged";
    if (get_u32le(bytes + FILE_VERSION) > GAP_VERSION)
        return "a newer version of the agent wrote it";
    if (size != (off_t)FILE_SIZE || get_u32le(bytes + FILE_ROWS) != GAP_ROWS ||
        get_u32le(bytes + FILE_ROW_SIZE) != ROW_SIZE)
        return "it is not as long as it says";
    return NULL;
}

static void begin(uint8_t *bytes)
{
    put_u32le(bytes + FILE_VERSION, GAP_VERSION);
    put_u32le(bytes + FILE_ROWS, GAP_ROWS);
    put_u32le(bytes + FILE_ROW_SIZE, ROW_SIZE);
    put_u32le(bytes + FILE_CRC, header_crc(bytes));
    store_last(bytes + FILE_MAGIC, GAP_MAGIC);
}

static int map_file(struct gap_file *file)
{
    int r = posix_fallocate(file->fd, 0, (off_t)FILE_SIZE); // a store into a hole could end us
    if (r != 0)
        return -r;
    void *bytes = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
    if (bytes == MAP_FAILED)
        return error_from_errno();
    file->bytes = bytes;
    r = page_guard_add(&file->guard, bytes, FILE_SIZE);
    if (r < 0)
        return r;
    if (get_u64le(file->bytes + FILE_MAGIC) == 0)
        begin(file->bytes);
    return 0;
}

// Opens and locks it; what is wrong with what it holds, or NULL.
static int look(struct gap_file *file, int folder, const char **wrong)
{
    uint8_t header[FILE_HEADER_SIZE] = {0};
    struct stat status;
    file->fd = openat(folder, "gaps", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->fd < 0 || flock(file->fd, LOCK_EX | LOCK_NB) < 0 || fstat(file->fd, &status) < 0 ||
        pread(file->fd, header, sizeof header, 0) < 0)
        return error_from_errno();
    *wrong = header_wrong(header, status.st_size);
    return 0;
}

static int open_in(struct gap_file *file, int folder, const char *path)
{
    const char *wrong = NULL;
    int r = look(file, folder, &wrong);
    if (r == 0 && wrong) {
        own_log(OWN_WARN, "gaps_set_aside",
                "%s/gaps cannot be read: %s; it is kept as gaps.damaged, and what it counted is "
                "not told",
                path, wrong);
        if (renameat(folder, "gaps", folder, "gaps.damaged") < 0)
            return error_from_errno();
        gap_file_close(file);
        r = look(file, folder, &wrong);
    }
    return r == 0 ? map_file(file) : r;
}

int gap_file_open(struct gap_file *file, const char *path)
{
    *file = (struct gap_file){.fd = -1};
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return error_from_errno();
    int r = open_in(file, folder, path);
    close(folder);
    if (r < 0)
        gap_file_close(file);
    return r;
}

void gap_file_close(struct gap_file *file)
{
    page_guard_remove(file->guard);
    if (file->bytes)
        munmap(file->bytes, FILE_SIZE);
    if (file->fd >= 0)
        close(file->fd);
    *file = (struct gap_file){.fd = -1};
}

static void read_count(const uint8_t *at, struct gap_tally *out)
{
    out->version = get_u64le(at + COUNT_VERSION);
    out->open = get_u64le(at + COUNT_OPEN);
    out->open_first_ns = get_u64le(at + COUNT_OPEN + 8);
    out->open_last_ns = get_u64le(at + COUNT_OPEN + 16);
    out->taken = get_u64le(at + COUNT_TAKEN);
    out->taken_first_ns = get_u64le(at + COUNT_TAKEN + 8);
    out->taken_last_ns = get_u64le(at + COUNT_TAKEN + 16);
    memcpy(out->taken_id, at + COUNT_TAKEN_ID, sizeof out->taken_id);
}

// The later of the valid places. False: neither is; *any: one should be.
static bool choose_count(const uint8_t *row, unsigned number, struct gap_row *out, bool *any)
{
    bool found = false;
    *any = false;
    for (unsigned place = 0; place < 2; place++) {
        const uint8_t *at = row + ROW_COUNTS + (size_t)place * COUNT_SIZE;
        struct gap_tally count;
        read_count(at, &count);
        if (count.version == 0)
            continue;
        *any = true;
        if (get_u32le(at + COUNT_CRC) != count_crc(at, number) ||
            (found && count.version < out->count.version))
            continue;
        found = true;
        out->count = count;
        out->place = (uint8_t)place;
    }
    return found;
}

static void read_text(char *out, const uint8_t *at, size_t size)
{
    memcpy(out, at, size);
    out[size - 1] = '\0';
}

int gap_file_read(const struct gap_file *file, unsigned number, struct gap_row *out)
{
    const uint8_t *row = row_at(file, number);
    bool any = false;
    *out = (struct gap_row){0};
    if (!choose_count(row, number, out, &any))
        return any ? GAP_ROW_DAMAGED : GAP_ROW_EMPTY;
    // The version goes on, so that a place of an earlier use never wins.
    if (out->count.open == 0 && out->count.taken == 0)
        return GAP_ROW_EMPTY;
    if (get_u32le(row + ROW_CRC) != crc32c(0, row + 4, ROW_COUNTS - 4) || row[ROW_USED] != 1 ||
        row[ROW_REASON] >= GAP_REASON_COUNT || row[ROW_SIGNAL] > SIGNAL_COUNT || row[ROW_LEVEL] > 6)
        return GAP_ROW_DAMAGED;
    out->used = true;
    out->reason = row[ROW_REASON];
    out->signal = row[ROW_SIGNAL];
    out->level = row[ROW_LEVEL];
    read_text(out->service, row + ROW_SERVICE, sizeof out->service);
    read_text(out->exporter, row + ROW_EXPORTER, sizeof out->exporter);
    read_text(out->teller, row + ROW_TELLER, sizeof out->teller);
    return 0;
}

void gap_file_write_cause(struct gap_file *file, unsigned number, struct gap_row *row)
{
    if (!file->bytes)
        return;
    assert(row->count.open == 0 && row->count.taken == 0);
    uint8_t *at = row_at(file, number);
    memset(at, 0, ROW_COUNTS);
    at[ROW_USED] = 1;
    at[ROW_REASON] = row->reason;
    at[ROW_SIGNAL] = row->signal;
    at[ROW_LEVEL] = row->level;
    memcpy(at + ROW_SERVICE, row->service, sizeof row->service);
    memcpy(at + ROW_EXPORTER, row->exporter, sizeof row->exporter);
    memcpy(at + ROW_TELLER, row->teller, sizeof row->teller);
    put_u32le(at + ROW_CRC, crc32c(0, at + 4, ROW_COUNTS - 4));
    atomic_signal_fence(memory_order_seq_cst);
}

void gap_file_write_count(struct gap_file *file, unsigned number, struct gap_row *row)
{
    if (!file->bytes)
        return;
    const struct gap_tally *count = &row->count;
    uint8_t bytes[COUNT_SIZE] = {0};
    row->count.version++;
    row->place ^= 1;
    put_u64le(bytes + COUNT_VERSION, count->version);
    put_u64le(bytes + COUNT_OPEN, count->open);
    put_u64le(bytes + COUNT_OPEN + 8, count->open_first_ns);
    put_u64le(bytes + COUNT_OPEN + 16, count->open_last_ns);
    put_u64le(bytes + COUNT_TAKEN, count->taken);
    put_u64le(bytes + COUNT_TAKEN + 8, count->taken_first_ns);
    put_u64le(bytes + COUNT_TAKEN + 16, count->taken_last_ns);
    memcpy(bytes + COUNT_TAKEN_ID, count->taken_id, sizeof count->taken_id);
    put_u32le(bytes + COUNT_CRC, count_crc(bytes, number));
    uint8_t *at = row_at(file, number) + ROW_COUNTS + (size_t)row->place * COUNT_SIZE;
    store_last(at + COUNT_VERSION, 0);
    memcpy(at + COUNT_OPEN, bytes + COUNT_OPEN, COUNT_SIZE - COUNT_OPEN);
    store_last(at + COUNT_VERSION, count->version);
}

void gap_file_clear(struct gap_file *file, unsigned number)
{
    if (file->bytes)
        memset(row_at(file, number), 0, ROW_SIZE);
}

int gap_counters_remove(const char *folder)
{
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct gap_file file = {.fd = -1};
    struct gap_row row;
    if (at < 0)
        return error_from_errno();
    int r = faccessat(at, "gaps", F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? error_from_errno() : 0;
    if (r == 0) // opening would make it
        r = gap_file_open(&file, folder);
    for (unsigned i = 0; r == 0 && i < GAP_ROWS; i++)
        r = gap_file_read(&file, i, &row) == GAP_ROW_EMPTY ? 0 : GAP_UNTOLD;
    if (r == 0 && unlinkat(at, "gaps", 0) < 0)
        r = error_from_errno();
    gap_file_close(&file);
    close(at);
    return r == -ENOENT ? 0 : r;
}
