// Takes requests in rounds, syncs their files, and hands them back through an eventfd.
#include "spool/sync_thread.h"

#include "base/error.h"
#include "base/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
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
    bool stop;
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
static void sync_files(struct sync_request *request)
{
    for (unsigned i = 0; i < request->count; i++) {
        int r;
        do
            r = fdatasync(request->files[i]);
        while (r < 0 && errno == EINTR);
        request->results[i] = r < 0 ? error_from_errno() : 0;
        close(request->files[i]);
    }
    request->folder_result = 0;
    if (request->folder >= 0 && fsync(request->folder) < 0)
        request->folder_result = error_from_errno();
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
        while (thread->running) {
            struct sync_request *request = thread->running;
            pthread_mutex_unlock(&thread->lock);
            sync_files(request);
            pthread_mutex_lock(&thread->lock);
            thread->running = request->next;
            list_add(&thread->done, request);
            pthread_cond_broadcast(&thread->changed);
            eventfd_write(thread->event, 1);
        }
    }
    pthread_mutex_unlock(&thread->lock);
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

// Signals are the loop's.
static int start(struct sync_thread *thread)
{
    sigset_t all, before;
    sigfillset(&all);
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
    pthread_cond_init(&thread->changed, NULL);
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

void sync_thread_free(struct sync_thread *thread)
{
    if (!thread)
        return;
    pthread_mutex_lock(&thread->lock);
    assert(!thread->asked.first && !thread->running && !thread->done.first);
    thread->stop = true;
    pthread_cond_broadcast(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
    pthread_join(thread->thread, NULL);
    loop_io_stop(&thread->io);
    close(thread->event);
    pthread_cond_destroy(&thread->changed);
    pthread_mutex_destroy(&thread->lock);
    free(thread);
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

void sync_thread_withdraw(struct sync_thread *thread, struct sync_request *request)
{
    if (!request->asked)
        return;
    pthread_mutex_lock(&thread->lock);
    if (list_remove(&thread->asked, request)) {
        for (unsigned i = 0; i < request->count; i++)
            close(request->files[i]);
    } else {
        while (!list_remove(&thread->done, request))
            pthread_cond_wait(&thread->changed, &thread->lock);
    }
    pthread_mutex_unlock(&thread->lock);
    request->asked = false;
}
