// Spans and metrics pass through as bytes, cut into pieces well below a segment.
//
// A piece is a ResourceSpans (ResourceMetrics) of its own: it repeats the resource, the schema's
// address and every field we do not know, and holds some of the ScopeSpans; a ScopeSpans that is
// too large alone is cut in turn, between spans, and its own other fields are repeated. What is
// repeated is bounded: where it would be more than half of a piece, the run stays whole.
#include "base/error.h"
#include "decode/decoder.h"
#include "decode/otlp_parts.h"

#define PIECE_MAX (256u * 1024)

#define SEVERITY_INFO 9
#define SEVERITY_ERROR 17

struct parts {
    struct slice *items; // in the decoder's arena
    size_t count;
    size_t capacity;
    size_t bytes;
};

struct splitter {
    struct decoder *decoder;
    const struct resource_run *run;
    struct slice resource;
    struct parts shared;     // of the run: every field but resource and scopes; in resource_arena
    struct parts piece;      // the scopes of the next piece
    struct otlp_tally tally; // of these scopes
    uint64_t sequence;
    uint64_t rejected;
};

// Bytes that follow the last ones in memory lengthen them: a whole run is one part.
static bool parts_add(struct parts *parts, struct arena *arena, struct slice bytes)
{
    struct slice *last = parts->count ? &parts->items[parts->count - 1] : NULL;
    parts->bytes += bytes.size;
    if (last && last->data + last->size == bytes.data) {
        last->size += bytes.size;
        return true;
    }
    if (parts->count == parts->capacity) {
        size_t capacity = parts->capacity ? 2 * parts->capacity : 16;
        struct slice *items =
            arena_grow(arena, parts->items, parts->count * sizeof *items, capacity * sizeof *items);
        if (!items)
            return false;
        parts->items = items;
        parts->capacity = capacity;
    }
    assert(parts->items);
    parts->items[parts->count++] = bytes;
    return true;
}

static bool parts_join(struct parts *parts, struct arena *arena, const struct parts *others)
{
    for (size_t i = 0; i < others->count; i++) {
        if (!parts_add(parts, arena, others->items[i]))
            return false;
    }
    return true;
}

static struct slice raw_slice(const struct wire_field *field)
{
    return slice_of(field->raw, field->raw_size);
}

// Hands the piece on and begins the next.
static bool flush_piece(struct splitter *splitter)
{
    struct decoder *decoder = splitter->decoder;
    const struct resource_run *run = splitter->run;
    if (!parts_join(&splitter->piece, &decoder->arena, &splitter->shared))
        return false;
    struct otlp_run out = {
        .signal = run->signal,
        .records = (uint32_t)splitter->tally.records,
        .time_ns = splitter->tally.time_ns,
        .severity = splitter->tally.error ? SEVERITY_ERROR : SEVERITY_INFO,
        .resource = splitter->resource,
        .rest = splitter->piece.items,
        .rest_count = splitter->piece.count,
        .sequence = splitter->sequence,
        .has_sequence = run->stream != NULL,
    };
    if (run->stream)
        memcpy(out.stream, run->stream, sizeof out.stream);
    if (out.records && enrich_otlp(decoder->config.enrich, &out) != 0)
        splitter->rejected += out.records;
    splitter->sequence += out.records;
    splitter->tally = (struct otlp_tally){0};
    splitter->piece = (struct parts){0};
    decoder_next_record(decoder); // the arena
    return true;
}

// The fields of a message other than the repeated one of that number.
static bool find_shared(struct parts *shared, struct arena *arena, struct slice message,
                        uint32_t number, uint32_t also)
{
    struct wire_cursor cursor = wire_cursor_of(message.data, message.size);
    struct wire_field field;
    while (wire_next(&cursor, &field) == 0) {
        bool other = field.number != number && field.number != also;
        if (other && !parts_add(shared, arena, raw_slice(&field)))
            return false;
    }
    return true;
}

// Puts a ScopeSpans of the given spans into the piece and hands it on.
static bool flush_scope(struct splitter *splitter, const struct parts *scope,
                        const struct parts *records)
{
    struct arena *arena = &splitter->decoder->arena;
    uint8_t *head = arena_alloc(arena, 2 * WIRE_VARINT_MAX);
    if (!head || !records->count)
        return head != NULL;
    uint8_t *end = wire_put_length(head, OTLP_RUN_SCOPES, scope->bytes + records->bytes);
    return parts_add(&splitter->piece, arena, slice_of(head, (size_t)(end - head))) &&
           parts_join(&splitter->piece, arena, scope) &&
           parts_join(&splitter->piece, arena, records) && flush_piece(splitter);
}

