// Fuzzes the reader of segment images: nothing outside is read, what it returns lies inside, and
// its counts add up.
//
// Checksums would keep a mutation at the surface, so each input is read three times: as it is, with
// the header's checksums made good, and with those of the entries too. A short image stands for a
// whole one of zeros behind it, so that the corpus stays small.
#include "base/error.h"
#include "spool/crc32c.h"
#include "spool/segment_image.h"

#include <stdlib.h>

#define IMAGE_MAX 65536u

static void inside(const struct segment_image *image, struct slice part)
{
    const uint8_t *data = (const uint8_t *)part.data;
    if (part.size == 0)
        return;
    assert(data >= image->data && part.size <= image->size);
    assert((size_t)(data - image->data) <= image->size - part.size);
}

static void read_image(const uint8_t *data, size_t size)
{
    struct segment_image image;
    if (segment_check(&image, data, size) != 0)
        return;
    assert(image.size <= size && image.payload_start <= image.segment_size);
    struct segment_entry entry;
    uint64_t good = 0;
    uint64_t next_record = image.identity.base_record;
    uint64_t records = 0;
    while (segment_entry(&image, &entry)) {
        good++;
        assert(entry.records > 0 && entry.payload.size > 0);
        assert(entry.position - image.identity.base_position < image.capacity);
        assert(entry.first_record - image.identity.base_record >=
               next_record - image.identity.base_record);
        next_record = entry.first_record + entry.records;
        records += entry.records;
        inside(&image, entry.payload);
        inside(&image, entry.topic);
        inside(&image, entry.key);
        inside(&image, entry.headers);
    }
    assert(good + image.damaged <= image.capacity);
    assert(!image.count_known || good + image.damaged >= image.entries);
    assert(!image.count_known || records + image.lost_records >= image.records);
    assert(records + image.lost_records >= next_record - image.identity.base_record);
}

static void repair_header(uint8_t *data, size_t size)
{
    if (size < SEGMENT_HEADER_SIZE)
        return;
    put_u64le(data + HEADER_MAGIC, SEGMENT_MAGIC);
    put_u32le(data + HEADER_VERSION, SEGMENT_VERSION);
    put_u32le(data + HEADER_CRC, crc32c(0, data, HEADER_CRC));
    uint32_t seed = crc32c(0, data + HEADER_IDENTITY, HEADER_IDENTITY_END - HEADER_IDENTITY);
    put_u16le(data + HEADER_COMMIT + HEADER_COMMIT_CHECK, 0);
    put_u16le(data + HEADER_COMMIT + HEADER_COMMIT_CHECK,
              (uint16_t)crc32c(seed, data + HEADER_COMMIT, 8));
}

// Gives a good checksum to each entry whose parts it can find; the lengths stay as they lie.
static void repair_entries(uint8_t *data, size_t size)
{
    struct segment_image image;
    if (segment_check(&image, data, size) != 0)
        return;
    for (uint32_t slot = 0; slot < image.capacity; slot++) {
        size_t at = SEGMENT_HEADER_SIZE + (size_t)slot * SEGMENT_ENTRY_SIZE;
        if (at + SEGMENT_ENTRY_SIZE > image.size)
            return;
        uint8_t *entry = data + at;
        uint64_t offset = get_u32le(entry + ENTRY_PAYLOAD_OFFSET);
        uint64_t length = get_u32le(entry + ENTRY_PAYLOAD_LENGTH);
        uint64_t blob = get_u32le(entry + ENTRY_RESEND_OFFSET);
        if (length == 0 || offset + length > image.size || blob + RESEND_BYTES > image.size)
            continue;
        uint64_t blob_size = RESEND_BYTES + (uint64_t)get_u16le(data + blob) +
                             get_u16le(data + blob + RESEND_KEY_LENGTH) +
                             get_u32le(data + blob + RESEND_HEADERS_LENGTH);
        if (blob + blob_size > image.size)
            continue;
        uint8_t bytes[SEGMENT_ENTRY_SIZE];
        memcpy(bytes, entry, sizeof bytes);
        put_u32le(bytes + ENTRY_CRC, slot);
        bytes[ENTRY_VERDICT] = 0;
        uint32_t crc = crc32c(image.seed, bytes, sizeof bytes);
        crc = crc32c(crc, data + offset, length);
        put_u32le(entry, blob ? crc32c(crc, data + blob, blob_size) : crc);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_image(data, size);
    if (size < SEGMENT_HEADER_SIZE || size > IMAGE_MAX)
        return 0;
    size_t whole = get_u32le(data + HEADER_SEGMENT_SIZE);
    if (whole < size || whole > IMAGE_MAX)
        whole = size;
    uint8_t *image = calloc(1, whole);
    if (!image)
        return 0;
    memcpy(image, data, size);
    repair_header(image, whole);
    read_image(image, whole);
    repair_entries(image, whole);
    read_image(image, whole);
    free(image);
    return 0;
}
