// The doors with every room behind them: real sockets in, an exporter in the test out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "decode/decode.h"
#include "deliver/exporter.h"
#include "enrich/enrich.h"
#include "receive/receive.h"
#include "spool/spool.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DOCUMENTS_MAX 20000
#define TURNS_MAX 200000

// Takes every parcel; answers at once, or keeps them until it is told to.
struct sink {
    struct exporter exporter; // first
    struct verdict_sink verdicts;
    bool holding;
    uint64_t held[DOCUMENTS_MAX];
    size_t held_count;
    char *documents[DOCUMENTS_MAX];
    size_t count;
    uint64_t records;
};

struct house {
    char folder[64];
    char path[96];
    struct loop *loop;
    struct books books;
    struct sink *sink;
    struct spool_log *log;
    struct enrich *enrich;
    struct decoder *decoder;
    struct receive *receive;
};

static int sink_start(struct exporter *exporter, struct verdict_sink verdicts)
{
    ((struct sink *)exporter)->verdicts = verdicts;
    return 0;
}

static void answer(struct sink *sink, uint64_t position)
{
    struct verdict verdict = {.position = position, .kind = VERDICT_DELIVERED};
    sink->verdicts.verdict(sink->verdicts.ctx, &verdict, 1);
}

static int sink_offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct sink *sink = (struct sink *)exporter;
    assert_true(sink->count < DOCUMENTS_MAX);
    sink->documents[sink->count++] = strndup(parcel->payload.data, parcel->payload.size);
    sink->records += parcel->records;
    if (sink->holding)
        sink->held[sink->held_count++] = parcel->position;
    else
        answer(sink, parcel->position);
    return 0;
}

static void sink_flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

static void release(struct sink *sink)
{
    sink->holding = false;
    for (size_t i = 0; i < sink->held_count; i++)
        answer(sink, sink->held[i]);
    sink->held_count = 0;
}

static const struct exporter_ops sink_ops = {
    .type = "test", .start = sink_start, .offer = sink_offer, .flush = sink_flush};

static void open_log(struct house *house, enum spool_when_full when_full)
{
    struct exporter_book *book = books_add_exporter(&house->books, "test");
    house->sink = calloc(1, sizeof *house->sink);
    house->sink->exporter = (struct exporter){&sink_ops, "test", book};
    struct spool_config config = {
        .name = "test",
        .segment_size = SPOOL_SEGMENT_MIN,
        .max_bytes = 4 * SPOOL_SEGMENT_MIN,
        .when_full = when_full,
        .loop = house->loop,
        .clock = clock_system(),
        .exporter = &house->sink->exporter,
        .book = book,
    };
    assert_int_equal(spool_log_new(&house->log, &config), 0);
}

static void open_doors(struct house *house, uint64_t block_for_ns)
{
    struct enrich_target logs = {.log = house->log, .form = WIRE_ECS_JSON};
    struct enrich_target spans = {.log = house->log, .form = WIRE_OTLP};
    struct enrich_config enrich = {
        .clock = clock_system(),
        .books = &house->books,
        .targets = {[SIGNAL_LOGS] = &logs, [SIGNAL_SPANS] = &spans},
        .target_count = {[SIGNAL_LOGS] = 1, [SIGNAL_SPANS] = 1},
        .agent_version = "0",
    };
    assert_int_equal(enrich_new(&house->enrich, &enrich), 0);
    struct decoder_config decoder = {.enrich = house->enrich,
                                     .clock = clock_system(),
                                     .max_line = 16384,
                                     .max_message = 1 << 20,
                                     .truncated = &house->books.receive.truncated};
    assert_int_equal(decoder_new(&house->decoder, &decoder), 0);
    struct receive_config receive = {
        .loop = house->loop,
        .clock = clock_system(),
        .decoder = house->decoder,
        .book = &house->books.receive,
        .socket_path = house->path,
        .socket_mode = 0600,
        .socket_group = "",
        .otlp_listen = "127.0.0.1:0",
        .max_line = decoder.max_line,
        .max_message = decoder.max_message,
        .block_for_ns = block_for_ns,
    };
    assert_int_equal(receive_new(&house->receive, &receive), 0);
}

