// One inotify descriptor for the folders of a handful of files.
//
// A write, a rename or a link swap in such a folder counts when it names a watched file, or
// "..data", the link that the kubelet swaps under all files of a volume at once. Where a watched
// file is itself a link into another folder, that folder is watched as well.
#include "base/file_watch.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

// A writer that takes several steps (truncate, write, rename) is heard once.
#define QUIET_NS (100 * NS_PER_MS)
#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF)

struct file_watch {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer quiet;
    int fd;
    void (*changed)(void *ctx);
    void *ctx;
    size_t count;
    char *paths[];
};

// "/a/b" to "/a" and "b"; false where there is no slash or the folder is too long.
static bool split(const char *path, char folder[PATH_MAX], const char **name)
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash - path >= PATH_MAX)
        return false;
    size_t size = slash == path ? 1 : (size_t)(slash - path);
    memcpy(folder, path, size);
    folder[size] = '\0';
    *name = slash + 1;
    return true;
}

static void watch_folder_of(const struct file_watch *watch, const char *path)
{
    char folder[PATH_MAX];
    const char *name;
    if (split(path, folder, &name))
        inotify_add_watch(watch->fd, folder, EVENTS); // a folder that is not there: no matter
}

// Again after each change: the folders that links lead to may be others now.
static void watch_all(const struct file_watch *watch)
{
    char target[PATH_MAX];
    for (size_t i = 0; i < watch->count; i++) {
        watch_folder_of(watch, watch->paths[i]);
        if (realpath(watch->paths[i], target) && strcmp(target, watch->paths[i]) != 0)
            watch_folder_of(watch, target);
    }
}

static bool concerns(const struct file_watch *watch, const struct inotify_event *event)
{
    if (event->len == 0 || strcmp(event->name, "..data") == 0)
        return true; // the folder itself, or a volume's link
    char target[PATH_MAX], folder[PATH_MAX];
    const char *name;
    for (size_t i = 0; i < watch->count; i++) {
        if (split(watch->paths[i], folder, &name) && strcmp(name, event->name) == 0)
            return true;
        if (realpath(watch->paths[i], target) && split(target, folder, &name) &&
            strcmp(name, event->name) == 0)
            return true;
    }
    return false;
}

static void ready(struct loop_io *io, unsigned events)
{
    (void)events;
    struct file_watch *watch =
        (struct file_watch *)(void *)((char *)io - offsetof(struct file_watch, io));
    _Alignas(struct inotify_event) char buffer[4096];
    bool concerned = false;
    ssize_t size;
    while ((size = read(watch->fd, buffer, sizeof buffer)) > 0) {
        for (char *at = buffer; at < buffer + size;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            concerned |= concerns(watch, event);
            at += sizeof *event + event->len;
        }
    }
    if (concerned)
        loop_timer_start(watch->loop, &watch->quiet, QUIET_NS);
}

static void quiet(struct loop_timer *timer)
{
    struct file_watch *watch =
        (struct file_watch *)(void *)((char *)timer - offsetof(struct file_watch, quiet));
    watch_all(watch);
    watch->changed(watch->ctx);
}

int file_watch_new(struct file_watch **out, struct loop *loop, const char *const *paths,
                   size_t count, void (*changed)(void *ctx), void *ctx)
{
    struct file_watch *watch = calloc(1, sizeof *watch + count * sizeof *watch->paths);
    if (!watch)
        return -ENOMEM;
    watch->loop = loop;
    watch->changed = changed;
    watch->ctx = ctx;
    watch->io.ready = ready;
    watch->quiet.expired = quiet;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int r = watch->fd < 0 ? error_from_errno() : 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (!paths[i] || !paths[i][0])
            continue;
        watch->paths[watch->count] = strdup(paths[i]);
        if (!watch->paths[watch->count++])
            r = -ENOMEM;
    }
    if (r == 0)
        r = loop_io_start(loop, &watch->io, watch->fd, LOOP_READ);
    if (r < 0) {
        file_watch_free(watch);
        return r;
    }
    watch_all(watch);
    *out = watch;
    return 0;
}

void file_watch_free(struct file_watch *watch)
{
    if (!watch)
        return;
    loop_io_stop(&watch->io);
    loop_timer_stop(&watch->quiet);
    if (watch->fd >= 0)
        close(watch->fd);
    for (size_t i = 0; i < watch->count; i++)
        free(watch->paths[i]);
    free(watch);
}
