// The lines dialect: JSON objects or plain text, each ended by LF, CRLF or NUL.
#include "decode/decoder.h"

#include "decode/utf8.h"
#include "enrich/enrich.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

// What a document has beside the line's own bytes, about: admission asks before it is written.
#define DOCUMENT_OVERHEAD 512

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

// Fills the record. False where memory ran out.
static bool map_line(struct decoder *decoder, struct slice line)
{
    struct record *record = &decoder->record;
    map_begin(&decoder->mapper, record, &decoder->arena);
    if (map_json_text(&decoder->mapper, line))
        return map_end(&decoder->mapper);
    struct value message = {.kind = VALUE_TEXT};
    if (!utf8_repair(&decoder->arena, line, &message.text))
        return false;
    fields_set(&record->own, ECS_MESSAGE, message);
    return true;
}

// Whether there is room for the record. While block_for has passed and there is still none, lines
// are shed without waiting for each anew.
static bool admit(struct decoder *decoder, struct line_state *state, size_t size)
{
    struct enrich *enrich = decoder->config.enrich;
    size_t bytes = size + DOCUMENT_OVERHEAD;
    if (enrich_admit(enrich, SIGNAL_LOGS, DOOR_SHED, bytes, false) == 0) {
        state->expired = false;
        return true;
    }
    return state->expired && enrich_admit(enrich, SIGNAL_LOGS, DOOR_SHED, bytes, true) == 0;
}

// One line, whole or cut. False where it was blocked and must be offered again.
static bool take_line(struct decoder *decoder, struct line_state *state, struct slice line,
                      bool truncated)
{
    line = without_frills(line);
    if (is_blank(line) && !truncated)
        return true;
    if (!admit(decoder, state, line.size))
        return false;
    decoder_next_record(decoder);
    decoder->record.truncated = truncated;
    if (truncated && decoder->config.truncated)
        ++*decoder->config.truncated;
    if (map_line(decoder, line))
        enrich_log(decoder->config.enrich, &decoder->record);
    else
        enrich_reject(decoder->config.enrich, SIGNAL_LOGS, REJECT_TOO_LARGE, 1);
    return true;
}

enum decode_stop decode_lines(struct decoder *decoder, struct line_state *state, struct slice data,
                              bool end, size_t *consumed)
{
    const char *at = data.data, *stop = data.data + data.size;
    *consumed = 0;
    while (at < stop) {
        const char *line_end = find_end(at, stop);
        bool whole = line_end < stop;
        size_t size = (size_t)(line_end - at);
        if (!state->skipping) {
            bool cut = size > decoder->config.max_line;
            if (!whole && !cut && !end)
                break;
            if (cut)
                size = utf8_cut(at, decoder->config.max_line);
            if (!take_line(decoder, state, slice_of(at, size), cut))
                return DECODE_BLOCKED;
            state->skipping = cut;
        }
        at = whole ? line_end + 1 : stop;
        if (whole)
            state->skipping = false;
        *consumed = (size_t)(at - data.data);
    }
    return DECODE_MORE;
}
