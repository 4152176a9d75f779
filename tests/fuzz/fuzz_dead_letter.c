// Fuzzes the reader of dead-letter lines: what it returns lies in its own memory and in no more of
// it than the line had, and a line written from it is read back as the same.
#include "base/error.h"
#include "deliver/dead_letter_line.h"
#include "deliver/dead_letter_read.h"

#include <assert.h>
#include <stdlib.h>

static void inside(const struct dead_letter_read *letter, size_t line_size, struct slice part)
{
    if (part.size == 0)
        return;
    assert(part.data >= letter->memory && part.size <= line_size);
    assert((size_t)(part.data - letter->memory) <= line_size - part.size);
}

static void same(const struct dead_letter_read *a, const struct dead_letter_read *b)
{
    const struct parcel *x = &a->parcel, *y = &b->parcel;
    assert(strcmp(a->exporter, b->exporter) == 0 && a->otlp == b->otlp);
    assert(memcmp(x->id, y->id, sizeof x->id) == 0);
    assert(x->records == y->records && x->severity == y->severity && x->signal == y->signal);
    assert(x->time_ns == y->time_ns);
    assert(slice_equal(x->payload, y->payload) && slice_equal(x->topic, y->topic));
    assert(slice_equal(x->key, y->key) && slice_equal(x->headers, y->headers));
}

static void write_again(const struct dead_letter_read *letter)
{
    struct dead_letter dead = {1, letter->exporter, NULL, &letter->parcel};
    struct dead_letter_read again;
    const char *problem = NULL;
    size_t size;
    char *text = dead_letter_line(&dead, &size);
    assert(text && text[size - 1] == '\n');
    int r = dead_letter_read(&again, slice_of(text, size - 1), &problem);
    assert(r == 0 && !problem);
    same(letter, &again);
    dead_letter_read_deinit(&again);
    free(text);
}

static void read_line(const char *data, size_t size)
{
    struct dead_letter_read letter;
    const char *problem = NULL;
    char *line = malloc(size ? size : 1); // a read past its end is one past the allocation
    assert(line);
    memcpy(line, data, size);
    int r = dead_letter_read(&letter, slice_of(line, size), &problem);
    assert(r == 0 || (r == -EINVAL && problem));
    free(line); // no view is left in it
    if (r < 0)
        return;
    const struct parcel *parcel = &letter.parcel;
    inside(&letter, size + 4, parcel->payload);
    inside(&letter, size + 4, parcel->topic);
    inside(&letter, size + 4, parcel->key);
    inside(&letter, size + 4, parcel->headers);
    assert(parcel->records > 0 && parcel->severity <= 24 && parcel->signal < SIGNAL_COUNT);
    assert(letter.exporter[0] && strlen(letter.exporter) < sizeof letter.exporter);
    assert(letter.otlp == (parcel->payload.data[0] != '{'));
    assert(letter.otlp || parcel->payload.data[parcel->payload.size - 1] == '\n');
    write_again(&letter);
    dead_letter_read_deinit(&letter);
    dead_letter_read_deinit(&letter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;
    while (size > 0) {
        const char *feed = memchr(at, '\n', size);
        size_t length = feed ? (size_t)(feed - at) : size;
        read_line(at, length);
        length += feed ? 1 : 0;
        at += length;
        size -= length;
    }
    return 0;
}
