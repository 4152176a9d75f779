// Documents that a sink or a segment does not take: shortened copies of them, and the words in the
// own log that say whose they were.
#include "enrich/enrich_room.h"

#include "base/books.h"
#include "base/own_log.h"
#include "enrich/shorten.h"

#include <stdio.h>

#define ATTEMPTS 4 // the first succeeds, unless the estimate was too low

struct naming {
    char service[FIELD_TEXT_MIN + 1];
    char id[33];
};

static void name_record(const struct log_way *way, struct naming *naming)
{
    const struct field_path path = {.field = ECS_SERVICE_NAME};
    char scratch[FIELD_TEXT_MIN];
    struct slice service =
        field_path_text(&path, &way->enrich->encoder, way->record, scratch, sizeof scratch);
    snprintf(naming->service, sizeof naming->service, "%.*s", (int)service.size,
             service.size ? service.data : "");
    json_hex_8((uint8_t *)naming->id, way->id.bytes);
    json_hex_8((uint8_t *)naming->id + 16, way->id.bytes + 8);
    naming->id[32] = '\0';
}

static void tell_cut(const struct log_way *way, const struct target *target, size_t before,
                     size_t after)
{
    struct naming naming;
    name_record(way, &naming);
    const struct log_field fields[] = {
        {"service.name", naming.service, 0},
        {"event.id", naming.id, 0},
        {"bytes", NULL, (long long)before},
        {"cut_to", NULL, (long long)after},
        {NULL, NULL, 0},
    };
    if (way->whole == SIZE_MAX)
        own_log_fields(OWN_WARN, "document_cut", fields,
                       "exporters.%s: a document was larger than a segment takes, and its longest "
                       "texts were shortened; log less",
                       target->name);
    else
        own_log_fields(OWN_WARN, "document_cut", fields,
                       "exporters.%s: a document was larger than the sink takes, and its longest "
                       "texts were shortened; log less, or raise message.max.bytes in "
                       "exporters.%s.properties and at the broker",
                       target->name, target->name);
}

void enrich_tell_too_large(struct log_way *way)
{
    struct naming naming;
    struct shortening shortening;
    struct enrich *enrich = way->enrich;
    const struct fields *resource = way->record->resource;
    size_t size = 0;
    name_record(way, &naming);
    if (shorten_start(&shortening, way->record, &enrich->encoder.scratch,
                      ecs_overhead(&enrich->encoder)))
        size = shorten_size(&shortening);
    way->record->resource = resource;
    const struct log_field fields[] = {
        {"service.name", naming.service, 0},
        {"event.id", naming.id, 0},
        {"bytes", NULL, (long long)size},
        {NULL, NULL, 0},
    };
    own_log_fields(OWN_WARN, "record_too_large", fields,
                   "a record was refused: its document takes more than the %zu bytes of a segment; "
                   "log less, or set oversize: cut at an exporter",
                   enrich->payload_max[SIGNAL_LOGS]);
}

// The document of at most `most` bytes into the target's log, with the slot reserved. 0,
// SPOOL_FULL, -errno, or SPOOL_TOO_LARGE: it cannot be as short as that.
static int encode_short(struct log_way *way, const struct target *target,
                        struct shortening *shortening, size_t most, struct slice *document)
{
    struct enrich *enrich = way->enrich;
    size_t payload_max = enrich->payload_max[SIGNAL_LOGS];
    size_t room = most + JSON_SLACK < payload_max ? most + JSON_SLACK : payload_max;
    size_t wanted = room - JSON_SLACK;
    for (unsigned i = 0; i < ATTEMPTS; i++, wanted -= wanted / 8) {
        struct spool_slot slot;
        if (!shorten_to(shortening, wanted))
            return SPOOL_TOO_LARGE;
        int r = spool_reserve(target->log, room, &slot);
        if (r != 0)
            return r;
        size_t size = ecs_encode(&enrich->encoder, way->record, slot.data, room);
        if (size) {
            *document = slice_of(slot.data, size);
            return 0;
        }
        spool_abort(target->log);
    }
    return SPOOL_TOO_LARGE;
}

static size_t most_of(const struct enrich *enrich, const struct target *target)
{
    size_t payload_max = enrich->payload_max[SIGNAL_LOGS];
    return target->document_max < payload_max ? target->document_max : payload_max;
}

// Of the set, the target that takes most: texts are only ever shortened further.
static unsigned largest_of(const struct enrich *enrich, uint32_t set)
{
    unsigned best = (unsigned)__builtin_ctz(set);
    for (; set; set &= set - 1) {
        unsigned i = (unsigned)__builtin_ctz(set);
        if (most_of(enrich, &enrich->targets[SIGNAL_LOGS][i]) >
            most_of(enrich, &enrich->targets[SIGNAL_LOGS][best]))
            best = i;
    }
    return best;
}

static int cut_for(struct log_way *way, const struct target *target, struct shortening *shortening,
                   const struct spool_resend *resend, size_t before)
{
    struct enrich *enrich = way->enrich;
    struct slice document;
    int r = encode_short(way, target, shortening, most_of(enrich, target), &document);
    // As it came, or nearly: the sink will refuse it by name, which beats nobody knowing.
    bool refused = r == SPOOL_TOO_LARGE && way->whole != SIZE_MAX;
    if (refused)
        r = enrich_encode(enrich, target->log, way->record, enrich->payload_max[SIGNAL_LOGS],
                          &document);
    if (r != 0)
        return r;
    if (enrich->tap && !way->appended)
        enrich->tap(enrich->tap_ctx, SIGNAL_LOGS, document);
    enrich_commit(way, target, document.size, resend);
    if (!refused) {
        if (target->book)
            target->book->cut++;
        tell_cut(way, target, before, document.size);
    }
    return 0;
}

void enrich_cut(struct log_way *way)
{
    struct enrich *enrich = way->enrich;
    struct spool_resend resends[EXPORTER_MAX];
    struct shortening shortening;
    for (uint32_t set = way->cut; set; set &= set - 1) { // while no text is shortened yet
        unsigned i = (unsigned)__builtin_ctz(set);
        resends[i] =
            resend_of(&enrich->targets[SIGNAL_LOGS][i].resend, &enrich->encoder, way->record);
    }
    const struct fields *resource = way->record->resource;
    way->record->truncated = true;
    fields_set(&way->record->own, ECS_LOG_FLAGS,
               (struct value){.kind = VALUE_ESCAPED, .text = SLICE("truncated")});
    if (!shorten_start(&shortening, way->record, &enrich->encoder.scratch,
                       ecs_overhead(&enrich->encoder)))
        return;
    size_t before = way->whole == SIZE_MAX ? shorten_size(&shortening) : way->whole;
    for (uint32_t set = way->cut; set;) {
        unsigned i = largest_of(enrich, set);
        const struct target *target = &enrich->targets[SIGNAL_LOGS][i];
        int r = cut_for(way, target, &shortening, &resends[i], before);
        set &= ~(1u << i);
        if (r == SPOOL_TOO_LARGE)
            continue; // stays in way->cut
        way->cut &= ~(1u << i);
        way->dropped.full |= r == 0 ? 0 : 1u << i;
    }
    way->record->resource = resource;
}
