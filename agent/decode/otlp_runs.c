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
#define PAYLOAD_MAX (4u << 20) // no segment is larger

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
bool otlp_pieces_add(struct otlp_pieces *parts, struct arena *arena, struct slice bytes)
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
        if (!otlp_pieces_add(parts, arena, others->items[i]))
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
    return bytes > PAYLOAD_MAX || // enrich will say so
           otlp_walk_admit(splitter->decoder, walk, bytes + enrich_otlp_overhead(enrich)) == 0;
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
        .severity = splitter->tally.urgent ? SEVERITY_ERROR : SEVERITY_INFO,
        .resource = walk->resource,
        .rest = splitter->piece.items,
        .rest_count = splitter->piece.count,
        .sequence = run->sequence + walk->booked,
        .has_sequence = run->stream != NULL,
        .resend = run->resend,
    };
    if (run->stream)
        memcpy(out.stream, run->stream, sizeof out.stream);
    if (out.records)
        otlp_walk_book(decoder, walk, enrich_otlp(decoder->config.enrich, &out), out.sequence,
                       out.records);
    walk->booked += out.records;
    otlp_turn_spend(splitter->turn, OTLP_COST_RECORD + splitter->piece.bytes + walk->resource.size);
    splitter->tally = (struct otlp_tally){0};
    splitter->piece = (struct otlp_pieces){0};
    decoder_next_record(decoder); // the arena
    return 0;
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
    if (!otlp_pieces_add(&splitter->piece, arena, slice_of(head, (size_t)(end - head))) ||
        !parts_join(&splitter->piece, arena, scope) ||
        !parts_join(&splitter->piece, arena, records))
        return -ENOMEM;
    return flush_piece(splitter);
}

// Looks through a scope that is too large for a piece, as far as the turn allows, for what its
// pieces repeat. Where that is too much the scope stays whole.
static int seek_scope(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    struct wire_field field;
    while (walk->seek.at < walk->seek.end && !walk->scope_whole) {
        if (splitter->turn->work == 0)
            return DECODE_AGAIN;
        otlp_turn_spend(splitter->turn, OTLP_COST_FIELD);
        wire_next(&walk->seek, &field);
        if (field.number == OTLP_SCOPE_RECORDS)
            continue;
        walk->scope_whole = !otlp_pieces_add(&walk->scope, walk->keep, raw_slice(&field)) ||
                            walk->scope.bytes > PIECE_MAX / 2;
    }
    walk->scope_ready = true;
    return 0;
}

// A ScopeSpans that is too large for a piece, cut between its spans.
static int split_scope(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    struct wire_cursor begun = walk->records; // where the piece begins
    struct otlp_pieces records = {0};
    for (;;) {
        struct wire_field field;
        struct wire_cursor before = walk->records;
        bool more = wire_next(&walk->records, &field) == 0;
        otlp_turn_spend(splitter->turn, OTLP_COST_FIELD);
        if (more && !wire_is(&field, OTLP_SCOPE_RECORDS, WIRE_BYTES))
            continue;
        if (!more || splitter->turn->work == 0 ||
            walk->scope.bytes + records.bytes + field.raw_size > PIECE_MAX) {
            bool any = records.count > 0;
            int r = flush_scope(splitter, &records);
            walk->records = r == DECODE_FULL ? begun : r == 0 && more ? before : walk->records;
            if (r != 0 || !more)
                return r;
            if (any && splitter->turn->work == 0)
                return DECODE_AGAIN;
            begun = before;
            records = (struct otlp_pieces){0};
            wire_next(&walk->records, &field);
        }
        if (!otlp_pieces_add(&records, &splitter->decoder->arena, raw_slice(&field)))
            return -ENOMEM;
        otlp_check(walk->run.signal, OTLP_RECORD, otlp_slice(&field), &splitter->tally);
    }
}

