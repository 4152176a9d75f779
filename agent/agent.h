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

// Returns 0 after a clean shutdown, -errno where the agent could not start; the own log says why.
// The settings change with a reload; they stay the caller's.
int agent_run(struct settings *settings, const struct agent_options *options);

#endif
