// Versions of pages, and the dice that choose among them.
#include "power_device.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096u
#define PAGES_MAX 64u
#define VERSIONS_MAX 48u
#define FILES_MAX 256u
#define HEADER_BYTES 128u // under the header's CRC

struct version {
    uint64_t serial;
    uint32_t author;
    uint8_t bytes[PAGE];
};

struct page {
    struct version *versions[VERSIONS_MAX]; // the first is on the device
    unsigned count;
};

struct file {
    uint32_t number;
    ino_t inode;
    uint8_t *mapped; // only read; NULL: removed from the folder
    unsigned pages;
    struct page page[PAGES_MAX];
    bool named;        // the folder was synced with it
    bool sized;        // it was synced itself
    bool poisoned;     // a sync of it failed: nobody knows any more
    bool unnamed;      // removed, and the folder was synced since
    bool asked_named;  // in the sync that runs: it was there …
    bool asked_absent; // … or was not
    uint32_t author;   // of the header since the last cut
};

struct sync_thread {
    struct sync_request *first; // one log: one request
    uint64_t serial;            // what was stored by then
};

struct device {
    char folder[256];
    struct random *random;
    struct file *files[FILES_MAX];
    unsigned count;
    uint64_t serial;
    uint32_t author;
    struct sync_thread thread;
    struct device_counts counts;
};

static struct device *device; // of the functions of sync_thread.h: there is one

static struct version *version_new(const uint8_t *bytes, uint64_t serial, uint32_t author)
{
    struct version *version = malloc(sizeof *version);
    assert(version);
    version->serial = serial;
    version->author = author;
    if (bytes)
        memcpy(version->bytes, bytes, PAGE);
    else
        memset(version->bytes, 0, PAGE);
    return version;
}

static void version_drop(struct page *page, unsigned at)
{
    free(page->versions[at]);
    page->count--;
    memmove(&page->versions[at], &page->versions[at + 1],
            (page->count - at) * sizeof(struct version *));
}

// Everything before the last version of that serial is overwritten on the device.
static void page_settle(struct page *page, uint64_t serial)
{
    while (page->count > 1 && page->versions[1]->serial <= serial)
        version_drop(page, 0);
}

static void file_forget(struct device *of, unsigned at)
{
    struct file *file = of->files[at];
    if (file->mapped)
        munmap(file->mapped, file->pages * PAGE);
    for (unsigned i = 0; i < file->pages; i++)
        while (file->page[i].count > 0)
            version_drop(&file->page[i], 0);
    free(file);
    of->files[at] = of->files[--of->count];
}

static void path_of(const struct device *of, uint32_t number, char path[300])
{
    snprintf(path, 300, "%s/%08u.segment", of->folder, number);
}

static struct file *file_find(const struct device *of, uint32_t number)
{
    for (unsigned i = 0; i < of->count; i++)
        if (of->files[i]->number == number && of->files[i]->mapped)
            return of->files[i];
    return NULL;
}

// durable: as it is, else what a new file is: zeros.
static void file_add(struct device *of, uint32_t number, bool durable)
{
    char path[300];
    struct stat status;
    path_of(of, number, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_size < PAGE) {
        if (fd >= 0)
            close(fd);
        return; // on its way: next time
    }
    struct file *file = calloc(1, sizeof *file);
    assert(file && of->count < FILES_MAX);
    file->number = number;
    file->inode = status.st_ino;
    file->pages = (unsigned)(status.st_size / PAGE);
    assert(file->pages <= PAGES_MAX);
    file->mapped = mmap(NULL, file->pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    assert(file->mapped != MAP_FAILED);
    file->named = file->sized = durable;
    for (unsigned i = 0; i < file->pages; i++) {
        file->page[i].count = 1;
        file->page[i].versions[0] = version_new(durable ? file->mapped + i * PAGE : NULL, 0, 0);
    }
    of->files[of->count++] = file;
}

// Finds files that came and went.
static void files_observe(struct device *of, bool durable)
{
    bool there[FILES_MAX] = {false};
    DIR *folder = opendir(of->folder);
    assert(folder);
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char *end;
        uint32_t number = (uint32_t)strtoul(entry->d_name, &end, 10);
        if (strcmp(end, ".segment") != 0)
            continue;
        if (!file_find(of, number))
            file_add(of, number, durable);
        for (unsigned i = 0; i < of->count; i++)
            there[i] = there[i] || (of->files[i]->mapped && of->files[i]->number == number);
    }
    closedir(folder);
    for (unsigned i = 0; i < of->count; i++) {
        struct file *file = of->files[i];
        if (there[i] || !file->mapped)
            continue;
        munmap(file->mapped, file->pages * PAGE);
        file->mapped = NULL;
    }
}

