// Reading an untrusted segment image.
//
// Where the commit word is whole, its count says how many entries there must be: bad ones below it
// are damaged. Good ones right after it are taken too (the agent was killed between entry and
// word). Where it is not whole every slot is tried, and only a bad slot before a good one is known
// to be damage: behind the last good one, what an earlier generation left looks just the same.
#include "spool/segment_image.h"

#include "base/error.h"
#include "spool/crc32c.h"

static bool sizes_are_sane(const struct segment_image *image, const uint8_t *header)
{
    uint32_t size = image->segment_size;
    return size >= SEGMENT_SIZE_MIN && size <= SEGMENT_SIZE_MAX && (size & (size - 1)) == 0 &&
           get_u32le(header + HEADER_HEADER_SIZE) == SEGMENT_HEADER_SIZE &&
           get_u32le(header + HEADER_ENTRY_SIZE) == SEGMENT_ENTRY_SIZE && image->capacity > 0 &&
           image->capacity <= UINT16_MAX &&
           image->payload_start == SEGMENT_HEADER_SIZE + image->capacity * SEGMENT_ENTRY_SIZE &&
           image->payload_start < size;
}

static void commit_word_read(struct segment_image *image)
{
    uint8_t word[8];
    memcpy(word, image->data + HEADER_COMMIT, sizeof word);
    uint16_t check = get_u16le(word + HEADER_COMMIT_CHECK);
    put_u16le(word + HEADER_COMMIT_CHECK, 0);
    uint32_t entries = get_u16le(word + HEADER_COMMIT_ENTRIES);
    if (check != (uint16_t)crc32c(image->seed, word, sizeof word) || entries > image->capacity)
        return;
    image->count_known = true;
    image->entries = entries;
    image->records = get_u32le(word + HEADER_COMMIT_RECORDS);
}

int segment_check(struct segment_image *out, const void *data, size_t size)
{
    assert(data || size == 0);
    const uint8_t *header = data;
    if (size < SEGMENT_HEADER_SIZE || get_u64le(header + HEADER_MAGIC) != SEGMENT_MAGIC)
        return SEGMENT_FOREIGN;
    if (get_u32le(header + HEADER_VERSION) > SEGMENT_VERSION)
        return SEGMENT_NEWER;
    if (get_u32le(header + HEADER_CRC) != crc32c(0, header, HEADER_CRC))
        return SEGMENT_BAD_HEADER;
    struct segment_image image = {
        .data = header,
        .version = get_u32le(header + HEADER_VERSION),
        .segment_size = get_u32le(header + HEADER_SEGMENT_SIZE),
        .capacity = get_u32le(header + HEADER_CAPACITY),
        .payload_start = get_u32le(header + HEADER_PAYLOAD_START),
    };
    if (image.version < SEGMENT_VERSION_OLDEST || !sizes_are_sane(&image, header))
        return SEGMENT_BAD_HEADER;
    image.size = size < image.segment_size ? (uint32_t)size : image.segment_size;
    memcpy(image.identity.log_id, header + HEADER_LOG_ID, sizeof image.identity.log_id);
    image.identity.generation = get_u64le(header + HEADER_GENERATION);
    image.identity.base_position = get_u64le(header + HEADER_BASE_POSITION);
    image.identity.base_record = get_u64le(header + HEADER_BASE_RECORD);
    image.identity.created_ns = get_u64le(header + HEADER_CREATED);
    if (image.version > 1) {
        image.identity.form = get_u32le(header + HEADER_FORM);
        memcpy(image.identity.exporter, header + HEADER_EXPORTER, SEGMENT_EXPORTER_MAX);
    }
    image.seed = crc32c(0, header + HEADER_IDENTITY, HEADER_IDENTITY_END - HEADER_IDENTITY);
    commit_word_read(&image);
    *out = image;
    return 0;
}

// The blob at offset, whole inside the payload area; false where it is not.
static bool resend_read(const struct segment_image *image, uint32_t offset, struct slice *blob,
                        struct segment_entry *entry)
{
    if (offset < image->payload_start || offset > image->size ||
        image->size - offset < RESEND_BYTES)
        return false;
    const uint8_t *at = image->data + offset;
    uint64_t topic = get_u16le(at + RESEND_TOPIC_LENGTH);
    uint64_t key = get_u16le(at + RESEND_KEY_LENGTH);
    uint64_t headers = get_u32le(at + RESEND_HEADERS_LENGTH);
    uint64_t size = RESEND_BYTES + topic + key + headers;
    if (size > image->size - offset)
        return false;
    *blob = slice_of(at, size);
    entry->topic = slice_of(at + RESEND_BYTES, topic);
    entry->key = slice_of(at + RESEND_BYTES + topic, key);
    entry->headers = slice_of(at + RESEND_BYTES + topic + key, headers);
    return true;
}

