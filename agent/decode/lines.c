// The lines dialect: JSON objects or plain text, each ended by LF, CRLF or NUL; a stack trace's
// lines become one record.
//
// Design: a record of plain text stays open until a line comes that does not go on with it, the
// caller flushes it, or the stream ends. While it is open it is a view into what was read, or, from
// the end of a read or a JSON line between its lines on, a copy (line_join.h). Where a log is full,
// the view is given back to the caller as not consumed, and the copy stays.
#include "decode/decoder.h"

#include "base/clock.h"
#include "decode/line_join.h"
#include "decode/plain_record.h"
#include "decode/utf8.h"
#include "enrich/enrich.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

// What a document has beside the line's own bytes, about: admission asks before it is written.
#define DOCUMENT_OVERHEAD 512

// A record that other lines keep open beyond that (JSON between, or ever more of its own) is ended.
#define OPEN_FOR_NS (2 * NS_PER_S)

// One call of decode_lines.
struct walk {
    struct decoder *decoder;
    struct line_state *state;
    struct open_record view; // the open record, where it is no copy
};

// The first LF or NUL, or end.
static const char *find_end(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i feed = _mm_set1_epi8('\n');
    const __m128i nul = _mm_setzero_si128();
    while (end - at >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        int mask = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(bytes, feed), _mm_cmpeq_epi8(bytes, nul)));
        if (mask)
            return at + __builtin_ctz((unsigned)mask);
        at += 16;
    }
#endif
    while (at < end && *at != '\n' && *at != '\0')
        at++;
    return at;
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
            return false;
    return true;
}

static struct slice without_frills(struct slice line)
{
    static const char byte_order_mark[] = "\xEF\xBB\xBF";
    if (line.size && line.data[line.size - 1] == '\r')
        line.size--;
    if (line.size >= 3 && memcmp(line.data, byte_order_mark, 3) == 0)
        line = slice_of(line.data + 3, line.size - 3);
    return line;
}

static bool has_room(const struct decoder *decoder, size_t size, enum urgency urgency, bool expired)
{
    const struct enrich_ask ask = {
        .signal = SIGNAL_LOGS,
        .policy = DOOR_SHED,
        .urgency = urgency,
        .expired = expired,
        .bytes = size + DOCUMENT_OVERHEAD,
    };
    return enrich_admit(decoder->config.enrich, &ask) == 0;
}

// Records of that urgency wait again for the next room.
static void found_room(struct line_state *state, enum urgency urgency)
{
    if (state->gives_up > urgency && state->gives_up != LINE_STATE_FINISHED)
        state->gives_up = (uint8_t)urgency;
}

// Whether there is room for the record. While block_for has passed and there is still none, lines
// are shed without waiting for each anew; but who waited for room for debug has not waited for room
// for an error.
static bool admit(const struct decoder *decoder, struct line_state *state, size_t size)
{
    enum urgency urgency = urgency_of(decoder->record.severity);
    if (has_room(decoder, size, urgency, false)) {
        found_room(state, urgency);
        return true;
    }
    state->asking = (uint8_t)urgency;
    return urgency < state->gives_up && has_room(decoder, size, urgency, true);
}

// Hands the record over once it is decoded, which tells how urgent it is. filled: else memory ran
// out on the way; room: there was some for any record before. False where it is blocked.
static bool hand_over(struct decoder *decoder, struct line_state *state, size_t size, bool filled,
                      bool room)
{
    if (room)
        found_room(state, URGENCY_LOW);
    else if (filled && !admit(decoder, state, size))
        return false;
    decoder->record.sheds = true;
    if (filled)
        enrich_log(decoder->config.enrich, &decoder->record);
    else
        enrich_reject(decoder->config.enrich, SIGNAL_LOGS, REJECT_TOO_LARGE, 1);
    return true;
}

// A record of one line takes the connection's next number, unless it is blocked.
static bool hand_over_alone(struct walk *walk, size_t size, bool filled, bool room)
{
    walk->decoder->record.sequence = walk->state->records + 1;
    if (!hand_over(walk->decoder, walk->state, size, filled, room))
        return false;
    walk->state->records++;
    return true;
}

