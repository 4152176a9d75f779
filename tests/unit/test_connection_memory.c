// What connections keep, together: never more than the budget, and nobody waits for ever.
#include "house.h"

#include "native_bytes.h"
#include "receive/receive_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define KIB ((size_t)1024)

static const struct receive_book *book_of(const struct house *house)
{
    return &house->books.receive;
}

// Writes what the agent takes now, and no more. How much.
static size_t put_some(struct house *house, int fd, const char *data, size_t size)
{
    size_t done = 0;
    for (int idle = 0; done < size && idle < 50;) {
        ssize_t n = send(fd, data + done, size - done, MSG_NOSIGNAL);
        house_turn(house);
        idle = n > 0 ? 0 : idle + 1;
        done += n > 0 ? (size_t)n : 0;
    }
    return done;
}

static void an_idle_connection_holds_nothing(void **state)
{
    (void)state;
    struct house *house = house_with(&(struct house_options){.read_limit = 64 * KIB});
    int fd = house_dial(house);
    house_put(house, fd, "whole\n", 6);
    house_until_documents(house, 1);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    house_put(house, fd, "half", 4);
    for (int i = 0; i < 10; i++)
        house_turn(house);
    assert_int_equal(book_of(house)->read_bytes.used, 64); // the smallest buffer
    house_put(house, fd, " a line\n", 8);
    house_until_documents(house, 2);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    house_put(house, fd, "half", 4);
    close(fd);
    house_until_closed(house);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    assert_int_equal(book_of(house)->paused, 0);
    house_free(house);
}

// Every frame is larger than the budget's share for each: all arrive, one after the other.
static void frames_take_turns(void **state)
{
    (void)state;
    enum { PEERS = 30, TEXT = 200 * 1024 };
    struct house *house =
        house_with(&(struct house_options){.read_limit = 512 * KIB, .log_bytes = 16u << 20});
    char *bytes = malloc(TEXT + 128);
    house->receive->memory.line_held_ns = 3600 * NS_PER_S; // only what is given back calls the next
    size_t sent[PEERS] = {0}, size = NATIVE_OPENING_SIZE;
    int fds[PEERS];
    memcpy(bytes, NATIVE_OPENING, size);
    size += native_put_log(bytes + size, 1, TEXT);
    for (int i = 0; i < PEERS; i++) {
        fds[i] = house_dial(house);
        sent[i] = put_some(house, fds[i], bytes, size - 1);
    }
    assert_true(book_of(house)->paused > 0);
    bool more = true;
    for (int rounds = 0; more && rounds < 1000; rounds++) {
        more = false;
        for (int i = 0; i < PEERS; i++) {
            sent[i] += put_some(house, fds[i], bytes + sent[i], size - sent[i]);
            more |= sent[i] < size;
        }
    }
    house_until_documents(house, PEERS);
    assert_true(book_of(house)->read_bytes.peak <= 512 * KIB + TEXT + 2 * READ_SIZE);
    assert_int_equal(book_of(house)->closed[CLOSE_STALLED], 0);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    for (int i = 0; i < PEERS; i++)
        close(fds[i]);
    house_until_closed(house);
    free(bytes);
    house_free(house);
}

static bool one_arrived(const struct house *house)
{
    return house->sink->count == 1;
}

// Frames that never end: their connections go while others wait, and not before.
static void stalled_frames_lose_their_connections(void **state)
{
    (void)state;
    enum { PEERS = 8, TEXT = 200 * 1024 };
    struct house *house =
        house_with(&(struct house_options){.read_limit = 256 * KIB, .log_bytes = 16u << 20});
    char *bytes = malloc(TEXT + 128);
    size_t size = NATIVE_OPENING_SIZE, sent = 0;
    int fds[PEERS];
    house->receive->memory.stalled_ns = 0;
    memcpy(bytes, NATIVE_OPENING, size);
    size += native_put_log(bytes + size, 1, TEXT);
    fds[0] = house_dial(house);
    put_some(house, fds[0], bytes, 100 * KIB);
    assert_int_equal(book_of(house)->open, 1);            // nobody waits: no offence
    house->receive->memory.line_held_ns = 10 * NS_PER_MS; // how often it looks
    house->receive->memory.stalled_ns = 300 * NS_PER_MS;  // a whole frame takes far less
    for (int i = 1; i < PEERS; i++) {
        fds[i] = house_dial(house);
        put_some(house, fds[i], bytes, 100 * KIB);
    }
    int fd = house_dial(house);
    while (sent < size)
        sent += put_some(house, fd, bytes + sent, size - sent);
    house_until(house, one_arrived);
    assert_true(book_of(house)->closed[CLOSE_STALLED] > 0);
    assert_true(book_of(house)->closed[CLOSE_STALLED] <= PEERS);
    assert_true(book_of(house)->read_bytes.peak <= 256 * KIB + TEXT + 2 * READ_SIZE);
    close(fd);
    for (int i = 0; i < PEERS; i++)
        close(fds[i]);
    house_until_closed(house);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    free(bytes);
    house_free(house);
}

enum { LINE_PEERS = 300, LINE_SIZE = 40 * 1024 };

static bool nobody_waits(const struct house *house)
{
    return house->receive->memory.starved_count == 0;
}

