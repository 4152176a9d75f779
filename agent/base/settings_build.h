// The steps from a draft to settings, each telling its mistakes and going on.
//
// Private to base/settings*.c.
#ifndef SLUICE_BASE_SETTINGS_BUILD_H
#define SLUICE_BASE_SETTINGS_BUILD_H

#include "base/settings_draft.h"

struct settings_input;

// Fills every typed field but the routes', from the strongest value or the default.
void build_values(struct settings *settings, struct settings_draft *draft);
// The names of the routes where nobody wrote any, by signal.
extern const char *const setting_default_routes[SIGNAL_COUNT];
// Fills the routes; without any given, each signal goes to each exporter that takes it.
void build_routes(struct settings *settings, struct settings_draft *draft);
// What only the whole can say: the memory's shares, sizes that must fit into them.
void build_limits(struct settings *settings, struct settings_draft *draft, uint64_t memory_limit);
// An OTLP exporter that sends to the agent itself would send every span in circles.
void build_no_circle(struct settings *settings, struct settings_draft *draft);
// The resource attributes of settings, OTEL_*, the downward API and the host.
void build_attributes(struct settings *settings, struct settings_draft *draft,
                      const struct settings_input *input);

// Adds what explain shows; the settings own the copies.
void build_effective(struct settings *settings, struct settings_draft *draft, const char *path,
                     const char *value, const char *origin);
// Replaces the value and the origin of a path already added.
void build_effective_replace(struct settings *settings, struct settings_draft *draft,
                             const char *path, const char *value, const char *origin);
// A copy; NULL: out of memory, which the draft remembers.
char *build_copy(struct settings_draft *draft, const char *text);

#endif
