// Inflates, appends and answers the Export requests of all connections, a little in each turn.
#include "receive/otlp_work.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/room_waiter.h"
#include "decode/decode_otlp.h"
#include "grpc/grpc_server.h"
#include "receive/otlp_reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

// A message up to this does not wait behind large ones.
#define SMALL_MESSAGE ((size_t)64 << 10)
// What an idle HTTP/2 session keeps, nghttp2's buffer for a frame above all; measured with 1.52.
#define SESSION_BYTES ((size_t)30 << 10)

// What one connection has brought; its requests may outlive it.
struct producer {
    uint64_t records; // of logs
    unsigned users;
};

// A request that is not appended yet.
struct export
{
    struct export *next;
    struct otlp_peer *peer;         // NULL: it has gone
    struct producer *producer;      // of one in a lane
    struct grpc_call *call;         // of that peer's server
    struct grpc_body body;          // the message
    struct otlp_progress *progress; // NULL: not begun
    enum signal_kind signal;
    struct otlp_result result; // of one that is appended, and waits until that is stored
    uint64_t mark;
};

struct lane {
    struct export *first, **end;
    struct otlp_work *work;
    struct room_waiter waiter;
};

struct otlp_work {
    struct otlp_work_config config;
    struct message_pool pool;
    struct lane lanes[SIGNAL_COUNT];
    unsigned turn;                      // the lane that is next
    struct otlp_peer *busy, **busy_end; // those that inflate
    size_t peers;
    struct export *unstored, **unstored_end; // appended; their replies wait
    struct room_waiter stored;
    struct loop_timer timer;
    bool last; // the agent ends: nothing waits any more
};

struct otlp_peer {
    struct otlp_work *work;
    struct otlp_peer *next_busy;
    bool busy;
    bool over; // its owner was told that the session has ended
    struct grpc_server *server;
    struct producer *producer;
    unsigned exports; // in lanes, or not stored yet
    void (*resume)(void *ctx);
    void *ctx;
};

// The next turn comes after other sockets had theirs: a deferred call would come before.
static void arm(struct otlp_work *work)
{
    if (!work->timer.armed)
        loop_timer_start(work->config.loop, &work->timer, 0);
}

