// A thread for librdkafka's calls that block: ending a producer, flushing one. One at a time.
#ifndef SLUICE_DELIVER_KAFKA_WORKER_H
#define SLUICE_DELIVER_KAFKA_WORKER_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum kafka_work { KAFKA_DESTROY, KAFKA_FLUSH };

struct kafka_worker {
    pthread_t thread;
    rd_kafka_t *producer;
    int wake_fd; // an eventfd, written when the work is done
    enum kafka_work work;
    bool running;
    atomic_bool stop;  // asks a flush to end early
    atomic_bool ended; // the thread will only return
};

// False: no thread is to be had.
bool kafka_worker_start(struct kafka_worker *worker, enum kafka_work work, rd_kafka_t *producer,
                        int wake_fd);
// Joins the thread if its work is done. True: none is running (any more).
bool kafka_worker_idle(struct kafka_worker *worker);
// Asks a flush to end; it does within a tenth of a second.
void kafka_worker_stop(struct kafka_worker *worker);
// Waits for the thread, if there is one.
void kafka_worker_join(struct kafka_worker *worker);

#endif
