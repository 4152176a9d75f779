// What only an exporter's own library can say about settings: `check` and `run` ask it before the
// agent starts.
#ifndef SLUICE_AGENT_CHECK_H
#define SLUICE_AGENT_CHECK_H

struct settings;
struct settings_mistakes;

// Adds every mistake in the librdkafka properties: unknown names (with the nearest), wrong values,
// properties that belong to the agent, files that cannot be read.
void agent_check(const struct settings *settings, struct settings_mistakes *mistakes);

#endif
