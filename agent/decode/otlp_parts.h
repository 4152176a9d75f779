// The inside of the OTLP decoder: what its sources share.
//
// Private to agent/decode/otlp*.c. All bytes they take have passed otlp_check.
#ifndef SLUICE_DECODE_OTLP_PARTS_H
#define SLUICE_DECODE_OTLP_PARTS_H

#include "base/arena.h"
#include "base/slice.h"
#include "decode/otlp.h"
#include "decode/otlp_check.h"
#include "enrich/record.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <stdbool.h>

static inline struct slice otlp_slice(const struct wire_field *field)
{
    return slice_of(field->data, field->size);
}

// otlp_value.c: an AnyValue as a value; objects and arrays become JSON text, bytes base64, a double
// that is no number null. Strings are repaired. False where memory ran out.
bool otlp_value(struct arena *arena, struct slice any, struct value *out);
// A KeyValue's parts; the key is repaired.
bool otlp_key_value(struct arena *arena, struct slice pair, struct slice *key, struct value *out);
// The KeyValueList in an AnyValue that is one; else false.
bool otlp_is_map(struct slice any, struct slice *list);

// otlp_logs.c: appends every record of a ResourceLogs. resource: the bytes of its Resource.
// Returns how many of them were rejected or, where every log is full, shed.
uint64_t otlp_append_logs(struct decoder *decoder, const struct resource_run *run,
                          struct slice resource);

// otlp_runs.c: appends a ResourceSpans or ResourceMetrics in pieces. tally is what the check has
// found. Returns how many of its records were rejected.
uint64_t otlp_append_run(struct decoder *decoder, const struct resource_run *run,
                         struct slice resource, const struct otlp_tally *tally);
// How many bytes of payload the pieces take at most, without what the agent adds to each.
size_t otlp_run_bound(struct slice message, struct slice resource, size_t overhead);

#endif