static struct house *house_new(enum spool_when_full when_full, uint64_t block_for_ns)
{
    struct house *house = calloc(1, sizeof *house);
    snprintf(house->folder, sizeof house->folder, "/tmp/sluice-receive-XXXXXX");
    assert_non_null(mkdtemp(house->folder));
    snprintf(house->path, sizeof house->path, "%s/s.sock", house->folder);
    assert_int_equal(loop_new(&house->loop), 0);
    open_log(house, when_full);
    open_doors(house, block_for_ns);
    return house;
}

static void house_free(struct house *house)
{
    char lock[128];
    receive_free(house->receive);
    release(house->sink);
    assert_true(books_balanced(&house->books));
    decoder_free(house->decoder);
    enrich_free(house->enrich);
    spool_log_free(house->log);
    loop_free(house->loop);
    for (size_t i = 0; i < house->sink->count; i++)
        free(house->sink->documents[i]);
    free(house->sink);
    snprintf(lock, sizeof lock, "%s.lock", house->path);
    unlink(lock);
    rmdir(house->folder);
    free(house);
}

static int dial(const struct house *house)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", house->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void turn(struct house *house)
{
    event_base_loop(loop_event_base(house->loop), EVLOOP_NONBLOCK);
}

// Turns until the sink has count documents; the bound is in turns, not in time.
static void until_documents(struct house *house, size_t count)
{
    for (int i = 0; i < TURNS_MAX && house->sink->count < count; i++)
        turn(house);
    assert_int_equal(house->sink->count, count);
}

static void until_closed(struct house *house)
{
    for (int i = 0; i < TURNS_MAX && house->books.receive.open > 0; i++)
        turn(house);
    assert_int_equal(house->books.receive.open, 0);
}

// Writes all, turning the loop whenever the socket is full.
static void put(struct house *house, int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            turn(house);
            continue;
        }
        data += n;
        size -= (size_t)n;
    }
}

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
        int fd = dial(house);
        put(house, fd, text, cut);
        turn(house);
        turn(house);
        put(house, fd, text + cut, sizeof text - 1 - cut);
        close(fd);
        until_documents(house, made + 4);
        assert_message(house, made, "one");
        assert_message(house, made + 1, "two");
        assert_message(house, made + 2, "three");
        assert_message(house, made + 3, "four");
        made += 4;
    }
    until_closed(house);
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
        fds[p] = dial(house);
    for (int n = 0; n < LINES; n++) {
        // Half a line from each, then the other halves: every read ends inside a line.
        for (int p = 0; p < PRODUCERS; p++)
            put(house, fds[p], line, (size_t)snprintf(line, sizeof line, "{\"event\":\"p%02d ", p));
        turn(house);
        for (int p = 0; p < PRODUCERS; p++)
            put(house, fds[p], line, (size_t)snprintf(line, sizeof line, "n%02d p%02d\"}\n", n, p));
    }
    for (int p = 0; p < PRODUCERS; p++)
        close(fds[p]);
    until_documents(house, PRODUCERS * LINES);
    for (size_t i = 0; i < house->sink->count; i++) {
        int first, n, last;
        const char *message = strstr(house->sink->documents[i], "\"message\":\"p");
        assert_non_null(message);
        assert_int_equal(sscanf(message, "\"message\":\"p%d n%d p%d\"", &first, &n, &last), 3);
        assert_int_equal(first, last);
    }
    until_closed(house);
    house_free(house);
}

