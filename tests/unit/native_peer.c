// The fake agent, and the fixture around it and a client.
#include "native_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct seen seen;

static void keep_last(const Sluice__Native__Frame *frame)
{
    size_t size = sluice__native__frame__get_packed_size(frame);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    sluice__native__frame__pack(frame, bytes);
    if (seen.last)
        sluice__native__frame__free_unpacked(seen.last, NULL);
    seen.last = sluice__native__frame__unpack(NULL, size, bytes);
    free(bytes);
}

static void see_records(const Sluice__Native__Records *records)
{
    bool logs = records->payload_case == SLUICE__NATIVE__RECORDS__PAYLOAD_LOGS;
    size_t scopes = logs ? records->logs->n_scope_logs : records->spans->n_scope_spans;
    assert_int_equal(scopes, 1);
    size_t count = logs ? records->logs->scope_logs[0]->n_log_records
                        : records->spans->scope_spans[0]->n_spans;
    assert_int_equal(records->count, count);
    for (size_t i = 0; i < count && seen.count < SEEN_MAX; i++, seen.count++) {
        const char *text = logs ? records->logs->scope_logs[0]->log_records[i]->body->string_value
                                : records->spans->scope_spans[0]->spans[i]->name;
        snprintf(seen.text[seen.count], sizeof seen.text[0], "%s", text);
        seen.sequence[seen.count] = records->first_sequence + i;
        seen.resend[seen.count] = records->resend;
    }
}

static void see(const Sluice__Native__Frame *frame)
{
    if (frame->body_case == SLUICE__NATIVE__FRAME__BODY_HELLO) {
        assert_int_equal(frame->hello->stream.len, 8);
        memcpy(seen.stream, frame->hello->stream.data, 8);
        snprintf(seen.service, sizeof seen.service, "%s",
                 frame->hello->resource->attributes[0]->value->string_value);
    } else if (frame->body_case == SLUICE__NATIVE__FRAME__BODY_RECORDS) {
        see_records(frame->records);
        keep_last(frame);
    } else if (frame->body_case == SLUICE__NATIVE__FRAME__BODY_DROP_REPORT) {
        seen.dropped += frame->drop_report->count;
    }
}

void peer_listen(struct peer *peer)
{
    unlink(peer->address.sun_path);
    peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&peer->address, sizeof peer->address),
                     0);
    assert_int_equal(listen(peer->listener, 8), 0);
}

void peer_init(struct peer *peer)
{
    *peer = (struct peer){.listener = -1, .fd = -1, .folder = "/tmp/sluice-client-XXXXXX"};
    assert_non_null(mkdtemp(peer->folder));
    peer->address.sun_family = AF_UNIX;
    snprintf(peer->address.sun_path, sizeof peer->address.sun_path, "%s/s", peer->folder);
}

void peer_hang_up(struct peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    peer->fd = -1;
    peer->size = 0;
    peer->preamble = false;
}

void peer_deinit(struct peer *peer)
{
    peer_hang_up(peer);
    if (peer->listener >= 0)
        close(peer->listener);
    free(peer->data);
    unlink(peer->address.sun_path);
    rmdir(peer->folder);
}

void peer_say(struct peer *peer, const Sluice__Native__Frame *frame)
{
    uint8_t out[4096];
    size_t size = sluice__native__frame__get_packed_size(frame);
    assert_true(size + 4 <= sizeof out);
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(size >> (8 * i));
    sluice__native__frame__pack(frame, out + 4);
    (void)!send(peer->fd, out, size + 4, MSG_NOSIGNAL);
}

