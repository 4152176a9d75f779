// Lets one call of ours fail: linked into the agent's program by the linker's --wrap, so that only
// calls from the rooms' own archives come here, not those inside shared libraries.
//
// FAIL_CALL=NAME:HOW:AT says which: the AT-th call (from 1) of NAME (`alloc` is every call that
// takes memory) fails with errno HOW, a number; HOW 0 means short, for those that write or read.
// FAIL_COUNTS=FILE gets a line `NAME COUNT` for each at the end.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum call {
    CALL_ALLOC,
    CALL_MMAP,
    CALL_MEMFD,
    CALL_FALLOCATE,
    CALL_FTRUNCATE,
    CALL_SYNC,
    CALL_WRITE,
    CALL_READ,
    CALL_SEND,
    CALL_RECV,
    CALL_OPEN,
    CALL_NAME, // mkdir, rename, unlink
    CALL_LOCK,
    CALL_SOCKET, // and eventfd, accept
    CALL_THREAD,
    CALL_STATVFS,
    CALL_COUNT
};

static const char *const names[CALL_COUNT] = {
    "alloc", "mmap", "memfd", "fallocate", "ftruncate", "sync",   "write",  "read",
    "send",  "recv", "open",  "name",      "lock",      "socket", "thread", "statvfs"};

static struct {
    atomic_bool ready;
    enum call call;
    int how;
    uint64_t at; // 0: none
    const char *counts;
    atomic_ullong seen[CALL_COUNT];
} plan;

static void write_counts(void)
{
    char text[1024];
    int size = 0;
    for (int i = 0; i < CALL_COUNT; i++)
        size += snprintf(text + size, sizeof text - (size_t)size, "%s %llu\n", names[i],
                         (unsigned long long)atomic_load(&plan.seen[i]));
    FILE *file = fopen(plan.counts, "w");
    if (file) {
        fwrite(text, 1, (size_t)size, file);
        fclose(file);
    }
}

// Before main, and so before the first call that may fail.
__attribute__((constructor)) static void read_plan(void)
{
    const char *text = getenv("FAIL_CALL");
    size_t name = text ? strcspn(text, ":") : 0;
    char *rest = NULL;
    if (text) {
        while (plan.call < CALL_COUNT &&
               (strlen(names[plan.call]) != name || memcmp(names[plan.call], text, name) != 0))
            plan.call++;
        plan.how = text[name] ? (int)strtol(text + name + 1, &rest, 10) : 0;
        plan.at = rest && *rest == ':' ? strtoull(rest + 1, NULL, 10) : 0;
        if (plan.call == CALL_COUNT || plan.at == 0) {
            fprintf(stderr, "FAIL_CALL: \"%s\" is not NAME:ERRNO:AT\n", text);
            _exit(2);
        }
    }
    plan.counts = getenv("FAIL_COUNTS");
    if (plan.counts)
        atexit(write_counts);
    atomic_store(&plan.ready, true);
}

// Whether this call is the one.
static bool fails(enum call call)
{
    if (!atomic_load(&plan.ready))
        return false;
    uint64_t seen = atomic_fetch_add(&plan.seen[call], 1) + 1;
    return plan.at == seen && plan.call == call;
}

static bool fails_with_errno(enum call call)
{
    if (!fails(call))
        return false;
    errno = plan.how;
    return true;
}

// What of size such a call moves: all of it, half of it (short), or -1 with errno. An event
// descriptor's counter is never moved in halves; and the own log is how the test sees the agent.
static ssize_t allowed(enum call call, int fd, size_t size)
{
    bool spared =
        (plan.how == 0 && size <= sizeof(uint64_t)) || (fd == STDERR_FILENO && plan.how != EINTR);
    if (!fails(call) || spared)
        return (ssize_t)size;
    errno = plan.how;
    return plan.how ? -1 : (ssize_t)(size / 2);
}

// WRAP(call, what a failure returns, type, name, parameters, arguments)
#define WRAP(call, failed, type, name, parameters, arguments)                                      \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails_with_errno(call) ? (failed) : __real_##name arguments;                        \
    }

