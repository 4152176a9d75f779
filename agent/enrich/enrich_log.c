// A log record's way into each of its logs: encoded once, copied for the others.
#include "enrich/enrich_room.h"

#include "base/books.h"
#include "base/error.h"
#include "enrich/enrich_stored.h"
#include "spool/page_guard.h"
#include "spool/spool_streams.h"

#define FIRST_ATTEMPT 512 // bytes that a document is first tried in

int enrich_encode(struct enrich *enrich, struct spool_log *log, const struct record *record,
                  size_t most, struct slice *document)
{
    struct spool_slot slot;
    for (size_t room = FIRST_ATTEMPT < most ? FIRST_ATTEMPT : most;;) {
        int r = spool_reserve(log, room, &slot);
        if (r != 0)
            return r;
        size_t size = ecs_encode(&enrich->encoder, record, slot.data,
                                 slot.capacity < most ? slot.capacity : most);
        if (size) {
            *document = slice_of(slot.data, size);
            return 0;
        }
        spool_abort(log);
        if (slot.capacity >= most)
            return SPOOL_TOO_LARGE;
        room = slot.capacity < most / 2 ? 2 * slot.capacity : most;
    }
}

void enrich_commit(struct log_way *way, const struct target *target, size_t size,
                   const struct spool_resend *resend)
{
    const struct record *record = way->record;
    struct spool_entry entry = {
        .records = 1,
        .time_ns = record->time_ns,
        .source_position = record->has_sequence ? record->sequence : 0,
        .severity = record->severity,
        .signal = SIGNAL_LOGS,
        .sequenced = record->has_sequence && record->sequence > 0,
        .resend = *resend,
    };
    memcpy(entry.id, way->id.bytes, sizeof entry.id);
    if (spool_commit(target->log, size, &entry) == 0)
        way->appended = true;
    else {
        way->damaged = true;
        way->document = (struct slice){NULL, 0}; // it stood there: the next log gets its own
    }
}

static int encode_first(struct log_way *way, const struct target *target)
{
    struct enrich *enrich = way->enrich;
    struct slice document;
    way->losses = page_guard_all();
    int r = enrich_encode(enrich, target->log, way->record, enrich->payload_max[SIGNAL_LOGS],
                          &document);
    if (r == SPOOL_TOO_LARGE)
        way->whole = SIZE_MAX;
    if (r != 0)
        return r;
    way->whole = document.size;
    if (document.size > target->document_max) {
        spool_abort(target->log);
        return SPOOL_TOO_LARGE;
    }
    way->document = document;
    if (enrich->tap && !way->appended)
        enrich->tap(enrich->tap_ctx, SIGNAL_LOGS, document);
    return 0;
}

// The document stands in another log's segment: where any page was lost since it was made, zeros
// may have been copied, and it is made again.
static int copy_into(struct log_way *way, const struct target *target)
{
    struct spool_slot slot;
    int r = spool_reserve(target->log, way->document.size, &slot);
    if (r != 0)
        return r;
    memcpy(slot.data, way->document.data, way->document.size);
    if (page_guard_all() == way->losses)
        return 0;
    spool_abort(target->log);
    way->document = (struct slice){NULL, 0};
    return encode_first(way, target);
}

static bool record_is_here(const struct record *record, const struct spool_log *log)
{
    return record->resend && record->has_sequence &&
           spool_stream_last(log, record->stream) >= record->sequence;
}

// Finds the targets that need no copy: they have it, or refuse it by its level.
static void find_spared(struct log_way *way)
{
    const struct enrich *enrich = way->enrich;
    enum urgency urgency = urgency_of(way->record->severity);
    for (size_t i = 0; i < enrich->target_count[SIGNAL_LOGS]; i++) {
        struct spool_log *log = enrich->targets[SIGNAL_LOGS][i].log;
        if (record_is_here(way->record, log))
            way->here |= 1u << i;
        else if (!enrich_keeps(log, urgency, way->record->sheds))
            way->dropped.level |= 1u << i;
    }
}

// Appends the document as it is wherever it may be so, and notes where not.
static void append_whole(struct log_way *way)
{
    struct enrich *enrich = way->enrich;
    for (size_t i = 0; i < enrich->target_count[SIGNAL_LOGS]; i++) {
        struct target *target = &enrich->targets[SIGNAL_LOGS][i];
        int r = SPOOL_TOO_LARGE;
        if ((way->here | way->dropped.level) >> i & 1)
            continue;
        if (way->whole != SIZE_MAX && way->whole <= target->document_max)
            r = way->document.size ? copy_into(way, target) : encode_first(way, target);
        if (r == 0) {
            struct spool_resend resend = resend_of(&target->resend, &enrich->encoder, way->record);
            enrich_commit(way, target, way->document.size, &resend);
        } else if (r == SPOOL_TOO_LARGE) {
            way->cut |= 1u << i;
        } else { // full, or the kernel gave no memory for a segment
            way->dropped.full |= 1u << i;
        }
    }
}

// A document that no segment takes is shortened for all as soon as one target wants that: it could
// not go on as it is anyway.
static bool may_cut(const struct enrich *enrich)
{
    for (size_t i = 0; i < enrich->target_count[SIGNAL_LOGS]; i++)
        if (enrich->targets[SIGNAL_LOGS][i].cut)
            return true;
    return false;
}

int enrich_log(struct enrich *enrich, struct record *record)
{
    if (enrich->target_count[SIGNAL_LOGS] == 0) {
        enrich_book_rejected(enrich, SIGNAL_LOGS, REJECT_UNROUTED, &(struct loss){.records = 1});
        return ENRICH_REJECTED;
    }
    uint64_t now = clock_realtime(enrich->clock);
    if (!record->time_ns)
        record->time_ns = now;
    char scratch[FIELD_TEXT_MIN];
    struct log_way way = {.enrich = enrich, .record = record};
    way.id = enrich_next_id(enrich, record->stream, record->sequence, record->has_sequence, 1);
    find_spared(&way);
    if ((way.here | way.dropped.level) != (1u << enrich->target_count[SIGNAL_LOGS]) - 1) {
        ecs_prepare(&enrich->encoder, record, way.id.bytes, now);
        append_whole(&way);
    } else if (!way.dropped.level) {
        enrich_duplicate(enrich, SIGNAL_LOGS, 1);
        return 0;
    }
    if (way.cut && (way.whole != SIZE_MAX || may_cut(enrich)))
        enrich_cut(&way);
    if (way.cut && !way.appended && !way.damaged) { // what cannot be shortened either
        enrich_tell_too_large(&way);
        struct loss loss = enrich_loss_of(enrich, record, scratch);
        enrich_book_rejected(enrich, SIGNAL_LOGS, REJECT_TOO_LARGE, &loss);
        return ENRICH_REJECTED;
    }
    way.dropped.full |= way.cut;
    if (way.dropped.full | way.dropped.level) {
        struct loss loss = enrich_loss_of(enrich, record, scratch);
        enrich_drop(enrich, SIGNAL_LOGS, &way.dropped, &loss);
        if (record->has_sequence)
            enrich_refuse(enrich, record->stream, record->sequence, 1);
    }
    enrich_book_routed(enrich, SIGNAL_LOGS, 1);
    if (way.appended || way.here) // who has it already is not full
        return 0;
    if (way.damaged)
        return ENRICH_DAMAGED;
    return way.dropped.level ? ENRICH_LEVEL : ENRICH_SHED;
}
