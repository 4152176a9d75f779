// Reads a segment that somebody else wrote: bounds first, nothing believed that a checksum or a
// limit can refute.
//
// For recovery (the bytes of a file after a crash), tools and the fuzzer. The image is borrowed and
// only read; it must not change meanwhile. Any thread. Format: segment_format.h, docs/SPOOL.md.
#ifndef SLUICE_SPOOL_SEGMENT_IMAGE_H
#define SLUICE_SPOOL_SEGMENT_IMAGE_H

#include "base/slice.h"
#include "spool/segment.h"

struct segment_image {
    const uint8_t *data;
    uint32_t size; // bytes that may be read: less than the segment's where the file was cut
    uint32_t version;
    uint32_t segment_size;
    uint32_t capacity;
    uint32_t payload_start;
    struct segment_identity identity;
    uint32_t seed;
    bool count_known;      // the commit word is whole
    uint32_t entries;      // as it says; 0 where it is not
    uint32_t records;      // as it says
    uint32_t slot;         // the next to be looked at
    uint32_t next_record;  // expected first_record of the next entry
    uint32_t suspect;      // bad slots since the last good entry
    uint32_t damaged;      // entries skipped so far
    uint64_t lost_records; // records in them, as far as the entries around them tell
};

// One good entry. Views into the image.
struct segment_entry {
    uint64_t position;
    uint64_t first_record;        // records of the log before it
    enum segment_verdict verdict; // an unknown byte counts as pending: rather twice than never
    uint8_t id[16];
    uint32_t records;
    uint64_t time_ns;
    uint32_t source;
    uint64_t source_position;
    uint8_t severity;
    uint8_t signal;
    uint8_t flags;
    struct slice payload;
    struct slice topic;
    struct slice key;
    struct slice headers;
};

#define SEGMENT_FOREIGN 1    // no segment: shorter than a header, or another magic (zeros: unused)
#define SEGMENT_NEWER 2      // a version that this code does not know
#define SEGMENT_BAD_HEADER 3 // the header's checksum or one of its sizes is wrong

// Reads the header. Returns 0 or one of the conditions; *image is written only with 0.
int segment_check(struct segment_image *image, const void *data, size_t size);

// The next good entry, in order of position; false at the end. Damaged ones are skipped and counted
// in image->damaged and image->lost_records, which are final once it has said false.
bool segment_entry(struct segment_image *image, struct segment_entry *entry);

// One slot alone; false: its entry is not whole. Changes nothing of image, whose header need not
// have been read by segment_check: data, size, capacity, payload_start and seed are used.
bool segment_image_entry(const struct segment_image *image, uint32_t slot,
                         struct segment_entry *entry);

#endif