static uint64_t position_of(const struct segment_image *image, uint32_t slot)
{
    return image->identity.base_position + slot;
}

static enum segment_verdict verdict_of(const struct segment_image *image, unsigned byte)
{
    if (byte == SEGMENT_DEAD || (image->version == 1 && byte == SEGMENT_DEAD_OLDEST))
        return SEGMENT_DEAD;
    return byte == SEGMENT_DELIVERED ? SEGMENT_DELIVERED : SEGMENT_PENDING;
}

static bool entry_read(const struct segment_image *image, uint32_t slot, struct segment_entry *out)
{
    assert(slot < image->capacity);
    size_t at = SEGMENT_HEADER_SIZE + (size_t)slot * SEGMENT_ENTRY_SIZE;
    if (at + SEGMENT_ENTRY_SIZE > image->size)
        return false;
    uint8_t bytes[SEGMENT_ENTRY_SIZE];
    memcpy(bytes, image->data + at, sizeof bytes);
    uint32_t offset = get_u32le(bytes + ENTRY_PAYLOAD_OFFSET);
    uint32_t length = get_u32le(bytes + ENTRY_PAYLOAD_LENGTH);
    uint32_t records = get_u32le(bytes + ENTRY_RECORDS);
    uint32_t first = get_u32le(bytes + ENTRY_FIRST_RECORD);
    if (offset < image->payload_start || offset > image->size || length == 0 ||
        length > image->size - offset || records == 0 || records > UINT32_MAX - first ||
        first < image->next_record)
        return false;
    struct segment_entry entry = {
        .position = position_of(image, slot),
        .first_record = image->identity.base_record + first,
        .verdict = bytes[ENTRY_VERDICT],
        .records = records,
        .time_ns = get_u64le(bytes + ENTRY_TIME),
        .source = get_u32le(bytes + ENTRY_SOURCE),
        .source_position = get_u64le(bytes + ENTRY_SOURCE_POSITION),
        .severity = bytes[ENTRY_SEVERITY],
        .signal = bytes[ENTRY_SIGNAL],
        .flags = bytes[ENTRY_FLAGS],
        .payload = slice_of(image->data + offset, length),
    };
    memcpy(entry.id, bytes + ENTRY_ID, sizeof entry.id);
    struct slice blob = {NULL, 0};
    uint32_t resend = get_u32le(bytes + ENTRY_RESEND_OFFSET);
    if (resend && !resend_read(image, resend, &blob, &entry))
        return false;
    uint32_t stored = get_u32le(bytes + ENTRY_CRC);
    put_u32le(bytes + ENTRY_CRC, slot);
    bytes[ENTRY_VERDICT] = 0;
    uint32_t crc = crc32c(image->seed, bytes, sizeof bytes);
    crc = crc32c(crc, entry.payload.data, entry.payload.size);
    if (crc32c(crc, blob.data, blob.size) != stored)
        return false;
    entry.verdict = verdict_of(image, entry.verdict);
    *out = entry;
    return true;
}

bool segment_image_entry(const struct segment_image *image, uint32_t slot,
                         struct segment_entry *entry)
{
    assert(image->next_record == 0);
    return entry_read(image, slot, entry);
}

// Books the bad slots before a good one (or the end), and the records that the gap stands for.
static void gap_count(struct segment_image *image, uint32_t first_record)
{
    image->damaged += image->suspect;
    image->suspect = 0;
    if (first_record > image->next_record)
        image->lost_records += first_record - image->next_record;
}

bool segment_entry(struct segment_image *image, struct segment_entry *entry)
{
    assert(image->data);
    for (; image->slot < image->capacity; image->slot++) {
        struct segment_entry found;
        bool beyond = image->count_known && image->slot >= image->entries;
        if (entry_read(image, image->slot, &found)) {
            uint32_t first = (uint32_t)(found.first_record - image->identity.base_record);
            // Between the last one that the word counts and this one nothing can be missing.
            gap_count(image, first);
            image->next_record = first + found.records;
            image->slot++;
            *entry = found;
            return true;
        }
        if (beyond)
            break;
        image->suspect++;
    }
    if (image->count_known) {
        gap_count(image, image->records);
        image->next_record = UINT32_MAX; // the end has been counted
    }
    image->suspect = 0;
    image->slot = image->capacity;
    return false;
}
