// Open addressing over names, with a generation in each entry in place of clearing.
#include "enrich/name_set.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#define CAPACITY_MIN 64u
#define CAPACITY_KEPT 4096u // a larger one is given back when the next record needs less

static uint64_t hash_of(const struct name_set *set, struct slice name)
{
    const uint64_t factor = 0x9e3779b97f4a7c15u;
    uint64_t hash = set->seed ^ name.size;
    size_t i = 0;
    for (; i + 8 <= name.size; i += 8) {
        uint64_t word;
        memcpy(&word, name.data + i, 8);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
    }
    for (; i < name.size; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * factor;
    return hash ^ hash >> 29;
}

bool name_set_start(struct name_set *set, uint32_t names)
{
    uint32_t wanted = CAPACITY_MIN;
    while (wanted < UINT32_MAX / 4 && wanted < 2 * (uint64_t)names)
        wanted *= 2;
    bool shrink = set->capacity > CAPACITY_KEPT && wanted <= CAPACITY_KEPT;
    if (set->capacity < wanted || shrink) {
        struct name_entry *entries = calloc(wanted, sizeof *entries);
        if (!entries)
            return false;
        free(set->entries);
        set->entries = entries;
        set->capacity = wanted;
        set->generation = 0;
    }
    if (!set->seed && getrandom(&set->seed, sizeof set->seed, GRND_NONBLOCK) < 0)
        set->seed = (uintptr_t)set->entries;
    if (++set->generation == 0) { // wrapped: old entries would look new
        memset(set->entries, 0, set->capacity * sizeof *set->entries);
        set->generation = 1;
    }
    return true;
}

void name_set_deinit(struct name_set *set)
{
    free(set->entries);
    *set = (struct name_set){0};
}

enum name_found name_set_add(struct name_set *set, struct slice name, unsigned layer)
{
    uint32_t mask = set->capacity - 1;
    uint32_t at = (uint32_t)hash_of(set, name) & mask;
    for (uint32_t probes = 0;; probes++, at = (at + 1) & mask) {
        assert(probes < set->capacity); // else there are more names than were announced
        struct name_entry *entry = &set->entries[at];
        if (entry->generation != set->generation) {
            *entry = (struct name_entry){name, set->generation, layer};
            return NAME_NEW;
        }
        if (slice_equal(entry->name, name))
            return entry->layer == layer ? NAME_TWICE : NAME_HIDDEN;
    }
}
