// One segment's memory and the writing of its header, index, payloads and resend blobs.
//
// The order of stores is what a reader of the memory relies on after SIGKILL: payload, blob and
// entry first, then the commit word, which is one aligned store. The header of a new use is written
// before anything of the old one is overwritten.
#include "spool/segment.h"

#include "base/error.h"
#include "deliver/exporter.h"
#include "spool/crc32c.h"
#include "spool/spool.h"

#include <stdlib.h>

#define SEGMENT_OBJECT 0x5E63E47Bu
// What a payload must leave free for the largest blob.
#define RESEND_RESERVE (RESEND_BYTES + SPOOL_RESEND_MAX)

uint32_t segment_capacity(uint32_t size)
{
    uint32_t capacity = size / 384 / 64 * 64; // the payload area starts on a page
    return capacity > 0 ? capacity : 64;
}

uint32_t segment_payload_max(uint32_t size)
{
    return size - SEGMENT_HEADER_SIZE - segment_capacity(size) * SEGMENT_ENTRY_SIZE -
           RESEND_RESERVE;
}

struct segment *segment_allocate(uint32_t size, uint32_t capacity)
{
    size_t words = (capacity + 63) / 64;
    struct segment *segment = calloc(1, sizeof *segment + 2 * words * sizeof(uint64_t));
    if (!segment)
        return NULL;
    segment->magic = SEGMENT_OBJECT;
    segment->piece.fd = -1;
    segment->size = size;
    segment->capacity = capacity;
    segment->pending_bits = segment->waiting_bits + words;
    return segment;
}

int segment_new(struct segment **out, struct store *store, uint32_t size)
{
    assert(size >= SEGMENT_SIZE_MIN && size <= SEGMENT_SIZE_MAX);
    assert((size & (size - 1)) == 0);
    struct segment *segment = segment_allocate(size, segment_capacity(size));
    if (!segment)
        return -ENOMEM;
    int r = store_create(store, size, &segment->piece);
    if (r < 0) {
        segment_detach(segment);
        return r;
    }
    segment->data = segment->piece.data;
    *out = segment;
    return 0;
}

void segment_detach(struct segment *segment)
{
    if (!segment)
        return;
    assert(segment->magic == SEGMENT_OBJECT);
    store_detach(&segment->piece);
    segment->magic = 0;
    free(segment);
}

void segment_remove(struct segment *segment, struct store *store)
{
    if (!segment)
        return;
    assert(segment->magic == SEGMENT_OBJECT);
    store_remove(store, &segment->piece);
    segment_detach(segment);
}

static void commit_word_store(struct segment *segment)
{
    uint8_t word[8] = {0};
    put_u16le(word + HEADER_COMMIT_ENTRIES, (uint16_t)segment->entries);
    put_u32le(word + HEADER_COMMIT_RECORDS, segment->records);
    put_u16le(word + HEADER_COMMIT_CHECK, (uint16_t)crc32c(segment->seed, word, sizeof word));
    uint64_t value;
    memcpy(&value, word, sizeof value);
    __atomic_store_n((uint64_t *)(void *)(segment->data + HEADER_COMMIT), value, __ATOMIC_RELEASE);
}

static void magic_store(struct segment *segment, uint64_t magic)
{
    __atomic_store_n((uint64_t *)(void *)(segment->data + HEADER_MAGIC), magic, __ATOMIC_RELEASE);
}

