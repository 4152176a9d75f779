// When the counts of dropped records become documents: a cause at most once an interval, and only
// where its exporter's log has room.
//
// Private to enrich. Loop thread only.
#ifndef SLUICE_ENRICH_GAP_DOCUMENTS_H
#define SLUICE_ENRICH_GAP_DOCUMENTS_H

#include "base/loop.h"
#include "enrich/record.h"

#include <stdint.h>

struct ecs_second;
struct enrich;
struct gap;

struct gap_documents {
    struct loop_timer timer; // armed only while something is to be told
    struct loop *loop;       // NULL: none are made
    struct enrich *enrich;
    uint64_t interval_ns;
    struct arena arena; // of the document that is being made
    struct record record;
};

// loop NULL, or enrich without gap counters: it does nothing.
void gap_documents_start(struct enrich *enrich, struct loop *loop, uint64_t interval_ns);
void gap_documents_stop(struct enrich *enrich);

// gap_record.c: the record that tells of a gap; texts are in the arena. False: no memory.
bool gap_record(const struct gap *gap, struct record *out, struct arena *arena);

#endif
