// A row of waiters in the order they came; embedded in what they wait for.
//
// Loop thread only.
#ifndef SLUICE_BASE_WAITER_LIST_H
#define SLUICE_BASE_WAITER_LIST_H

#include "base/room_waiter.h"

#include <stddef.h>

struct waiter_list {
    struct room_waiter *first;
    struct room_waiter *last;
};

// The caller keeps waiter->waiting.
static inline void waiter_append(struct waiter_list *list, struct room_waiter *waiter)
{
    waiter->next = NULL;
    if (list->last)
        list->last->next = waiter;
    else
        list->first = waiter;
    list->last = waiter;
}

// False: it is not in this list.
static inline bool waiter_remove(struct waiter_list *list, struct room_waiter *waiter)
{
    struct room_waiter *previous = NULL;
    struct room_waiter *at = list->first;
    for (; at && at != waiter; at = at->next)
        previous = at;
    if (!at)
        return false;
    if (previous)
        previous->next = waiter->next;
    else
        list->first = waiter->next;
    if (list->last == waiter)
        list->last = previous;
    waiter->next = NULL;
    return true;
}

// Calls everybody on `from`, once. Who waits again does so on another list than `calling`, which is
// empty before and after: a waiter may take itself, or another, off it meanwhile.
static inline void waiter_list_call(struct waiter_list *from, struct waiter_list *calling)
{
    *calling = *from;
    *from = (struct waiter_list){NULL, NULL};
    while (calling->first) {
        struct room_waiter *waiter = calling->first;
        waiter_remove(calling, waiter);
        waiter->waiting = false;
        waiter->room(waiter);
    }
}

#endif