// The service that a path names, or SIGNAL_COUNT.
static enum signal_kind signal_of(const char *path)
{
    static const char *const paths[SIGNAL_COUNT] = {
        [SIGNAL_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        [SIGNAL_SPANS] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        [SIGNAL_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    };
    unsigned i = 0;
    while (i < SIGNAL_COUNT && strcmp(path, paths[i]) != 0)
        i++;
    return (enum signal_kind)i;
}

static void lane_push(struct lane *lane, struct export *export)
{
    export->next = NULL;
    *lane->end = export;
    lane->end = &export->next;
}

static void producer_release(struct producer *producer)
{
    if (producer && --producer->users == 0)
        free(producer);
}

static void lane_pop(struct lane *lane)
{
    struct export *export = lane->first;
    lane->first = export->next;
    if (!lane->first)
        lane->end = &lane->first;
    decode_otlp_free(export->progress);
    producer_release(export->producer);
    grpc_body_free(&export->body);
    free(export);
}

static void export_done(struct export *export)
{
    struct otlp_peer *peer = export->peer;
    if (peer) {
        otlp_reply(export->call, 0, &export->result);
        peer->exports--;
        peer->resume(peer->ctx);
    }
    free(export);
}

// Whether something is not stored yet.
static bool answer_stored(struct otlp_work *work)
{
    struct export **link = &work->unstored, *export;
    while ((export = *link)) {
        if (!decoder_is_stored(work->config.decoder, export->signal, export->mark)) {
            link = &export->next;
            continue;
        }
        *link = export->next;
        if (!*link)
            work->unstored_end = link;
        export_done(export);
    }
    return work->unstored != NULL;
}

static void stored_further(struct room_waiter *waiter)
{
    struct otlp_work *work =
        (struct otlp_work *)((char *)waiter - offsetof(struct otlp_work, stored));
    if (answer_stored(work))
        decoder_wait_stored(work->config.decoder, waiter);
}

// Replies now, or once what was appended is stored. Takes no part in peer->exports but for that.
static void reply_stored(struct otlp_peer *peer, struct grpc_call *call, enum signal_kind signal,
                         int outcome, const struct otlp_result *result)
{
    struct otlp_work *work = peer->work;
    struct decoder *decoder = work->config.decoder;
    uint64_t mark = outcome == 0 ? decoder_mark(decoder, signal) : 0;
    struct export *export = NULL;
    if (outcome == 0 && !decoder_is_stored(decoder, signal, mark)) {
        export = work->last ? NULL : calloc(1, sizeof *export);
        if (!export)
            decoder_store_now(decoder);
    }
    if (outcome == 0 && !export && !decoder_is_stored(decoder, signal, mark))
        outcome = -EIO;
    if (!export) {
        otlp_reply(call, outcome, result);
        return;
    }
    *export = (struct export){
        .peer = peer, .call = call, .signal = signal, .result = *result, .mark = mark};
    peer->exports++;
    *work->unstored_end = export;
    work->unstored_end = &export->next;
    decoder_wait_stored(decoder, &work->stored);
}

// One turn of the lane's first. False where it waits for room.
static bool lane_step(struct lane *lane)
{
    struct otlp_work *work = lane->work;
    struct export *export = lane->first;
    struct otlp_result result = {0};
    struct slice message = slice_of(export->body.data, export->body.size);
    int r = 0;
    if (!export->progress)
        r = decode_otlp_begin(work->config.decoder, export->signal, message,
                              &export->producer->records, &export->progress);
    if (r == 0)
        r = decode_otlp_step(export->progress, work->last, &result);
    if (r == DECODE_AGAIN)
        return true;
    if (r == DECODE_FULL) {
        decoder_wait(work->config.decoder, &lane->waiter);
        return false;
    }
    struct otlp_peer *peer = export->peer;
    if (peer) {
        peer->exports--;
        reply_stored(peer, export->call, export->signal, r, &result);
        peer->resume(peer->ctx);
    }
    lane_pop(lane);
    return true;
}

// Takes the request over into its lane; progress (may be NULL) comes along. Where there is no
// memory for that it is finished here.
static void postpone(struct otlp_peer *peer, struct grpc_call *call, enum signal_kind signal,
                     struct otlp_progress *progress)
{
    struct export *export = calloc(1, sizeof *export);
    if (!export) {
        struct otlp_result result = {0};
        otlp_reply(call, progress ? decode_otlp_step(progress, true, &result) : -ENOMEM, &result);
        decode_otlp_free(progress);
        return;
    }
    export->peer = peer;
    export->producer = peer->producer;
    export->producer->users++;
    export->call = call;
    export->signal = signal;
    export->progress = progress;
    grpc_call_take(call, &export->body);
    peer->exports++;
    lane_push(&peer->work->lanes[signal], export);
    arm(peer->work);
}

static void export_called(void *ctx, struct grpc_call *call, const char *path, struct slice message)
{
    struct otlp_peer *peer = ctx;
    struct otlp_work *work = peer->work;
    struct otlp_progress *progress = NULL;
    struct otlp_result result = {0};
    enum signal_kind signal = signal_of(path);
    if (signal == SIGNAL_COUNT) {
        struct grpc_status status = {GRPC_UNIMPLEMENTED, "no such service here", 0};
        grpc_call_reply(call, &status, (struct slice){0});
        return;
    }
    if (work->lanes[signal].first && message.size > SMALL_MESSAGE && !work->last) {
        postpone(peer, call, signal, NULL);
        return;
    }
    int r = decode_otlp_begin(work->config.decoder, signal, message, &peer->producer->records,
                              &progress);
    if (r == 0)
        r = decode_otlp_step(progress, work->last, &result);
    if (r == DECODE_AGAIN || r == DECODE_FULL) {
        postpone(peer, call, signal, progress);
        return;
    }
    reply_stored(peer, call, signal, r, &result);
    decode_otlp_free(progress);
}

static void room_again(struct room_waiter *waiter)
{
    struct lane *lane = (struct lane *)((char *)waiter - offsetof(struct lane, waiter));
    arm(lane->work);
}

static void busy_push(struct otlp_peer *peer)
{
    struct otlp_work *work = peer->work;
    peer->busy = true;
    peer->next_busy = NULL;
    *work->busy_end = peer;
    work->busy_end = &peer->next_busy;
    arm(work);
}

static void busy_remove(struct otlp_peer *peer)
{
    struct otlp_work *work = peer->work;
    struct otlp_peer **link = &work->busy;
    if (!peer->busy)
        return;
    while (*link != peer)
        link = &(*link)->next_busy;
    *link = peer->next_busy;
    if (!*link)
        work->busy_end = link;
    peer->busy = false;
}

// One step of the peer whose turn it is.
static void busy_step(struct otlp_work *work)
{
    struct otlp_peer *peer = work->busy;
    if (!peer)
        return;
    busy_remove(peer);
    grpc_server_step(peer->server);
    if (grpc_server_busy(peer->server))
        busy_push(peer);
    else
        peer->resume(peer->ctx);
}

static void turn(struct loop_timer *timer)
{
    struct otlp_work *work =
        (struct otlp_work *)((char *)timer - offsetof(struct otlp_work, timer));
    busy_step(work);
    bool stepped = false;
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        struct lane *lane = &work->lanes[work->turn++ % SIGNAL_COUNT];
        if (!stepped && lane->first && !lane->waiter.waiting)
            stepped = lane_step(lane);
    }
    work->turn++; // so that another lane is first
    if (stepped || work->busy)
        arm(work);
}

int otlp_work_new(struct otlp_work **out, const struct otlp_work_config *config)
{
    struct otlp_work *work = calloc(1, sizeof *work);
    if (!work)
        return -ENOMEM;
    work->config = *config;
    work->pool = (struct message_pool){.budget = config->message_bytes, .clock = config->clock};
    work->busy_end = &work->busy;
    work->unstored_end = &work->unstored;
    work->stored.room = stored_further;
    work->timer.expired = turn;
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        struct lane *lane = &work->lanes[i];
        lane->end = &lane->first;
        lane->work = work;
        lane->waiter.room = room_again;
    }
    *out = work;
    return 0;
}

