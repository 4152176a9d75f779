// One connection's ends: answers nobody reads, dialects broken, stack traces whose rest is awaited.
#include "house.h"

#include "native_bytes.h"
#include "receive/receive_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct receive_book *book_of(const struct house *house)
{
    return &house->books.receive;
}

static bool one_unread(const struct house *house)
{
    return house->books.receive.closed[CLOSE_UNREAD] == 1;
}

static bool one_opened(const struct house *house)
{
    return house->books.receive.open == 1;
}

// Asks for ever more answers and reads none: it goes, and every record that it had sent counts.
static void who_reads_no_answers_is_closed(void **state)
{
    (void)state;
    struct house *house = house_with(&(struct house_options){.log_bytes = 8u << 20});
    char bytes[64];
    size_t records = 0;
    int fd = house_dial(house);
    house_until(house, one_opened);
    house_put(house, fd, NATIVE_OPENING, NATIVE_OPENING_SIZE);
    for (int idle = 0; idle < 100;) { // until it is read no more, and its socket is full
        size_t size = native_put_log(bytes, records + 1, 4);
        size += native_put_flush(bytes + size, (char)(records % 100 + 1));
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        house_turn(house);
        idle = n < 0 ? idle + 1 : 0;
        records += n > 0;
    }
    assert_true(book_of(house)->read_bytes.used > 0); // the answer that it does not take
    assert_int_equal(book_of(house)->open, 1);
    house->receive->unread_ns = NS_PER_MS;
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 1); // it takes a little: the wait begins anew
    for (char drop[512]; recv(fd, drop, sizeof drop, 0) > 0;)
        ;
    for (int idle = 0; idle < 100;) { // and is full again
        size_t size = native_put_log(bytes, records + 1, 4);
        size += native_put_flush(bytes + size, (char)(records % 100 + 1));
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        records += n > 0;
        house_turn(house);
        if (one_unread(house))
            break;
        idle = n < 0 ? idle + 1 : 0;
    }
    house_until(house, one_unread);
    house_until_closed(house);
    assert_int_equal(house->books.door[SIGNAL_LOGS].received, records);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    close(fd);
    house_free(house);
}

static void what_breaks_a_dialect_is_counted(void **state)
{
    (void)state;
    struct house *house = house_with(&(struct house_options){0});
    int fd = house_dial(house);
    house_until(house, one_opened);
    house_put(house, fd, NATIVE_OPENING, NATIVE_OPENING_SIZE);
    house_put(house, fd, "\x02\x00\x00\x00\x0A\x00", 6); // a second Hello
    house_until_closed(house);
    assert_int_equal(book_of(house)->closed[CLOSE_BROKEN], 1);
    close(fd);
    fd = house_dial(house);
    house_until(house, one_opened);
    house_put(house, fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot frames of HTTP/2 at all", 51);
    house_until_closed(house);
    assert_int_equal(book_of(house)->closed[CLOSE_BROKEN], 2);
    close(fd);
    fd = house_dial(house);
    house_until(house, one_opened);
    house_put(house, fd, NATIVE_OPENING, NATIVE_OPENING_SIZE);
    close(fd); // in order
    house_until_closed(house);
    assert_int_equal(book_of(house)->closed[CLOSE_BROKEN], 2);
    house_free(house);
}

static void foreign_bytes_are_counted_by_kind(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        enum close_reason reason;
    } rows[] = {
        {"\x16\x03\x01\x02\x00\x01", 6, CLOSE_TLS},
        {"\0\0\1\0\x80\x04\x95", 7, CLOSE_PICKLE},
        {"POST /v1/logs HTTP/1.1\r\n", 24, CLOSE_HTTP1},
        {"\x05\x01\x00", 3, CLOSE_BINARY},
    };
    struct house *house = house_with(&(struct house_options){0});
    for (unsigned i = 0; i < 4; i++) {
        int fd = house_dial(house);
        house_until(house, one_opened);
        house_put(house, fd, rows[i].bytes, rows[i].size);
        house_until_closed(house);
        assert_int_equal(book_of(house)->closed[rows[i].reason], 1);
        close(fd);
    }
    house_free(house);
}

