// A record's layers: forgetting them, and their lists.
#include "enrich/record.h"

#include <string.h>

void fields_clear(struct fields *fields)
{
    memset(fields->present, 0, sizeof fields->present);
    // The arena that held the lists has been reset, so their room is forgotten with them.
    fields->labels = (struct named_values){0};
    fields->numeric_labels = (struct named_values){0};
    fields->app = (struct named_values){0};
    fields->other = (struct named_values){0};
}

bool named_values_add(struct named_values *list, struct arena *arena, struct slice name,
                      struct value value)
{
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? 2 * list->capacity : 8;
        struct named_value *items = arena_grow(arena, list->items, list->count * sizeof *items,
                                               (size_t)capacity * sizeof *items);
        if (!items)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = (struct named_value){name, value};
    return true;
}
