// The model: every payload that a log took, from the moment it was appended to its last verdict.
#include "simulation.h"

#include "proto/otlp_fields.h"
#include "proto/wire.h"
#include "spool/crc32c.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_FILES 8      // unused ones that a log keeps
#define NO_TAG UINT32_MAX // a line without one: it was to be joined, and was not

static const bool takes_spans[SINK_COUNT] = {false, false, true};

void model_init(struct model *model, uint64_t records)
{
    *model = (struct model){.tag_room = (uint32_t)records + 100000};
    model->ids = calloc(model->tag_room, sizeof *model->ids);
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        struct copies *copies = &model->copies[i];
        copies->room = 1024;
        copies->count = 1;
        copies->items = calloc(copies->room, sizeof *copies->items);
        copies->buckets = calloc(COPY_BUCKETS, sizeof *copies->buckets);
        copies->fates = calloc(model->tag_room, 1);
        CHECK(copies->items && copies->buckets && copies->fates, "no memory");
    }
    CHECK(model->ids, "no memory");
}

void model_deinit(struct model *model)
{
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        free(model->copies[i].items);
        free(model->copies[i].buckets);
        free(model->copies[i].fates);
    }
    free(model->ids);
}

void model_new_run(struct model *model)
{
    model->run++;
    memset(model->door, 0, sizeof model->door);
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        struct copies *copies = &model->copies[i];
        copies->youngest = 0;
        copies->routed = copies->delivered = copies->refused = copies->dead = copies->untagged = 0;
        copies->here = 0;
        for (uint32_t at = 1; at < copies->count; at++)
            copies->items[at].offered = false;
    }
}

static bool text_tag(struct slice text, uint32_t *tag)
{
    if (text.size < 3 || text.data[0] != 'r')
        return false;
    *tag = 0;
    size_t at = 1;
    for (; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++)
        *tag = *tag * 10 + (uint32_t)(text.data[at] - '0');
    return at > 1 && at < text.size && text.data[at] == '.';
}

static void span_tags(struct slice payload, uint32_t *first, uint32_t *records)
{
    struct wire_cursor cursor = wire_cursor_of(payload.data, payload.size);
    struct wire_field run, scope, span, field;
    while (wire_next(&cursor, &run) == 0) {
        struct wire_cursor in_run = wire_inside(&run);
        while (wire_next(&in_run, &scope) == 0) {
            struct wire_cursor in_scope = wire_inside(&scope);
            while (scope.number == OTLP_RUN_SCOPES && wire_next(&in_scope, &span) == 0) {
                struct wire_cursor in_span = wire_inside(&span);
                while (wire_next(&in_span, &field) == 0) {
                    uint32_t tag = 0;
                    if (!wire_is(&field, OTLP_SPAN_NAME, WIRE_BYTES))
                        continue;
                    CHECK(text_tag(slice_of(field.data, field.size), &tag), "a span without tag");
                    if (*records == 0)
                        *first = tag;
                    CHECK(tag == *first + *records, "spans out of order");
                    ++*records;
                }
            }
        }
    }
}

void payload_tags(struct slice payload, bool spans, uint32_t *first, uint32_t *records)
{
    *first = NO_TAG;
    *records = 0;
    if (spans) {
        span_tags(payload, first, records);
        return;
    }
    static const char member[] = "\"message\":\"";
    const char *at = memmem(payload.data, payload.size, member, sizeof member - 1);
    CHECK(at, "a document without a message: %.*s", (int)payload.size, payload.data);
    at += sizeof member - 1;
    *records = 1;
    if (!text_tag(slice_of(at, (size_t)(payload.data + payload.size - at)), first))
        *first = NO_TAG;
}

static uint32_t bucket_of(const uint8_t id[16])
{
    return crc32c(0, id, 16) & (COPY_BUCKETS - 1);
}

static void id_of(const uint8_t id[16], uint32_t nth, uint8_t out[16])
{
    uint64_t sequence = 0;
    memcpy(out, id, 16);
    for (unsigned i = 8; i < 16; i++)
        sequence = sequence << 8 | id[i];
    sequence += nth;
    for (unsigned i = 0; i < 8; i++)
        out[8 + i] = (uint8_t)(sequence >> (56 - 8 * i));
}

