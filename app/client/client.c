// The handle: opens, logs, flushes and closes; every call that may wait gives the lock away first.
#include "client.h"

#include "proto/native.h"
#include "proto/otlp_fields.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define DEFAULT_SOCKET "/run/sluice/sluice.sock"
#define DEFAULT_BUFFER ((size_t)1 << 20)
#define LEAST_BUFFER ((size_t)4 << 10)
#define FLUSH_SLICE 50 // ms between looks at a connection that another thread may have replaced

static uint64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t sluice_now_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

uint64_t sluice_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

void sluice_random(void *data, size_t size)
{
    uint8_t *at = data;
    size_t got = 0;
    while (got < size) {
        ssize_t n = getrandom(at + got, size - got, 0);
        if (n > 0)
            got += (size_t)n;
        else if (errno != EINTR)
            break;
    }
    // Without the kernel's help an id is still unlikely to be another's, and never zero.
    for (uint64_t seed = clock_ns(CLOCK_MONOTONIC) | 1; got < size; got++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        at[got] = (uint8_t)(seed >> 56 | 1);
    }
}

static int set_address(struct sluice *sluice, const char *path)
{
    struct sockaddr_un *address = &sluice->connection.address;
    if (!path || !*path)
        path = getenv("SLUICE_SOCKET");
    if (!path || !*path)
        path = DEFAULT_SOCKET;
    size_t size = strlen(path) + 1;
    if (size > sizeof address->sun_path)
        return ENAMETOOLONG;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size);
    return 0;
}

// InstrumentationScope{name}, as field 1 of every run's scope.
static void build_scope(struct sluice *sluice, const char *name)
{
    struct sluice_encoder encoder = {sluice->scope, sluice->scope + sizeof sluice->scope, false};
    if (!name || !*name)
        return;
    uint8_t *scope = sluice_encode_begin(&encoder, OTLP_SCOPE_SCOPE);
    sluice_encode_text(&encoder, OTLP_INSTRUMENTATION_SCOPE_NAME, name, strlen(name));
    sluice_encode_end(&encoder, scope);
    // One too long for a logger's name is left out.
    sluice->scope_size = encoder.full ? 0 : (size_t)(encoder.at - sluice->scope);
}

struct sluice *sluice_open(const struct sluice_options *options)
{
    static const struct sluice_options defaults;
    if (!options)
        options = &defaults;
    struct sluice *sluice = calloc(1, sizeof *sluice);
    if (!sluice)
        return NULL;
    size_t capacity = options->buffer_size ? options->buffer_size : DEFAULT_BUFFER;
    int error =
        sluice_queue_init(&sluice->queue, capacity > LEAST_BUFFER ? capacity : LEAST_BUFFER);
    sluice->connection.fd = -1;
    build_scope(sluice, options->scope);
    if (error == 0)
        error = set_address(sluice, options->socket_path);
    if (error == 0)
        error = sluice_build_hello(sluice, options);
    if (error == 0)
        error = pthread_mutex_init(&sluice->lock, NULL);
    if (error != 0) {
        free(sluice->hello);
        sluice_queue_deinit(&sluice->queue);
        free(sluice);
        errno = error;
        return NULL;
    }
    return sluice;
}

// Under the lock. Encodes at the queue's tail; where that is too short, once more after making
// room.
static void add(struct sluice *sluice, enum sluice_signal signal, sluice_encode_function *encode,
                const void *record)
{
    struct sluice_queue *queue = &sluice->queue;
    struct sluice_encoder encoder;
    size_t size = 0;
    for (int attempt = 0; attempt < 2; attempt++) {
        encoder = sluice_queue_room(queue, attempt > 0);
        uint8_t *start = encoder.at;
        uint8_t *begin = sluice_encode_begin(&encoder, OTLP_SCOPE_RECORDS);
        encode(&encoder, record);
        sluice_encode_end(&encoder, begin);
        size = (size_t)(encoder.at - start);
        if (!encoder.full)
            break;
    }
    if ((encoder.full && queue->records == 0) || (!encoder.full && size > SLUICE_RECORD_MAX))
        sluice->dropped[signal][SLUICE_DROP_TOO_LARGE]++;
    else if (encoder.full || !sluice_queue_commit(queue, signal, &encoder,
                                                  sluice->connection.sending == OUT_RECORDS))
        sluice->dropped[signal][SLUICE_DROP_BUFFER_FULL]++;
}

