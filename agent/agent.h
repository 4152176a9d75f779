// The whole agent: starts every room in flow order, runs the loop, stops them in reverse.
#ifndef SLUICE_AGENT_H
#define SLUICE_AGENT_H

#include <stdbool.h>

struct settings;

struct agent_options {
    bool dev; // with an embedded Kafka and an embedded OTLP receiver
};

// Returns 0 after a clean shutdown, -errno where the agent could not start; the own log says why.
int agent_run(const struct settings *settings, const struct agent_options *options);

#endif
