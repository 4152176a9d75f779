// The hash of a key: cheap for the few bytes most keys have, and seeded, so that a hostile app
// cannot choose keys that collide.
#ifndef SLUICE_DECODE_KEY_HASH_H
#define SLUICE_DECODE_KEY_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KEY_HASH_FACTOR 0x9E3779B97F4A7C15U

static inline uint64_t key_hash_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * KEY_HASH_FACTOR;
    return hash ^ hash >> 32;
}

static inline uint32_t key_hash(const char *key, size_t size, uint64_t seed)
{
    uint64_t hash = seed + size;
    uint64_t word;
    while (size > 8) {
        memcpy(&word, key, 8);
        hash = key_hash_mix(hash, word);
        key += 8;
        size -= 8;
    }
    uint32_t first, last;
    if (size >= 4) {
        memcpy(&first, key, 4);
        memcpy(&last, key + size - 4, 4);
        word = (uint64_t)first << 32 | last;
    } else if (size > 0) {
        word = (uint64_t)(unsigned char)key[0] << 16 | (uint64_t)(unsigned char)key[size / 2] << 8 |
               (unsigned char)key[size - 1];
    } else {
        word = 0;
    }
    hash = key_hash_mix(hash, word);
    return (uint32_t)hash;
}

#endif