static const char trace[] = "Traceback (most recent call last):\n"
                            "  File \"shop.py\", line 3, in sell\n"
                            "    raise ValueError(\"no stock\")\n"
                            "ValueError: no stock\n";

static bool is_pending(const struct house *house)
{
    return house->books.door[SIGNAL_LOGS].pending > 0;
}

static bool one_arrived(const struct house *house)
{
    return house->sink->count == 1;
}

static void a_stack_trace_waits_for_its_rest_and_no_longer(void **state)
{
    (void)state;
    struct house *house = house_with(&(struct house_options){.join_for_ns = 500 * NS_PER_MS});
    int fd = house_dial(house);
    house_put(house, fd, trace, 60);
    house_until(house, is_pending);
    house_put(house, fd, trace + 60, sizeof trace - 1 - 60);
    house_until(house, one_arrived); // nothing else comes: its time is over
    assert_int_equal(house->books.door[SIGNAL_LOGS].pending, 0);
    assert_int_equal(house->books.door[SIGNAL_LOGS].joined, 3);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    assert_non_null(strstr(house->sink->documents[0], "ValueError: no stock"));
    close(fd);
    house_until_closed(house);
    house_free(house);
}

static void a_waiting_record_survives_the_end(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 3; way++) {
        struct house *house = house_with(&(struct house_options){.join_for_ns = 3600 * NS_PER_S});
        int fd = house_dial(house);
        house_put(house, fd, trace, sizeof trace - 1);
        house_until(house, is_pending);
        close(fd);
        if (way == 0)
            house_until_closed(house);
        else if (way == 1)
            receive_close_all(house->receive);
        else
            receive_free(house->receive), house->receive = NULL;
        house_until(house, one_arrived);
        assert_int_equal(house->books.door[SIGNAL_LOGS].pending, 0);
        assert_int_equal(house->books.receive.open, 0);
        assert_int_equal(book_of(house)->read_bytes.used, 0);
        house_free(house);
    }
}

// Nobody has room when its time is over: it waits for that, or is shed after block_for, counted.
static bool is_received(const struct house *house)
{
    return house->books.door[SIGNAL_LOGS].received > 0;
}

static void a_waiting_record_waits_for_room_too(void **state)
{
    (void)state;
    for (unsigned shed = 0; shed < 2; shed++) {
        struct house *house = house_with(&(struct house_options){
            .join_for_ns = NS_PER_MS, .block_for_ns = shed ? NS_PER_MS : 3600 * NS_PER_S});
        char line[301];
        house->sink->holding = true;
        int full = house_dial(house), fd = house_dial(house);
        memset(line, 'x', sizeof line);
        line[sizeof line - 1] = '\n';
        house_put(house, fd, "x\n", 2);  // waits for its rest, as every plain line
        house_until(house, is_received); // on a slow machine its time may be over at once
        while (send(full, line, sizeof line, MSG_NOSIGNAL) > 0 &&
               house->books.exporters[0].book.dropped[DROP_LEVEL] == 0)
            house_turn(house);
        for (int i = 0; i < 100; i++)
            house_turn(house);
        close(full);
        close(fd);
        if (!shed) {
            assert_true(book_of(house)->open > 0);
            house_release(house->sink);
        }
        house_until_closed(house);
        assert_int_equal(house->books.door[SIGNAL_LOGS].pending, 0);
        assert_int_equal(book_of(house)->read_bytes.used, 0);
        house_free(house); // the books balance
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_reads_no_answers_is_closed),
        cmocka_unit_test(what_breaks_a_dialect_is_counted),
        cmocka_unit_test(foreign_bytes_are_counted_by_kind),
        cmocka_unit_test(a_stack_trace_waits_for_its_rest_and_no_longer),
        cmocka_unit_test(a_waiting_record_survives_the_end),
        cmocka_unit_test(a_waiting_record_waits_for_room_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