// A record has one id, whichever way it goes and however often; no two have the same.
static void check_ids(struct model *model, unsigned sink, const struct copy *copy)
{
    static const uint8_t none[16];
    struct copies *copies = &model->copies[sink];
    for (uint32_t at = copies->buckets[bucket_of(copy->id)]; at; at = copies->items[at].next)
        CHECK(memcmp(copies->items[at].id, copy->id, 16) != 0 || copies->items[at].tag == copy->tag,
              "records %u and %u have the same id", copies->items[at].tag, copy->tag);
    for (uint32_t n = 0; copy->tag != NO_TAG && n < copy->records; n++) {
        uint8_t id[16];
        uint32_t tag = copy->tag + n;
        CHECK(tag < model->tags, "record %u was never sent", tag);
        id_of(copy->id, n, id);
        CHECK(memcmp(model->ids[tag].id, none, 16) == 0 || memcmp(model->ids[tag].id, id, 16) == 0,
              "record %u has two ids", tag);
        memcpy(model->ids[tag].id, id, 16);
        CHECK(copies->fates[tag] == FATE_NONE, "record %u is in log %u twice", tag, sink);
        copies->fates[tag] = FATE_HELD;
    }
}

static void stream_moves(struct model *model, unsigned sink, const struct copy *copy)
{
    uint64_t last = 0;
    for (unsigned i = 8; i < 16; i++)
        last = last << 8 | copy->id[i];
    last += copy->records - 1;
    for (unsigned i = 0; i < model->stream_count; i++) {
        struct stream *stream = &model->streams[i];
        if (memcmp(stream->id, copy->id, 8) == 0 && last > stream->last[sink])
            stream->last[sink] = last;
    }
}

static void copy_add(struct model *model, unsigned sink, const struct parcel *parcel)
{
    struct copies *copies = &model->copies[sink];
    struct copy copy = {.size = (uint32_t)parcel->payload.size,
                        .crc = crc32c(0, parcel->payload.data, parcel->payload.size),
                        .position = parcel->position,
                        .run = model->run};
    memcpy(copy.id, parcel->id, 16);
    payload_tags(parcel->payload, takes_spans[sink], &copy.tag, &copy.records);
    CHECK(copy.records == parcel->records, "a payload of %u records is booked as %u", copy.records,
          parcel->records);
    check_ids(model, sink, &copy);
    stream_moves(model, sink, &copy);
    if (copies->count == copies->room) {
        copies->room *= 2;
        copies->items = realloc(copies->items, copies->room * sizeof *copies->items);
        CHECK(copies->items, "no memory");
    }
    uint32_t *bucket = &copies->buckets[bucket_of(copy.id)];
    copy.next = *bucket;
    *bucket = copies->count;
    copies->items[copies->count++] = copy;
    copies->held += copy.records;
    copies->routed += copy.records;
    copies->untagged += copy.tag == NO_TAG;
}

void model_scan(struct model *model, unsigned sink, const struct spool_log *log)
{
    struct copies *copies = &model->copies[sink];
    uint32_t live = log->live_count;
    if (copies->scanned == log->position)
        return;
    while (live > 0 && log->live[live - 1]->identity.base_position > copies->scanned)
        live--;
    CHECK(live > 0, "log %u does not have what it took", sink);
    for (live--; copies->scanned < log->position; copies->scanned++) {
        struct parcel parcel;
        while (copies->scanned - log->live[live]->identity.base_position >=
               log->live[live]->entries) {
            live++;
            CHECK(live < log->live_count, "log %u does not have what it took", sink);
        }
        segment_parcel(log->live[live],
                       (uint32_t)(copies->scanned - log->live[live]->identity.base_position),
                       &parcel);
        copy_add(model, sink, &parcel);
    }
}

// Of several copies of a record the oldest that is not known by another name.
static uint32_t find(const struct model *model, unsigned sink, const struct parcel *parcel)
{
    const struct copies *copies = &model->copies[sink];
    uint32_t found = 0;
    for (uint32_t at = copies->buckets[bucket_of(parcel->id)]; at; at = copies->items[at].next) {
        const struct copy *copy = &copies->items[at];
        if (memcmp(copy->id, parcel->id, 16) != 0 || copy->state != COPY_HELD)
            continue;
        if (copy->run == model->run && copy->position == parcel->position)
            return at;
        if (copy->run != model->run)
            found = at;
    }
    return found;
}

uint32_t model_offered(struct model *model, unsigned sink, const struct parcel *parcel)
{
    struct copies *copies = &model->copies[sink];
    uint32_t index = find(model, sink, parcel);
    CHECK(index, "log %u offers at %llu what nobody sent, or what has its verdict", sink,
          (unsigned long long)parcel->position);
    struct copy *copy = &copies->items[index];
    copy->run = model->run;
    copy->position = parcel->position;
    CHECK(copy->size == parcel->payload.size && copy->records == parcel->records &&
              copy->crc == crc32c(0, parcel->payload.data, parcel->payload.size),
          "record %u is offered with other bytes", copy->tag);
    if (!copy->offered)
        CHECK(index > copies->youngest, "log %u offers %u after %u", sink, index, copies->youngest);
    if (!copy->offered)
        copies->youngest = index;
    copy->offered = true;
    return index;
}

