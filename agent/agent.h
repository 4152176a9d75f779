// The whole agent: starts every room in flow order, runs the loop, stops them in reverse.
#ifndef SLUICE_AGENT_H
#define SLUICE_AGENT_H

#include <stdbool.h>

struct settings;

struct agent_options {
    bool dev; // with an embedded Kafka and an embedded OTLP receiver
    // Makes the settings anew, for SIGHUP. 0, SETTINGS_MISTAKEN (told) or -errno.
    int (*load)(void *ctx, struct settings **out);
    void *load_ctx;
};

struct replay_options {
    const char *path; // a dead-letter file, a folder of segments or of such, records; "-": stdin
    const char *exporter; // where to; NULL: as the dead letter or the folder's name says
    bool dry_run;         // only counts
    bool remove;          // the dead-letter file, once all of it is delivered
};

// Sends again, and says on stdout what became of it. 0: all was delivered; AGENT_LEFT: something
// was not (told); -errno where it could not start (told).
#define AGENT_LEFT 1
int agent_replay(struct settings *settings, const struct replay_options *options);

// Drains each spool in folder (or one below) that nobody holds. watch: goes on until SIGTERM.
// Returns as agent_replay does.
int agent_adopt(struct settings *settings, const char *folder, bool watch);

// Returns 0 after a clean shutdown, -errno where the agent could not start; the own log says why.
// The settings change with a reload; they stay the caller's.
int agent_run(struct settings *settings, const struct agent_options *options);

#endif
