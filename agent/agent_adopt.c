// `sluice adopt`: drains what agents that are gone have left in folders of a host, whoever they
// were.
//
// The folders belong to others, who may be hostile: nothing is followed that is a symbolic link,
// each step down is taken from a descriptor of the one above, and a log gets the descriptor
// (/proc/self/fd), never a path that somebody could exchange meanwhile. One folder at a time, so
// that memory does not grow with their number.
#include "agent.h"

#include "agent_resend.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/own_log.h"
#include "base/settings.h"
#include "deliver/dead_letters.h"
#include "spool/gap_counters.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH 2 // DIR/*/*
#define WATCH_NS (10 * NS_PER_S)

struct adoption {
    struct resend resend;
    struct loop_timer pause;
    unsigned adopted, left;
};

static void leave(struct adoption *adoption, const char *path, const char *why)
{
    adoption->left++;
    own_log(OWN_WARN, "adopt_left", "%s: %s; it is left", path, why);
}

// Whether a folder can be read and has no other names than these.
static bool holds_only(int fd, const char *one, const char *other)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *entry;
    bool only = folder != NULL;
    if (!folder && copy >= 0)
        close(copy);
    while (folder && (entry = readdir(folder)))
        only = only && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                        strcmp(entry->d_name, one) == 0 || strcmp(entry->d_name, other) == 0);
    if (folder)
        closedir(folder);
    return only;
}

// Only what holds nothing but its lock, which we hold meanwhile. Whoever comes back between makes
// it anew.
static void remove_empty(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int lock = fd < 0 ? -1 : openat(fd, "lock", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    // The marks of streams tell of what was in the log.
    if (lock >= 0 && holds_only(fd, "lock", "streams") && flock(lock, LOCK_EX | LOCK_NB) == 0) {
        unlinkat(fd, "streams", 0);
        if (unlinkat(fd, "lock", 0) == 0)
            unlinkat(parent, name, AT_REMOVEDIR);
    }
    if (lock >= 0)
        close(lock);
    if (fd >= 0)
        close(fd);
}

static const char *reason(int error)
{
    switch (-error) {
    case EWOULDBLOCK:
        return "its owner has it open";
    case EMEDIUMTYPE:
        return "the exporter of that name takes another form of payload";
    default:
        return strerror(-error);
    }
}

static void adopt(struct adoption *adoption, int parent, int fd, const char *name, const char *path)
{
    struct resend *resend = &adoption->resend;
    int index = resend_find(resend, name);
    char descriptor[40];
    if (index < 0) {
        leave(adoption, path, "the settings have no exporter of that name");
        return;
    }
    struct exporter_book *book = &resend->agent.books.exporters[index].book;
    struct exporter_book before = *book;
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fd);
    int r = resend_folder(resend, (unsigned)index, descriptor, path);
    if (r < 0) {
        leave(adoption, path, reason(r));
        return;
    }
    if (r == AGENT_LEFT) {
        leave(adoption, path,
              resend->interrupted ? "not all of it is delivered yet"
                                  : "its sink answered nothing for drain_timeout");
        return;
    }
    adoption->adopted++;
    adoption->left += book->damaged > before.damaged || book->set_aside > before.set_aside;
    own_log(
        OWN_INFO, "adopted", "%s: %llu records are sent, %llu of them delivered; %llu damaged",
        path, (unsigned long long)(book->recovered - before.recovered),
        (unsigned long long)(book->delivered - before.delivered),
        (unsigned long long)(book->damaged - before.damaged + book->set_aside - before.set_aside));
    remove_empty(parent, name);
}

// The spool.path of an agent whose logs we have drained. What it dropped and did not tell stays.
static void remove_owner(struct adoption *adoption, int parent, int fd, const char *name,
                         const char *path)
{
    char descriptor[40];
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fd);
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || !holds_only(fd, "gaps", "gaps"))
        return;
    int r = gap_counters_remove(descriptor);
    if (r == 0)
        unlinkat(parent, name, AT_REMOVEDIR);
    else
        leave(adoption, path,
              r == GAP_UNTOLD ? "drained, but its file `gaps` counts dropped records that no "
                                "document tells of yet; run an agent on it, or remove it"
                              : reason(r));
}

static void look_into(struct adoption *adoption, int fd, const char *path, unsigned depth);

static void look_at(struct adoption *adoption, int parent, const char *name, const char *path,
                    unsigned depth)
{
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return; // gone meanwhile
    if (S_ISLNK(status.st_mode)) {
        leave(adoption, path, "a symbolic link, which is never followed");
        return;
    }
    if (!S_ISDIR(status.st_mode))
        return;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        leave(adoption, path, strerror(errno));
        return;
    }
    if (is_spool(fd)) {
        adopt(adoption, parent, fd, name, path);
    } else if (depth < DEPTH) {
        unsigned before = adoption->adopted;
        look_into(adoption, fd, path, depth + 1);
        if (adoption->adopted > before) // else it was not we who emptied it
            remove_owner(adoption, parent, fd, name, path);
    }
    close(fd);
}

// Names first: folders go away under our feet. Descriptors are ours.
static void look_into(struct adoption *adoption, int fd, const char *path, unsigned depth)
{
    struct dirent **names = NULL;
    char descriptor[40], inner[PATH_MAX];
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fd);
    int count = scandir(descriptor, &names, NULL, alphasort);
    if (count < 0)
        leave(adoption, path, strerror(errno));
    for (int i = 0; i < count; i++) {
        snprintf(inner, sizeof inner, "%.3000s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && !adoption->resend.interrupted)
            look_at(adoption, fd, names[i]->d_name, inner, depth);
        free(names[i]);
    }
    free(names);
}

static void pause_expired(struct loop_timer *timer)
{
    struct adoption *adoption =
        (struct adoption *)(void *)((char *)timer - offsetof(struct adoption, pause));
    loop_stop(adoption->resend.agent.loop);
}

static int pause_for(struct adoption *adoption, uint64_t ns)
{
    struct loop *loop = adoption->resend.agent.loop;
    adoption->pause.expired = pause_expired;
    int r = loop_timer_start(loop, &adoption->pause, ns);
    if (r == 0)
        r = loop_run(loop);
    loop_timer_stop(&adoption->pause);
    return r;
}

static int passes(struct adoption *adoption, const char *path, bool watch)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int r = fd < 0 ? error_from_errno() : 0;
    if (r < 0)
        own_log(OWN_ERROR, "replay_refused", "%s: %s", path, strerror(-r));
    while (r == 0) {
        adoption->left = 0;
        look_into(adoption, fd, path, 1);
        if (!watch || adoption->resend.interrupted)
            break;
        r = pause_for(adoption, WATCH_NS);
        if (adoption->resend.interrupted)
            break;
    }
    if (fd >= 0)
        close(fd);
    return r;
}

int agent_adopt(struct settings *settings, const char *folder, bool watch)
{
    struct adoption *adoption = calloc(1, sizeof *adoption);
    if (!adoption)
        return -ENOMEM;
    struct agent *agent = &adoption->resend.agent;
    int r = resend_start(&adoption->resend, settings);
    adoption->resend.patience_ns = settings->drain_timeout_ns;
    if (r == 0)
        r = agent_open_dead_letters(agent);
    if (r == 0)
        r = passes(adoption, folder, watch);
    if (r == 0) {
        bool all = resend_last_words(&adoption->resend);
        r = all && adoption->left == 0 && (watch || !adoption->resend.interrupted) ? 0 : AGENT_LEFT;
    }
    resend_stop(&adoption->resend);
    free(adoption);
    return r;
}
