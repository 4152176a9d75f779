// The one thread that writes files through to their device, for all logs of an agent.
//
// A request names files; what was stored into them before it was asked is on the device when it is
// done. Requests that come while others are synced wait for the next round together (group commit).
// Loop thread only, but for the thread itself. Source: fdatasync(2), fsync(2).
#ifndef SLUICE_SPOOL_SYNC_THREAD_H
#define SLUICE_SPOOL_SYNC_THREAD_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct sync_thread;

#define SYNC_FILES 16

// Embedded in who asks; stays where it is until done is called, or it is withdrawn.
struct sync_request {
    int files[SYNC_FILES];   // duplicates, which the thread closes
    int results[SYNC_FILES]; // written by it: 0 or -errno
    unsigned count;
    int folder; // where a file was made or removed: synced too; -1: none; a duplicate, likewise
    int folder_result;
    void (*done)(struct sync_request *request); // from the loop
    struct sync_request *next;
    bool asked; // and neither done nor withdrawn
};

// 0 or -errno.
int sync_thread_new(struct sync_thread **out, struct loop *loop);
// Every request must be done or withdrawn. A thread that hangs in a sync is left behind. NULL is
// fine.
void sync_thread_free(struct sync_thread *thread);
void sync_thread_ask(struct sync_thread *thread, struct sync_request *request);
// Waits until the request is done, and has its done called, for an agent that ends; for at most
// SYNC_PATIENCE_NS, and where a wait was in vain, no more. False: it is not done.
#define SYNC_PATIENCE_NS 3000000000ULL
bool sync_thread_wait(struct sync_thread *thread, struct sync_request *request);
// Done will not be called. A sync that runs is left alone: the thread has its own duplicates. Safe
// where nothing was asked.
void sync_thread_withdraw(struct sync_thread *thread, struct sync_request *request);

#endif
