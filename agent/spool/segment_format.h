// The bytes of a segment: where each field of its header, entries and resend blobs stands
// (docs/SPOOL.md).
//
// All numbers are little-endian and of fixed width. Changing anything here means a new
// SEGMENT_VERSION.
#ifndef SLUICE_SPOOL_SEGMENT_FORMAT_H
#define SLUICE_SPOOL_SEGMENT_FORMAT_H

#include <stdint.h>
#include <string.h>

#define SEGMENT_MAGIC 0x4753454349554C53u // SLUICESG
#define SEGMENT_VERSION 2u
#define SEGMENT_VERSION_OLDEST 1u // still read, never written: it has neither form nor exporter

#define SEGMENT_SIZE_MIN 16384u
#define SEGMENT_SIZE_MAX 16777216u

// The header, a page of which the first 128 bytes are under a CRC.
enum {
    SEGMENT_HEADER_SIZE = 4096,
    HEADER_MAGIC = 0,          // 8 bytes
    HEADER_VERSION = 8,        // u32
    HEADER_HEADER_SIZE = 12,   // u32, 4096
    HEADER_SEGMENT_SIZE = 16,  // u32, a power of two
    HEADER_ENTRY_SIZE = 20,    // u32, 64
    HEADER_CAPACITY = 24,      // u32, slots in the index, at most 65535
    HEADER_PAYLOAD_START = 28, // u32, header + index
    HEADER_IDENTITY = 32,      // the bytes that seed every entry's CRC
    HEADER_LOG_ID = 32,        // 16 bytes
    HEADER_GENERATION = 48,    // u64
    HEADER_BASE_POSITION = 56, // u64, position of slot 0
    HEADER_BASE_RECORD = 64,   // u64, how many records the log took before this segment
    HEADER_IDENTITY_END = 72,
    HEADER_CREATED = 72,       // u64, nanoseconds since 1970
    HEADER_FORM = 80,          // u32, enum spool_form (spool.h)
    HEADER_EXPORTER = 84,      // its name, NULs behind it
    HEADER_EXPORTER_END = 124, // a longer one is cut
    HEADER_CRC = 124,          // u32, over bytes 0..123
    HEADER_COMMIT = 128,       // the commit word, 8 bytes stored at once
    HEADER_COMMIT_ENTRIES = 0, // u16, committed entries
    HEADER_COMMIT_CHECK = 2,   // u16, low half of the CRC of identity + word, this field zero
    HEADER_COMMIT_RECORDS = 4, // u32, their records
};

// One index entry. Its CRC is over identity, these 64 bytes (slot for crc, verdict 0), payload,
// blob.
enum {
    SEGMENT_ENTRY_SIZE = 64,
    ENTRY_CRC = 0,              // u32
    ENTRY_VERDICT = 4,          // u8, enum segment_verdict; rewritten later, outside the CRC
    ENTRY_SEVERITY = 5,         // u8, OTel number
    ENTRY_SIGNAL = 6,           // u8, 0 logs, 1 spans, 2 metrics
    ENTRY_FLAGS = 7,            // u8, SEGMENT_FLAG_…
    ENTRY_ID = 8,               // 16 bytes
    ENTRY_TIME = 24,            // u64, nanoseconds since 1970
    ENTRY_SOURCE_POSITION = 32, // u64
    ENTRY_SOURCE = 40,          // u32
    ENTRY_RECORDS = 44,         // u32, at least 1
    ENTRY_FIRST_RECORD = 48,    // u32, records in this segment before it
    ENTRY_PAYLOAD_OFFSET = 52,  // u32, from the segment's start
    ENTRY_PAYLOAD_LENGTH = 56,  // u32
    ENTRY_RESEND_OFFSET = 60,   // u32, from the segment's start; 0: no blob
};

// What version 1 wrote for SEGMENT_DEAD: one bit from pending, and no checksum covers a verdict.
// Two bits at least lie between pending and the others now.
#define SEGMENT_DEAD_OLDEST 'X'

#define SEGMENT_FLAG_RESEND_CUT 1u // topic, key and headers were too long: not all were kept
#define SEGMENT_FLAG_GENERATED 2u  // the agent's own document, of dropped records

// A resend blob: lengths, then topic, key and headers back to back.
enum {
    RESEND_TOPIC_LENGTH = 0,   // u16
    RESEND_KEY_LENGTH = 2,     // u16
    RESEND_HEADERS_LENGTH = 4, // u32
    RESEND_BYTES = 8,
};

static inline uint16_t get_u16le(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_u32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_u64le(const uint8_t *p)
{
    return (uint64_t)get_u32le(p) | (uint64_t)get_u32le(p + 4) << 32;
}

static inline void put_u16le(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

static inline void put_u32le(uint8_t *p, uint32_t value)
{
    put_u16le(p, (uint16_t)value);
    put_u16le(p + 2, (uint16_t)(value >> 16));
}

static inline void put_u64le(uint8_t *p, uint64_t value)
{
    put_u32le(p, (uint32_t)value);
    put_u32le(p + 4, (uint32_t)(value >> 32));
}

#endif
