// Up to which position a log's records are stored: synced to the device (level `node`), or through
// with their verdict.
//
// A log has one request at the sync thread at most. It names the segments that took entries since
// they were synced last; what comes meanwhile goes into the next. A file whose sync failed is
// never asked about again: the kernel may have dropped what it could not write, and a second sync
// would say that all is well. Its segment takes no more entries, and its records are not stored
// until the sink has them.
#include "spool/spool_stored.h"

#include "base/error.h"
#include "base/own_log.h"
#include "spool/spool_log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LOG_OF(pointer, member)                                                                    \
    ((struct spool_log *)(void *)((char *)(pointer)-offsetof(struct spool_log, member)))

static bool is_unsynced(const struct segment *segment)
{
    return segment->synced < segment->entries;
}

void log_stored_update(struct spool_log *log)
{
    uint64_t stored = log->position;
    if (!log->sync.thread)
        return;
    for (uint32_t i = 0; i < log->live_count; i++) {
        const struct segment *segment = log->live[i];
        if (is_unsynced(segment)) {
            stored = segment->identity.base_position + segment->synced;
            break;
        }
    }
    if (stored == log->sync.stored)
        return;
    assert(stored > log->sync.stored);
    log->sync.stored = stored;
    if (log->sync.waiters.first)
        loop_defer(log->loop, &log->sync.advance);
}

static void advance_run(struct loop_deferred *deferred)
{
    struct spool_log *log = LOG_OF(deferred, sync.advance);
    assert(log->magic == SPOOL_LOG_MAGIC);
    waiter_list_call(&log->sync.waiters, &log->sync.waking);
}

// One segment of the request. False: no descriptor is left for it.
static bool name_file(struct log_sync *sync, const struct segment *segment)
{
    int file = fcntl(segment->piece.fd, F_DUPFD_CLOEXEC, 0);
    if (file < 0)
        return false;
    sync->asked[sync->request.count].generation = segment->identity.generation;
    sync->asked[sync->request.count].entries = segment->entries;
    sync->asked[sync->request.count].number = segment->piece.number;
    sync->request.files[sync->request.count++] = file;
    return true;
}

static void ask_run(struct loop_deferred *deferred)
{
    struct spool_log *log = LOG_OF(deferred, sync.ask);
    struct log_sync *sync = &log->sync;
    assert(log->magic == SPOOL_LOG_MAGIC);
    if (sync->request.asked)
        return; // the next one takes what came meanwhile
    bool named = true;
    sync->request.count = 0;
    for (uint32_t i = 0; named && i < log->live_count && sync->request.count < SYNC_FILES; i++) {
        if (is_unsynced(log->live[i]) && !log->live[i]->failed)
            named = name_file(sync, log->live[i]);
    }
    if (!named) // out of descriptors: told elsewhere
        (void)loop_timer_start(log->loop, &sync->again, RETRY_NS);
    if (sync->request.count == 0)
        return;
    int folder = store_folder_to_sync(log->store);
    sync->request.folder = folder < 0 ? -1 : fcntl(folder, F_DUPFD_CLOEXEC, 0);
    if (folder >= 0 && sync->request.folder < 0)
        store_folder_changed(log->store); // out of descriptors: with the next
    sync->asks++;
    sync_thread_ask(sync->thread, &sync->request);
}

static void again_expired(struct loop_timer *timer)
{
    ask_run(&LOG_OF(timer, sync.again)->sync.ask);
}

static struct segment *find_generation(const struct spool_log *log, uint64_t generation)
{
    for (uint32_t i = 0; i < log->live_count; i++)
        if (log->live[i]->identity.generation == generation)
            return log->live[i];
    return NULL; // all its records have their verdict
}

// The file may have a new generation by now, or none: what the kernel dropped may be of that one.
static void give_up_file(struct spool_log *log, uint32_t number)
{
    for (uint32_t i = 0; i < log->live_count; i++) {
        struct segment *segment = log->live[i];
        if (segment->piece.number != number)
            continue;
        segment->failed = true;
        segment->sealed = true;
        if (segment->pending == 0)
            log_settle(log, i);
        return;
    }
    for (struct segment **at = &log->free; *at; at = &(*at)->next) {
        struct segment *segment = *at;
        if (segment->piece.number != number)
            continue;
        *at = segment->next;
        log->free_count--;
        segment_remove(segment, log->store);
        return;
    }
}

