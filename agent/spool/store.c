// Makes, finds and removes the memory and the files that segments are written into.
#include "spool/store.h"

#include "base/error.h"
#include "spool/page_guard.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define STORE_MAGIC 0x5703E001u
#define NAME_SIZE 32

struct store {
    unsigned magic;
    char *name; // memory: what /proc shows
    int folder; // -1: memory
    int lock;   // held
    uint64_t min_free;
    uint32_t highest; // number of a file so far
    bool changed;     // a file was made since the folder was synced last
};

static int store_new(struct store **out)
{
    struct store *store = calloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    store->magic = STORE_MAGIC;
    store->folder = store->lock = -1;
    *out = store;
    return 0;
}

int store_open_memory(struct store **out, const char *name)
{
    struct store *store = NULL;
    int r = store_new(&store);
    if (r < 0)
        return r;
    store->name = strdup(name);
    if (!store->name) {
        store_close(store);
        return -ENOMEM;
    }
    *out = store;
    return 0;
}

// Whoever drained the folder may have removed it between our open and our lock.
static bool lock_is_named(const struct store *store)
{
    struct stat held, named;
    return fstat(store->lock, &held) == 0 &&
           fstatat(store->folder, "lock", &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int folder_open(struct store *store, const char *folder)
{
    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return error_from_errno();
    store->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->folder < 0)
        return error_from_errno();
    store->lock = openat(store->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (store->lock < 0)
        return error_from_errno();
    if (flock(store->lock, LOCK_EX | LOCK_NB) < 0)
        return error_from_errno();
    return lock_is_named(store) ? 0 : -ESTALE;
}

int store_open_folder(struct store **out, const char *folder, uint64_t min_free)
{
    struct store *store = NULL;
    int r = -ESTALE;
    for (int tries = 0; r == -ESTALE && tries < 10; tries++) {
        store_close(store);
        store = NULL;
        r = store_new(&store);
        if (r == 0)
            r = folder_open(store, folder);
    }
    if (r < 0) {
        store_close(store);
        return r;
    }
    store->min_free = min_free;
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    assert(store->magic == STORE_MAGIC);
    if (store->lock >= 0)
        close(store->lock);
    if (store->folder >= 0)
        close(store->folder);
    free(store->name);
    store->magic = 0;
    free(store);
}

int store_folder(const struct store *store)
{
    assert(store->magic == STORE_MAGIC);
    return store->folder;
}

bool store_is_folder(const struct store *store)
{
    assert(store->magic == STORE_MAGIC);
    return store->folder >= 0;
}

static void file_name(uint32_t number, const char *ending, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, "%08u.%s", number, ending);
}

static int piece_map(struct store_piece *piece)
{
    void *data = mmap(NULL, piece->size, PROT_READ | PROT_WRITE, MAP_SHARED, piece->fd, 0);
    if (data == MAP_FAILED)
        return error_from_errno();
    int r = page_guard_add(&piece->guard, data, piece->size);
    if (r < 0) {
        munmap(data, piece->size);
        return r;
    }
    piece->data = data;
    return 0;
}

static int memory_create(const struct store *store, struct store_piece *piece)
{
    char label[64];
    snprintf(label, sizeof label, "sluice-spool:%.40s", store->name);
    piece->fd = memfd_create(label, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (piece->fd < 0 || fallocate(piece->fd, 0, 0, (off_t)piece->size) < 0)
        return error_from_errno();
    if (fcntl(piece->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return error_from_errno();
    return 0;
}

// For the agent's own user: what the device keeps for root does not count.
static bool leaves_enough(const struct store *store, uint32_t size)
{
    struct statvfs device;
    if (store->min_free == 0 || fstatvfs(store->folder, &device) < 0)
        return true; // the allocation will say
    return (uint64_t)device.f_bavail * device.f_frsize >= store->min_free + size;
}

static int file_create(struct store *store, struct store_piece *piece)
{
    char name[NAME_SIZE];
    if (!leaves_enough(store, piece->size))
        return -EDQUOT;
    file_name(store->highest + 1, "segment", name);
    piece->fd =
        openat(store->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (piece->fd < 0)
        return error_from_errno();
    piece->number = ++store->highest;
    store->changed = true;
    int r = 0;
    do // writes where there is no fallocate
        r = posix_fallocate(piece->fd, 0, (off_t)piece->size);
    while (r == EINTR);
    return -r;
}

int store_create(struct store *store, uint32_t size, struct store_piece *out)
{
    assert(store->magic == STORE_MAGIC);
    struct store_piece piece = {.size = size, .fd = -1};
    int r = store->folder < 0 ? memory_create(store, &piece) : file_create(store, &piece);
    if (r == 0)
        r = piece_map(&piece);
    if (r < 0) {
        store_remove(store, &piece);
        return r;
    }
    *out = piece;
    return 0;
}

static int file_open(const struct store *store, uint32_t number, int flags)
{
    char name[NAME_SIZE];
    file_name(number, "segment", name);
    // O_NONBLOCK: a pipe under that name must not hold the agent.
    int fd = openat(store->folder, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 ? error_from_errno() : fd;
}

int store_attach(struct store *store, uint32_t number, struct store_piece *out)
{
    assert(store->magic == STORE_MAGIC && store->folder >= 0);
    struct store_piece piece = {.number = number};
    struct stat status;
    piece.fd = file_open(store, number, O_RDWR);
    if (piece.fd < 0)
        return piece.fd;
    int r = fstat(piece.fd, &status) < 0 ? error_from_errno() : 0;
    if (r == 0 && (!S_ISREG(status.st_mode) || status.st_size < 4096))
        r = -EIO;
    if (r == 0) {
        off_t most = (off_t)1 << 30; // no segment is larger; the rest is not looked at
        piece.size = (uint32_t)(status.st_size < most ? status.st_size : most) & ~(uint32_t)4095;
        r = piece_map(&piece);
    }
    if (r < 0) {
        store_detach(&piece);
        return r;
    }
    *out = piece;
    return 0;
}

int store_peek(struct store *store, uint32_t number, void *out, size_t size)
{
    assert(store->magic == STORE_MAGIC && store->folder >= 0);
    int fd = file_open(store, number, O_RDONLY);
    if (fd < 0)
        return fd;
    ssize_t n = pread(fd, out, size, 0);
    int r = n < 0 ? error_from_errno() : (int)n;
    close(fd);
    if (r >= 0)
        memset((uint8_t *)out + r, 0, size - (size_t)r);
    return r;
}

uint32_t store_highest(const struct store *store)
{
    assert(store->magic == STORE_MAGIC);
    return store->highest;
}

int store_folder_to_sync(struct store *store)
{
    assert(store->magic == STORE_MAGIC);
    bool changed = store->changed;
    store->changed = false;
    return changed ? store->folder : -1;
}

void store_folder_changed(struct store *store)
{
    assert(store->magic == STORE_MAGIC);
    store->changed = true;
}

void store_detach(struct store_piece *piece)
{
    page_guard_remove(piece->guard);
    if (piece->data)
        munmap(piece->data, piece->size);
    if (piece->fd >= 0)
        close(piece->fd);
    *piece = (struct store_piece){.fd = -1};
}

void store_remove(struct store *store, struct store_piece *piece)
{
    assert(store->magic == STORE_MAGIC);
    uint32_t number = piece->number;
    store_detach(piece);
    char name[NAME_SIZE];
    file_name(number, "segment", name);
    if (number)
        unlinkat(store->folder, name, 0);
}

int store_set_aside(struct store *store, uint32_t number)
{
    assert(store->magic == STORE_MAGIC && store->folder >= 0);
    char from[NAME_SIZE], to[NAME_SIZE];
    file_name(number, "segment", from);
    file_name(number, "damaged", to);
    return renameat(store->folder, from, store->folder, to) < 0 ? error_from_errno() : 0;
}

// The number in a name of ours with one of our endings; 0: none of ours.
static uint32_t number_of(const char *name, bool *segment)
{
    char *end;
    if (name[0] < '0' || name[0] > '9')
        return 0;
    unsigned long number = strtoul(name, &end, 10);
    *segment = strcmp(end, ".segment") == 0;
    if (!*segment && strcmp(end, ".damaged") != 0)
        return 0;
    return number < UINT32_MAX ? (uint32_t)number : 0;
}

static int list_add(uint32_t **numbers, size_t *count, uint32_t number)
{
    if ((*count & (*count - 1)) == 0) { // at each power of two
        uint32_t *grown = realloc(*numbers, (*count ? 2 * *count : 1) * sizeof **numbers);
        if (!grown)
            return -ENOMEM;
        *numbers = grown;
    }
    (*numbers)[(*count)++] = number;
    return 0;
}

int store_list(struct store *store, uint32_t **numbers, size_t *count)
{
    assert(store->magic == STORE_MAGIC && store->folder >= 0);
    int copy = openat(store->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    if (!folder) {
        int r = error_from_errno();
        if (copy >= 0)
            close(copy);
        return r;
    }
    uint32_t *found = NULL;
    size_t n = 0;
    int r = 0;
    const struct dirent *entry;
    while (r == 0 && (entry = readdir(folder))) {
        bool segment = false;
        uint32_t number = number_of(entry->d_name, &segment);
        if (number > store->highest) // a new file never takes the name of one set aside
            store->highest = number;
        if (number && segment)
            r = list_add(&found, &n, number);
    }
    closedir(folder);
    if (r < 0) {
        free(found);
        return r;
    }
    *numbers = found;
    *count = n;
    return 0;
}