// A blocking log pauses the reader; nothing is lost, and it goes on by itself when there is room.
static void a_full_log_pauses_the_door(void **state)
{
    (void)state;
    enum { LINES = 2000 };
    struct house *house = house_new(SPOOL_WHEN_FULL_BLOCK, NS_PER_MS);
    char line[300];
    int fd = dial(house);
    int written = 0;
    house->sink->holding = true;
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    // Until a whole round of turns moves nothing: the socket is full and the door is paused.
    for (int idle = 0; written < LINES && idle < 100;) {
        ssize_t n = send(fd, line, sizeof line, MSG_NOSIGNAL);
        turn(house);
        idle = n < 0 ? idle + 1 : 0;
        if (n > 0) {
            assert_int_equal(n, sizeof line);
            written++;
        }
    }
    assert_true(house->sink->count < LINES);
    assert_true(house->sink->count <= 4 * SPOOL_SEGMENT_MIN / sizeof line);
    release(house->sink);
    for (; written < LINES; written++)
        put(house, fd, line, sizeof line);
    close(fd);
    until_documents(house, LINES);
    until_closed(house);
    assert_int_equal(house->books.exporters[0].book.dropped[DROP_SHED], 0);
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
    int fd = dial(house);
    house->sink->holding = true;
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    for (int n = 0; n < LINES; n++)
        put(house, fd, line, sizeof line); // would never end if the door stayed shut
    for (int i = 0; i < TURNS_MAX && house->books.door[SIGNAL_LOGS].received < LINES; i++)
        turn(house);
    struct exporter_book *book = &house->books.exporters[0].book;
    assert_int_equal(house->books.door[SIGNAL_LOGS].received, LINES);
    assert_true(book->dropped[DROP_SHED] > 0);
    assert_int_equal(book->held + book->dropped[DROP_SHED], LINES);
    uint64_t shed = book->dropped[DROP_SHED];
    release(house->sink);
    turn(house);
    put(house, fd, line, sizeof line);
    close(fd);
    until_closed(house);
    assert_int_equal(book->dropped[DROP_SHED], shed);
    assert_int_equal(book->delivered, LINES + 1 - shed);
    house_free(house);
}

static void long_lines_are_cut_and_counted(void **state)
{
    (void)state;
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    size_t size = 100000;
    char *line = malloc(size);
    int fd = dial(house);
    memset(line, 'y', size);
    line[size - 1] = '\n';
    put(house, fd, line, size);
    put(house, fd, "after\n", 6);
    close(fd);
    until_documents(house, 2);
    assert_message(house, 1, "after");
    until_closed(house);
    assert_int_equal(house->books.receive.truncated, 1);
    free(line);
    house_free(house);
}

static void foreign_bytes_are_closed_and_counted(void **state)
{
    (void)state;
    struct house *house = house_new(SPOOL_WHEN_FULL_AUTO, NS_PER_S);
    char byte;
    int fd = dial(house);
    put(house, fd, "\x16\x03\x01\x05\xcc", 5);
    for (int i = 0; i < TURNS_MAX && house->books.receive.connections[DIALECT_FOREIGN] == 0; i++)
        turn(house);
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
    int ends[2], fd = dial(house);
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
    until_documents(house, 1);
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 0); // every copy of the writing end is closed
    close(ends[0]);
    close(fd);
    until_closed(house);
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
    int fd = dial(house);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
    close(fd);
    for (int i = 0; i < TURNS_MAX && house->books.receive.connections[DIALECT_NATIVE] == 0; i++)
        turn(house);
    until_closed(house);
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
    int fd = dial(house);
    put(house, fd, bytes, size);
    for (int i = 0; i < TURNS_MAX && house->books.door[SIGNAL_SPANS].received == 0; i++)
        turn(house);
    turn(house);
    assert_true(house->books.door[SIGNAL_LOGS].received > 0);
    assert_int_equal(house->sink->records, house->books.door[SIGNAL_LOGS].routed +
                                               house->books.door[SIGNAL_SPANS].routed);
    for (ssize_t n; (n = recv(fd, reply + got, sizeof reply - got, 0)) > 0;)
        got += (size_t)n;
    assert_int_equal(count_trailers(reply, got), 2);
    close(fd);
    until_closed(house);
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
