// A place in a list, embedded in what is listed; a list is a ring through its own link.
//
// Every change is O(1). Loop thread only.
#ifndef SLUICE_RECEIVE_LINK_H
#define SLUICE_RECEIVE_LINK_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *previous, *next; // NULL: in no list
};

static inline void link_list_init(struct link *list)
{
    list->previous = list->next = list;
}

static inline bool link_listed(const struct link *link)
{
    return link->next != NULL;
}

// Safe twice, and on a zeroed link.
static inline void link_remove(struct link *link)
{
    if (!link->next)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->previous = link->next = NULL;
}

// To the end of the list, from wherever it was.
static inline void link_append(struct link *list, struct link *link)
{
    link_remove(link);
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

// The oldest, or NULL.
static inline struct link *link_first(const struct link *list)
{
    return list->next == list ? NULL : list->next;
}

#endif
