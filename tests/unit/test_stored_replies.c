// Level `node` through every room: no receipt, and no reply to OTLP, before the device has the
// records.
#include "grpc_fixture.h"
#include "house.h"
#include "native_bytes.h"

#include <event2/event.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// In front of the C library's: a device that takes its time.
static pthread_mutex_t device_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t device_changed = PTHREAD_COND_INITIALIZER;
static bool device_open;
static unsigned syncs;

int fdatasync(int fd)
{
    assert(fd >= 0);
    pthread_mutex_lock(&device_lock);
    syncs++;
    while (!device_open)
        pthread_cond_wait(&device_changed, &device_lock);
    pthread_mutex_unlock(&device_lock);
    return 0;
}

static void device_set(bool open)
{
    pthread_mutex_lock(&device_lock);
    device_open = open;
    pthread_cond_broadcast(&device_changed);
    pthread_mutex_unlock(&device_lock);
}

static struct house *house_synced(void)
{
    device_open = false;
    syncs = 0;
    struct house *house =
        house_with(&(struct house_options){.synced = true, .block_for_ns = NS_PER_S});
    house->sink->holding = true; // what the sink has needs no sync
    return house;
}

static void house_over(struct house *house)
{
    device_set(true);
    house_release(house->sink);
    house_turn(house);
    house_free(house);
}

// What came so far, after enough turns for everything that waits for no device.
static size_t received(struct house *house, int fd, char *out, size_t size)
{
    size_t have = 0;
    for (unsigned i = 0; i < 50; i++) {
        house_turn(house);
        ssize_t n = recv(fd, out + have, size - have, MSG_DONTWAIT);
        have += n > 0 ? (size_t)n : 0;
    }
    return have;
}

static void await_readable(struct house *house, int fd)
{
    char byte;
    while (recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0) {
        assert_int_equal(errno, EAGAIN);
        event_base_loop(loop_event_base(house->loop), EVLOOP_ONCE);
    }
}

#define RECEIPT 0x92 // Frame{receipt = 34}: tag bytes 92 02

// A stream and level STORED: Hello{stream = 3, ack_level = 4}; see docs/PROTOCOL.md.
static int greet(struct house *house)
{
    static const char hello[] = "\xC1SL\x01\x0E\x00\x00\x00\x0A\x0C\x1A\x08streamID\x20\x02";
    char answer[200];
    int fd = house_dial(house);
    house_put(house, fd, hello, sizeof hello - 1);
    await_readable(house, fd);
    assert_true(received(house, fd, answer, sizeof answer) > 0);
    return fd;
}

static void put_log(struct house *house, int fd, size_t sequence)
{
    char frame[200];
    house_put(house, fd, frame, native_put_log(frame, sequence, 20));
}

static void a_receipt_waits_for_the_device(void **state)
{
    (void)state;
    char answer[200];
    struct house *house = house_synced();
    int fd = greet(house);
    put_log(house, fd, 1);
    assert_int_equal(received(house, fd, answer, sizeof answer), 0);
    assert_int_equal(house->books.door[SIGNAL_LOGS].routed, 1);
    device_set(true);
    await_readable(house, fd);
    assert_true(received(house, fd, answer, sizeof answer) > 5);
    assert_int_equal((uint8_t)answer[4], RECEIPT);
    close(fd);
    house_until_closed(house);
    house_over(house);
}

// A client that has shut its side down still gets it.
static void the_end_waits_for_the_receipt(void **state)
{
    (void)state;
    char answer[200];
    struct house *house = house_synced();
    int fd = greet(house);
    put_log(house, fd, 1);
    shutdown(fd, SHUT_WR);
    assert_int_equal(received(house, fd, answer, sizeof answer), 0);
    assert_int_equal(house->books.receive.open, 1);
    device_set(true);
    await_readable(house, fd);
    assert_true(received(house, fd, answer, sizeof answer) > 5);
    assert_int_equal((uint8_t)answer[4], RECEIPT);
    house_until_closed(house);
    close(fd);
    house_over(house);
}

static void who_leaves_is_waited_for_no_more(void **state)
{
    (void)state;
    struct house *house = house_synced();
    int fd = greet(house);
    put_log(house, fd, 1);
    struct linger reset = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    for (unsigned i = 0; i < 50; i++)
        house_turn(house);
    house_over(house);
}

