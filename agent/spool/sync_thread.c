// Takes requests in rounds, syncs their files, and hands them back through an eventfd.
#include "spool/sync_thread.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct request_list {
    struct sync_request *first, **end;
};

struct sync_thread {
    struct loop_io io;
    int event; // readable: something is done
    pthread_t thread;
    pthread_mutex_t lock; // of all below
    pthread_cond_t changed;
    struct request_list asked, done;
    struct sync_request *running; // the round in hand, by next
    struct sync_request *current; // the first of it, while it is synced; NULL: withdrawn
    bool stop, ended;
    bool left;      // nobody waits for its end: it frees itself
    bool impatient; // a wait was in vain
};

static void list_clear(struct request_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_add(struct request_list *list, struct sync_request *request)
{
    request->next = NULL;
    *list->end = request;
    list->end = &request->next;
}

static bool list_remove(struct request_list *list, const struct sync_request *request)
{
    struct sync_request **link = &list->first;
    while (*link && *link != request)
        link = &(*link)->next;
    if (!*link)
        return false;
    *link = request->next;
    if (!*link)
        list->end = link;
    return true;
}

// After an error the kernel may have dropped the pages and say so only once: never asked again.
static int sync_file(int file, int (*sync)(int fd))
{
    int r;
    do
        r = sync(file);
    while (r < 0 && errno == EINTR);
    r = r < 0 ? error_from_errno() : 0;
    close(file);
    return r;
}

// The work is a copy: whoever asked may be gone when a sync comes back.
static void sync_files(struct sync_request *work)
{
    for (unsigned i = 0; i < work->count; i++)
        work->results[i] = sync_file(work->files[i], fdatasync);
    work->folder_result = work->folder >= 0 ? sync_file(work->folder, fsync) : 0;
}

// Takes the next of the round. Locked.
static void run_next(struct sync_thread *thread)
{
    struct sync_request *request = thread->running, work = *request;
    thread->current = request;
    pthread_mutex_unlock(&thread->lock);
    sync_files(&work);
    pthread_mutex_lock(&thread->lock);
    if (thread->current == request) { // not withdrawn meanwhile
        memcpy(request->results, work.results, sizeof work.results);
        request->folder_result = work.folder_result;
        thread->running = request->next;
        list_add(&thread->done, request);
        eventfd_write(thread->event, 1);
    }
    thread->current = NULL;
    pthread_cond_broadcast(&thread->changed);
}

static void release(struct sync_thread *thread)
{
    close(thread->event);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
}

static void *thread_run(void *arg)
{
    struct sync_thread *thread = arg;
    pthread_mutex_lock(&thread->lock);
    for (;;) {
        while (!thread->asked.first && !thread->stop)
            pthread_cond_wait(&thread->changed, &thread->lock);
        if (!thread->asked.first)
            break;
        thread->running = thread->asked.first;
        list_clear(&thread->asked);
        while (thread->running)
            run_next(thread);
    }
    thread->ended = true;
    bool left = thread->left;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
    if (left)
        release(thread);
    return NULL;
}

static void ready(struct loop_io *io, unsigned events)
{
    struct sync_thread *thread =
        (struct sync_thread *)(void *)((char *)io - offsetof(struct sync_thread, io));
    eventfd_t count;
    (void)events;
    (void)eventfd_read(thread->event, &count);
    for (;;) {
        pthread_mutex_lock(&thread->lock);
        struct sync_request *request = thread->done.first;
        if (request)
            list_remove(&thread->done, request);
        pthread_mutex_unlock(&thread->lock);
        if (!request)
            return;
        request->asked = false;
        request->done(request);
    }
}

// Signals are the loop's, but for faults.
static int start(struct sync_thread *thread)
{
    sigset_t all, before;
    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(&thread->thread, NULL, thread_run, thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -r;
}

int sync_thread_new(struct sync_thread **out, struct loop *loop)
{
    struct sync_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return -ENOMEM;
    list_clear(&thread->asked);
    list_clear(&thread->done);
    pthread_mutex_init(&thread->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&thread->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    thread->io.ready = ready;
    thread->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = thread->event < 0 ? error_from_errno() : 0;
    if (r == 0)
        r = loop_io_start(loop, &thread->io, thread->event, LOOP_READ);
    if (r == 0)
        r = start(thread);
    if (r < 0) {
        loop_io_stop(&thread->io);
        if (thread->event >= 0)
            close(thread->event);
        free(thread);
        return r;
    }
    *out = thread;
    return 0;
}

static struct timespec patience_ends(void)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(SYNC_PATIENCE_NS / NS_PER_S);
    return end;
}

// Waits for a change, until the end at most. False: it has passed, now or before. Locked.
static bool wait_change(struct sync_thread *thread, const struct timespec *end)
{
    if (!thread->impatient &&
        pthread_cond_timedwait(&thread->changed, &thread->lock, end) == ETIMEDOUT)
        thread->impatient = true;
    return !thread->impatient;
}

void sync_thread_free(struct sync_thread *thread)
{
    if (!thread)
        return;
    loop_io_stop(&thread->io);
    struct timespec end = patience_ends();
    pthread_mutex_lock(&thread->lock);
    assert(!thread->asked.first && !thread->done.first);
    thread->stop = true;
    pthread_cond_broadcast(&thread->changed);
    while (!thread->ended && wait_change(thread, &end))
        ;
    bool ended = thread->ended;
    pthread_t id = thread->thread;
    thread->left = !ended;
    pthread_mutex_unlock(&thread->lock);
    if (!ended) {
        pthread_detach(id);
        return;
    }
    pthread_join(id, NULL);
    release(thread);
}

void sync_thread_ask(struct sync_thread *thread, struct sync_request *request)
{
    assert(!request->asked && request->done);
    assert(request->count <= SYNC_FILES);
    request->asked = true;
    pthread_mutex_lock(&thread->lock);
    list_add(&thread->asked, request);
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
}

static bool contains(const struct request_list *list, const struct sync_request *request)
{
    const struct sync_request *at = list->first;
    while (at && at != request)
        at = at->next;
    return at != NULL;
}

bool sync_thread_wait(struct sync_thread *thread, struct sync_request *request)
{
    struct timespec end = patience_ends();
    if (!request->asked)
        return true;
    pthread_mutex_lock(&thread->lock);
    while (!contains(&thread->done, request) && wait_change(thread, &end))
        ;
    bool done = list_remove(&thread->done, request);
    pthread_mutex_unlock(&thread->lock);
    if (done) {
        request->asked = false;
        request->done(request);
    }
    return done;
}

static void close_files(struct sync_request *request)
{
    for (unsigned i = 0; i < request->count; i++)
        close(request->files[i]);
    if (request->folder >= 0)
        close(request->folder);
}

// Out of the round in hand. Locked.
static void leave_round(struct sync_thread *thread, struct sync_request *request)
{
    struct sync_request **link = &thread->running;
    while (*link && *link != request)
        link = &(*link)->next;
    assert(*link);
    *link = request->next;
    if (thread->current == request)
        thread->current = NULL; // it closes its copies
    else
        close_files(request);
}

void sync_thread_withdraw(struct sync_thread *thread, struct sync_request *request)
{
    if (!request->asked)
        return;
    pthread_mutex_lock(&thread->lock);
    if (list_remove(&thread->asked, request))
        close_files(request);
    else if (!list_remove(&thread->done, request))
        leave_round(thread, request);
    pthread_mutex_unlock(&thread->lock);
    request->asked = false;
}
