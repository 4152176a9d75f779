// The agent's own resource attributes, in both forms that records need: ECS slots and OTLP bytes.
//
// Made once at start, read-only afterwards. Loop thread only.
#ifndef SLUICE_ENRICH_RESOURCE_H
#define SLUICE_ENRICH_RESOURCE_H

#include "base/arena.h"
#include "base/slice.h"
#include "enrich/enrich.h"
#include "enrich/record.h"

#include <stddef.h>

struct agent_attribute {
    struct slice name;
    struct slice value;
    struct slice key_value; // field Resource.attributes with its tag, ready to be copied; empty:
                            // not for OTLP
};

struct agent_resource {
    struct arena arena;   // holds all of it
    struct fields fields; // ECS; names without a slot are labels
    struct agent_attribute *attributes;
    size_t count;
};

// Takes the first of each name. Values that are not UTF-8 are repaired, empty ones skipped.
// 0 or -ENOMEM.
int agent_resource_init(struct agent_resource *resource,
                        const struct resource_attribute *attributes, size_t count);
void agent_resource_deinit(struct agent_resource *resource);

// Copies text for Elasticsearch's data_stream.*: lower case, what is not allowed there becomes '_',
// at most room bytes, cut between characters. Returns the bytes written.
size_t data_stream_part(char *out, size_t room, struct slice text);
#define DATA_STREAM_PART_MAX 100 // bytes, Elasticsearch's own limit

// Whether two attribute names say the same: deployment.environment was renamed.
bool same_attribute(struct slice a, struct slice b);

#endif
