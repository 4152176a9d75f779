// The documents that tell of dropped records (enrich/gap_documents.h), for who starts and stops
// them and who knows of drops that enrich does not see. Loop thread only.
#ifndef SLUICE_ENRICH_ENRICH_GAPS_H
#define SLUICE_ENRICH_ENRICH_GAPS_H

#include "base/slice.h"
#include "spool/gap_counters.h"

struct enrich;

// Records that a client says it could not keep: in no book, for they never came. resource: bytes of
// the client's Resource message; may be empty.
void enrich_client_lost(struct enrich *enrich, enum signal_kind signal, enum gap_reason reason,
                        uint64_t records, struct slice resource);
// At most one gap document a cause in that time; 0: none, and nothing is counted for them.
void enrich_set_gap_interval(struct enrich *enrich, uint64_t interval_ns);
// Tells of every drop that there is room to tell of, however short ago: the agent ends.
void enrich_tell_gaps(struct enrich *enrich);

#endif
