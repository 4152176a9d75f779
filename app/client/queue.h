// The bounded memory where encoded records wait: bytes, and the runs they form.
//
// Private to app/client. Under the handle's lock.
#ifndef SLUICE_CLIENT_QUEUE_H
#define SLUICE_CLIENT_QUEUE_H

#include "encode.h"

#define SLUICE_RUN_MAX ((size_t)64 << 10) // bytes of records that share a frame
#define SLUICE_RUN_SHARE 256 // bytes of the queue for each run it can hold: signals may alternate

enum sluice_signal { SLUICE_SIGNAL_LOGS, SLUICE_SIGNAL_SPANS, SLUICE_SIGNAL_COUNT };

// Consecutive records of one signal: they lie in the queue as field 2 of a ScopeLogs or ScopeSpans.
struct sluice_run {
    enum sluice_signal signal;
    uint32_t count;
    size_t size;
    uint64_t first_sequence;
};

struct sluice_queue {
    uint8_t *data;
    size_t capacity;
    size_t head, tail;       // head ≤ tail ≤ capacity
    struct sluice_run *runs; // a ring
    size_t run_capacity, first, count;
    uint64_t records; // in all runs
    uint64_t next_sequence;
};

// 0 or ENOMEM. deinit is safe on a zeroed one.
int sluice_queue_init(struct sluice_queue *queue, size_t capacity);
void sluice_queue_deinit(struct sluice_queue *queue);

// Free room behind the tail; compact first moves what there is to the front.
struct sluice_encoder sluice_queue_room(struct sluice_queue *queue, bool compact);
// Makes what the encoder wrote a record. False where no run is free. Never joins the oldest run
// while that is being sent.
bool sluice_queue_commit(struct sluice_queue *queue, enum sluice_signal signal,
                         const struct sluice_encoder *encoder, bool sending);
struct sluice_run *sluice_queue_first(struct sluice_queue *queue); // NULL: empty
void sluice_queue_pop(struct sluice_queue *queue);

#endif