static void page_observe(struct device *of, struct page *page, const uint8_t *now)
{
    if (memcmp(page->versions[page->count - 1]->bytes, now, PAGE) == 0)
        return;
    if (page->count == VERSIONS_MAX) {
        unsigned pinned = 0; // what the sync that runs makes the first
        while (pinned + 1 < page->count && page->versions[pinned + 1]->serial <= of->thread.serial)
            pinned++;
        unsigned at = 1 + (unsigned)random_below(of->random, VERSIONS_MAX - 3);
        version_drop(page, at == pinned ? at + 1 : at);
    }
    page->versions[page->count++] = version_new(now, of->serial, of->author);
}

static void observe(struct device *of)
{
    of->serial++;
    files_observe(of, false);
    for (unsigned i = 0; i < of->count; i++)
        for (unsigned n = 0; of->files[i]->mapped && n < of->files[i]->pages; n++)
            page_observe(of, &of->files[i]->page[n], of->files[i]->mapped + n * PAGE);
}

void device_observe(struct device *of, uint32_t author)
{
    of->author = author;
    observe(of);
}

struct device *device_new(const char *folder, struct random *random)
{
    struct device *made = calloc(1, sizeof *made);
    assert(made);
    snprintf(made->folder, sizeof made->folder, "%s", folder);
    made->random = random;
    device = made;
    return made;
}

void device_free(struct device *of)
{
    while (of->count > 0)
        file_forget(of, 0);
    free(of);
}

struct sync_thread *device_sync_thread(struct device *of)
{
    return &of->thread;
}

const struct device_counts *device_counts(const struct device *of)
{
    return &of->counts;
}

uint32_t device_header_author(const struct device *of, uint32_t number)
{
    const struct file *file = file_find(of, number);
    return file ? file->author : 0;
}

// --- syncs

static struct file *file_of(const struct device *of, int fd)
{
    struct stat status;
    int r = fstat(fd, &status);
    assert(r == 0);
    (void)r;
    for (unsigned i = 0; i < of->count; i++)
        if (of->files[i]->inode == status.st_ino && !of->files[i]->unnamed)
            return of->files[i];
    return NULL;
}

void sync_thread_ask(struct sync_thread *thread, struct sync_request *request)
{
    assert(!thread->first && !request->asked);
    observe(device);
    request->asked = true;
    thread->first = request;
    thread->serial = device->serial;
    for (unsigned i = 0; i < device->count; i++) {
        device->files[i]->asked_named = device->files[i]->mapped != NULL;
        device->files[i]->asked_absent = device->files[i]->mapped == NULL;
    }
}

void sync_thread_withdraw(struct sync_thread *thread, struct sync_request *request)
{
    if (!request->asked)
        return;
    for (unsigned i = 0; i < request->count; i++)
        close(request->files[i]);
    if (request->folder >= 0)
        close(request->folder);
    request->asked = false;
    thread->first = NULL;
}

bool sync_thread_wait(struct sync_thread *thread, struct sync_request *request)
{
    (void)thread;
    while (request->asked)
        device_sync(device);
    return true;
}

static void folder_settle(struct device *of)
{
    for (unsigned i = of->count; i-- > 0;) {
        struct file *file = of->files[i];
        file->named = file->named || file->asked_named;
        if (file->asked_absent)
            file_forget(of, i);
    }
}