static struct open_record *open_record(struct walk *walk)
{
    if (walk->view.lines)
        return &walk->view;
    return walk->state->join ? &walk->state->join->record : NULL;
}

// Hands the open record over. False where it was blocked: it stays open.
static bool close_record(struct walk *walk)
{
    struct decoder *decoder = walk->decoder;
    struct line_join *join = walk->state->join;
    struct open_record *record = open_record(walk);
    if (!record)
        return true;
    // An error's text may stand in the document three times: whole, its message, and the line's.
    size_t size = record->trace.seen ? 3 * record->text.size : record->text.size;
    bool room = has_room(decoder, size, URGENCY_LOW, false);
    decoder_next_record(decoder);
    if (join)
        decoder->record.time_ns = join->since_ns;
    decoder->record.sequence = record->sequence;
    bool filled = plain_record(decoder, record->text, &record->trace);
    if (!hand_over(decoder, walk->state, size, filled, room))
        return false;
    if (record->lines > 1)
        enrich_join(decoder->config.enrich, record->lines - 1);
    walk->view.lines = 0;
    line_join_drop(decoder, walk->state);
    return true;
}

// Makes the open record a copy; where none may be kept, it is over. False where it was blocked.
static bool keep_record(struct walk *walk)
{
    if (walk->view.lines == 0)
        return true;
    if (!line_join_keep(walk->decoder, walk->state, &walk->view))
        return close_record(walk);
    walk->view.lines = 0;
    return true;
}

// Whether only line ends lie between the view and the line.
static bool is_next_to(const struct open_record *view, struct slice line)
{
    const char *at = view->text.data + view->text.size;
    if (line.data != at + 1 + view->blanks)
        return false;
    while (at < line.data && *at == '\n')
        at++;
    return at == line.data;
}

// False where the line may not or cannot be kept.
static bool add_line(struct walk *walk, struct slice line)
{
    struct open_record *view = &walk->view;
    if (view->lines && is_next_to(view, line)) {
        view->text.size += 1 + view->blanks + line.size;
        view->blanks = 0;
        view->lines++;
        return true;
    }
    if (view->lines) {
        if (!line_join_keep(walk->decoder, walk->state, view))
            return false;
        view->lines = 0;
    }
    return line_join_add(walk->decoder, walk->state, line);
}

// Adds the line to the open record, or opens one with it. False where that was blocked.
static bool take_plain(struct walk *walk, struct slice line)
{
    struct trace_line form = trace_line_of(line);
    struct open_record *record = open_record(walk);
    struct stack_trace trace;
    bool rest = false; // of a record that may not become longer
    if (record) {
        trace = record->trace;
        rest = stack_trace_goes_on(&trace, record->text, line, form, record->blanks);
        size_t size = record->text.size + 1 + record->blanks + line.size;
        if (rest && size <= walk->decoder->config.max_line && add_line(walk, line)) {
            open_record(walk)->trace = trace;
            return true;
        }
        if (!close_record(walk))
            return false;
    }
    walk->view = (struct open_record){
        .text = line, .lines = 1, .rest = rest, .sequence = ++walk->state->records};
    if (rest) {
        walk->view.trace = trace;
        walk->view.trace.start = 0;
    } else {
        stack_trace_begin(&walk->view.trace, line, form);
    }
    return true;
}

enum taken {
    TAKEN,
    TAKEN_NOT, // it is no such line
    TAKEN_BLOCKED,
};

// A JSON object is a record of its own, even between the lines of another.
static enum taken take_json(struct walk *walk, struct slice line, bool truncated)
{
    struct decoder *decoder = walk->decoder;
    size_t at = 0;
    while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t'))
        at++;
    if (at == line.size || line.data[at] != '{')
        return TAKEN_NOT;
    if (!keep_record(walk))
        return TAKEN_BLOCKED;
    bool room = has_room(decoder, line.size, URGENCY_LOW, false);
    decoder_next_record(decoder);
    map_begin(&decoder->mapper, &decoder->record, &decoder->arena);
    if (!map_json_text(&decoder->mapper, line))
        return TAKEN_NOT;
    decoder->record.truncated = truncated;
    bool filled = map_end(&decoder->mapper);
    return hand_over_alone(walk, line.size, filled, room) ? TAKEN : TAKEN_BLOCKED;
}

