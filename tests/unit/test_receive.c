// The doors with every room behind them: real sockets in, an exporter in the test out.
#include "house.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void assert_message(const struct house *house, size_t i, const char *text)
{
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\"message\":\"%s\"", text);
    assert_non_null(strstr(house->sink->documents[i], wanted));
}

static void lines_arrive_however_they_are_cut(void **state)
{
    (void)state;
    static const char text[] = "{\"event\":\"one\"}\n\n{\"event\":\"two\"}\r\nthree\0four";
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    size_t made = 0;
    for (size_t cut = 1; cut < sizeof text - 1; cut++) {
        int fd = house_dial(house);
        house_put(house, fd, text, cut);
        house_turn(house);
        house_turn(house);
        house_put(house, fd, text + cut, sizeof text - 1 - cut);
        close(fd);
        house_until_documents(house, made + 4);
        assert_message(house, made, "one");
        assert_message(house, made + 1, "two");
        assert_message(house, made + 2, "three");
        assert_message(house, made + 3, "four");
        made += 4;
    }
    house_until_closed(house);
    assert_int_equal(house->books.door[SIGNAL_LOGS].received, made);
    assert_int_equal(house->books.receive.connections[DIALECT_LINES], sizeof text - 2);
    house_free(house);
}

static void producers_do_not_mix(void **state)
{
    (void)state;
    enum { PRODUCERS = 20, LINES = 50 };
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    int fds[PRODUCERS];
    char line[128];
    for (int p = 0; p < PRODUCERS; p++)
        fds[p] = house_dial(house);
    for (int n = 0; n < LINES; n++) {
        // Half a line from each, then the other halves: every read ends inside a line.
        for (int p = 0; p < PRODUCERS; p++)
            house_put(house, fds[p], line,
                      (size_t)snprintf(line, sizeof line, "{\"event\":\"p%02d ", p));
        house_turn(house);
        for (int p = 0; p < PRODUCERS; p++)
            house_put(house, fds[p], line,
                      (size_t)snprintf(line, sizeof line, "n%02d p%02d\"}\n", n, p));
    }
    for (int p = 0; p < PRODUCERS; p++)
        close(fds[p]);
    house_until_documents(house, PRODUCERS * LINES);
    for (size_t i = 0; i < house->sink->count; i++) {
        const char *message = strstr(house->sink->documents[i], "\"message\":\"p");
        assert_non_null(message);
        message += strlen("\"message\":\"");
        assert_memory_equal(message, message + strlen("p00 n00 "), strlen("p00")); // p07 n31 p07
    }
    house_until_closed(house);
    house_free(house);
}

// A blocking log pauses the reader; nothing is lost, and it goes on by itself when there is room.
static void a_full_log_pauses_the_door(void **state)
{
    (void)state;
    enum { LINES = 2000 };
    struct house *house = house_new(SPOOL_WHEN_FULL_BLOCK, NS_PER_MS);
    char line[300];
    int fd = house_dial(house);
    int written = 0;
    house->sink->holding = true;
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    // Until a whole round of turns moves nothing: the socket is full and the door is paused.
    for (int idle = 0; written < LINES && idle < 100;) {
        ssize_t n = send(fd, line, sizeof line, MSG_NOSIGNAL);
        house_turn(house);
        idle = n < 0 ? idle + 1 : 0;
        if (n > 0) {
            assert_int_equal(n, sizeof line);
            written++;
        }
    }
    assert_true(house->sink->count < LINES);
    assert_true(house->sink->count <= (size_t)4 * SPOOL_SEGMENT_MIN / sizeof line);
    house_release(house->sink);
    for (; written < LINES; written++)
        house_put(house, fd, line, sizeof line);
    close(fd);
    house_until_documents(house, LINES);
    house_until_closed(house);
    assert_int_equal(house->books.exporters[0].book.dropped[DROP_SHED], 0);
    assert_true(house->books.exporters[0].book.blocked > 0);
    house_free(house);
}

// Left to itself a door of lines waits block_for, then sheds and counts; with room again it keeps
// again.
static void a_full_log_sheds_lines_after_a_while(void **state)
{
    (void)state;
    enum { LINES = 3000 };
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_MS);
    char line[300];
    int fd = house_dial(house);
    house->sink->holding = true;
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int n = 0; n < LINES; n++)
        house_put(house, fd, line, sizeof line); // would never end if the door stayed shut
    for (int i = 0; i < TURNS_MAX && house->books.door[SIGNAL_LOGS].received < LINES; i++)
        house_turn(house);
    struct exporter_book *book = &house->books.exporters[0].book;
    assert_int_equal(house->books.door[SIGNAL_LOGS].received, LINES);
    assert_true(book->dropped[DROP_LEVEL] > 0);
    uint64_t shed = book->dropped[DROP_SHED] + book->dropped[DROP_LEVEL];
    assert_int_equal(book->held + shed, LINES);
    house_release(house->sink);
    house_turn(house);
    house_put(house, fd, line, sizeof line);
    close(fd);
    house_until_closed(house);
    assert_int_equal(book->dropped[DROP_SHED] + book->dropped[DROP_LEVEL], shed);
    assert_int_equal(book->delivered, LINES + 1 - shed);
    house_free(house);
}

