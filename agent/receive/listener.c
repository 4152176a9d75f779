// Opens, guards and accepts on one listening socket.
#include "receive/listener.h"

#include "base/account_id.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/listen_address.h"
#include "base/own_log.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ACCEPTS_PER_TURN 64
#define BACKLOG 1024

static int fail(struct listener_error *error, int r, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct listener_error *error, int r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return r;
}

// The lock outlives a crash of its holder by nothing: the kernel drops it. So it, and not the
// socket file, says whether an agent is there.
static int take_lock(struct listener *listener, const char *path, struct listener_error *error)
{
    char lock_path[sizeof(((struct sockaddr_un *)0)->sun_path) + 8];
    snprintf(lock_path, sizeof lock_path, "%s.lock", path);
    int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(error, error_from_errno(),
                    "socket.path: %s: cannot create the lock %s: %s; create the folder, or set "
                    "another path",
                    path, lock_path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        close(fd);
        return fail(error, -EADDRINUSE,
                    "socket.path: %s: another agent holds %s; stop it, or set another path", path,
                    lock_path);
    }
    listener->lock_fd = fd;
    return 0;
}

// Whether somebody answers on the socket file.
static bool answers(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return true; // not known: do not steal
    int r = connect(fd, (const struct sockaddr *)address, sizeof *address);
    bool refused = r < 0 && (errno == ECONNREFUSED || errno == ENOENT);
    close(fd);
    return !refused;
}

static int remove_stale(const struct sockaddr_un *address, struct listener_error *error)
{
    struct stat status;
    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : error_from_errno();
    if (!S_ISSOCK(status.st_mode))
        return fail(
            error, -EEXIST,
            "socket.path: %s: is a file that is not a socket; remove it, or set another path",
            address->sun_path);
    if (answers(address))
        return fail(error, -EADDRINUSE,
                    "socket.path: %s: somebody else answers there; stop them, or set another path",
                    address->sun_path);
    if (unlink(address->sun_path) < 0)
        return fail(error, error_from_errno(),
                    "socket.path: %s: cannot remove the stale socket: %s", address->sun_path,
                    strerror(errno));
    return 0;
}

static int set_access(const char *path, mode_t mode, const char *group,
                      struct listener_error *error)
{
    unsigned gid;
    if (*group && !account_group(group, &gid))
        return fail(error, -ENOENT, "socket.group: %s: no such group here; use its number", group);
    if (*group && chown(path, (uid_t)-1, (gid_t)gid) < 0)
        return fail(error, error_from_errno(), "socket.group: %s: cannot give %s to it: %s", group,
                    path, strerror(errno));
    if (chmod(path, mode) < 0)
        return fail(error, error_from_errno(), "socket.mode: %04o: cannot set it on %s: %s",
                    (unsigned)mode, path, strerror(errno));
    return 0;
}

static int bind_unix(struct listener *listener, const struct sockaddr_un *address, mode_t mode,
                     const char *group, struct listener_error *error)
{
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return fail(error, error_from_errno(), "socket.path: %s: %s", address->sun_path,
                    strerror(errno));
    // Nobody may connect between bind and chmod.
    mode_t before = umask(0177);
    int r = bind(listener->fd, (const struct sockaddr *)address, sizeof *address);
    int why = errno;
    umask(before);
    if (r < 0)
        return fail(error, -why, "socket.path: %s: cannot bind: %s", address->sun_path,
                    strerror(why));
    struct stat status;
    if (lstat(address->sun_path, &status) == 0) {
        listener->device = status.st_dev;
        listener->inode = status.st_ino;
    }
    r = set_access(address->sun_path, mode, group, error);
    if (r < 0)
        return r;
    if (listen(listener->fd, BACKLOG) < 0)
        return fail(error, error_from_errno(), "socket.path: %s: %s", address->sun_path,
                    strerror(errno));
    return 0;
}

int listener_open_unix(struct listener *listener, const char *path, mode_t mode, const char *group,
                       struct listener_error *error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *listener = (struct listener){.fd = -1, .lock_fd = -1};
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof address.sun_path)
        return fail(error, -ENAMETOOLONG,
                    "socket.path: \"%.60s\": 1 to %zu bytes are allowed; set a shorter path", path,
                    sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, size + 1);
    snprintf(listener->address, sizeof listener->address, "%s", path);
    int r = take_lock(listener, path, error);
    if (r == 0)
        r = remove_stale(&address, error);
    if (r == 0)
        r = bind_unix(listener, &address, mode, group, error);
    if (r < 0) {
        listener_close(listener);
        return r;
    }
    return 0;
}

int listener_open_tcp(struct listener *listener, const char *address, struct listener_error *error)
{
    struct listen_address parsed;
    *listener = (struct listener){.fd = -1, .lock_fd = -1};
    if (listen_address_parse(&parsed, address) < 0)
        return fail(error, -EINVAL,
                    "otlp_listen: \"%.60s\": not a numeric host:port such as 127.0.0.1:4317",
                    address);
    listener->fd = socket(parsed.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (listener->fd >= 0)
        setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listener->fd < 0 ||
        bind(listener->fd, (struct sockaddr *)&parsed.storage, parsed.size) < 0 ||
        listen(listener->fd, BACKLOG) < 0) {
        int r = error_from_errno();
        listener_close(listener);
        return fail(error, r,
                    "otlp_listen: %s: %s; free the port, set another one, or \"\" to switch it off",
                    address, strerror(-r));
    }
    return listen_address_of(listener->fd, listener->address, sizeof listener->address);
}

static void pause_over(struct loop_timer *timer)
{
    struct listener *listener =
        (struct listener *)((char *)timer - offsetof(struct listener, pause));
    loop_io_start(listener->loop, &listener->io, listener->fd, LOOP_READ);
}

static bool out_of_descriptors(int why)
{
    return why == EMFILE || why == ENFILE || why == ENOBUFS || why == ENOMEM;
}

static void listener_ready(struct loop_io *io, unsigned events)
{
    (void)events;
    struct listener *listener = (struct listener *)((char *)io - offsetof(struct listener, io));
    for (int i = 0; i < ACCEPTS_PER_TURN && listener->fd >= 0; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            listener->told = false;
            listener->accepted(listener->ctx, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (out_of_descriptors(errno)) {
            if (!listener->told)
                own_log(OWN_WARN, "accept_paused",
                        "%s: %s; raise the limit of open files (LimitNOFILE, ulimit -n)",
                        listener->address, strerror(errno));
            listener->told = true;
            loop_io_stop(&listener->io);
            loop_timer_start(listener->loop, &listener->pause, 100 * NS_PER_MS);
        }
        return;
    }
}

int listener_start(struct listener *listener, struct loop *loop,
                   void (*accepted)(void *ctx, int fd), void *ctx)
{
    listener->loop = loop;
    listener->accepted = accepted;
    listener->ctx = ctx;
    listener->io.ready = listener_ready;
    listener->pause.expired = pause_over;
    return loop_io_start(loop, &listener->io, listener->fd, LOOP_READ);
}

void listener_close(struct listener *listener)
{
    loop_io_stop(&listener->io);
    loop_timer_stop(&listener->pause);
    struct stat status;
    if (listener->inode && lstat(listener->address, &status) == 0 &&
        status.st_ino == listener->inode && status.st_dev == listener->device)
        unlink(listener->address);
    listener->inode = 0;
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
    if (listener->lock_fd >= 0)
        close(listener->lock_fd);
    listener->lock_fd = -1;
}