void device_sync(struct device *of)
{
    struct sync_request *request = of->thread.first;
    if (!request)
        return;
    of->thread.first = NULL;
    of->counts.syncs++;
    for (unsigned i = 0; i < request->count; i++) {
        struct file *file = file_of(of, request->files[i]);
        bool fails = one_in(of->random, 60);
        request->results[i] = fails ? -EIO : 0;
        of->counts.failures += fails;
        close(request->files[i]);
        if (!file)
            continue; // its folder entry and all are gone
        file->poisoned = file->poisoned || fails;
        for (unsigned n = 0; !file->poisoned && n < file->pages; n++)
            page_settle(&file->page[n], of->thread.serial);
        file->sized = file->sized || !fails;
    }
    request->folder_result = request->folder >= 0 && one_in(of->random, 60) ? -EIO : 0;
    if (request->folder >= 0 && request->folder_result == 0)
        folder_settle(of);
    if (request->folder >= 0)
        close(request->folder);
    request->asked = false;
    request->done(request);
}

// --- the power goes

static void tear(struct device *of, uint8_t *out, const uint8_t *before, const uint8_t *after)
{
    size_t upto = random_below(of->random, PAGE / 8 + 1);
    bool scattered = one_in(of->random, 2);
    for (size_t word = 0; word < PAGE / 8; word++) {
        bool new = scattered ? one_in(of->random, 2) : word < upto;
        memcpy(out + word * 8, (new ? after : before) + word * 8, 8);
    }
    of->counts.torn++;
}

// What the device has of a page; *author of what it begins with.
static void page_choose(struct device *of, const struct page *page, uint8_t out[PAGE],
                        uint32_t *author)
{
    unsigned newest = page->count - 1;
    uint64_t dice = random_below(of->random, 100);
    unsigned at = dice < 40   ? 0
                  : dice < 80 ? newest
                              : (unsigned)random_below(of->random, newest + 1);
    memcpy(out, page->versions[at]->bytes, PAGE);
    *author = page->versions[at]->author;
    of->counts.dirty += newest > 0;
    if (dice < 92 || at == newest)
        return;
    tear(of, out, page->versions[at]->bytes, page->versions[at + 1]->bytes);
    if (memcmp(out, page->versions[at + 1]->bytes, HEADER_BYTES) == 0)
        *author = page->versions[at + 1]->author;
}

struct image {
    uint32_t number, author;
    unsigned pages;
    uint8_t *bytes;
};

static bool file_choose(struct device *of, const struct file *file, struct image *image)
{
    bool sure = file->named && file->mapped;
    bool present = sure || one_in(of->random, 2);
    of->counts.absent += !present;
    if (!present)
        return false;
    *image = (struct image){.number = file->number, .pages = file->pages};
    image->bytes = malloc(file->pages * PAGE);
    assert(image->bytes);
    for (unsigned n = file->pages; n-- > 0;)
        page_choose(of, &file->page[n], image->bytes + n * PAGE, &image->author);
    if (!file->sized && one_in(of->random, 3)) {
        image->pages = (unsigned)random_below(of->random, file->pages);
        of->counts.shortened++;
    }
    return true;
}

static void image_write(const struct device *of, const struct image *image)
{
    char path[300];
    path_of(of, image->number, path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0);
    ssize_t n = pwrite(fd, image->bytes, image->pages * PAGE, 0);
    assert(n == (ssize_t)(image->pages * PAGE));
    (void)n;
    close(fd);
}

void device_cut(struct device *of)
{
    struct image images[FILES_MAX];
    unsigned count = 0;
    assert(!of->thread.first);
    of->counts.cuts++;
    while (of->count > 0) {
        struct file *file = of->files[0];
        char path[300];
        bool twice = false; // a name can only be one file: the one that is there, or was
        for (unsigned i = 0; i < count; i++)
            twice = twice || images[i].number == file->number;
        if (!twice && file_choose(of, file, &images[count]))
            count++;
        path_of(of, file->number, path);
        if (file->mapped)
            unlink(path);
        file_forget(of, 0);
    }
    for (unsigned i = 0; i < count; i++)
        image_write(of, &images[i]);
    files_observe(of, true);
    for (unsigned i = 0; i < count; i++) {
        struct file *file = file_find(of, images[i].number);
        if (file) {
            file->author = images[i].author;
            file->page[0].versions[0]->author = images[i].author;
        }
        free(images[i].bytes);
    }
}
