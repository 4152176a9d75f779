// Segments that lost pages while the agent ran (page_guard.h): what is whole in them goes on, the
// rest is dropped and booked.
//
// No entry of such a segment is offered, and no verdict for one believed, before its checksum was
// looked at. Private to spool. Loop thread only.
#ifndef SLUICE_SPOOL_DAMAGE_H
#define SLUICE_SPOOL_DAMAGE_H

#include "spool/page_guard.h"
#include "spool/segment.h"

#include <stdbool.h>
#include <stdint.h>

struct spool_log;

// What examining a segment found: entries that are no more what was stored.
struct segment_loss {
    uint32_t entries;
    uint32_t waiting; // of these, those that the exporter did not have
    uint32_t records; // in entries
};

// Whether pages were lost since it was examined last.
static inline bool segment_is_suspect(const struct segment *segment)
{
    return page_guard_lost(segment->piece.guard) != segment->lost_pages;
}
// Whether any page was lost, ever: its mapping must not be used again.
static inline bool segment_lost_any(const struct segment *segment)
{
    return page_guard_lost(segment->piece.guard) > 0;
}
// Nothing of it is wanted any more, and the exporter points into nothing.
static inline bool segment_is_settled(const struct segment *segment)
{
    return segment->pending == 0 && segment->given_up == 0;
}
// Checks every pending entry, and takes those that are not whole off the pending ones. The segment
// is sealed and not started again.
void segment_examine(struct segment *segment, struct segment_loss *loss);
// Whether this entry is what was stored; then also its records.
bool segment_is_whole(const struct segment *segment, uint32_t slot, uint32_t *records);
// Whether what was read of a pending entry is what was stored. False: to be examined.
bool segment_may_be_offered(const struct segment *segment, uint32_t slot);
// Takes the last entry, which waits, off again: what was written is not what it should be.
void segment_give_up_last(struct segment *segment, uint32_t records);

// Examines live[index] and books what it lost; it may be gone from live afterwards.
void log_examine(struct spool_log *log, uint32_t index);
// The record that was committed last is not what its writer wrote: drops it.
void log_drop_written(struct spool_log *log, uint32_t records);
// Whether an entry that the exporter answers is pending and whole, and so its verdict counts; then
// also its records. Its segment stays live whatever was found.
bool log_vouches(struct spool_log *log, struct segment *segment, uint32_t slot, uint32_t *records);
// A segment that lost pages, settled and in no list any more: its file is kept under another name.
void log_put_aside(struct spool_log *log, struct segment *segment);

#endif
