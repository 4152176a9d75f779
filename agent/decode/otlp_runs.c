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

// A piece on its way: it lives in the decoder's arena, which others use between two turns, so a
// turn ends only where a piece does.
struct splitter {
    struct decoder *decoder;
    struct otlp_walk *walk;
    struct otlp_turn *turn;
    struct otlp_pieces piece; // the scopes of the next piece
    struct otlp_tally tally;  // of these scopes
};

// Bytes that follow the last ones in memory lengthen them: a whole run is one part.
static bool parts_add(struct otlp_pieces *parts, struct arena *arena, struct slice bytes)
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

static bool parts_join(struct otlp_pieces *parts, struct arena *arena,
                       const struct otlp_pieces *others)
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

static bool has_room(const struct splitter *splitter)
{
    const struct otlp_walk *walk = splitter->walk;
    struct enrich *enrich = splitter->decoder->config.enrich;
    size_t bytes = splitter->piece.bytes + walk->shared.bytes + walk->resource.size;
    return enrich_admit(enrich, walk->run.signal, walk->run.policy,
                        bytes + enrich_otlp_overhead(enrich), false) == 0;
}

// Hands the piece on and begins the next. 0, DECODE_FULL (the piece is lost: build it again) or
// -ENOMEM.
static int flush_piece(struct splitter *splitter)
{
    struct decoder *decoder = splitter->decoder;
    struct otlp_walk *walk = splitter->walk;
    const struct resource_run *run = &walk->run;
    if (splitter->turn->ask && !has_room(splitter))
        return DECODE_FULL;
    if (!parts_join(&splitter->piece, &decoder->arena, &walk->shared))
        return -ENOMEM;
    struct otlp_run out = {
        .signal = run->signal,
        .records = (uint32_t)splitter->tally.records,
        .time_ns = splitter->tally.time_ns,
        .severity = splitter->tally.error ? SEVERITY_ERROR : SEVERITY_INFO,
        .resource = walk->resource,
        .rest = splitter->piece.items,
        .rest_count = splitter->piece.count,
        .sequence = run->sequence + walk->booked,
        .has_sequence = run->stream != NULL,
    };
    if (run->stream)
        memcpy(out.stream, run->stream, sizeof out.stream);
    if (out.records && enrich_otlp(decoder->config.enrich, &out) != 0)
        walk->rejected += out.records;
    walk->booked += out.records;
    otlp_turn_spend(splitter->turn, splitter->piece.bytes + walk->resource.size);
    splitter->tally = (struct otlp_tally){0};
    splitter->piece = (struct otlp_pieces){0};
    decoder_next_record(decoder); // the arena
    return 0;
}

