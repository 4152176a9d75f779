// Makes a segment of an earlier run live again: what has no verdict waits to be sent.
//
// Only entries whose checksum holds are ever touched afterwards, so that a damaged file can end
// nothing but itself.
#include "spool/segment_image.h"

#include "base/error.h"
#include "spool/page_guard.h"

static void entry_found(struct segment *segment, uint32_t slot, const struct segment_entry *entry,
                        struct segment_findings *findings)
{
    segment->entries = slot + 1;
    segment->records += entry->records;
    if (entry->verdict != SEGMENT_PENDING)
        return;
    // An unknown verdict byte counts as pending: from now on it says so.
    segment->data[SEGMENT_HEADER_SIZE + (size_t)slot * SEGMENT_ENTRY_SIZE + ENTRY_VERDICT] =
        SEGMENT_PENDING;
    segment->pending++;
    segment->pending_records += entry->records;
    segment->pending_bits[slot / 64] |= (uint64_t)1 << (slot % 64);
    segment->waiting_bits[slot / 64] |= (uint64_t)1 << (slot % 64);
    segment->waiting++;
    findings->pending++;
    findings->records += entry->records;
}

static int load(struct segment **out, struct store_piece *piece, uint64_t base_position,
                struct segment_findings *findings)
{
    struct segment_image image;
    int r = segment_check(&image, piece->data, piece->size);
    if (r != 0)
        return r;
    struct segment *segment = segment_allocate(image.segment_size, image.capacity);
    if (!segment)
        return -ENOMEM;
    segment->piece = *piece;
    segment->data = piece->data;
    segment->sealed = true;
    segment->version = image.version;
    segment->identity = image.identity;
    segment->seed = image.seed;
    segment->payload_end = segment->blob_start = image.segment_size;
    struct segment_entry entry;
    while (segment_entry(&image, &entry))
        entry_found(segment, (uint32_t)(entry.position - image.identity.base_position), &entry,
                    findings);
    segment->identity.base_position = base_position;
    segment->synced = segment->entries;
    segment->unreadable = image.damaged > 0;
    findings->damaged = image.damaged;
    findings->lost_records = image.lost_records;
    *out = segment;
    return 0;
}

int segment_load(struct segment **out, struct store *store, uint32_t number, uint64_t base_position,
                 struct segment_findings *findings)
{
    struct store_piece piece;
    *findings = (struct segment_findings){0};
    int r = store_attach(store, number, &piece);
    if (r < 0)
        return r;
    r = load(out, &piece, base_position, findings);
    if (r != 0)
        store_detach(&piece);
    return r;
}

bool segment_is_reusable(const struct segment *segment, uint32_t size)
{
    return !segment->failed && page_guard_lost(segment->piece.guard) == 0 &&
           segment->version == SEGMENT_VERSION && segment->size == size &&
           segment->piece.size == size && segment->capacity == segment_capacity(size);
}
