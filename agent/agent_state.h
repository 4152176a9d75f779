// The agent's whole state, for the files that know every room. Private to agent/agent*.c.
#ifndef SLUICE_AGENT_STATE_H
#define SLUICE_AGENT_STATE_H

#include "base/books.h"
#include "base/budget.h"
#include "base/loop.h"
#include "spool/spool.h"

#include <stdbool.h>

struct agent_options;
struct clock;
struct dead_letters;
struct decoder;
struct dev;
struct enrich;
struct exporter;
struct exporter_book;
struct file_watch;
struct gap_counters;
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
    struct gap_counters *gaps;
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

// One exporter, one after the other; what they give back must have its log still.
int agent_start_exporter(struct agent *agent, unsigned index, struct exporter_book *book);
void agent_stop_deliver(struct agent *agent);
int agent_start_enrich(struct agent *agent);
void agent_stop_enrich(struct agent *agent);
int agent_start_decode(struct agent *agent);
void agent_stop_decode(struct agent *agent);

// The spool room: 0 or -errno, told in the own log.
int agent_start_spool(struct agent *agent);
void agent_stop_spool(struct agent *agent);
struct agent_log {
    enum spool_level level;
    const char *folder;      // of a level that has one
    const char *folder_name; // as people are told it; NULL: folder
    bool block;              // a full log waits, whatever the settings say
    bool large;              // takes payloads as large as any segment's
};
// As the settings say, if they do. 0 or -errno, told.
int agent_open_dead_letters(struct agent *agent);
// Opens the log of an exporter that was started. 0 or -errno.
int agent_open_log(struct agent *agent, unsigned index, const struct agent_log *options);
struct exporter_settings;
enum spool_form agent_form(const struct exporter_settings *exporter);

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