static void long_lines_are_cut_and_counted(void **state)
{
    (void)state;
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    size_t size = 100000;
    char *line = malloc(size);
    int fd = house_dial(house);
    memset(line, 'y', size);
    line[size - 1] = '\n';
    house_put(house, fd, line, size);
    house_put(house, fd, "after\n", 6);
    close(fd);
    house_until_documents(house, 2);
    assert_message(house, 1, "after");
    house_until_closed(house);
    assert_int_equal(house->books.receive.truncated, 1);
    free(line);
    house_free(house);
}

static void foreign_bytes_are_closed_and_counted(void **state)
{
    (void)state;
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    char byte;
    int fd = house_dial(house);
    house_put(house, fd, "\x16\x03\x01\x05\xcc", 5);
    for (int i = 0; i < TURNS_MAX && house->books.receive.connections[DIALECT_FOREIGN] == 0; i++)
        house_turn(house);
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
    close(fd);
    assert_int_equal(house->books.receive.connections[DIALECT_FOREIGN], 1);
    assert_int_equal(house->sink->count, 0);
    house_free(house);
}

static void surplus_descriptors_are_closed(void **state)
{
    (void)state;
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    int ends[2], fd = house_dial(house);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct iovec part = {"with descriptors\n", 17};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(header), (int[]){ends[1], ends[1]}, 2 * sizeof(int));
    assert_int_equal(sendmsg(fd, &message, 0), 17);
    close(ends[1]);
    house_until_documents(house, 1);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0); // every copy of the writing end is closed
    close(ends[0]);
    close(fd);
    house_until_closed(house);
    assert_int_equal(house->books.receive.surplus_fds, 2);
    house_free(house);
}

// A Records frame of one log without fields: count 1, ResourceLogs{ScopeLogs{LogRecord{}}}.
static size_t put_record(char *out, uint8_t sequence)
{
    const char frame[] = {16,   0, 0,    0,  0x12, 14, 0x08, (char)sequence,
                          0x10, 1, 0x1A, 8,  0x12, 6,  0x12, 4,
                          0x1A, 2, 'x',  'y'};
    memcpy(out, frame, sizeof frame);
    return sizeof frame;
}

// It wrote everything and closed before our Welcome: our write fails, and what it wrote still
// counts.
static void a_peer_that_closed_before_the_answer_is_still_read(void **state)
{
    (void)state;
    enum { RECORDS = 5000 }; // more than one read
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    char *bytes = malloc(RECORDS * 32 + 64);
    size_t size = 0;
    memcpy(bytes, "\xC1SL\x01\x02\x00\x00\x00\x0A\x00", 10); // preamble, and an empty Hello
    size = 10;
    for (int n = 0; n < RECORDS; n++)
        size += put_record(bytes + size, (uint8_t)(n % 100 + 1));
    int fd = house_dial(house);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
    close(fd);
    for (int i = 0; i < TURNS_MAX && house->books.receive.connections[DIALECT_NATIVE] == 0; i++)
        house_turn(house);
    house_until_closed(house);
    assert_int_equal(house->books.receive.connections[DIALECT_NATIVE], 1);
    assert_int_equal(house->books.door[SIGNAL_LOGS].received, RECORDS);
    free(bytes);
    house_free(house);
}

// HTTP/2 frames of type HEADERS that end their stream: a call's trailers.
static int count_trailers(const char *reply, size_t size)
{
    int count = 0;
    for (size_t at = 0; at + 9 <= size;) {
        const unsigned char *head = (const unsigned char *)reply + at;
        count += head[3] == 1 && (head[4] & 1);
        at += 9 + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
    }
    return count;
}

// A real Python SDK's connection, replayed: its records arrive, and each call is answered.
static void a_captured_otlp_connection_is_served(void **state)
{
    (void)state;
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    char bytes[16384], reply[16384];
    size_t got = 0;
    FILE *file = fopen("../goldens/otlp/py-handler-c0.c2s.bin", "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    int fd = house_dial(house);
    house_put(house, fd, bytes, size);
    for (int i = 0; i < TURNS_MAX && house->books.door[SIGNAL_SPANS].received == 0; i++)
        house_turn(house);
    house_turn(house);
    assert_true(house->books.door[SIGNAL_LOGS].received > 0);
    assert_int_equal(house->sink->records, house->books.door[SIGNAL_LOGS].routed +
                                               house->books.door[SIGNAL_SPANS].routed);
    for (ssize_t n; (n = recv(fd, reply + got, sizeof reply - got, 0)) > 0;)
        got += (size_t)n;
    assert_int_equal(count_trailers(reply, got), 2);
    close(fd);
    house_until_closed(house);
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_arrive_however_they_are_cut),
        cmocka_unit_test(producers_do_not_mix),
        cmocka_unit_test(a_full_log_pauses_the_door),
        cmocka_unit_test(a_full_log_sheds_lines_after_a_while),
        cmocka_unit_test(long_lines_are_cut_and_counted),
        cmocka_unit_test(foreign_bytes_are_closed_and_counted),
        cmocka_unit_test(surplus_descriptors_are_closed),
        cmocka_unit_test(a_peer_that_closed_before_the_answer_is_still_read),
        cmocka_unit_test(a_captured_otlp_connection_is_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
