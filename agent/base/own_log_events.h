// Every event that the own log may name: what docs/EVENTS.md and the limit of lines are made from.
//
// Read-only; any thread.
#ifndef SLUICE_BASE_OWN_LOG_EVENTS_H
#define SLUICE_BASE_OWN_LOG_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct own_log_event {
    const char *name;
    const char *level; // as it is usually said
    bool unlimited;    // a step of the agent's life, or an answer to its operator: never suppressed
    const char *help;  // what happened, and the way out
};

#define OWN_LOG_EVENTS_MAX 96

extern const struct own_log_event own_log_events[];
extern const size_t own_log_event_count;

// The event's place in the table; own_log_event_count where it is not there.
size_t own_log_event_find(const char *name);
// docs/EVENTS.md.
void own_log_write_document(FILE *out);

#endif