// The magic goes first and comes last: without it a segment counts as never used, and a kill in
// between leaves nothing that looks damaged. The rest of the page has always been zero.
static void header_store(struct segment *segment)
{
    const struct segment_identity *identity = &segment->identity;
    uint8_t header[HEADER_COMMIT + 8] = {0};
    uint64_t magic;
    put_u64le(header + HEADER_MAGIC, SEGMENT_MAGIC);
    put_u32le(header + HEADER_VERSION, SEGMENT_VERSION);
    put_u32le(header + HEADER_HEADER_SIZE, SEGMENT_HEADER_SIZE);
    put_u32le(header + HEADER_SEGMENT_SIZE, segment->size);
    put_u32le(header + HEADER_ENTRY_SIZE, SEGMENT_ENTRY_SIZE);
    put_u32le(header + HEADER_CAPACITY, segment->capacity);
    put_u32le(header + HEADER_PAYLOAD_START, segment->payload_end);
    memcpy(header + HEADER_LOG_ID, identity->log_id, sizeof identity->log_id);
    put_u64le(header + HEADER_GENERATION, identity->generation);
    put_u64le(header + HEADER_BASE_POSITION, identity->base_position);
    put_u64le(header + HEADER_BASE_RECORD, identity->base_record);
    put_u64le(header + HEADER_CREATED, identity->created_ns);
    put_u32le(header + HEADER_FORM, identity->form);
    memcpy(header + HEADER_EXPORTER, identity->exporter,
           strnlen(identity->exporter, SEGMENT_EXPORTER_MAX));
    put_u32le(header + HEADER_CRC, crc32c(0, header, HEADER_CRC));
    memcpy(&magic, header + HEADER_MAGIC, sizeof magic);
    magic_store(segment, 0);
    __atomic_signal_fence(__ATOMIC_SEQ_CST); // a release alone would let later stores go first
    memcpy(segment->data + HEADER_VERSION, header + HEADER_VERSION, sizeof header - HEADER_VERSION);
    magic_store(segment, magic);
}

void segment_start(struct segment *segment, const struct segment_identity *identity)
{
    assert(segment->magic == SEGMENT_OBJECT);
    assert(segment->pending == 0 && segment->given_up == 0);
    assert(!segment->failed);
    segment->sealed = false;
    segment->version = SEGMENT_VERSION;
    assert(identity->generation > segment->identity.generation);
    segment->identity = *identity;
    segment->entries = 0;
    segment->synced = 0;
    segment->records = 0;
    segment->waiting_word = 0;
    segment->first_pending = 0;
    segment->payload_end = SEGMENT_HEADER_SIZE + segment->capacity * SEGMENT_ENTRY_SIZE;
    segment->blob_start = segment->size;
    segment->last_resend = 0;
    header_store(segment);
    segment->seed =
        crc32c(0, segment->data + HEADER_IDENTITY, HEADER_IDENTITY_END - HEADER_IDENTITY);
    commit_word_store(segment);
}

uint32_t segment_room(const struct segment *segment)
{
    assert(segment->magic == SEGMENT_OBJECT);
    assert(segment->payload_end <= segment->blob_start);
    uint32_t room = segment->blob_start - segment->payload_end;
    bool open = !segment->sealed && segment->entries < segment->capacity;
    return open && room > RESEND_RESERVE ? room - RESEND_RESERVE : 0;
}

uint8_t *segment_tail(struct segment *segment)
{
    assert(segment->payload_end > 0);
    return segment->data + segment->payload_end;
}

static uint8_t *entry_at(const struct segment *segment, uint32_t slot)
{
    return segment->data + SEGMENT_HEADER_SIZE + (size_t)slot * SEGMENT_ENTRY_SIZE;
}

static struct spool_resend resend_load(const uint8_t *blob)
{
    const uint8_t *bytes = blob + RESEND_BYTES;
    size_t topic = get_u16le(blob + RESEND_TOPIC_LENGTH);
    size_t key = get_u16le(blob + RESEND_KEY_LENGTH);
    return (struct spool_resend){
        .topic = slice_of(bytes, topic),
        .key = slice_of(bytes + topic, key),
        .headers = slice_of(bytes + topic + key, get_u32le(blob + RESEND_HEADERS_LENGTH)),
    };
}

static size_t resend_size(const struct spool_resend *resend)
{
    return resend->topic.size + resend->key.size + resend->headers.size;
}

// What is kept of it: all, or only the topic, or nothing. A key comes from a record, and so from a
// peer: too long a one must not end the agent.
static struct spool_resend resend_cut(const struct spool_resend *resend, uint8_t *flags)
{
    struct spool_resend kept = *resend;
    // Each alone first, so that the sum cannot wrap.
    if (resend->key.size > SPOOL_RESEND_MAX || resend->headers.size > SPOOL_RESEND_MAX ||
        resend->topic.size > SPOOL_RESEND_MAX || resend_size(resend) > SPOOL_RESEND_MAX) {
        kept.key = kept.headers = (struct slice){NULL, 0};
        *flags |= SEGMENT_FLAG_RESEND_CUT;
    }
    if (kept.topic.size > SPOOL_RESEND_MAX)
        kept.topic = (struct slice){NULL, 0};
    return kept;
}

