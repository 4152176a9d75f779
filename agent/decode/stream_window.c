// A set-associative table: a stream has WAYS places, the one of them used longest ago is given up.
#include "decode/stream_window.h"

#include "base/error.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8u
#define SETS (STREAM_WINDOW_MAX / WAYS)

struct place {
    uint8_t stream[8];
    uint64_t last; // 0: free
    uint64_t used;
};

struct stream_window {
    uint64_t clock; // one more with each use
    struct place places[STREAM_WINDOW_MAX];
};

struct stream_window *stream_window_new(void)
{
    return calloc(1, sizeof(struct stream_window));
}

void stream_window_free(struct stream_window *window)
{
    free(window);
}

// Streams are random, but a peer may choose them: mixed, so that neighbours spread.
static size_t set_of(const uint8_t stream[8])
{
    uint64_t number;
    memcpy(&number, stream, sizeof number);
    return (size_t)((number * UINT64_C(0x9E3779B97F4A7C15)) >> 32) % SETS * WAYS;
}

static size_t find(const struct stream_window *window, const uint8_t stream[8])
{
    size_t set = set_of(stream);
    for (size_t i = set; i < set + WAYS; i++)
        if (window->places[i].last && memcmp(window->places[i].stream, stream, 8) == 0)
            return i;
    return STREAM_WINDOW_MAX;
}

uint64_t stream_window_last(const struct stream_window *window, const uint8_t stream[8])
{
    size_t at = find(window, stream);
    return at < STREAM_WINDOW_MAX ? window->places[at].last : 0;
}

// A free place, or the one used longest ago.
static size_t oldest(const struct stream_window *window, size_t set)
{
    size_t best = set;
    for (size_t i = set; i < set + WAYS; i++)
        if (window->places[i].used < window->places[best].used)
            best = i;
    return best;
}

void stream_window_store(struct stream_window *window, const uint8_t stream[8], uint64_t sequence)
{
    size_t at = find(window, stream);
    assert(sequence > 0);
    if (at == STREAM_WINDOW_MAX) {
        at = oldest(window, set_of(stream));
        memcpy(window->places[at].stream, stream, 8);
        window->places[at].last = sequence;
    }
    if (sequence > window->places[at].last)
        window->places[at].last = sequence;
    window->places[at].used = ++window->clock;
}
