// The queue: one block of memory, records appended at its tail, whole runs taken from its head.
#include "queue.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sluice_queue_init(struct sluice_queue *queue, size_t capacity)
{
    queue->data = malloc(capacity);
    queue->runs = calloc(capacity / SLUICE_RUN_SHARE, sizeof *queue->runs);
    if (!queue->data || !queue->runs) {
        sluice_queue_deinit(queue);
        return ENOMEM;
    }
    queue->capacity = capacity;
    queue->run_capacity = capacity / SLUICE_RUN_SHARE;
    queue->next_sequence = 1;
    return 0;
}

void sluice_queue_deinit(struct sluice_queue *queue)
{
    free(queue->data);
    free(queue->runs);
    queue->data = NULL;
    queue->runs = NULL;
}

struct sluice_encoder sluice_queue_room(struct sluice_queue *queue, bool compact)
{
    assert(queue->head <= queue->tail && queue->tail <= queue->capacity);
    if (compact && queue->head > 0) {
        memmove(queue->data, queue->data + queue->head, queue->tail - queue->head);
        queue->tail -= queue->head;
        queue->head = 0;
    }
    return (struct sluice_encoder){queue->data + queue->tail, queue->data + queue->capacity, false};
}

static struct sluice_run *last_run(struct sluice_queue *queue)
{
    return queue->count ? &queue->runs[(queue->first + queue->count - 1) % queue->run_capacity]
                        : NULL;
}

bool sluice_queue_commit(struct sluice_queue *queue, enum sluice_signal signal,
                         const struct sluice_encoder *encoder, bool sending)
{
    assert(!encoder->full && encoder->at >= queue->data + queue->tail);
    size_t size = (size_t)(encoder->at - (queue->data + queue->tail));
    struct sluice_run *run = last_run(queue);
    bool joins = run && run->signal == signal && run->size + size <= SLUICE_RUN_MAX &&
                 !(sending && queue->count == 1);
    if (!joins) {
        if (queue->count == queue->run_capacity)
            return false;
        queue->count++;
        run = last_run(queue);
        *run = (struct sluice_run){.signal = signal, .first_sequence = queue->next_sequence};
    }
    run->count++;
    run->size += size;
    queue->tail += size;
    queue->records++;
    queue->next_sequence++;
    return true;
}

struct sluice_run *sluice_queue_first(struct sluice_queue *queue)
{
    return queue->count ? &queue->runs[queue->first] : NULL;
}

void sluice_queue_pop(struct sluice_queue *queue)
{
    assert(queue->count > 0);
    const struct sluice_run *run = &queue->runs[queue->first];
    queue->head += run->size;
    queue->records -= run->count;
    queue->first = (queue->first + 1) % queue->run_capacity;
    queue->count--;
    if (queue->count == 0)
        queue->head = queue->tail = 0;
}