static uint8_t *resend_put(uint8_t *p, struct slice part)
{
    if (part.size > 0)
        memcpy(p, part.data, part.size);
    return p + part.size;
}

// Offset of a blob that says this: none, the last one again, or a new one.
static uint32_t resend_store(struct segment *segment, const struct spool_resend *resend)
{
    size_t size = resend_size(resend);
    if (size == 0)
        return 0;
    if (segment->last_resend) {
        struct spool_resend last = resend_load(segment->data + segment->last_resend);
        if (slice_equal(last.topic, resend->topic) && slice_equal(last.key, resend->key) &&
            slice_equal(last.headers, resend->headers))
            return segment->last_resend;
    }
    segment->blob_start -= (uint32_t)(RESEND_BYTES + size);
    uint8_t *blob = segment->data + segment->blob_start;
    put_u16le(blob + RESEND_TOPIC_LENGTH, (uint16_t)resend->topic.size);
    put_u16le(blob + RESEND_KEY_LENGTH, (uint16_t)resend->key.size);
    put_u32le(blob + RESEND_HEADERS_LENGTH, (uint32_t)resend->headers.size);
    uint8_t *p = resend_put(blob + RESEND_BYTES, resend->topic);
    p = resend_put(p, resend->key);
    resend_put(p, resend->headers);
    segment->last_resend = segment->blob_start;
    return segment->last_resend;
}

static void entry_store(struct segment *segment, uint32_t slot, uint32_t size,
                        const struct spool_entry *entry)
{
    uint8_t *at = entry_at(segment, slot);
    uint8_t flags = entry->generated ? SEGMENT_FLAG_GENERATED : 0;
    struct spool_resend resend = resend_cut(&entry->resend, &flags);
    uint32_t resend_offset = resend_store(segment, &resend);
    put_u32le(at + ENTRY_CRC, slot); // the CRC takes the slot in its own place, no verdict
    at[ENTRY_VERDICT] = 0;
    at[ENTRY_SEVERITY] = entry->severity;
    at[ENTRY_SIGNAL] = entry->signal;
    at[ENTRY_FLAGS] = flags;
    memcpy(at + ENTRY_ID, entry->id, sizeof entry->id);
    put_u64le(at + ENTRY_TIME, entry->time_ns);
    put_u64le(at + ENTRY_SOURCE_POSITION, entry->source_position);
    put_u32le(at + ENTRY_SOURCE, entry->source);
    put_u32le(at + ENTRY_RECORDS, entry->records);
    put_u32le(at + ENTRY_FIRST_RECORD, segment->records);
    put_u32le(at + ENTRY_PAYLOAD_OFFSET, segment->payload_end);
    put_u32le(at + ENTRY_PAYLOAD_LENGTH, size);
    put_u32le(at + ENTRY_RESEND_OFFSET, resend_offset);
    uint32_t crc = crc32c(segment->seed, at, SEGMENT_ENTRY_SIZE);
    crc = crc32c(crc, segment->data + segment->payload_end, size);
    if (resend_offset)
        crc = crc32c(crc, segment->data + resend_offset, RESEND_BYTES + resend_size(&resend));
    put_u32le(at + ENTRY_CRC, crc);
    at[ENTRY_VERDICT] = SEGMENT_PENDING;
}

uint32_t segment_append(struct segment *segment, uint32_t size, const struct spool_entry *entry)
{
    assert(size > 0 && size <= segment_room(segment));
    assert(entry->records > 0 && entry->records <= UINT32_MAX - segment->records);
    uint32_t slot = segment->entries;
    entry_store(segment, slot, size, entry);
    segment->payload_end += size;
    segment->records += entry->records;
    segment->entries++;
    segment->pending++;
    segment->pending_records += entry->records;
    segment->pending_bits[slot / 64] |= (uint64_t)1 << (slot % 64);
    commit_word_store(segment);
    segment_set_waiting(segment, slot);
    return slot;
}

