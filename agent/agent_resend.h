// An agent without doors, which sends what is there already: what replay and adopt share. Private
// to agent/agent*.c.
#ifndef SLUICE_AGENT_RESEND_H
#define SLUICE_AGENT_RESEND_H

#include "agent_state.h"

struct resend {
    struct agent agent;
    struct loop_timer look; // whether the logs are empty
    uint64_t told_ns;       // monotonic, when progress was told
    uint64_t unreadable;    // what was given and could not be taken
    uint64_t patience_ns;   // how long sinks may answer nothing; 0: for ever
    uint64_t answers;       // records that had a verdict, …
    uint64_t answered_ns;   // … and when that was seen to change, monotonic
    bool feeding;           // more is to come
    bool interrupted;       // SIGINT or SIGTERM
};

// 0 or -errno, told.
int resend_start(struct resend *resend, struct settings *settings);
void resend_stop(struct resend *resend);
// Index of the exporter of that name; -ENOENT.
int resend_find(const struct resend *resend, const char *exporter);
// Starts an exporter and its log. 0 or -errno, which is not told where the log is to blame.
int resend_open(struct resend *resend, unsigned index, const struct agent_log *options);
// Ends exporters and logs: what is not delivered stays in its folder.
void resend_close(struct resend *resend);
// Runs until nothing is fed and every log is empty, patience is over, or it is interrupted.
int resend_run(struct resend *resend);
// Drains one folder of segments. name: as people are told it. 0: it is empty now; AGENT_LEFT;
// -errno, not told: -EWOULDBLOCK is an owner's.
int resend_folder(struct resend *resend, unsigned index, const char *folder, const char *name);
// `sent=… delivered=… dead=… left=…` on stdout. Whether all was delivered.
bool resend_last_words(const struct resend *resend);

// Feeds the dead letters or records of a file. path "-": stdin. 0 or -errno, told.
struct replay_options;
int replay_file(struct resend *resend, const struct replay_options *options);
// Drains, or only counts, a folder of segments or of such folders.
int replay_folder(struct resend *resend, const struct replay_options *options);
// Whether fd's folder has a lock and a segment.
bool is_spool(int fd);

#endif
