// Bump allocation in a list of chunks, newest first.
#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN 16u

struct arena_chunk {
    struct arena_chunk *older;
    size_t size; // of data
    size_t used;
    size_t unused; // keeps data aligned to ARENA_ALIGN
    unsigned char data[];
};

_Static_assert(offsetof(struct arena_chunk, data) % ARENA_ALIGN == 0, "chunk data must be aligned");

void arena_init(struct arena *arena, size_t keep_bytes, size_t limit)
{
    *arena = (struct arena){.keep_bytes = keep_bytes, .limit = limit};
}

static void free_chunks(struct arena_chunk *chunk)
{
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

void arena_deinit(struct arena *arena)
{
    free_chunks(arena->current);
    arena->current = NULL;
    arena->total = 0;
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t at_least)
{
    size_t size = arena->keep_bytes > at_least ? arena->keep_bytes : at_least;
    if (arena->current && size < 2 * arena->current->size)
        size = 2 * arena->current->size; // few chunks even for a huge record
    if (arena->limit && arena->total + size > arena->limit)
        size = at_least;
    if (arena->limit && arena->total + size > arena->limit)
        return NULL;
    struct arena_chunk *chunk = malloc(sizeof *chunk + size);
    if (!chunk)
        return NULL;
    chunk->older = arena->current;
    chunk->size = size;
    chunk->used = 0;
    arena->current = chunk;
    arena->total += size;
    return chunk;
}

static size_t aligned(size_t size)
{
    return (size + (ARENA_ALIGN - 1)) & ~(size_t)(ARENA_ALIGN - 1);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX / 4)
        return NULL;
    size_t need = aligned(size ? size : 1);
    struct arena_chunk *chunk = arena->current;
    if (!chunk || chunk->size - chunk->used < need) {
        chunk = add_chunk(arena, need);
        if (!chunk)
            return NULL;
    }
    void *out = chunk->data + chunk->used;
    chunk->used += need;
    return out;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size)
{
    struct arena_chunk *chunk = arena->current;
    if (old && chunk && size <= SIZE_MAX / 4) {
        size_t was = aligned(old_size ? old_size : 1);
        size_t need = aligned(size ? size : 1);
        bool last = (unsigned char *)old + was == chunk->data + chunk->used;
        if (last && need >= was && chunk->size - chunk->used >= need - was) {
            chunk->used += need - was;
            return old;
        }
    }
    void *out = arena_alloc(arena, size);
    if (out && old && old_size)
        memcpy(out, old, old_size < size ? old_size : size);
    return out;
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *chunk = arena->current;
    if (!chunk)
        return;
    // The oldest chunk is the one of keep_bytes (or of the first record, if that was larger).
    struct arena_chunk *kept = chunk;
    while (kept->older)
        kept = kept->older;
    while (chunk != kept) {
        struct arena_chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
    if (kept->size > arena->keep_bytes) {
        free(kept);
        kept = NULL;
    } else {
        kept->used = 0;
    }
    arena->current = kept;
    arena->total = kept ? kept->size : 0;
}