void sluice_add(struct sluice *sluice, enum sluice_signal signal, sluice_encode_function *encode,
                const void *record)
{
    pthread_mutex_lock(&sluice->lock);
    add(sluice, signal, encode, record);
    sluice_pump(sluice);
    pthread_mutex_unlock(&sluice->lock);
}

void sluice_log(struct sluice *sluice, enum sluice_level level, const char *message,
                const struct sluice_field *fields, size_t count)
{
    if (!sluice)
        return;
    struct sluice_log_record record = {sluice_now_ns(), level, message, fields, count, NULL};
    sluice_add(sluice, SLUICE_SIGNAL_LOGS, sluice_encode_log, &record);
}

// Waits for the socket, or a moment where there is none. Without the lock.
static void wait_a_slice(int fd, bool writes, uint64_t left_ms)
{
    struct pollfd poll_fd = {fd, (short)(POLLIN | (writes ? POLLOUT : 0)), 0};
    poll(&poll_fd, fd >= 0, left_ms < FLUSH_SLICE ? (int)left_ms : FLUSH_SLICE);
}

int sluice_flush(struct sluice *sluice, unsigned timeout_ms)
{
    if (!sluice)
        return 0;
    uint64_t deadline = sluice_monotonic_ns() / 1000000 + timeout_ms;
    int r = -EAGAIN;
    pthread_mutex_lock(&sluice->lock);
    uint64_t token = ++sluice->flush_wanted;
    uint64_t unconfirmed = sluice->unconfirmed;
    sluice->flush_barrier = sluice->queue.next_sequence;
    while (r == -EAGAIN) {
        sluice_pump(sluice);
        uint64_t now = sluice_monotonic_ns() / 1000000;
        if (sluice->unconfirmed != unconfirmed)
            r = -EPIPE;
        else if (sluice->flush_answered >= token)
            r = 0;
        else if (now >= deadline)
            r = -ETIMEDOUT;
        else {
            int fd = sluice->connection.fd;
            bool writes = sluice->connection.sending != OUT_NONE;
            pthread_mutex_unlock(&sluice->lock);
            wait_a_slice(fd, writes, deadline - now);
            pthread_mutex_lock(&sluice->lock);
        }
    }
    pthread_mutex_unlock(&sluice->lock);
    return r;
}

void sluice_stats(struct sluice *sluice, struct sluice_stats *stats)
{
    memset(stats, 0, sizeof *stats);
    if (!sluice)
        return;
    pthread_mutex_lock(&sluice->lock);
    stats->queued = sluice->queue.records;
    stats->sent = sluice->sent;
    stats->unconfirmed = sluice->unconfirmed;
    stats->connections = sluice->connections;
    for (unsigned i = 0; i < SLUICE_SIGNAL_COUNT; i++) {
        for (unsigned j = 0; j < SLUICE_DROP_COUNT; j++)
            stats->dropped += sluice->dropped[i][j];
    }
    pthread_mutex_unlock(&sluice->lock);
}

uint64_t sluice_close(struct sluice *sluice)
{
    if (!sluice)
        return 0;
    pthread_mutex_lock(&sluice->lock);
    sluice->goodbye = true;
    sluice_pump(sluice);
    uint64_t lost = sluice->queue.records;
    sluice_disconnect(sluice);
    pthread_mutex_unlock(&sluice->lock);
    pthread_mutex_destroy(&sluice->lock);
    free(sluice->hello);
    sluice_queue_deinit(&sluice->queue);
    free(sluice);
    return lost;
}

// --- fields

struct sluice_field sluice_string(const char *name, const char *value)
{
    return (struct sluice_field){name, SLUICE_STRING, value ? strlen(value) : 0, {.data = value}};
}

struct sluice_field sluice_integer(const char *name, int64_t value)
{
    return (struct sluice_field){name, SLUICE_INTEGER, 0, {.integer = value}};
}

struct sluice_field sluice_double(const char *name, double value)
{
    return (struct sluice_field){name, SLUICE_DOUBLE, 0, {.number = value}};
}

struct sluice_field sluice_boolean(const char *name, bool value)
{
    return (struct sluice_field){name, SLUICE_BOOLEAN, 0, {.boolean = value}};
}

struct sluice_field sluice_bytes(const char *name, const void *data, size_t size)
{
    return (struct sluice_field){name, SLUICE_BYTES, size, {.data = data}};
}
