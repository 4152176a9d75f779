// The agent's whole state, for the files that know every room. Private to agent/agent*.c.
#ifndef SLUICE_AGENT_STATE_H
#define SLUICE_AGENT_STATE_H

#include "base/books.h"
#include "base/budget.h"
#include "base/loop.h"

#include <stdbool.h>

struct agent_options;
struct clock;
struct dead_letters;
struct decoder;
struct dev;
struct enrich;
struct exporter;
struct file_watch;
struct http_endpoint;
struct receive;
struct settings;
struct spool_log;
struct sync_thread;

struct agent {
    struct settings *settings; // only agent_reload changes it
    const struct agent_options *options;
    struct budget budget;
    struct books books;
    struct clock *clock;
    struct loop *loop;
    struct dev *dev;
    struct exporter *exporters[EXPORTER_MAX];
    struct dead_letters *dead_letters; // NULL: none set
    struct sync_thread *sync;          // spool.durability node, else NULL
    struct spool_log *logs[EXPORTER_MAX];
    struct enrich *enrich;
    struct file_watch *podinfo; // the pod's files; NULL: there are none
    uint64_t resource_hash;     // of the resource attributes in force; 0: none yet
    char podinfo_problem[256];  // told already
    struct decoder *decoder;
    struct receive *receive;
    struct http_endpoint *http;
    struct loop_signal terminate, interrupt, hangup;
    struct loop_timer deadline;
    uint64_t drain_until_ns; // monotonic, while draining
    unsigned undrained;      // logs that still hold records, while flushing
    bool draining;
};

// The spool room: 0 or -errno, told in the own log.
int agent_start_spool(struct agent *agent);
void agent_stop_spool(struct agent *agent);

// Puts the resource attributes of settings and the pod's files in force, and from then on those of
// files that change. apply: as they are now. 0 or -errno, and then the old ones stay.
int agent_start_resource(struct agent *agent);
void agent_stop_resource(struct agent *agent);
int agent_apply_resource(struct agent *agent);

// Somebody watches live records, or nobody any more. ctx: the agent.
void agent_watch(void *ctx, bool watched);
void agent_apply_log_level(const struct settings *settings);
// Reads the settings anew; a mistake is told and changes nothing.
void agent_reload(struct agent *agent);

// The first call: accept until peers close or half of drain_timeout, then flush for the rest of it,
// then stop the loop. A second call stops it at once.
void agent_drain(struct agent *agent);
// `delivered=… held=… dropped=…`: the last line of stdout, and the termination message.
void agent_last_words(const struct agent *agent);

#endif
