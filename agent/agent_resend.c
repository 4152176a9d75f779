// Exporters and logs without doors: opened when needed, run until they are empty, closed.
#include "agent_resend.h"

#include "agent.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/own_log.h"
#include "base/settings.h"
#include "deliver/dead_letters.h"
#include "deliver/exporter.h"
#include "spool/page_guard.h"
#include "spool/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_NS (20 * NS_PER_MS)
#define TELL_NS (5 * NS_PER_S)

static struct resend *of_agent(struct agent *agent)
{
    return (struct resend *)(void *)((char *)agent - offsetof(struct resend, agent));
}

static void interrupted(struct agent *agent)
{
    of_agent(agent)->interrupted = true;
    loop_stop(agent->loop);
}

static void terminate_raised(struct loop_signal *signal)
{
    interrupted((struct agent *)(void *)((char *)signal - offsetof(struct agent, terminate)));
}

static void interrupt_raised(struct loop_signal *signal)
{
    interrupted((struct agent *)(void *)((char *)signal - offsetof(struct agent, interrupt)));
}

static struct exporter_book sums(const struct resend *resend)
{
    struct exporter_book sum = {0};
    for (unsigned i = 0; i < resend->agent.books.exporter_count; i++) {
        const struct exporter_book *book = &resend->agent.books.exporters[i].book;
        sum.recovered += book->routed + book->recovered;
        sum.delivered += book->delivered;
        sum.dead += book->dead;
        sum.held += book->held;
        sum.backlog_segments += book->backlog_segments;
        sum.damaged += book->damaged;
        sum.set_aside += book->set_aside;
        for (unsigned k = 0; k < DROP_REASON_COUNT; k++)
            sum.dropped[0] += book->dropped[k];
    }
    return sum;
}

static void tell_progress(struct resend *resend)
{
    uint64_t now = clock_monotonic(resend->agent.clock);
    if (now - resend->told_ns < TELL_NS)
        return;
    struct exporter_book sum = sums(resend);
    resend->told_ns = now;
    own_log(OWN_INFO, "replay_progress",
            "%llu records sent, %llu delivered, %llu dead, %llu wait, %llu segments are not read",
            (unsigned long long)sum.recovered, (unsigned long long)sum.delivered,
            (unsigned long long)sum.dead, (unsigned long long)sum.held,
            (unsigned long long)sum.backlog_segments);
}

// Nobody has answered anything for so long that others should have their turn.
static bool patience_is_over(struct resend *resend)
{
    struct exporter_book sum = sums(resend);
    uint64_t answers = sum.delivered + sum.dead + sum.dropped[0];
    uint64_t now = clock_monotonic(resend->agent.clock);
    if (answers != resend->answers || resend->answered_ns == 0) {
        resend->answers = answers;
        resend->answered_ns = now;
    }
    return resend->patience_ns > 0 && now - resend->answered_ns >= resend->patience_ns;
}

// Not spool_drain: that would send a backlog faster than catch_up_rate lets it.
static void look_expired(struct loop_timer *timer)
{
    struct resend *resend =
        (struct resend *)(void *)((char *)timer - offsetof(struct resend, look));
    bool drained = !resend->feeding;
    for (unsigned i = 0; i < resend->agent.settings->exporter_count; i++)
        drained = drained && (!resend->agent.logs[i] || spool_drained(resend->agent.logs[i]));
    tell_progress(resend);
    if (drained || patience_is_over(resend) ||
        loop_timer_start(resend->agent.loop, &resend->look, LOOK_NS) < 0)
        loop_stop(resend->agent.loop);
}

