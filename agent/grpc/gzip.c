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

// Makes room for at least one more byte, but never for more than limit bytes in all.
static bool output_grow(z_stream *z, uint8_t **data, size_t *capacity, size_t limit)
{
    size_t used = *capacity - z->avail_out;
    size_t want = *capacity > limit / 2 ? limit : *capacity * 2;
    uint8_t *grown = realloc(*data, want);
    if (!grown)
        return false;
    *data = grown;
    *capacity = want;
    z->next_out = grown + used;
    z->avail_out = (uInt)(want - used);
    return true;
}

// One pass over the input; the caller owns *data whatever comes of it.
static int inflate_all(z_stream *z, size_t max, uint8_t **data, size_t *capacity)
{
    for (;;) {
        if (z->avail_out == 0) {
            // One byte more than allowed tells "too large" from "exactly as large as allowed".
            if (*capacity > max)
                return GZIP_TOO_LARGE;
            if (!output_grow(z, data, capacity, max + 1))
                return -ENOMEM;
        }
        int r = inflate(z, Z_NO_FLUSH);
        if (r == Z_MEM_ERROR)
            return -ENOMEM;
        if (r == Z_STREAM_END) {
            if (z->avail_in == 0)
                return *capacity - z->avail_out > max ? GZIP_TOO_LARGE : 0;
            if (inflateReset(z) != Z_OK) // the next member of a concatenated file
                return GZIP_BROKEN;
        } else if (r != Z_OK || (z->avail_in == 0 && z->avail_out > 0)) {
            return GZIP_BROKEN;
        }
    }
}

int gzip_inflate(struct slice in, size_t max, uint8_t **out, size_t *size)
{
    if (in.size == 0 || in.size > UINT_MAX)
        return GZIP_BROKEN;
    if (max > UINT_MAX - 1)
        max = UINT_MAX - 1;
    size_t capacity = max + 1 < FIRST_GUESS ? max + 1 : FIRST_GUESS;
    uint8_t *data = malloc(capacity);
    z_stream z = {.next_in = (const Bytef *)in.data, .avail_in = (uInt)in.size};
    if (!data || inflateInit2(&z, GZIP_WINDOW) != Z_OK) {
        free(data);
        return -ENOMEM;
    }
    z.next_out = data;
    z.avail_out = (uInt)capacity;
    int r = inflate_all(&z, max, &data, &capacity);
    size_t made = capacity - z.avail_out;
    inflateEnd(&z);
    if (r != 0) {
        free(data);
        return r;
    }
    *out = data;
    *size = made;
    return 0;
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