// The scope as one piece.
static int append_whole_scope(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    struct wire_cursor cursor = wire_cursor_of(walk->scope_raw.data, walk->scope_raw.size);
    struct wire_field field;
    wire_next(&cursor, &field);
    otlp_check(walk->run.signal, OTLP_SCOPE_RUN, otlp_slice(&field), &splitter->tally);
    if (!otlp_pieces_add(&splitter->piece, &splitter->decoder->arena, walk->scope_raw))
        return -ENOMEM;
    return flush_piece(splitter);
}

// Goes on with the scope that was begun.
static int append_scope(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    int r = walk->scope_ready ? 0 : seek_scope(splitter);
    if (r == 0)
        r = walk->scope_whole ? append_whole_scope(splitter) : split_scope(splitter);
    if (r == 0)
        walk->inside = false;
    return r;
}

static void begin_scope(struct otlp_walk *walk, const struct wire_field *field)
{
    walk->scope = (struct otlp_pieces){0};
    walk->scope_raw = raw_slice(field);
    walk->seek = walk->records = wire_inside(field);
    walk->scope_ready = walk->scope_whole = false;
    walk->inside = true;
}

// Small scopes together in one piece, large ones begun.
static int split_run(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    const size_t repeated = walk->resource.size + walk->shared.bytes;
    int r = walk->inside ? append_scope(splitter) : 0;
    struct wire_cursor begun = walk->scopes; // where the piece begins
    while (r == 0) {
        struct wire_field field;
        struct wire_cursor before = walk->scopes;
        bool more = wire_next(&walk->scopes, &field) == 0;
        otlp_turn_spend(splitter->turn, OTLP_COST_FIELD);
        if (more && !wire_is(&field, OTLP_RUN_SCOPES, WIRE_BYTES))
            continue;
        if (splitter->piece.count > 0 &&
            (!more || splitter->turn->work == 0 ||
             splitter->piece.bytes + field.raw_size + repeated > PIECE_MAX)) {
            r = flush_piece(splitter);
            if (r == 0 && more && splitter->turn->work == 0)
                r = DECODE_AGAIN;
            walk->scopes = r == DECODE_FULL ? begun : r == DECODE_AGAIN ? before : walk->scopes;
            begun = before;
        }
        if (r != 0 || !more)
            return r;
        if (field.raw_size + repeated > PIECE_MAX) {
            begin_scope(walk, &field);
            r = append_scope(splitter);
            begun = walk->scopes;
            continue;
        }
        otlp_check(walk->run.signal, OTLP_SCOPE_RUN, otlp_slice(&field), &splitter->tally);
        if (!otlp_pieces_add(&splitter->piece, &splitter->decoder->arena, raw_slice(&field)))
            return -ENOMEM;
    }
    return r;
}

// The run as one piece: every field of it but the resource.
static int append_whole(struct splitter *splitter)
{
    struct otlp_walk *walk = splitter->walk;
    struct wire_cursor cursor = wire_cursor_of(walk->run.message.data, walk->run.message.size);
    struct wire_field field;
    if (walk->run.message.size > 2 * PAYLOAD_MAX)
        return -ENOMEM; // it would be for nothing
    otlp_check(walk->run.signal, OTLP_RESOURCE_RUN, walk->run.message, &splitter->tally);
    while (wire_next(&cursor, &field) == 0) {
        if (field.number != OTLP_RUN_RESOURCE &&
            !otlp_pieces_add(&splitter->piece, &splitter->decoder->arena, raw_slice(&field)))
            return -ENOMEM;
    }
    return flush_piece(splitter);
}

void otlp_run_ready(struct otlp_walk *walk)
{
    walk->whole |= walk->run.message.size <= PIECE_MAX ||
                   walk->resource.size + walk->shared.bytes > PIECE_MAX / 2;
    if (walk->whole)
        walk->shared = (struct otlp_pieces){0};
}

int otlp_append_run(struct decoder *decoder, struct otlp_walk *walk, struct otlp_turn *turn)
{
    struct splitter splitter = {.decoder = decoder, .walk = walk, .turn = turn};
    decoder_next_record(decoder);
    int r = walk->whole ? append_whole(&splitter) : split_run(&splitter);
    return r == -ENOMEM ? 0 : r; // what is not booked has no place
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
