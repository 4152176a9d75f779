// The end of an agent: peers close, the logs empty into the sinks, and one line says what became of
// everything.
#include "agent_state.h"

#include "base/clock.h"
#include "base/own_log.h"
#include "base/settings.h"
#include "base/standard_streams.h"
#include "enrich/enrich_gaps.h"
#include "receive/receive.h"
#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LAST_WORDS_WAIT_MS 1000

static void flush_over(struct agent *agent)
{
    loop_stop(agent->loop);
}

static void log_drained(void *ctx)
{
    struct agent *agent = ctx;
    if (--agent->undrained == 0)
        flush_over(agent);
}

static void deadline_expired(struct loop_timer *timer);

// No one writes any more: send what is held, without lingering.
static void flush(struct agent *agent)
{
    receive_close_all(agent->receive);
    enrich_tell_gaps(agent->enrich);
    uint64_t now = clock_monotonic(agent->clock);
    uint64_t left = agent->drain_until_ns > now ? agent->drain_until_ns - now : 0;
    agent->deadline.expired = deadline_expired;
    loop_timer_start(agent->loop, &agent->deadline, left);
    agent->undrained = agent->settings->exporter_count + 1;
    for (unsigned i = 0; i < agent->settings->exporter_count; i++)
        spool_drain(agent->logs[i], log_drained, agent);
    log_drained(agent); // so that the count reaches 0 where every log was empty, or there is none
}

static void deadline_expired(struct loop_timer *timer)
{
    struct agent *agent = (struct agent *)((char *)timer - offsetof(struct agent, deadline));
    own_log(OWN_WARN, "drain_deadline",
            "drain_timeout passed with records still held; a sink is slow or away");
    flush_over(agent);
}

static void accept_over(void *ctx)
{
    flush(ctx);
}

static void accept_expired(struct loop_timer *timer)
{
    flush((struct agent *)((char *)timer - offsetof(struct agent, deadline)));
}

// At most half of the deadline is for peers to write their last words and close; the sinks have the
// rest.
void agent_drain(struct agent *agent)
{
    if (agent->draining) {
        own_log(OWN_WARN, "ended", "a second signal: ending at once");
        loop_stop(agent->loop);
        return;
    }
    agent->draining = true;
    agent->drain_until_ns = clock_monotonic(agent->clock) + agent->settings->drain_timeout_ns;
    own_log(OWN_INFO, "draining", "%zu connections open; accepting until they close",
            receive_open(agent->receive));
    if (receive_open(agent->receive) == 0) {
        flush(agent);
        return;
    }
    receive_on_idle(agent->receive, accept_over, agent);
    agent->deadline.expired = accept_expired;
    loop_timer_start(agent->loop, &agent->deadline, agent->settings->drain_timeout_ns / 2);
}

void agent_last_words(const struct agent *agent)
{
    char line[160];
    uint64_t delivered = 0, held = 0, dropped = 0;
    for (unsigned i = 0; i < agent->books.exporter_count; i++) {
        const struct exporter_book *book = &agent->books.exporters[i].book;
        delivered += book->delivered;
        held += book->held;
        dropped += book->dead;
        for (unsigned k = 0; k < DROP_REASON_COUNT; k++)
            dropped += book->dropped[k];
    }
    int n = snprintf(line, sizeof line, "delivered=%llu held=%llu dropped=%llu\n",
                     (unsigned long long)delivered, (unsigned long long)held,
                     (unsigned long long)dropped);
    standard_streams_say(line, LAST_WORDS_WAIT_MS);
    const char *path = agent->settings->termination_message;
    // O_NONBLOCK: a pipe that nobody reads must not hold the end.
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = *path ? open(path, flags, 0644) : -1;
    if (*path && (fd < 0 || write(fd, line, (size_t)n) != n))
        own_log(OWN_WARN, "termination_message", "%s: cannot write it: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
}
