// One resource's run of OTLP records, as an Export request and a native frame both carry it.
//
// Private to decode. Loop thread only.
#ifndef SLUICE_DECODE_OTLP_H
#define SLUICE_DECODE_OTLP_H

#include "base/books.h"
#include "base/slice.h"
#include "decode/decode_otlp.h"
#include "enrich/enrich.h"

#include <stdint.h>

struct decoder;

struct resource_run {
    enum signal_kind signal;
    struct slice message; // the bytes of one ResourceLogs, ResourceSpans or ResourceMetrics message
    struct slice resource; // a Resource for a message that has none of its own; may be empty
    const uint8_t *stream; // 8 bytes; NULL: the agent's own ids
    uint64_t sequence;     // of the first record, in the stream or else among what the connection
                           // brought; the nth has sequence + n; 0: they have none
    bool resend;           // they may have come before
    uint32_t records;      // how many the sender says there are; 0: it does not say
    enum door_policy policy;
    enum urgency urgency; // of the most urgent of its records, or of all that it was sent with
};

struct run_outcome {
    uint32_t records; // booked
    uint32_t
        rejected; // of these: too large for a segment (or the memory there is), or without route
    enum urgency urgency; // of the most urgent
    uint32_t shed;        // of these: in no log, which sheds and was full or kept its room
};

// Hands all records of the run to enrich, or none.
//   0                  booked
//   DECODE_MALFORMED   not such a message, or not the count that was said: booked as received and
//                      rejected{malformed}; outcome->records says how many were booked
//   DECODE_OVERLOADED  a log is full: nothing was booked; wait (enrich_wait) and call again
// The run's urgency is found here; the caller need not set it.
int decode_resource_run(struct decoder *decoder, const struct resource_run *run,
                        struct run_outcome *outcome);

#endif
