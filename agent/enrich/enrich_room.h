// The inside of the enrich room: its state, and what enrich.c and enrich_otlp.c share.
//
// Private to enrich. Loop thread only.
#ifndef SLUICE_ENRICH_ENRICH_ROOM_H
#define SLUICE_ENRICH_ENRICH_ROOM_H

#include "base/clock.h"
#include "enrich/ecs_encode.h"
#include "enrich/enrich.h"
#include "enrich/resource.h"
#include "spool/spool.h"

struct target {
    struct spool_log *log;
    enum wire_form form;
    struct slice key_label;   // labels.NAME is the key: NAME, copied; empty: a slot, or no key
    enum ecs_field key_field; // ECS_FIELD_COUNT: no slot
};

struct enrich {
    struct clock *clock;
    struct books *books;
    struct target *targets[SIGNAL_COUNT];
    size_t target_count[SIGNAL_COUNT];
    size_t payload_max[SIGNAL_COUNT]; // the least of the targets'
    struct spool_log *blocked;        // which log said no last
    uint8_t start_id[8];              // random; the first half of ids that we give
    uint64_t counter;                 // the next of them
    struct agent_resource resource;
    struct ecs_encoder encoder;
    bool *present; // one for each attribute of resource: scratch of enrich_otlp
};

struct record_id {
    uint8_t bytes[16];
    uint64_t sequence;
};

// The id of the first of a run: the client's stream and sequence, or the next of ours.
struct record_id enrich_next_id(struct enrich *enrich, const uint8_t stream[8], uint64_t sequence,
                                bool has_sequence, uint32_t records);
// Books a run that has a place in every target (or was shed there).
void enrich_book_routed(struct enrich *enrich, enum signal_kind signal, uint32_t records);
// Counts the copies of the targets whose bit is set as shed.
void enrich_shed(struct enrich *enrich, enum signal_kind signal, uint32_t full, uint32_t records);

#endif