void otlp_work_finish(struct otlp_work *work)
{
    work->last = true;
    while (work->busy)
        busy_step(work);
    for (unsigned i = 0; i < SIGNAL_COUNT; i++) {
        decoder_wait_cancel(work->config.decoder, &work->lanes[i].waiter);
        while (work->lanes[i].first)
            lane_step(&work->lanes[i]);
    }
    decoder_wait_stored_cancel(work->config.decoder, &work->stored);
    if (work->unstored)
        decoder_store_now(work->config.decoder);
    answer_stored(work);
    while (work->unstored) { // the device fails: no reply, so that the client sends it again
        struct export *export = work->unstored;
        work->unstored = export->next;
        if (export->peer)
            export->peer->exports--;
        free(export);
    }
    work->unstored_end = &work->unstored;
    loop_timer_stop(&work->timer);
}

void otlp_work_free(struct otlp_work *work)
{
    if (!work)
        return;
    assert(!work->peers);
    otlp_work_finish(work);
    free(work);
}

static void peer_wake(void *ctx)
{
    struct otlp_peer *peer = ctx;
    peer->resume(peer->ctx);
}

int otlp_peer_new(struct otlp_peer **out, struct otlp_work *work, void (*resume)(void *ctx),
                  void *ctx)
{
    struct otlp_peer *peer = calloc(1, sizeof *peer);
    if (!peer)
        return -ENOMEM;
    struct grpc_service service = {
        .call = export_called,
        .ctx = peer,
        .max_message = work->config.max_message,
        .in_turns = true,
        .pool = &work->pool,
        .wake = peer_wake,
        .wake_ctx = peer,
    };
    int r = pool_reserve(&work->pool, SESSION_BYTES) ? 0 : -ENOBUFS;
    peer->producer = calloc(1, sizeof *peer->producer);
    if (r == 0 && !peer->producer) {
        pool_release(&work->pool, SESSION_BYTES);
        r = -ENOMEM;
    }
    if (r == 0) {
        r = grpc_server_new(&peer->server, &service);
        if (r < 0)
            pool_release(&work->pool, SESSION_BYTES);
    }
    if (r < 0) {
        free(peer->producer);
        free(peer);
        return r;
    }
    peer->producer->users = 1;
    peer->work = work;
    peer->resume = resume;
    peer->ctx = ctx;
    work->peers++;
    *out = peer;
    return 0;
}

void otlp_peer_free(struct otlp_peer *peer)
{
    if (!peer)
        return;
    struct otlp_work *work = peer->work;
    busy_remove(peer);
    for (unsigned i = 0; i < SIGNAL_COUNT && peer->exports > 0; i++)
        for (struct export *export = work->lanes[i].first; export; export = export->next)
            export->peer = export->peer == peer ? NULL : export->peer;
    for (struct export *export = work->unstored; export; export = export->next)
        export->peer = export->peer == peer ? NULL : export->peer;
    work->peers--;
    pool_release(&work->pool, SESSION_BYTES);
    grpc_server_free(peer->server);
    producer_release(peer->producer);
    free(peer);
}

enum decode_stop otlp_peer_feed(struct otlp_peer *peer, struct slice data, bool end)
{
    struct otlp_work *work = peer->work;
    int r = data.size ? grpc_server_feed(peer->server, (const uint8_t *)data.data, data.size) : 0;
    while (work->last && grpc_server_busy(peer->server))
        grpc_server_step(peer->server);
    if (work->last && end)
        grpc_server_end(peer->server);
    if (r < 0 || grpc_server_finished(peer->server))
        return DECODE_CLOSE;
    if (grpc_server_busy(peer->server)) {
        if (!peer->busy)
            busy_push(peer);
        return DECODE_BLOCKED;
    }
    return end && peer->exports > 0 ? DECODE_BLOCKED : DECODE_MORE;
}

bool otlp_peer_broken(const struct otlp_peer *peer)
{
    return grpc_server_broken(peer->server);
}

size_t otlp_peer_output(struct otlp_peer *peer, const uint8_t **data)
{
    size_t size = grpc_server_output(peer->server, data);
    if (size == 0 && !peer->over && grpc_server_finished(peer->server)) {
        peer->over = true; // the owner finds out when it feeds
        peer->resume(peer->ctx);
    }
    return size;
}