static void sync_failed(struct spool_log *log, uint32_t number, int error)
{
    log->book->sync_failures++;
    own_log(OWN_ERROR, "sync_failed",
            "%s: a segment could not be written through to the device: %s; its records count as "
            "stored once the sink has them, and new ones go to another file",
            log->name, strerror(-error));
    give_up_file(log, number);
    log_sync_trouble(log, true);
}

static void request_done(struct sync_request *request)
{
    struct spool_log *log = LOG_OF(request, sync.request);
    assert(log->magic == SPOOL_LOG_MAGIC);
    bool failed = false;
    log->book->syncs++;
    if (request->folder_result < 0)
        store_folder_changed(log->store); // tried again with the next file
    for (unsigned i = 0; i < request->count; i++) {
        uint64_t generation = log->sync.asked[i].generation;
        struct segment *segment = find_generation(log, generation);
        int r = request->results[i] ? request->results[i] : request->folder_result;
        if (r < 0)
            sync_failed(log, log->sync.asked[i].number, r);
        else if (segment && !segment->failed)
            segment->synced = log->sync.asked[i].entries;
        failed = failed || r < 0;
    }
    if (log->sync.failing && !failed)
        log_sync_trouble(log, false);
    log_stored_update(log);
    loop_defer(log->loop, &log->sync.ask);
}

void log_sync_init(struct spool_log *log, struct sync_thread *thread)
{
    log->sync.thread = thread;
    log->sync.stored = log->position;
    log->sync.request.done = request_done;
    log->sync.ask.run = ask_run;
    log->sync.advance.run = advance_run;
    log->sync.again.expired = again_expired;
}

static bool is_unsafe(const struct spool_log *log)
{
    for (uint32_t i = 0; i < log->live_count; i++) {
        const struct segment *segment = log->live[i];
        if (segment->pending > 0 && is_unsynced(segment) && !segment->failed)
            return true;
    }
    return false;
}

// The loop has nothing else to do then. A request takes so many files, and what runs already may
// lack some.
static void store_now(struct spool_log *log)
{
    struct log_sync *sync = &log->sync;
    while (is_unsafe(log)) {
        ask_run(&sync->ask);
        if (!sync->request.asked || !sync_thread_wait(sync->thread, &sync->request))
            break;
    }
    if (is_unsafe(log))
        own_log(OWN_ERROR, "sync_failed",
                "%s: what is left could not be synced in time: the device hangs; it is safe "
                "from a power cut only once the system has written it",
                log->name);
}

void log_sync_deinit(struct spool_log *log)
{
    struct log_sync *sync = &log->sync;
    assert(!sync->waiters.first && !sync->waking.first);
    if (!sync->thread)
        return;
    store_now(log); // what stays for the next run was promised to survive
    sync_thread_withdraw(sync->thread, &sync->request);
    loop_deferred_stop(&sync->ask);
    loop_deferred_stop(&sync->advance);
    loop_timer_stop(&sync->again);
}

bool spool_stores_later(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log->sync.thread != NULL;
}

uint64_t spool_position(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log->position;
}

uint64_t spool_stored(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log->sync.thread ? log->sync.stored : log->position;
}

uint64_t spool_syncs_asked(const struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log->sync.asks;
}

void spool_store_now(struct spool_log *log)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    if (!log->sync.thread)
        return;
    store_now(log);
    log_stored_update(log);
}

void spool_wait_stored(struct spool_log *log, struct room_waiter *waiter)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    assert(log->sync.thread && waiter->room);
    if (waiter->waiting)
        return;
    waiter->waiting = true;
    waiter_append(&log->sync.waiters, waiter);
}

void spool_wait_stored_cancel(struct spool_log *log, struct room_waiter *waiter)
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    if (waiter->waiting &&
        (waiter_remove(&log->sync.waiters, waiter) || waiter_remove(&log->sync.waking, waiter)))
        waiter->waiting = false;
}