int resend_start(struct resend *resend, struct settings *settings)
{
    struct agent *agent = &resend->agent;
    *resend = (struct resend){.agent = {.settings = settings, .clock = clock_system()}};
    agent_apply_log_level(settings);
    agent->budget = budget_derive(settings->max_memory, settings->exporter_count);
    for (unsigned i = 0; i < settings->exporter_count; i++)
        books_add_exporter(&agent->books, settings->exporters[i].name);
    resend->look.expired = look_expired;
    resend->told_ns = clock_monotonic(agent->clock);
    agent->terminate.raised = terminate_raised;
    agent->interrupt.raised = interrupt_raised;
    signal(SIGPIPE, SIG_IGN);
    int r = page_guard_install(); // whoever owns a folder may cut its files under us
    if (r == 0)
        r = loop_new(&agent->loop);
    if (r == 0)
        r = loop_signal_start(agent->loop, &agent->terminate, SIGTERM);
    if (r == 0)
        r = loop_signal_start(agent->loop, &agent->interrupt, SIGINT);
    if (r < 0)
        own_log(OWN_ERROR, "start_failed", "event loop: %s", strerror(-r));
    return r;
}

void resend_stop(struct resend *resend)
{
    struct agent *agent = &resend->agent;
    resend_close(resend);
    dead_letters_free(agent->dead_letters);
    agent->dead_letters = NULL;
    if (!agent->loop)
        return;
    loop_signal_stop(&agent->terminate);
    loop_signal_stop(&agent->interrupt);
    loop_free(agent->loop);
    agent->loop = NULL;
}

int resend_find(const struct resend *resend, const char *exporter)
{
    for (unsigned i = 0; i < resend->agent.settings->exporter_count; i++)
        if (strcmp(resend->agent.settings->exporters[i].name, exporter) == 0)
            return (int)i;
    return -ENOENT;
}

int resend_open(struct resend *resend, unsigned index, const struct agent_log *options)
{
    struct agent *agent = &resend->agent;
    if (agent->logs[index])
        return 0;
    int r = agent_start_exporter(agent, index, &agent->books.exporters[index].book);
    return r == 0 ? agent_open_log(agent, index, options) : r;
}

void resend_close(struct resend *resend)
{
    struct agent *agent = &resend->agent;
    loop_timer_stop(&resend->look);
    agent_stop_deliver(agent);
    for (unsigned i = 0; i < agent->settings->exporter_count; i++) {
        spool_log_free(agent->logs[i]);
        agent->logs[i] = NULL;
    }
}

int resend_run(struct resend *resend)
{
    if (resend->interrupted)
        return 0;
    resend->answered_ns = 0;
    int r = loop_timer_start(resend->agent.loop, &resend->look, 0);
    return r == 0 ? loop_run(resend->agent.loop) : r;
}

int resend_folder(struct resend *resend, unsigned index, const char *folder, const char *name)
{
    const struct agent_log log = {.level = SPOOL_PROCESS, .folder = folder, .folder_name = name};
    int r = resend_open(resend, index, &log);
    if (r == 0)
        r = resend_run(resend);
    bool left = r == 0 && !spool_drained(resend->agent.logs[index]);
    resend_close(resend);
    return left ? AGENT_LEFT : r;
}

bool resend_last_words(const struct resend *resend)
{
    struct exporter_book sum = sums(resend);
    uint64_t unreadable = resend->unreadable + sum.damaged + sum.set_aside;
    printf("sent=%llu delivered=%llu dead=%llu left=%llu dropped=%llu unreadable=%llu",
           (unsigned long long)sum.recovered, (unsigned long long)sum.delivered,
           (unsigned long long)sum.dead, (unsigned long long)sum.held,
           (unsigned long long)sum.dropped[0], (unsigned long long)unreadable);
    if (sum.backlog_segments)
        printf(" segments_left=%llu", (unsigned long long)sum.backlog_segments);
    putchar('\n');
    fflush(stdout);
    return sum.dead + sum.held + sum.dropped[0] + sum.backlog_segments + unreadable == 0;
}

bool is_spool(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    bool lock = false, segment = false;
    const struct dirent *entry;
    if (!folder && copy >= 0)
        close(copy);
    while (folder && (entry = readdir(folder))) {
        const char *ending = strrchr(entry->d_name, '.');
        lock |= strcmp(entry->d_name, "lock") == 0;
        segment |= ending && strcmp(ending, ".segment") == 0;
    }
    if (folder)
        closedir(folder);
    return lock && segment;
}