// The fields of a message other than the repeated one of that number.
static bool find_shared(struct otlp_pieces *shared, struct arena *arena, struct slice message,
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
static int flush_scope(struct splitter *splitter, const struct otlp_pieces *records)
{
    struct arena *arena = &splitter->decoder->arena;
    const struct otlp_pieces *scope = &splitter->walk->scope;
    if (!records->count)
        return 0;
    uint8_t *head = arena_alloc(arena, 2 * WIRE_VARINT_MAX);
    if (!head)
        return -ENOMEM;
    uint8_t *end = wire_put_length(head, OTLP_RUN_SCOPES, scope->bytes + records->bytes);
    if (!parts_add(&splitter->piece, arena, slice_of(head, (size_t)(end - head))) ||
        !parts_join(&splitter->piece, arena, scope) ||
        !parts_join(&splitter->piece, arena, records))
        return -ENOMEM;
    return flush_piece(splitter);
}

// One ScopeSpans that is too large for a piece: cut between its spans.
static int split_scope(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    struct arena *arena = &splitter->decoder->arena;
    struct wire_cursor begun = walk->records; // where the piece begins
    struct otlp_pieces records = {0};
    struct wire_field field;
    for (;;) {
        struct wire_cursor before = walk->records;
        int r = 0;
        bool more = wire_next(&walk->records, &field) == 0;
        if (more && !wire_is(&field, OTLP_SCOPE_RECORDS, WIRE_BYTES))
            continue;
        if (!more || walk->scope.bytes + records.bytes + field.raw_size > PIECE_MAX) {
            r = flush_scope(splitter, &records);
            walk->records = r == DECODE_FULL ? begun : walk->records;
            walk->inside = more || r != 0;
            if (r != 0 || !more)
                return r;
            begun = before;
            records = (struct otlp_pieces){0};
            if (splitter->turn->work == 0) {
                walk->records = before;
                return DECODE_AGAIN;
            }
        }
        if (!parts_add(&records, arena, raw_slice(&field)))
            return -ENOMEM;
        otlp_check(walk->run.signal, OTLP_RECORD, otlp_slice(&field), &splitter->tally);
    }
}

// A scope that is too large for a piece is begun, unless what its pieces would repeat is too much.
// False where it stays whole, or memory ran out (*r is then -ENOMEM).
static bool begin_scope(struct splitter *splitter, const struct wire_field *field, int *r)
{
    struct otlp_walk *walk = splitter->walk;
    walk->scope = (struct otlp_pieces){0};
    if (!find_shared(&walk->scope, walk->keep, otlp_slice(field), OTLP_SCOPE_RECORDS,
                     OTLP_SCOPE_RECORDS)) {
        *r = -ENOMEM;
        return false;
    }
    walk->inside = walk->scope.bytes <= PIECE_MAX / 2;
    walk->records = wire_inside(field);
    return walk->inside;
}

// Adds the next scope, which does not fit together with what the piece has: that goes first. 0,
// DECODE_AGAIN (before that scope), DECODE_FULL or -ENOMEM.
static int make_way(struct splitter *splitter)
{
    if (!splitter->piece.count)
        return 0;
    int r = flush_piece(splitter);
    return r == 0 && splitter->turn->work == 0 ? DECODE_AGAIN : r;
}

static int split_run(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    const size_t repeated = walk->resource.size + walk->shared.bytes;
    int r = walk->inside ? split_scope(splitter) : 0;
    struct wire_cursor begun = walk->scopes; // where the piece begins
    while (r == 0) {
        struct wire_field field;
        struct wire_cursor before = walk->scopes;
        if (wire_next(&walk->scopes, &field) != 0) {
            r = splitter->piece.count ? flush_piece(splitter) : 0;
            walk->scopes = r == DECODE_FULL ? begun : walk->scopes;
            return r;
        }
        if (!wire_is(&field, OTLP_RUN_SCOPES, WIRE_BYTES))
            continue;
        if (splitter->piece.bytes + field.raw_size + repeated > PIECE_MAX) {
            r = make_way(splitter);
            if (r != 0) {
                walk->scopes = r == DECODE_FULL ? begun : before;
                return r;
            }
            begun = before;
        }
        if (field.raw_size + repeated > PIECE_MAX && begin_scope(splitter, &field, &r)) {
            r = split_scope(splitter);
            begun = walk->scopes;
            continue;
        }
        otlp_check(walk->run.signal, OTLP_SCOPE_RUN, otlp_slice(&field), &splitter->tally);
        if (r == 0 && !parts_add(&splitter->piece, &splitter->decoder->arena, raw_slice(&field)))
            r = -ENOMEM;
    }
    return r;
}

// The run as one piece: every field of it but the resource.
static int append_whole(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    struct slice message = walk->run.message;
    otlp_check(walk->run.signal, OTLP_RESOURCE_RUN, message, &splitter->tally);
    if (!find_shared(&splitter->piece, &splitter->decoder->arena, message, OTLP_RUN_RESOURCE,
                     OTLP_RUN_RESOURCE))
        return -ENOMEM;
    return flush_piece(splitter);
}

void otlp_begin_run(struct otlp_walk *walk)
{
    struct slice message = walk->run.message;
    bool found =
        find_shared(&walk->shared, walk->keep, message, OTLP_RUN_RESOURCE, OTLP_RUN_SCOPES);
    walk->whole = !found || message.size <= PIECE_MAX ||
                  walk->resource.size + walk->shared.bytes > PIECE_MAX / 2;
    if (walk->whole)
        walk->shared = (struct otlp_pieces){0};
}

int otlp_append_run(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn)
{
    struct splitter splitter = {.decoder = decoder, .walk = walk, .turn = turn};
    decoder_next_record(decoder);
    int r = walk->whole ? append_whole(&splitter) : split_run(&splitter);
    if (r == -ENOMEM) { // the rest has no place
        struct otlp_tally all = {0};
        otlp_check(walk->run.signal, OTLP_RESOURCE_RUN, walk->run.message, &all);
        uint64_t rest = all.records - walk->booked;
        enrich_reject(decoder->config.enrich, walk->run.signal, REJECT_TOO_LARGE, rest);
        walk->booked += rest;
        walk->rejected += rest;
        r = 0;
    }
    return r;
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
