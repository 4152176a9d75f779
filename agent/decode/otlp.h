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
    uint64_t sequence;     // of the first record, where stream is given; the nth has sequence + n
    bool resend;           // they may have come before
    uint32_t records;      // how many the sender says there are; 0: it does not say
    enum door_policy policy;
    bool expired; // block_for has passed, for DOOR_SHED
};

// Hands all records of the run to enrich, or none.
//   0                  booked; *records of them, *rejected of these were too large for a segment
//                      (or for the memory there is), or have no route
//   DECODE_MALFORMED   not such a message, or not the count that was said: booked as received and
//                      rejected{malformed}; *records says how many were booked
//   DECODE_OVERLOADED  a log is full: nothing was booked; wait (enrich_wait) and call again
int decode_resource_run(struct decoder *decoder, const struct resource_run *run, uint32_t *records,
                        uint32_t *rejected);

#endif