// Plain text that is a record of its own. False where it was blocked.
static bool take_alone(struct walk *walk, struct slice line, bool truncated)
{
    struct decoder *decoder = walk->decoder;
    const struct stack_trace none = {0};
    bool room = has_room(decoder, line.size, URGENCY_LOW, false);
    decoder_next_record(decoder);
    decoder->record.truncated = truncated;
    bool filled = plain_record(decoder, line, &none);
    return hand_over_alone(walk, line.size, filled, room);
}

// One line, whole or cut. False where it was blocked and must be offered again.
static bool take_line(struct walk *walk, struct slice line, bool truncated)
{
    line = without_frills(line);
    if (is_blank(line) && !truncated) {
        struct open_record *record = open_record(walk);
        if (record && record->blanks <= TRACE_BLANKS_MAX)
            record->blanks++;
        return true;
    }
    if (truncated && !close_record(walk))
        return false;
    enum taken taken = take_json(walk, line, truncated);
    if (taken == TAKEN_NOT) {
        bool joins = walk->decoder->config.join && !truncated;
        taken = (joins ? take_plain(walk, line) : take_alone(walk, line, truncated))
                    ? TAKEN
                    : TAKEN_BLOCKED;
    }
    if (taken == TAKEN && truncated && walk->decoder->config.truncated)
        ++*walk->decoder->config.truncated;
    return taken == TAKEN;
}

// SysLogHandler ends its records with NUL, whatever lines they have.
static void end_with_nul(struct walk *walk)
{
    struct open_record *record = open_record(walk);
    if (record)
        record->trace.closed = true;
}

// The end of what was offered. False where it was blocked.
static bool settle(struct walk *walk, bool end)
{
    if (end)
        return close_record(walk);
    if (!keep_record(walk))
        return false;
    const struct line_join *join = walk->state->join;
    if (join && clock_realtime(walk->decoder->config.clock) - join->since_ns > OPEN_FOR_NS)
        close_record(walk); // blocked, it goes on waiting
    return true;
}

static enum decode_stop blocked(struct walk *walk, struct slice data, size_t *consumed)
{
    struct open_record *view = &walk->view;
    if (view->lines && view->rest && line_join_keep(walk->decoder, walk->state, view))
        view->lines = 0;
    if (view->lines) {
        *consumed = (size_t)(view->text.data - data.data);
        walk->state->records = view->sequence - 1; // nothing began behind it
    }
    return DECODE_BLOCKED;
}

enum decode_stop decode_lines(struct decoder *decoder, struct line_state *state, struct slice data,
                              bool end, size_t *consumed)
{
    struct walk walk = {.decoder = decoder, .state = state};
    const char *at = data.data, *stop = data.data + data.size;
    *consumed = 0;
    while (at < stop) {
        const char *line_end = find_end(at, stop);
        bool whole = line_end < stop;
        size_t size = (size_t)(line_end - at);
        if (!state->skipping) {
            bool cut = size > decoder->config.max_line || (!whole && state->cut_now);
            if (!whole && !cut && !end)
                break;
            if (size > decoder->config.max_line)
                size = decoder->config.max_line;
            if (cut)
                size = utf8_cut(at, size);
            if (!take_line(&walk, slice_of(at, size), cut))
                return blocked(&walk, data, consumed);
            state->skipping = cut;
            if (whole && *line_end == '\0')
                end_with_nul(&walk);
        }
        at = whole ? line_end + 1 : stop;
        if (whole)
            state->skipping = false;
        *consumed = (size_t)(at - data.data);
    }
    state->cut_now = false;
    return settle(&walk, end) ? DECODE_MORE : blocked(&walk, data, consumed);
}

enum decode_stop decode_lines_flush(struct decoder *decoder, struct line_state *state)
{
    struct walk walk = {.decoder = decoder, .state = state};
    return close_record(&walk) ? DECODE_MORE : DECODE_BLOCKED;
}

void line_state_deinit(struct decoder *decoder, struct line_state *state)
{
    line_join_drop(decoder, state);
}
