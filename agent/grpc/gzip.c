// gzip over zlib, with a bound on what a message may become.
#include "grpc/gzip.h"

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#define ZLIB_CONST // next_in is then a pointer to const
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) // 16 asks zlib for the gzip wrapper
#define FIRST_GUESS 4096

struct gzip_inflater {
    z_stream z;
    uint8_t *data;
    size_t made, capacity;
    size_t limit; // one byte more than allowed tells "too large" from "exactly as large as allowed"
};

int gzip_inflater_new(struct gzip_inflater **out, size_t max)
{
    struct gzip_inflater *inflater = calloc(1, sizeof *inflater);
    if (!inflater)
        return -ENOMEM;
    inflater->limit = max < UINT_MAX ? max + 1 : UINT_MAX;
    if (inflateInit2(&inflater->z, GZIP_WINDOW) != Z_OK) {
        free(inflater);
        return -ENOMEM;
    }
    *out = inflater;
    return 0;
}

void gzip_inflater_free(struct gzip_inflater *inflater)
{
    if (!inflater)
        return;
    inflateEnd(&inflater->z);
    free(inflater->data);
    free(inflater);
}

size_t gzip_inflater_made(const struct gzip_inflater *inflater)
{
    return inflater->made;
}

size_t gzip_inflater_capacity(const struct gzip_inflater *inflater)
{
    return inflater->capacity;
}

// Twice as much while that is little, then a quarter more: large buffers are moved by remapping,
// and what is charged should not be far from what is used.
size_t gzip_inflater_growth(const struct gzip_inflater *inflater)
{
    size_t capacity = inflater->capacity;
    if (inflater->made < capacity)
        return 0;
    size_t growth = capacity < GZIP_STEP ? capacity : capacity / 4;
    if (growth < FIRST_GUESS)
        growth = FIRST_GUESS;
    return growth < inflater->limit - capacity ? growth : inflater->limit - capacity;
}

static bool output_grow(struct gzip_inflater *inflater)
{
    size_t capacity = inflater->capacity + gzip_inflater_growth(inflater);
    uint8_t *grown = realloc(inflater->data, capacity);
    if (!grown)
        return false;
    inflater->data = grown;
    inflater->capacity = capacity;
    return true;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

int gzip_inflater_step(struct gzip_inflater *inflater, struct slice *in, size_t most)
{
    z_stream *z = &inflater->z;
    if (inflater->made == inflater->capacity && !output_grow(inflater))
        return -ENOMEM;
    size_t room = least(inflater->capacity - inflater->made, most);
    size_t offered = least(in->size, GZIP_STEP);
    z->next_in = (const Bytef *)in->data;
    z->avail_in = (uInt)offered;
    z->next_out = inflater->data + inflater->made;
    z->avail_out = (uInt)room;
    int r = inflate(z, Z_NO_FLUSH);
    size_t taken = offered - z->avail_in;
    *in = slice_of(in->data + taken, in->size - taken);
    inflater->made += room - z->avail_out;
    if (r == Z_MEM_ERROR)
        return -ENOMEM;
    if (inflater->made == inflater->limit)
        return GZIP_TOO_LARGE;
    if (r == Z_STREAM_END) {
        if (in->size == 0)
            return 0;
        return inflateReset(z) == Z_OK ? GZIP_AGAIN : GZIP_BROKEN; // a concatenated file's next
    }
    if (r != Z_OK || (in->size == 0 && z->avail_out > 0))
        return GZIP_BROKEN;
    return GZIP_AGAIN;
}

uint8_t *gzip_inflater_take(struct gzip_inflater *inflater)
{
    uint8_t *data = inflater->data;
    inflater->data = NULL;
    inflater->made = inflater->capacity = 0;
    return data;
}

int gzip_inflate(struct slice in, size_t max, uint8_t **out, size_t *size)
{
    struct gzip_inflater *inflater;
    int r = gzip_inflater_new(&inflater, max);
    if (r < 0)
        return r;
    do
        r = gzip_inflater_step(inflater, &in, GZIP_STEP);
    while (r == GZIP_AGAIN);
    if (r == 0) {
        *size = inflater->made;
        *out = gzip_inflater_take(inflater);
    }
    gzip_inflater_free(inflater);
    return r;
}

int gzip_deflate(const struct slice *parts, size_t count, uint8_t **out, size_t *size)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += parts[i].size;
    // The bound zlib promises, so one buffer is always enough.
    size_t capacity = deflateBound(&z, total);
    uint8_t *data = capacity <= UINT_MAX ? malloc(capacity) : NULL;
    if (!data) {
        deflateEnd(&z);
        return -ENOMEM;
    }
    z.next_out = data;
    z.avail_out = (uInt)capacity;
    int r = Z_OK;
    for (size_t i = 0; i < count && r == Z_OK; i++) {
        z.next_in = (const Bytef *)parts[i].data;
        z.avail_in = (uInt)parts[i].size;
        if (z.avail_in > 0)
            r = deflate(&z, Z_NO_FLUSH);
    }
    if (r == Z_OK)
        r = deflate(&z, Z_FINISH);
    size_t made = capacity - z.avail_out;
    deflateEnd(&z);
    if (r != Z_STREAM_END) {
        free(data);
        return -ENOMEM;
    }
    *out = data;
    *size = made;
    return 0;
}
