// Who waits for room in a log, and how it is told. Embedded in what waits; a log keeps the list.
//
// Loop thread only.
#ifndef SLUICE_BASE_ROOM_WAITER_H
#define SLUICE_BASE_ROOM_WAITER_H

#include <stdbool.h>

struct room_waiter {
    void (*room)(struct room_waiter *waiter); // called from the loop, once for each wait
    struct room_waiter *next;
    bool waiting;
};

#endif
