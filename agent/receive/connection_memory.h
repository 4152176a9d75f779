// What connections keep, together: a connection reads only as much as there is memory to keep.
//
// An unfinished item (a line, a frame) is kept until its rest comes. Where the budget has no room
// its connection is not read; it waits in a queue until others give back. Nobody waits for ever:
//   - lines that began more than LINE_HELD_NS ago are cut while others wait: by their own end, or
//     where the one that waits is such a connection itself;
//   - one connection with frames, the oldest that waits, may go on over the limit, by one frame;
//   - a frame that did not end within STALLED_NS, while others wait, loses its connection.
// The last quarter of the budget is for ordinary items (up to 4 KiB), so that who holds large ones
// does not stop who has those. What the one over the limit holds is beside it. Private to receive/.
// Loop thread only.
#ifndef SLUICE_RECEIVE_CONNECTION_MEMORY_H
#define SLUICE_RECEIVE_CONNECTION_MEMORY_H

#include "base/loop.h"
#include "receive/link.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct receive;

#define KEPT_CLASSES 9 // 64 bytes to 16 KiB

struct connection_memory {
    struct link starved[2]; // small items, large ones; by age
    struct link holders[2]; // lines, frames; by when the item began
    size_t starved_count;
    bool unlimited;             // just now: whatever is read is kept
    bool serving;               // just now: what is given back calls nobody
    struct connection *over;    // the one that may go over the limit
    struct loop_deferred again; // somebody gave back while others wait
    struct loop_timer patience; // armed only while somebody waits
    void *spare[KEPT_CLASSES];  // freed buffers, linked through their first bytes
    size_t spare_bytes;
    uint64_t line_held_ns, stalled_ns; // constants, but for tests
};

void connection_memory_init(struct receive *receive);
void connection_memory_deinit(struct receive *receive);

// How many bytes may be read now, charged; 0: the connection waits. Else call
// connection_memory_keep after the read in any case.
size_t connection_memory_grant(struct connection *connection);
// Makes kept large enough to read `size` bytes behind it, all charged before. 0 or -ENOMEM.
int connection_memory_extend(struct connection *connection, size_t size);
// Keeps data (anywhere, also inside kept) and nothing else, and gives back what that leaves.
// began: it is a new item. 0 or -ENOMEM.
int connection_memory_keep(struct connection *connection, const uint8_t *data, size_t size,
                           bool began);
// Frees all it keeps and leaves every queue.
void connection_memory_leave(struct connection *connection);
// It waits no more.
void connection_memory_unstarve(struct connection *connection);
// It is paused by us, so its item does not age.
void connection_memory_excuse(struct connection *connection);

// Charges and gives back what is not an item. take: false where there is no room.
bool connection_memory_take(struct receive *receive, size_t size);
void connection_memory_force(struct receive *receive, size_t size);
void connection_memory_give(struct receive *receive, size_t size);

#endif