static void carry(struct house *house, struct peer *peer, int fd)
{
    char answer[4096];
    const uint8_t *data;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(peer->session, &data)) > 0)
        house_put(house, fd, (const char *)data, (size_t)n);
    size_t size = received(house, fd, answer, sizeof answer);
    if (size)
        nghttp2_session_mem_recv(peer->session, (const uint8_t *)answer, size);
}

static void an_otlp_reply_waits_for_the_device(void **state)
{
    (void)state;
    static const char request[] = "\0\0\0\0\x0B\x0A\x09\x12\x07\x12\x05\x2A\x03\x0A\x01x";
    struct house *house = house_synced();
    struct peer peer;
    int fd = house_dial(house);
    memset(&peer, 0, sizeof peer);
    peer_open(&peer);
    int32_t id =
        peer_request(&peer, "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
                     "application/grpc", NULL, (const uint8_t *)request, sizeof request - 1, false);
    for (unsigned i = 0; i < 5; i++)
        carry(house, &peer, fd);
    assert_int_equal(house->books.door[SIGNAL_LOGS].routed, 1);
    assert_string_equal(peer_stream(&peer, id)->grpc_status, "");
    device_set(true);
    while (!*peer_stream(&peer, id)->grpc_status) {
        await_readable(house, fd);
        carry(house, &peer, fd);
    }
    assert_string_equal(peer_stream(&peer, id)->grpc_status, "0");
    close(fd);
    house_until_closed(house);
    peer_close(&peer);
    house_over(house);
}

// Reads frames until the end of the stream; their kinds, by number of Frame's field, in order.
static size_t kinds_until_end(int fd, unsigned kinds[], size_t most)
{
    uint8_t bytes[2000];
    size_t size = 0, count = 0;
    ssize_t n;
    while ((n = recv(fd, bytes + size, sizeof bytes - size, MSG_DONTWAIT)) > 0)
        size += (size_t)n;
    assert_int_equal(n, 0);
    for (size_t at = 0; at < size && count < most; at += 4u + bytes[at])
        kinds[count++] = (bytes[at + 4] >> 3 & 15u) | (unsigned)bytes[at + 5] << 4;
    return count;
}

#define FRAME_FLUSHED 33
#define FRAME_RECEIPT 34

static const char flush_stored[] = "\x06\0\0\0\x1A\x04\x08\x01\x10\x02"; // token 1, STORED

// The agent ends: it syncs once more, and says so before it closes.
static void the_last_sync_is_receipted(void **state)
{
    (void)state;
    unsigned kinds[4] = {0};
    struct house *house = house_synced();
    int fd = greet(house);
    put_log(house, fd, 1);
    house_put(house, fd, flush_stored, sizeof flush_stored - 1);
    char nothing[1];
    assert_int_equal(received(house, fd, nothing, sizeof nothing), 0);
    device_set(true);
    receive_close_all(house->receive);
    assert_int_equal(kinds_until_end(fd, kinds, 4), 2);
    assert_int_equal(kinds[0] + kinds[1], FRAME_FLUSHED + FRAME_RECEIPT);
    close(fd);
    house_over(house);
}

// A device that hangs must not hang the end: the Flush is answered, without the level or a receipt.
static void a_device_that_hangs_does_not_hang_the_end(void **state)
{
    (void)state;
    unsigned kinds[4];
    struct house *house = house_synced();
    int fd = greet(house);
    put_log(house, fd, 1);
    house_put(house, fd, flush_stored, sizeof flush_stored - 1);
    for (unsigned i = 0; i < 50; i++)
        house_turn(house);
    receive_close_all(house->receive);
    assert_int_equal(kinds_until_end(fd, kinds, 4), 1);
    assert_int_equal(kinds[0], FRAME_FLUSHED);
    close(fd);
    house_free(house); // neither does the log, nor the thread
    device_set(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_receipt_waits_for_the_device),
        cmocka_unit_test(the_end_waits_for_the_receipt),
        cmocka_unit_test(who_leaves_is_waited_for_no_more),
        cmocka_unit_test(an_otlp_reply_waits_for_the_device),
        cmocka_unit_test(the_last_sync_is_receipted),
        cmocka_unit_test(a_device_that_hangs_does_not_hang_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
