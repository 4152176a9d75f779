// Which names one JSON object already has: a hash set that is emptied without being cleared.
//
// Loop thread only.
#ifndef SLUICE_ENRICH_NAME_SET_H
#define SLUICE_ENRICH_NAME_SET_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct name_entry {
    struct slice name;
    uint32_t generation; // of the set when it was added
    unsigned layer;
};

struct name_set {
    struct name_entry *entries; // a power of two of them
    uint32_t capacity;
    uint32_t generation;
    uint64_t seed; // so that nobody can choose names that collide
};

// Empties the set and makes room for that many names. False where memory ran out.
bool name_set_start(struct name_set *set, uint32_t names);
void name_set_deinit(struct name_set *set);

enum name_found {
    NAME_NEW,    // added
    NAME_TWICE,  // the same layer has it: another value of the same strength
    NAME_HIDDEN, // a stronger layer has it
};
// The name must stay until the set is emptied.
enum name_found name_set_add(struct name_set *set, struct slice name, unsigned layer);

#endif
