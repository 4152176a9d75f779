// Tells which entries of a segment in use are still what was stored.
//
// Only the checksum says so, over bytes that are copied first. How many records the broken ones had
// follows from what the whole ones have: the sum over the pending ones is kept outside the mapping.
#include "spool/damage.h"

#include "base/error.h"
#include "spool/segment_image.h"

#include <string.h>

static struct segment_image image_of(const struct segment *segment)
{
    return (struct segment_image){
        .data = segment->data,
        .size = segment->piece.size < segment->size ? segment->piece.size : segment->size,
        .segment_size = segment->size,
        .capacity = segment->capacity,
        .payload_start = SEGMENT_HEADER_SIZE + segment->capacity * SEGMENT_ENTRY_SIZE,
        .seed = segment->seed,
    };
}

bool segment_is_whole(const struct segment *segment, uint32_t slot, uint32_t *records)
{
    struct segment_image image = image_of(segment);
    struct segment_entry entry;
    if (!segment_image_entry(&image, slot, &entry))
        return false;
    *records = entry.records;
    return true;
}

// The pending slots that are broken, as bits. Returns the sum of the others' records.
static uint64_t find_broken(const struct segment *segment, uint64_t *broken)
{
    uint64_t whole = 0;
    for (uint32_t slot = 0; slot < segment->entries; slot++) {
        uint32_t records = 0;
        if (!segment_is_pending(segment, slot))
            continue;
        if (segment_is_whole(segment, slot, &records))
            whole += records;
        else
            broken[slot / 64] |= (uint64_t)1 << (slot % 64);
    }
    return whole;
}

void segment_examine(struct segment *segment, struct segment_loss *loss)
{
    uint64_t broken[(UINT16_MAX + 1) / 64];
    size_t words = (segment->capacity + 63) / 64;
    uint64_t whole;
    assert(words <= sizeof broken / sizeof *broken);
    segment->sealed = segment->failed = segment->damaged = true;
    // Looking may itself run into lost pages. There are only so many.
    do {
        segment->lost_pages = page_guard_lost(segment->piece.guard);
        memset(broken, 0, words * sizeof *broken);
        whole = find_broken(segment, broken);
    } while (page_guard_lost(segment->piece.guard) != segment->lost_pages);
    *loss = (struct segment_loss){0};
    for (size_t i = 0; i < words; i++) {
        uint64_t waiting = broken[i] & segment->waiting_bits[i];
        loss->entries += (uint32_t)__builtin_popcountll(broken[i]);
        loss->waiting += (uint32_t)__builtin_popcountll(waiting);
        segment->pending_bits[i] &= ~broken[i];
        segment->waiting_bits[i] &= ~waiting;
    }
    // Not less, but where somebody else writes good entries into our file.
    loss->records =
        whole < segment->pending_records ? segment->pending_records - (uint32_t)whole : 0;
    segment->pending -= loss->entries;
    segment->pending_records -= loss->records;
    segment->waiting -= loss->waiting;
    segment->given_up += loss->entries - loss->waiting;
}

bool segment_may_be_offered(const struct segment *segment, uint32_t slot)
{
    uint32_t records;
    if (segment->damaged && !segment_is_whole(segment, slot, &records))
        return false;
    return !segment_is_suspect(segment);
}

void segment_give_up_last(struct segment *segment, uint32_t records)
{
    uint32_t slot = segment->entries - 1;
    uint64_t bit = (uint64_t)1 << (slot % 64);
    assert(segment_is_pending(segment, slot) && segment_is_waiting(segment, slot));
    segment->waiting_bits[slot / 64] &= ~bit;
    segment->waiting--;
    segment_mark(segment, slot, SEGMENT_DEAD, records);
}
