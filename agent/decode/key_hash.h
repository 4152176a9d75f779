// The hash of a key: cheap for the few bytes most keys have, and seeded, so that a hostile app
// cannot choose keys that collide.
#ifndef SLUICE_DECODE_KEY_HASH_H
#define SLUICE_DECODE_KEY_HASH_H

#include <stdbool.h>
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

// memcmp without the call, for keys of equal size.
static inline bool key_equal(const char *a, const char *b, size_t size)
{
    uint64_t left, right, last_left, last_right;
    uint32_t half_left, half_right, half_last_left, half_last_right;
    if (size > 16)
        return memcmp(a, b, size) == 0;
    if (size >= 8) {
        memcpy(&left, a, 8);
        memcpy(&right, b, 8);
        memcpy(&last_left, a + size - 8, 8);
        memcpy(&last_right, b + size - 8, 8);
        return ((left ^ right) | (last_left ^ last_right)) == 0;
    }
    if (size >= 4) {
        memcpy(&half_left, a, 4);
        memcpy(&half_right, b, 4);
        memcpy(&half_last_left, a + size - 4, 4);
        memcpy(&half_last_right, b + size - 4, 4);
        return ((half_left ^ half_right) | (half_last_left ^ half_last_right)) == 0;
    }
    for (size_t i = 0; i < size; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

#endif
