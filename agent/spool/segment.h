// One segment being written: its memory, its index and its payloads, and which entries still wait.
//
// The format: segment_format.h, docs/SPOOL.md. Reading what others wrote: segment_image.h. Loop
// only.
#ifndef SLUICE_SPOOL_SEGMENT_H
#define SLUICE_SPOOL_SEGMENT_H

#include "spool/segment_format.h"
#include "spool/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct parcel;
struct spool_entry;

enum segment_verdict { SEGMENT_PENDING = 'P', SEGMENT_DELIVERED = 'D', SEGMENT_DEAD = 'K' };

#define SEGMENT_EXPORTER_MAX (HEADER_EXPORTER_END - HEADER_EXPORTER)

// Which stretch of which log a segment holds. The generation is the log's, one more each time a
// segment is started, so that what an earlier use left behind never passes for this one's.
struct segment_identity {
    uint8_t log_id[16];
    uint64_t generation;
    uint64_t base_position;
    uint64_t base_record;
    uint64_t created_ns;
    uint32_t form;                           // enum spool_form
    char exporter[SEGMENT_EXPORTER_MAX + 1]; // "" where an older version wrote it
};

struct segment {
    unsigned magic;
    uint32_t version; // of what is in its header
    bool sealed;  // takes no more entries until it is started anew: was found at the start, or …
    bool failed;  // … its file cannot be trusted any more: it is never started anew
    bool damaged; // pages of it were lost: failed, and its bytes are checked before each use
    bool unreadable; // some of its entries, when it was loaded: it is not read a second time
    struct store_piece piece;
    uint8_t *data; // the piece's, size bytes
    uint32_t size, capacity;
    struct segment_identity identity;
    uint32_t seed;            // CRC of the header's identity
    uint32_t entries;         // committed
    uint32_t records;         // in them
    uint32_t synced;          // entries known to be on the device, or of an earlier run
    uint32_t pending;         // entries without a verdict
    uint32_t first_pending;   // no entry before this slot is
    uint32_t pending_records; // in them: what is booked as held never depends on the mapping
    uint32_t given_up;        // damaged entries, without a verdict, that the exporter still has
    uint32_t lost_pages;      // how many were lost when the segment was examined last
    uint32_t waiting;         // of pending, how many the exporter does not have
    uint32_t waiting_word;    // no bit is set in a word before this one
    uint32_t payload_end, blob_start; // blobs grow down from the end to here
    uint32_t last_resend;    // offset of the blob of the last entry that has one; 0: none yet
    struct segment *next;    // on a list of free ones
    uint64_t *pending_bits;  // by slot
    uint64_t waiting_bits[]; // by slot; the others stand behind them
};

// Slots in the index of a segment of this size: one for each 384 bytes.
uint32_t segment_capacity(uint32_t size);
// The largest payload; resend blobs of SPOOL_RESEND_MAX fit beside it.
uint32_t segment_payload_max(uint32_t size);

// A segment with memory of its own. size is a power of two, SEGMENT_SIZE_MIN to _MAX. Returns 0 or
// -errno.
int segment_new(struct segment **out, struct store *store, uint32_t size);
// What reading a segment of an earlier run found besides its good entries.
struct segment_findings {
    uint32_t pending;      // entries without a verdict
    uint64_t records;      // in them
    uint32_t damaged;      // entries that cannot be read
    uint64_t lost_records; // in those, as far as their neighbours tell
};

// The segment that a file holds, sealed: its good entries without a verdict wait again, at
// positions from base_position on. 0, SEGMENT_FOREIGN, SEGMENT_NEWER, SEGMENT_BAD_HEADER
// (segment_image.h) or -errno.
int segment_load(struct segment **out, struct store *store, uint32_t number, uint64_t base_position,
                 struct segment_findings *findings);
// Whether a new use may write into it: its file is as large as a segment of that size must be, and
// no older version wrote it.
bool segment_is_reusable(const struct segment *segment, uint32_t size);
// Without memory of its own yet; NULL: no memory.
struct segment *segment_allocate(uint32_t size, uint32_t capacity);
void segment_detach(struct segment *segment);                      // frees it; its file stays
void segment_remove(struct segment *segment, struct store *store); // with its file

// Begins a new use of the memory; what it held is gone. No entry may be pending.
void segment_start(struct segment *segment, const struct segment_identity *identity);

// How large the next entry's payload may be; 0 where payload, blobs or index are full.
uint32_t segment_room(const struct segment *segment);
uint8_t *segment_tail(struct segment *segment);
// Makes size bytes at the tail an entry, pending and waiting. Returns its slot. size ≤ room, > 0.
uint32_t segment_append(struct segment *segment, uint32_t size, const struct spool_entry *entry);

// A parcel from an entry, views into the segment. False: the entry points out of it: lost bytes.
bool segment_parcel(const struct segment *segment, uint32_t slot, struct parcel *parcel);
uint32_t segment_records(const struct segment *segment, uint32_t slot); // as the mapping has it
bool segment_is_generated(const struct segment *segment, uint32_t slot);
// The first slot without a verdict. There must be one.
uint32_t segment_first_pending(struct segment *segment);
// A final verdict for a pending entry that is not waiting, of so many records.
void segment_mark(struct segment *segment, uint32_t slot, enum segment_verdict verdict,
                  uint32_t records);
static inline bool segment_is_pending(const struct segment *segment, uint32_t slot)
{
    return segment->pending_bits[slot / 64] >> (slot % 64) & 1;
}

// The first waiting slot, which no longer waits then. There must be one.
uint32_t segment_take_waiting(struct segment *segment);
bool segment_is_waiting(const struct segment *segment, uint32_t slot);
void segment_set_waiting(struct segment *segment, uint32_t slot);

#endif