#define WRAP_BYTES(call, name, parameters, arguments)                                              \
    ssize_t __real_##name parameters;                                                              \
    ssize_t __wrap_##name parameters;                                                              \
    ssize_t __wrap_##name parameters                                                               \
    {                                                                                              \
        ssize_t most = allowed(call, fd, size);                                                    \
        if (most < 0)                                                                              \
            return -1;                                                                             \
        size = (size_t)most;                                                                       \
        return __real_##name arguments;                                                            \
    }

WRAP(CALL_ALLOC, NULL, void *, malloc, (size_t size), (size))
WRAP(CALL_ALLOC, NULL, void *, calloc, (size_t count, size_t size), (count, size))
WRAP(CALL_ALLOC, NULL, void *, realloc, (void *memory, size_t size), (memory, size))
WRAP(CALL_ALLOC, NULL, void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
WRAP(CALL_ALLOC, NULL, char *, strdup, (const char *text), (text))
WRAP(CALL_ALLOC, NULL, char *, strndup, (const char *text, size_t size), (text, size))
WRAP(CALL_ALLOC, NULL, FILE *, open_memstream, (char **text, size_t *size), (text, size))
WRAP(CALL_MMAP, MAP_FAILED, void *, mmap, // NOLINT(performance-no-int-to-ptr)
     (void *at, size_t size, int protection, int flags, int fd, off_t offset),
     (at, size, protection, flags, fd, offset))
WRAP(CALL_MEMFD, -1, int, memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP(CALL_FALLOCATE, -1, int, fallocate, (int fd, int mode, off_t at, off_t size),
     (fd, mode, at, size))
WRAP(CALL_FALLOCATE, plan.how, int, posix_fallocate, (int fd, off_t at, off_t size), (fd, at, size))
WRAP(CALL_FTRUNCATE, -1, int, ftruncate, (int fd, off_t size), (fd, size))
WRAP(CALL_SYNC, -1, int, fdatasync, (int fd), (fd))
WRAP(CALL_SYNC, -1, int, fsync, (int fd), (fd))
WRAP_BYTES(CALL_WRITE, write, (int fd, const void *data, size_t size), (fd, data, size))
WRAP_BYTES(CALL_WRITE, pwrite, (int fd, const void *data, size_t size, off_t at),
           (fd, data, size, at))
WRAP_BYTES(CALL_READ, read, (int fd, void *data, size_t size), (fd, data, size))
WRAP_BYTES(CALL_READ, pread, (int fd, void *data, size_t size, off_t at), (fd, data, size, at))
WRAP_BYTES(CALL_SEND, send, (int fd, const void *data, size_t size, int flags),
           (fd, data, size, flags))
WRAP_BYTES(CALL_RECV, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
WRAP(CALL_RECV, -1, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags),
     (fd, message, flags))
WRAP(CALL_NAME, -1, int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(CALL_NAME, -1, int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
WRAP(CALL_NAME, -1, int, renameat, (int folder, const char *from, int other, const char *to),
     (folder, from, other, to))
WRAP(CALL_LOCK, -1, int, flock, (int fd, int operation), (fd, operation))
WRAP(CALL_SOCKET, -1, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(CALL_SOCKET, -1, int, eventfd, (unsigned count, int flags), (count, flags))
WRAP(CALL_SOCKET, -1, int, accept4,
     (int fd, struct sockaddr *address, socklen_t *length, int flags), (fd, address, length, flags))
WRAP(CALL_SOCKET, -1, int, bind, (int fd, const struct sockaddr *address, socklen_t length),
     (fd, address, length))
WRAP(CALL_SOCKET, -1, int, listen, (int fd, int backlog), (fd, backlog))
WRAP(CALL_STATVFS, -1, int, fstatvfs, (int fd, struct statvfs *out), (fd, out))
WRAP(CALL_OPEN, NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
WRAP(CALL_THREAD, plan.how, int, pthread_create,
     (void *thread, const void *attributes, void *(*run)(void *), void *argument),
     (thread, attributes, run, argument))

int __real_open(const char *path, int flags, ...);
int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return fails_with_errno(CALL_OPEN) ? -1 : __real_open(path, flags, mode);
}

int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return fails_with_errno(CALL_OPEN) ? -1 : __real_openat(folder, path, flags, mode);
}
