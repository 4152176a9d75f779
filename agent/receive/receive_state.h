// What all connections share: listeners, budgets' queues, hints.
//
// Private to receive/. Loop thread only.
#ifndef SLUICE_RECEIVE_RECEIVE_STATE_H
#define SLUICE_RECEIVE_RECEIVE_STATE_H

#include "base/loop.h"
#include "receive/admission.h"
#include "receive/connection_memory.h"
#include "receive/hints.h"
#include "receive/link.h"
#include "receive/receive.h"

#include <stddef.h>

// What one connection may have read in one turn: as much as takes some 150 µs where it is lines of
// 40 bytes, so that a flood on one is not felt by the others; and at most.
#define TURN_SIZE ((size_t)8 << 10)
#define READ_SIZE ((size_t)64 << 10)

struct listener;
struct otlp_work;

struct receive {
    struct receive_config config;
    struct listener *socket, *otlp;
    struct link connections;
    struct link undecided; // by the time they came
    size_t open;
    uint8_t *buffer; // shared by all reads: KEPT_COPIED + READ_SIZE bytes
    struct admission admission;
    struct connection_memory memory;
    struct hints hints;
    struct otlp_work *otlp_work; // Export requests of all connections
    uint64_t unread_ns;          // ANSWERS_UNREAD_NS, but for tests
    struct link resumed;         // have their turn soon
    struct loop_deferred resume;
    struct loop_timer resume_rest; // those that had no turn yet, after others' sockets
    void (*idle)(void *ctx);
    void *idle_ctx;
};

#endif