// Lines that never end are cut where others wait: each record comes once, and the budget holds.
static void unfinished_lines_are_cut_for_others(void **state)
{
    (void)state;
    struct house *house = house_with(&(struct house_options){
        .max_line = 64 * KIB, .read_limit = 256 * KIB, .log_bytes = 32u << 20});
    house->receive->memory.line_held_ns = NS_PER_MS;
    char *line = malloc(LINE_SIZE);
    int fds[LINE_PEERS];
    memset(line, 'l', LINE_SIZE);
    for (int i = 0; i < LINE_PEERS; i++) {
        fds[i] = house_dial(house);
        house_put(house, fds[i], line, LINE_SIZE);
        for (int n = 0; n < 4; n++)
            house_turn(house);
    }
    house_until(house, nobody_waits);
    assert_true(book_of(house)->paused > 0);
    assert_true(book_of(house)->truncated > 0);
    for (int i = 0; i < LINE_PEERS; i++) {
        house_put(house, fds[i], "\nwhole\n", 7);
        close(fds[i]);
    }
    house_until_documents(house, 2 * LINE_PEERS);
    house_until_closed(house);
    // Buffers are granted by the step, and each that went over does so by a small one, alone.
    assert_true(book_of(house)->read_bytes.peak <= 256 * KIB + 64 * LINE_PEERS + 64 * KIB);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    assert_true(book_of(house)->truncated < LINE_PEERS); // those that had room are whole
    free(line);
    house_free(house);
}

static bool somebody_waits(const struct house *house)
{
    return house->receive->memory.starved_count > 0;
}

// Of two lines only one has room: the other goes on when that one ends, or has had its time.
static void a_line_waits_for_anothers_end(void **state)
{
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        struct house *house = house_with(&(struct house_options){
            .max_line = 64 * KIB, .read_limit = 128 * KIB, .log_bytes = 4u << 20});
        char *line = malloc(LINE_SIZE);
        memset(line, 'l', LINE_SIZE);
        house->receive->memory.line_held_ns = 3600 * NS_PER_S;
        int first = house_dial(house), second = house_dial(house);
        house_put(house, first, line, LINE_SIZE);
        for (int i = 0; i < 10; i++)
            house_turn(house);
        if (!ends)
            house->receive->memory.line_held_ns = NS_PER_MS;
        house_put(house, second, line, LINE_SIZE);
        if (ends) {
            house_until(house, somebody_waits);
            house_put(house, first, "\n", 1);
        } else {
            house_until(house, one_arrived); // cut
        }
        house_until(house, nobody_waits);
        house_put(house, second, "\n", 1);
        house_until_documents(house, 2);
        assert_int_equal(book_of(house)->truncated, !ends);
        assert_true(strlen(house->sink->documents[1]) > LINE_SIZE); // the second is whole
        close(first);
        close(second);
        house_until_closed(house);
        free(line);
        house_free(house);
    }
}

// Large items of some leave room for the ordinary ones of others.
static void large_items_do_not_stop_ordinary_ones(void **state)
{
    (void)state;
    enum { PEERS = 20 };
    struct house *house = house_with(&(struct house_options){.read_limit = 1024 * KIB});
    char *bytes = malloc(300 * KIB);
    int fds[PEERS];
    memcpy(bytes, NATIVE_OPENING, NATIVE_OPENING_SIZE);
    native_put_log(bytes + NATIVE_OPENING_SIZE, 1, 250 * KIB);
    for (int i = 0; i < PEERS; i++) {
        fds[i] = house_dial(house);
        put_some(house, fds[i], bytes, 240 * KIB);
    }
    uint64_t paused = book_of(house)->paused;
    assert_true(paused > 0);
    int fd = house_dial(house);
    for (size_t n = 0; n < 100; n++) {
        house_put(house, fd, "{\"event\":\"half ", 15);
        house_turn(house);
        house_turn(house);
        house_put(house, fd, "and half\"}\n", 11);
        house_until_documents(house, n + 1);
    }
    assert_int_equal(book_of(house)->paused, paused);
    assert_int_equal(book_of(house)->truncated, 0);
    close(fd);
    for (int i = 0; i < PEERS; i++)
        close(fds[i]);
    house_until_closed(house);
    free(bytes);
    house_free(house);
}

// Waiting ones are read to their end by receive_close_all, whatever the budget.
static void the_end_of_the_agent_waits_for_no_memory(void **state)
{
    (void)state;
    enum { PEERS = 40 };
    struct house *house = house_with(&(struct house_options){
        .max_line = 64 * KIB, .read_limit = 128 * KIB, .log_bytes = 16u << 20});
    char *line = malloc(LINE_SIZE);
    int fds[PEERS];
    memset(line, 'l', LINE_SIZE);
    for (int i = 0; i < PEERS; i++) {
        fds[i] = house_dial(house);
        house_put(house, fds[i], line, LINE_SIZE);
    }
    house_turn(house);
    receive_close_all(house->receive);
    assert_int_equal(book_of(house)->open, 0);
    assert_int_equal(book_of(house)->bytes, PEERS * LINE_SIZE);
    assert_int_equal(book_of(house)->read_bytes.used, 0);
    house_until_documents(house, PEERS);
    for (int i = 0; i < PEERS; i++)
        close(fds[i]);
    free(line);
    house_free(house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_holds_nothing),
        cmocka_unit_test(frames_take_turns),
        cmocka_unit_test(stalled_frames_lose_their_connections),
        cmocka_unit_test(unfinished_lines_are_cut_for_others),
        cmocka_unit_test(a_line_waits_for_anothers_end),
        cmocka_unit_test(large_items_do_not_stop_ordinary_ones),
        cmocka_unit_test(the_end_of_the_agent_waits_for_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
