// Short-lived, always joined, deaf to signals.
#include "deliver/kafka_worker.h"

#include "base/error.h"

#include <signal.h>
#include <unistd.h>

#define FLUSH_SLICE_MS 100 // how soon a flush sees that it shall stop

static void *worker_main(void *arg)
{
    struct kafka_worker *worker = arg;
    if (worker->work == KAFKA_DESTROY)
        rd_kafka_destroy(worker->producer);
    else
        while (!atomic_load(&worker->stop) &&
               rd_kafka_flush(worker->producer, FLUSH_SLICE_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT)
            ;
    atomic_store(&worker->ended, true);
    uint64_t one = 1;
    while (write(worker->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    return NULL;
}

bool kafka_worker_start(struct kafka_worker *worker, enum kafka_work work, rd_kafka_t *producer,
                        int wake_fd)
{
    assert(!worker->running);
    worker->producer = producer;
    worker->work = work;
    worker->wake_fd = wake_fd;
    atomic_store(&worker->stop, false);
    atomic_store(&worker->ended, false);
    // Signals are the loop's, but for a fault in a segment's page, which comes where it happens.
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    worker->running = pthread_create(&worker->thread, NULL, worker_main, worker) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return worker->running;
}

bool kafka_worker_idle(struct kafka_worker *worker)
{
    if (worker->running && atomic_load(&worker->ended))
        kafka_worker_join(worker);
    return !worker->running;
}

void kafka_worker_stop(struct kafka_worker *worker)
{
    atomic_store(&worker->stop, true);
}

void kafka_worker_join(struct kafka_worker *worker)
{
    if (worker->running)
        pthread_join(worker->thread, NULL);
    worker->running = false;
}