static void peer_answer(struct peer *peer, const Sluice__Native__Frame *frame)
{
    Sluice__Native__Frame answer = SLUICE__NATIVE__FRAME__INIT;
    Sluice__Native__Welcome welcome = SLUICE__NATIVE__WELCOME__INIT;
    Sluice__Native__Flushed flushed = SLUICE__NATIVE__FLUSHED__INIT;
    switch (frame->body_case) {
    case SLUICE__NATIVE__FRAME__BODY_HELLO:
        peer->hellos++;
        welcome.version = 1;
        welcome.credits = peer->credits;
        welcome.max_frame = peer->max_frame;
        welcome.features = peer->credits ? SLUICE__NATIVE__FEATURE__FEATURE_CREDITS : 0;
        answer.body_case = SLUICE__NATIVE__FRAME__BODY_WELCOME;
        answer.welcome = &welcome;
        peer_say(peer, &answer);
        break;
    case SLUICE__NATIVE__FRAME__BODY_FLUSH:
        peer->flushes++;
        flushed.token = frame->flush->token;
        answer.body_case = SLUICE__NATIVE__FRAME__BODY_FLUSHED;
        answer.flushed = &flushed;
        if (!peer->mute)
            peer_say(peer, &answer);
        break;
    case SLUICE__NATIVE__FRAME__BODY_GOODBYE:
        peer->goodbyes++;
        break;
    default:
        break;
    }
}

static size_t peer_frame_size(const uint8_t *data)
{
    return (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
}

static void peer_take(struct peer *peer)
{
    size_t at = 0;
    if (!peer->preamble && peer->size >= 4) {
        assert_memory_equal(peer->data, "\xC1SL\x01", 4);
        peer->preamble = true;
        at = 4;
    }
    while (peer->preamble && peer->size - at >= 4 &&
           peer->size - at - 4 >= peer_frame_size(peer->data + at)) {
        size_t size = peer_frame_size(peer->data + at);
        Sluice__Native__Frame *frame =
            sluice__native__frame__unpack(NULL, size, peer->data + at + 4);
        assert_non_null(frame);
        see(frame);
        peer_answer(peer, frame);
        sluice__native__frame__free_unpacked(frame, NULL);
        at += 4 + size;
    }
    memmove(peer->data, peer->data + at, peer->size - at);
    peer->size -= at;
}

bool peer_pump(struct peer *peer)
{
    if (peer->fd < 0 && peer->listener >= 0)
        peer->fd = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (peer->fd >= 0) {
        if (peer->capacity - peer->size < 65536) {
            peer->capacity = peer->size + 131072;
            peer->data = realloc(peer->data, peer->capacity);
            assert_non_null(peer->data);
        }
        ssize_t n = recv(peer->fd, peer->data + peer->size, peer->capacity - peer->size, 0);
        if (n <= 0)
            return n < 0 && errno == EAGAIN;
        peer->size += (size_t)n;
        peer_take(peer);
    }
    return true;
}

int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    memset(&seen, 0, sizeof seen);
    peer_init(&f->peer);
    *state = f;
    return 0;
}

int tear_down(void **state)
{
    struct fixture *f = *state;
    sluice_close(f->sluice);
    peer_deinit(&f->peer);
    if (seen.last)
        sluice__native__frame__free_unpacked(seen.last, NULL);
    free(f);
    return 0;
}

void open_client(struct fixture *f, size_t buffer)
{
    struct sluice_options options = {.socket_path = f->peer.address.sun_path,
                                     .service_name = "orders",
                                     .scope = "orders.api",
                                     .buffer_size = buffer};
    f->sluice = sluice_open(&options);
    assert_non_null(f->sluice);
}

struct sluice_stats stats_of(struct fixture *f)
{
    struct sluice_stats stats;
    sluice_stats(f->sluice, &stats);
    return stats;
}

static void *run_peer(void *arg)
{
    struct fixture *f = arg;
    while (!atomic_load(&f->stop)) {
        struct pollfd waits = {f->peer.fd >= 0 ? f->peer.fd : f->peer.listener, POLLIN, 0};
        poll(&waits, 1, 10);
        if (!peer_pump(&f->peer))
            peer_hang_up(&f->peer);
    }
    return NULL;
}

void start_peer(struct fixture *f)
{
    atomic_store(&f->stop, false);
    assert_int_equal(pthread_create(&f->thread, NULL, run_peer, f), 0);
}

void stop_peer(struct fixture *f)
{
    atomic_store(&f->stop, true);
    pthread_join(f->thread, NULL);
}
