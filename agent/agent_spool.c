// One log for each exporter, in memory or in a folder of its own, and the file of their dead
// letters.
#include "agent_state.h"

#include "base/error.h"
#include "base/own_log.h"
#include "base/settings.h"
#include "deliver/dead_letters.h"
#include "spool/gap_counters.h"
#include "spool/page_guard.h"
#include "spool/sync_thread.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum spool_when_full when_full(const char *name)
{
    if (strcmp(name, "block") == 0)
        return SPOOL_WHEN_FULL_BLOCK;
    return strcmp(name, "shed") == 0 ? SPOOL_WHEN_FULL_SHED : SPOOL_WHEN_FULL_AUTO;
}

// Large segments where there is much to keep: fewer files to look at after a start.
#define LARGE_LOG ((uint64_t)256 << 20)
#define LARGE_SEGMENT ((size_t)4 << 20)

// A segment in memory: half as large where the share holds two of the usual ones, because a log
// needs two beside the one of slack.
static size_t memory_segment(uint64_t share)
{
    return (size_t)(share / BUDGET_SEGMENT > 2 ? BUDGET_SEGMENT : BUDGET_SEGMENT / 2);
}

static enum spool_level spool_level(const struct settings *settings)
{
    const char *durability = settings->spool.durability;
    if (strcmp(durability, "node") == 0)
        return SPOOL_NODE;
    bool files = strcmp(durability, "process") == 0 ||
                 (strcmp(durability, "auto") == 0 && settings->spool.path[0]);
    return files ? SPOOL_PROCESS : SPOOL_MEMORY;
}

enum spool_form agent_form(const struct exporter_settings *exporter)
{
    return strcmp(exporter->type, "kafka") == 0 ? SPOOL_FORM_ECS : SPOOL_FORM_OTLP;
}

// The exporter's folder inside spool.path, which is made where it is missing.
static int spool_folder(const struct settings *settings, const char *name, char *out, size_t size)
{
    if (mkdir(settings->spool.path, 0700) < 0 && errno != EEXIST)
        return error_from_errno();
    snprintf(out, size, "%s/%s", settings->spool.path, name);
    return 0;
}

static void tell_spool(const struct settings *settings, const char *folder, int error)
{
    own_log(OWN_ERROR, "spool_failed", "spool.path: %s: %s%s",
            *folder ? folder : settings->spool.path, strerror(-error),
            error == -EWOULDBLOCK ? ": another agent has it open: give each its own folder; an "
                                    "adopt or replay that drains it: start again when it ended"
            : error == -ENOMEM    ? "" // the folder is not to blame
                                  : "; make the folder writable for the agent, or set another one");
}

int agent_open_dead_letters(struct agent *agent)
{
    const char *path = agent->settings->dead_letters.path;
    if (!*path)
        return 0;
    int r = dead_letters_new(&agent->dead_letters, path, agent->settings->dead_letters.max_bytes,
                             agent->clock);
    if (r < 0)
        own_log(OWN_ERROR, "dead_letters_failed",
                "dead_letters.path: %s: %s; make its folder writable, or set another path", path,
                r == -EINVAL  ? "not a regular file"
                : r == -EBUSY ? "another agent writes it"
                : r == -ELOOP ? "a symbolic link"
                              : strerror(-r));
    return r;
}

int agent_open_log(struct agent *agent, unsigned index, const struct agent_log *options)
{
    const struct exporter_settings *exporter = &agent->settings->exporters[index];
    bool files = options->level != SPOOL_MEMORY;
    uint64_t each = agent->settings->spool.max_bytes / agent->settings->exporter_count;
    uint64_t share = agent->budget.spool_bytes_each;
    struct spool_config config = {
        .name = exporter->name,
        .form = agent_form(exporter),
        .level = options->level,
        .sync = agent->sync,
        .folder = options->folder,
        .folder_name = options->folder_name,
        .min_free = agent->settings->spool.min_free,
        .segment_size = !files              ? memory_segment(share)
                        : each >= LARGE_LOG ? LARGE_SEGMENT
                                            : 0,
        .max_bytes = files ? each : share - memory_segment(share), // one is the log's slack
        .catch_up_rate = exporter->catch_up_rate,
        .when_full = options->block ? SPOOL_WHEN_FULL_BLOCK : when_full(exporter->when_full),
        .loop = agent->loop,
        .clock = agent->clock,
        .exporter = agent->exporters[index],
        .dead_letters = agent->dead_letters,
        .book = &agent->books.exporters[index].book,
        .gaps = agent->gaps,
        .gap_exporter = index,
    };
    if (options->large) {
        config.segment_size = SPOOL_SEGMENT_MAX;
        config.max_bytes = 2 * SPOOL_SEGMENT_MAX;
    }
    return spool_log_new(&agent->logs[index], &config);
}

// Before the logs, which may tell of a loss at once.
static int open_gaps(struct agent *agent, bool files)
{
    const struct settings *settings = agent->settings;
    struct gap_counters_config config = {
        .folder = files ? settings->spool.path : NULL,
        .clock = agent->clock,
        .books = &agent->books,
    };
    for (unsigned i = 0; i < settings->route_count; i++)
        for (unsigned k = 0;
             settings->routes[i].signals[SIGNAL_LOGS] && k < settings->routes[i].exporter_count;
             k++)
            config.tellers |= 1u << settings->routes[i].exporters[k];
    if (files)
        (void)mkdir(settings->spool.path, 0700); // where it cannot be, its log says so
    return gap_counters_new(&agent->gaps, &config);
}

int agent_start_spool(struct agent *agent)
{
    int failed = agent_open_dead_letters(agent);
    if (failed < 0)
        return failed;
    if ((failed = page_guard_install()) < 0)
        return failed;
    enum spool_level level = spool_level(agent->settings);
    bool files = level != SPOOL_MEMORY;
    if (level == SPOOL_NODE && (failed = sync_thread_new(&agent->sync, agent->loop)) < 0)
        return failed;
    if ((failed = open_gaps(agent, files)) < 0)
        return failed;
    for (unsigned i = 0; i < agent->settings->exporter_count; i++) {
        char folder[PATH_MAX] = "";
        int r = files ? spool_folder(agent->settings, agent->settings->exporters[i].name, folder,
                                     sizeof folder)
                      : 0;
        if (r == 0)
            r = agent_open_log(agent, i, &(struct agent_log){.level = level, .folder = folder});
        if (r < 0 && r != -EMEDIUMTYPE && files) // that is told
            tell_spool(agent->settings, folder, r);
        if (r < 0)
            return r;
    }
    return 0;
}

void agent_stop_spool(struct agent *agent)
{
    for (unsigned i = 0; i < agent->settings->exporter_count; i++) {
        spool_log_free(agent->logs[i]);
        agent->logs[i] = NULL;
    }
    gap_counters_free(agent->gaps);
    agent->gaps = NULL;
    sync_thread_free(agent->sync);
    agent->sync = NULL;
    dead_letters_free(agent->dead_letters);
    agent->dead_letters = NULL;
}
