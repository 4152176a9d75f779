// The dead-letter file: opened, followed, written one whole line at a time.
#include "deliver/dead_letters.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/own_log.h"
#include "deliver/dead_letter_line.h"
#include "deliver/exporter.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct dead_letters {
    char *path;
    uint64_t max_bytes;
    struct clock *clock;
    int fd;
};

// A line that a crash left without its end must not swallow the next one.
static int end_last_line(int fd, off_t size)
{
    char last = '\n';
    if (size > 0 && pread(fd, &last, 1, size - 1) != 1)
        return error_from_errno();
    if (last != '\n' && write(fd, "\n", 1) != 1)
        return error_from_errno();
    return 0;
}

static int open_file(const char *path, int *out)
{
    // O_NONBLOCK: a pipe at that place must not hold the agent.
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return error_from_errno();
    struct stat status;
    int r = fstat(fd, &status) < 0 ? error_from_errno() : 0;
    if (r == 0 && !S_ISREG(status.st_mode))
        r = -EINVAL;
    if (r == 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
        r = errno == EWOULDBLOCK ? -EBUSY : error_from_errno();
    if (r == 0)
        r = end_last_line(fd, status.st_size);
    if (r < 0) {
        close(fd);
        return r;
    }
    *out = fd;
    return 0;
}

int dead_letters_new(struct dead_letters **out, const char *path, uint64_t max_bytes,
                     struct clock *clock)
{
    struct dead_letters *letters = calloc(1, sizeof *letters);
    if (!letters)
        return -ENOMEM;
    letters->max_bytes = max_bytes;
    letters->clock = clock;
    letters->fd = -1;
    letters->path = strdup(path);
    int r = letters->path ? open_file(path, &letters->fd) : -ENOMEM;
    if (r < 0) {
        dead_letters_free(letters);
        return r;
    }
    *out = letters;
    return 0;
}

void dead_letters_free(struct dead_letters *letters)
{
    if (!letters)
        return;
    if (letters->fd >= 0)
        close(letters->fd);
    free(letters->path);
    free(letters);
}

// The file that has the path now: the one that is open, or one that took its place.
static int follow(struct dead_letters *letters)
{
    struct stat opened, named;
    if (letters->fd >= 0 && fstat(letters->fd, &opened) == 0 && lstat(letters->path, &named) == 0 &&
        opened.st_dev == named.st_dev && opened.st_ino == named.st_ino)
        return 0;
    if (letters->fd >= 0)
        close(letters->fd);
    letters->fd = -1;
    return open_file(letters->path, &letters->fd);
}

static int append(struct dead_letters *letters, const char *line, size_t size)
{
    int r = follow(letters);
    if (r < 0)
        return r;
    struct stat status;
    if (fstat(letters->fd, &status) < 0)
        return error_from_errno();
    if ((uint64_t)status.st_size + size > letters->max_bytes)
        return -EFBIG;
    ssize_t written = write(letters->fd, line, size);
    if (written == (ssize_t)size)
        return 0;
    r = written < 0 ? error_from_errno() : -ENOSPC;
    // Half a line is worse than none.
    if (written > 0 && ftruncate(letters->fd, status.st_size) < 0)
        r = error_from_errno();
    return r;
}

static int keep(struct dead_letters *letters, const char *exporter, const struct parcel *parcel,
                const char *reason)
{
    struct dead_letter letter = {clock_realtime(letters->clock), exporter, reason, parcel};
    size_t size;
    char *line = dead_letter_line(&letter, &size);
    if (!line)
        return -ENOMEM;
    int r = append(letters, line, size);
    free(line);
    return r;
}

static void name(const char *exporter, const struct parcel *parcel, const char *reason, bool kept)
{
    char id[33], service[DEAD_LETTER_SERVICE_MAX];
    dead_letter_id(parcel, id);
    dead_letter_service(parcel, service);
    struct log_field fields[] = {{"exporter", exporter, 0},
                                 {"service", service, 0},
                                 {"id", id, 0},
                                 {"bytes", NULL, (long long)parcel->payload.size},
                                 {"records", NULL, parcel->records},
                                 {"reason", reason ? reason : "refused", 0},
                                 {NULL, NULL, 0}};
    own_log_fields(OWN_WARN, "record_dead", fields, "the sink refused it for good; %s",
                   kept ? "it is in the dead-letter file" : "it is kept nowhere");
}

void dead_letters_take(struct dead_letters *letters, struct exporter_book *book,
                       const char *exporter, const struct parcel *parcel, const char *reason)
{
    int r = letters ? keep(letters, exporter, parcel, reason) : -ENOENT;
    if (r == 0)
        book->dead_letters += parcel->records;
    else
        book->dead_letters_lost += parcel->records;
    name(exporter, parcel, reason, r == 0);
    if (r == -EFBIG)
        own_log(OWN_WARN, "dead_letters_lost",
                "%s: dead_letters.max_bytes is reached; move the file away or raise it",
                letters->path);
    else if (r < 0 && letters)
        own_log(OWN_WARN, "dead_letters_lost", "%s: %s", letters->path, strerror(-r));
}
