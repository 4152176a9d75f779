// Any bytes on a lines connection: every document is strict JSON with each key once, and the same
// however the bytes were cut. The first two bytes choose max_line and the cuts.
#include "../unit/decode_fixture.h"

#include "strict_document.h"

static void feed(struct slice data, size_t step)
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
        from += consumed;
        if (end)
            break;
        to = data.size - to > step ? to + step : data.size;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    fixture_open((size_t)16 << (data[0] % 12));
    // A reader never offers one byte at a time for long; that would only be slow here.
    size_t step = 1 + (size_t)data[1] * data[1] + size / 64;
    struct slice bytes = slice_of(data + 2, size - 2);
    feed(bytes, size);
    struct documents whole = documents;
    documents = (struct documents){.admit_limit = SIZE_MAX};
    for (size_t i = 0; i < whole.count; i++)
        check_document(whole.text[i]);
    feed(bytes, step);
    if (documents.count != whole.count || documents.rejected != whole.rejected ||
        documents.truncated != whole.truncated)
        abort();
    for (size_t i = 0; i < whole.count; i++)
        if (strcmp(documents.text[i], whole.text[i]) != 0)
            abort();
    documents_forget();
    documents = whole;
    fixture_close();
    return 0;
}
