// Any bytes on a lines connection, with and without joining: every document is strict JSON with
// each key once, the books balance, and all is the same however the bytes were cut. The first two
// bytes choose max_line, the cuts, whether lines are joined, and whether the reader flushes.
#include "../unit/decode_fixture.h"

#include "strict_document.h"

static void balance(const struct line_state *state)
{
    uint64_t charged = fixture.read_bytes.used;
    if (line_state_pending(state) != (documents.pending > 0) ||
        line_state_pending(state) != (charged > 0))
        abort();
}

static void feed(struct slice data, size_t step, bool flush)
{
    struct line_state state = {0};
    size_t from = 0, to = step < data.size ? step : data.size;
    while (true) {
        size_t consumed;
        bool end = to == data.size;
        char *copy = malloc(to - from + 1); // exact, so that a read past the end is seen
        memcpy(copy, data.data + from, to - from);
        enum decode_stop stop =
            decode_lines(fixture.decoder, &state, slice_of(copy, to - from), end, &consumed);
        free(copy);
        if (stop != DECODE_MORE || consumed > to - from || (end && consumed != to - from))
            abort();
        balance(&state);
        if (flush && decode_lines_flush(fixture.decoder, &state) != DECODE_MORE)
            abort();
        from += consumed;
        if (end)
            break;
        to = data.size - to > step ? to + step : data.size;
    }
    if (documents.pending || fixture.read_bytes.used)
        abort();
}

// The log is full again and again, and the reader offers what is left.
static void feed_blocked(struct slice data)
{
    struct line_state state = {0};
    size_t from = 0, consumed;
    documents.admit_limit = 0;
    while (true) {
        enum decode_stop stop = decode_lines(
            fixture.decoder, &state, slice_of(data.data + from, data.size - from), true, &consumed);
        balance(&state);
        from += consumed;
        if (stop == DECODE_MORE)
            break;
        documents.admit_limit = documents.count + 1 + documents.count % 3;
    }
    if (from != data.size || documents.pending || fixture.read_bytes.used)
        abort();
}

static void check_all(void)
{
    for (size_t i = 0; i < documents.count; i++)
        check_document(documents.text[i]);
}

static void same_as(const struct documents *whole)
{
    if (documents.count != whole->count || documents.rejected != whole->rejected ||
        documents.truncated != whole->truncated || documents.joined != whole->joined)
        abort();
    for (size_t i = 0; i < whole->count; i++)
        if (strcmp(documents.text[i], whole->text[i]) != 0)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    fixture.join = data[0] % 2 == 0;
    fixture_open((size_t)16 << (data[0] / 2 % 14));
    // A reader never offers one byte at a time for long; that would only be slow here.
    size_t step = 1 + (size_t)data[1] * data[1] + size / 64;
    struct slice bytes = slice_of(data + 2, size - 2);
    feed(bytes, size, false);
    check_all();
    struct documents whole = documents;
    documents = (struct documents){.admit_limit = SIZE_MAX};
    feed(bytes, step, false);
    same_as(&whole);
    documents_forget();
    feed_blocked(bytes);
    same_as(&whole);
    documents_forget();
    feed(bytes, step, true); // other records, but the same lines
    check_all();
    if (documents.count + documents.joined + documents.rejected !=
        whole.count + whole.joined + whole.rejected)
        abort();
    documents_forget();
    documents = whole;
    fixture_close();
    return 0;
}