// Whether size bytes at offset are the segment's.
static bool is_inside(const struct segment *segment, uint32_t offset, uint64_t size)
{
    return offset >= SEGMENT_HEADER_SIZE && offset + size <= segment->piece.size;
}

bool segment_parcel(const struct segment *segment, uint32_t slot, struct parcel *parcel)
{
    assert(segment->magic == SEGMENT_OBJECT);
    assert(slot < segment->entries);
    const uint8_t *at = entry_at(segment, slot);
    uint32_t payload_offset = get_u32le(at + ENTRY_PAYLOAD_OFFSET);
    uint32_t payload_length = get_u32le(at + ENTRY_PAYLOAD_LENGTH);
    uint32_t resend_offset = get_u32le(at + ENTRY_RESEND_OFFSET);
    struct spool_resend resend = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (payload_length == 0 || !is_inside(segment, payload_offset, payload_length))
        return false;
    if (resend_offset) {
        if (!is_inside(segment, resend_offset, RESEND_BYTES))
            return false;
        resend = resend_load(segment->data + resend_offset);
        if (!is_inside(segment, resend_offset, RESEND_BYTES + resend_size(&resend)))
            return false;
    }
    *parcel = (struct parcel){
        .position = segment->identity.base_position + slot,
        .payload = slice_of(segment->data + payload_offset, payload_length),
        .records = get_u32le(at + ENTRY_RECORDS),
        .time_ns = get_u64le(at + ENTRY_TIME),
        .severity = at[ENTRY_SEVERITY],
        .signal = at[ENTRY_SIGNAL],
        .topic = resend.topic,
        .key = resend.key,
        .headers = resend.headers,
    };
    memcpy(parcel->id, at + ENTRY_ID, sizeof parcel->id);
    return true;
}

uint32_t segment_records(const struct segment *segment, uint32_t slot)
{
    assert(slot < segment->entries);
    return get_u32le(entry_at(segment, slot) + ENTRY_RECORDS);
}

bool segment_is_generated(const struct segment *segment, uint32_t slot)
{
    assert(slot < segment->entries);
    return entry_at(segment, slot)[ENTRY_FLAGS] & SEGMENT_FLAG_GENERATED;
}

uint32_t segment_first_pending(struct segment *segment)
{
    assert(segment->pending > 0);
    while (!segment_is_pending(segment, segment->first_pending))
        segment->first_pending++;
    return segment->first_pending;
}

void segment_mark(struct segment *segment, uint32_t slot, enum segment_verdict verdict,
                  uint32_t records)
{
    assert(verdict == SEGMENT_DELIVERED || verdict == SEGMENT_DEAD);
    assert(segment_is_pending(segment, slot) && !segment_is_waiting(segment, slot));
    assert(records <= segment->pending_records);
    entry_at(segment, slot)[ENTRY_VERDICT] = (uint8_t)verdict;
    segment->pending_bits[slot / 64] &= ~((uint64_t)1 << (slot % 64));
    segment->pending--;
    segment->pending_records -= records;
}

uint32_t segment_take_waiting(struct segment *segment)
{
    assert(segment->waiting > 0);
    while (segment->waiting_bits[segment->waiting_word] == 0)
        segment->waiting_word++;
    uint64_t *word = &segment->waiting_bits[segment->waiting_word];
    uint32_t slot = segment->waiting_word * 64 + (uint32_t)__builtin_ctzll(*word);
    assert(slot < segment->entries);
    *word &= *word - 1;
    segment->waiting--;
    return slot;
}

bool segment_is_waiting(const struct segment *segment, uint32_t slot)
{
    assert(slot < segment->entries);
    return segment->waiting_bits[slot / 64] >> (slot % 64) & 1;
}

void segment_set_waiting(struct segment *segment, uint32_t slot)
{
    assert(!segment_is_waiting(segment, slot));
    assert(segment_is_pending(segment, slot));
    segment->waiting_bits[slot / 64] |= (uint64_t)1 << (slot % 64);
    segment->waiting++;
    if (slot / 64 < segment->waiting_word)
        segment->waiting_word = slot / 64;
}
