// A scratch arena: bump allocation that is reset, not freed, between records.
//
// It keeps its first chunk for ever, so steady traffic allocates nothing; chunks above keep_bytes
// go back to malloc at reset. Not thread-safe.
#ifndef SLUICE_BASE_ARENA_H
#define SLUICE_BASE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *current;
    size_t keep_bytes; // what reset may keep
    size_t limit;      // bytes in all chunks; 0 is none
    size_t total;
};

void arena_init(struct arena *arena, size_t keep_bytes, size_t limit);
void arena_deinit(struct arena *arena);

// Uninitialised, aligned for any type. NULL where malloc fails or limit is reached.
void *arena_alloc(struct arena *arena, size_t size);
// Grows the last allocation in place where it can, else copies. old may be NULL with old_size 0.
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size);
void arena_reset(struct arena *arena);

#endif
