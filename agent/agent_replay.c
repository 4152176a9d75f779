// `sluice replay`: what a path is, and what to do with it.
#include "agent.h"

#include "agent_resend.h"
#include "base/error.h"
#include "base/own_log.h"
#include "base/settings.h"
#include "deliver/dead_letters.h"
#include "spool/segment_image.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int refused(const char *path, const char *why)
{
    own_log(OWN_ERROR, "replay_refused", "%s: %s", path, why);
    return -EINVAL;
}

// What is dead again: never into the file that is read, nor into one that an agent writes.
static int open_dead_letters(struct resend *resend, const char *path, char *out, size_t size)
{
    struct agent *agent = &resend->agent;
    const char *set = agent->settings->dead_letters.path;
    const char *base = *set ? set : strcmp(path, "-") == 0 ? "sluice" : path;
    size_t length = strlen(base);
    while (length > 1 && base[length - 1] == '/')
        length--;
    snprintf(out, size, "%.*s.replay-%lld-%d", (int)length, base, (long long)time(NULL), getpid());
    int r = dead_letters_new(&agent->dead_letters, out, agent->settings->dead_letters.max_bytes,
                             agent->clock);
    if (r < 0)
        own_log(OWN_ERROR, "dead_letters_failed",
                "%s: %s; set dead_letters.path to where it may be written", out, strerror(-r));
    return r;
}

// An empty one tells nobody anything.
static void close_dead_letters(struct resend *resend, const char *path)
{
    struct stat status;
    if (!resend->agent.dead_letters)
        return;
    dead_letters_free(resend->agent.dead_letters);
    resend->agent.dead_letters = NULL;
    if (stat(path, &status) == 0 && status.st_size == 0)
        unlink(path);
    else
        own_log(OWN_WARN, "replay_dead", "what is dead again is in %s", path);
}

// --- folders ---

// Counts what waits in one segment, read whole: its largest size is known.
static void count_segment(int folder, const char *name, struct exporter_book *book)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    uint8_t *bytes = fd < 0 ? NULL : malloc(SEGMENT_SIZE_MAX);
    ssize_t size = bytes ? pread(fd, bytes, SEGMENT_SIZE_MAX, 0) : -1;
    struct segment_image image;
    if (size >= 0 && segment_check(&image, bytes, (size_t)size) == 0) {
        struct segment_entry entry;
        while (segment_entry(&image, &entry))
            if (entry.verdict == SEGMENT_PENDING) {
                book->recovered += entry.records;
                book->held += entry.records;
            }
        book->damaged += image.damaged;
    } else {
        book->set_aside++;
    }
    free(bytes);
    if (fd >= 0)
        close(fd);
}

static void count_folder(const char *path, struct exporter_book *book)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        const char *ending = strrchr(entry->d_name, '.');
        if (ending && strcmp(ending, ".segment") == 0)
            count_segment(dirfd(folder), entry->d_name, book);
    }
    if (folder)
        closedir(folder);
}

static int one_folder(struct resend *resend, const struct replay_options *options,
                      const char *folder, const char *name)
{
    const char *exporter = options->exporter ? options->exporter : name;
    int index = resend_find(resend, exporter);
    char why[300];
    if (index < 0) {
        snprintf(why, sizeof why,
                 "the settings have no exporter %.100s; name one of theirs with --exporter",
                 exporter);
        return refused(folder, why);
    }
    if (options->dry_run) {
        count_folder(folder, &resend->agent.books.exporters[index].book);
        return 0;
    }
    int r = resend_folder(resend, (unsigned)index, folder, NULL);
    if (r == -EWOULDBLOCK)
        return refused(folder, "an agent has it open and sends what is in it; end that one first");
    if (r < 0 && r != -EMEDIUMTYPE) // that is told
        refused(folder, strerror(-r));
    return r;
}

static bool is_spool_path(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool spool = fd >= 0 && is_spool(fd);
    if (fd >= 0)
        close(fd);
    return spool;
}

int replay_folder(struct resend *resend, const struct replay_options *options)
{
    char path[PATH_MAX], inner[PATH_MAX + 300];
    if (!realpath(options->path, path))
        return refused(options->path, strerror(errno));
    if (is_spool_path(path))
        return one_folder(resend, options, path, strrchr(path, '/') + 1);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    unsigned found = 0;
    int r = folder ? 0 : refused(path, strerror(errno));
    while (r >= 0 && !resend->interrupted && folder && (entry = readdir(folder))) {
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || !is_spool_path(inner))
            continue;
        found++;
        r = one_folder(resend, options, inner, entry->d_name);
    }
    if (folder)
        closedir(folder);
    if (r >= 0 && found == 0)
        return refused(path, "neither a folder of segments nor one of such folders");
    return r;
}

// --- the command ---

static int replay(struct resend *resend, const struct replay_options *options)
{
    struct stat status = {0};
    if (strcmp(options->path, "-") != 0 && stat(options->path, &status) < 0)
        return refused(options->path, strerror(errno));
    bool folder = strcmp(options->path, "-") != 0 && S_ISDIR(status.st_mode);
    if (folder && options->remove)
        return refused(options->path, "--remove is for a file of dead letters; a folder's segments "
                                      "go as they are delivered");
    return folder ? replay_folder(resend, options) : replay_file(resend, options);
}

int agent_replay(struct settings *settings, const struct replay_options *options)
{
    struct resend *resend = calloc(1, sizeof *resend);
    char dead[PATH_MAX] = "";
    if (!resend)
        return -ENOMEM;
    int r = resend_start(resend, settings);
    if (r == 0 && !options->dry_run)
        r = open_dead_letters(resend, options->path, dead, sizeof dead);
    if (r == 0)
        r = replay(resend, options);
    resend_close(resend);
    close_dead_letters(resend, dead);
    if (r >= 0) {
        bool all = resend_last_words(resend) && !resend->interrupted;
        r = options->dry_run ? (resend->unreadable ? AGENT_LEFT : 0) : all ? 0 : AGENT_LEFT;
    }
    if (r == 0 && options->remove && !options->dry_run && unlink(options->path) < 0)
        r = refused(options->path, strerror(errno));
    resend_stop(resend);
    free(resend);
    return r;
}