void model_answered(struct model *model, unsigned sink, uint32_t index,
                    const struct verdict *verdict)
{
    struct copies *copies = &model->copies[sink];
    struct copy *copy = &copies->items[index];
    CHECK(copy->state == COPY_HELD, "the simulation answers twice");
    if (verdict->kind == VERDICT_RETURNED)
        return;
    copy->state = verdict->kind == VERDICT_DEAD ? COPY_DEAD : COPY_DELIVERED;
    CHECK(copies->held >= copy->records, "the simulation's own count is wrong");
    copies->held -= copy->records;
    for (uint32_t n = 0; copy->tag != NO_TAG && n < copy->records; n++)
        copies->fates[copy->tag + n] = FATE_SETTLED;
    if (verdict->kind == VERDICT_DEAD) {
        copies->dead += copy->records;
    } else {
        copies->delivered += copy->records - verdict->refused;
        copies->refused += verdict->refused;
    }
}

#define SAME(what, book, own)                                                                      \
    CHECK((book) == (own), what ": the books say %llu, the simulation %llu",                       \
          (unsigned long long)(book), (unsigned long long)(own))

static void check_door(const struct model *model, const struct books *books, unsigned signal,
                       bool shed)
{
    const struct door_book *book = &books->door[signal];
    const struct door_counts *own = &model->door[signal];
    CHECK(books_door_gap(book) == 0, "the door's books of %s are off by %lld",
          signal_name((enum signal_kind)signal), (long long)books_door_gap(book));
    // A request on its way is booked as it goes.
    CHECK(book->received >= own->received && book->received <= own->received + own->on_the_way,
          "received: the books say %llu, the simulation %llu", (unsigned long long)book->received,
          (unsigned long long)own->received);
    SAME("duplicate", book->duplicate, own->duplicate);
    CHECK(book->rejected[REJECT_TOO_LARGE] <= own->too_large, "too much is too large");
    // A full log refuses a document before it knows how long it would be.
    if (signal == SIGNAL_SPANS || !shed)
        SAME("too large", book->rejected[REJECT_TOO_LARGE], own->too_large);
    SAME("overloaded", book->rejected[REJECT_OVERLOADED], own->overloaded);
    SAME("malformed", book->rejected[REJECT_MALFORMED], 0u);
    SAME("unrouted", book->rejected[REJECT_UNROUTED], 0u);
    CHECK(book->joined <= own->continued, "more lines joined than were to be");
}

// At the door, for want of room.
static uint64_t dropped(const struct exporter_book *book)
{
    return book->dropped[DROP_SHED] + book->dropped[DROP_LEVEL];
}

static void check_log(const struct model *model, const struct books *books, unsigned sink,
                      const struct spool_log *log)
{
    const struct copies *own = &model->copies[sink];
    const struct exporter_book *book = log->book;
    const struct door_book *door = &books->door[takes_spans[sink] ? SIGNAL_SPANS : SIGNAL_LOGS];
    CHECK(books_exporter_gap(book) == 0, "log %u: the books are off by %lld", sink,
          (long long)books_exporter_gap(book));
    SAME("routed", book->routed + own->here, door->routed);
    SAME("shed", book->routed - dropped(book), own->routed);
    SAME("delivered", book->delivered, own->delivered);
    SAME("refused", book->dropped[DROP_REFUSED], own->refused);
    SAME("dead", book->dead, own->dead);
    SAME("damaged", book->damaged + book->set_aside + book->dropped[DROP_DAMAGED], 0u);
    CHECK(book->held <= own->held, "log %u holds more than it took", sink);
    if (backlog_left(&log->backlog) == 0)
        SAME("held", book->held, own->held);
    // Files that were kept for a later use look like used ones until they are read.
    size_t left = backlog_left(&log->backlog);
    CHECK(log->live_count <= log->limit + 1 &&
              log->live_count + left <= log->limit + 1 + (left ? KEPT_FILES : 0),
          "log %u uses %u segments and %zu of before, and may use %u and one", sink,
          log->live_count, left, log->limit);
    // Each log alone knows whether a line that was to be joined came too late.
    if (!takes_spans[sink] && door->pending == 0 && dropped(book) == 0)
        SAME("continued lines", door->joined + own->untagged, model->door[SIGNAL_LOGS].continued);
}

void model_check(const struct model *model, const struct books *books,
                 struct spool_log *const logs[SINK_COUNT])
{
    bool shed = dropped(logs[0]->book) + dropped(logs[1]->book) > 0;
    check_door(model, books, SIGNAL_LOGS, shed);
    check_door(model, books, SIGNAL_SPANS, shed);
    for (unsigned i = 0; i < SINK_COUNT; i++)
        check_log(model, books, i, logs[i]);
}