// One ScopeSpans that is too large for a piece: cut between its spans.
static bool split_scope(struct splitter *splitter, struct slice message, const struct parts *shared)
{
    struct arena *arena = &splitter->decoder->arena;
    struct wire_cursor cursor = wire_cursor_of(message.data, message.size);
    struct wire_field field;
    struct parts records = {0};
    while (wire_next(&cursor, &field) == 0) {
        if (!wire_is(&field, OTLP_SCOPE_RECORDS, WIRE_BYTES))
            continue;
        bool full = shared->bytes + records.bytes + field.raw_size > PIECE_MAX;
        if (full && records.count) {
            if (!flush_scope(splitter, shared, &records))
                return false;
            records = (struct parts){0};
        }
        if (!parts_add(&records, arena, raw_slice(&field)))
            return false;
        otlp_check(splitter->run->signal, OTLP_RECORD, otlp_slice(&field), &splitter->tally);
    }
    return flush_scope(splitter, shared, &records);
}

static bool add_scope(struct splitter *splitter, const struct wire_field *field)
{
    struct arena *arena = &splitter->decoder->arena;
    size_t repeated = splitter->resource.size + splitter->shared.bytes;
    bool full = splitter->piece.bytes + field->raw_size + repeated > PIECE_MAX;
    if (full && splitter->piece.count && !flush_piece(splitter))
        return false;
    if (field->raw_size + repeated > PIECE_MAX) {
        // These outlive the pieces, whose arena is reset in between.
        struct parts scope = {0};
        if (!find_shared(&scope, &splitter->decoder->resource_arena, otlp_slice(field),
                         OTLP_SCOPE_RECORDS, OTLP_SCOPE_RECORDS))
            return false;
        if (scope.bytes <= PIECE_MAX / 2)
            return split_scope(splitter, otlp_slice(field), &scope);
    }
    otlp_check(splitter->run->signal, OTLP_SCOPE_RUN, otlp_slice(field), &splitter->tally);
    return parts_add(&splitter->piece, arena, raw_slice(field));
}

static bool split_run(struct splitter *splitter)
{
    struct slice message = splitter->run->message;
    struct wire_cursor cursor = wire_cursor_of(message.data, message.size);
    struct wire_field field;
    while (wire_next(&cursor, &field) == 0) {
        if (wire_is(&field, OTLP_RUN_SCOPES, WIRE_BYTES) && !add_scope(splitter, &field))
            return false;
    }
    return !splitter->piece.count || flush_piece(splitter);
}

uint64_t otlp_append_run(struct decoder *decoder, const struct resource_run *run,
                         struct slice resource, const struct otlp_tally *tally)
{
    struct splitter splitter = {
        .decoder = decoder, .run = run, .resource = resource, .sequence = run->sequence};
    decoder_next_record(decoder);
    bool ok = find_shared(&splitter.shared, &decoder->resource_arena, run->message,
                          OTLP_RUN_RESOURCE, OTLP_RUN_SCOPES);
    bool whole =
        run->message.size <= PIECE_MAX || resource.size + splitter.shared.bytes > PIECE_MAX / 2;
    if (ok && whole) {
        splitter.tally = *tally;
        splitter.shared = (struct parts){0};
        ok = find_shared(&splitter.piece, &decoder->arena, run->message, OTLP_RUN_RESOURCE,
                         OTLP_RUN_RESOURCE) &&
             flush_piece(&splitter);
    } else if (ok) {
        ok = split_run(&splitter);
    }
    if (!ok) { // memory ran out: the rest has no place
        uint64_t rest = tally->records - (splitter.sequence - run->sequence);
        enrich_reject(decoder->config.enrich, run->signal, REJECT_TOO_LARGE, rest);
        splitter.rejected += rest;
    }
    return splitter.rejected;
}

size_t otlp_run_bound(struct slice message, struct slice resource, size_t overhead)
{
    if (message.size <= PIECE_MAX)
        return message.size + resource.size + overhead;
    // Two neighbouring pieces are together more than one piece's worth, and at most half of each is
    // repeated.
    size_t pieces = 2 * (message.size / (PIECE_MAX / 2)) + 2;
    return 2 * message.size + pieces * overhead;
}
