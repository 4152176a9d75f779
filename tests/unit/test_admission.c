// Who is let in, and how many.
#include "house.h"

#include "receive/admission.h"
#include "receive/listener.h"
#include "receive/receive_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

// What a peer sees after some turns: 1 open, 0 closed.
static int still_open(struct house *house, int fd)
{
    char byte;
    for (int i = 0; i < 10; i++)
        house_turn(house);
    ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
    return n < 0 && errno == EAGAIN;
}

static uint64_t closed(const struct house *house, enum close_reason reason)
{
    return house->books.receive.closed[reason];
}

static int dial_and_see(const char *uids, const char *gids)
{
    struct house *house =
        house_with(&(struct house_options){.allowed_uids = uids, .allowed_gids = gids});
    int fd = house_dial(house);
    int open = still_open(house, fd);
    assert_int_equal(closed(house, CLOSE_NOT_ALLOWED), !open);
    assert_int_equal(house->books.receive.open, open);
    close(fd);
    house_until_closed(house);
    house_free(house);
    return open;
}

static void a_peer_is_let_in_by_its_user(void **state)
{
    (void)state;
    char number[32], list[64];
    snprintf(number, sizeof number, "%u", geteuid());
    snprintf(list, sizeof list, "4000000001, %s", number);
    assert_true(dial_and_see(NULL, NULL));
    assert_true(dial_and_see("", ""));
    assert_true(dial_and_see(number, ""));
    assert_true(dial_and_see(list, "4000000001"));
    assert_false(dial_and_see("4000000001", ""));
    struct passwd *self = getpwuid(geteuid());
    if (self)
        assert_true(dial_and_see(self->pw_name, NULL));
}

static void a_peer_is_let_in_by_a_group(void **state)
{
    (void)state;
    char number[32];
    snprintf(number, sizeof number, "%u", getegid());
    assert_true(dial_and_see("4000000001", number));
    assert_false(dial_and_see("", "4000000001"));
    gid_t groups[100];
    for (unsigned i = 0; i < 100; i++)
        groups[i] = 4000000000u + i; // more than are asked for at first
    if (geteuid() != 0)
        return; // only root takes on groups
    gid_t before[256];
    int count = getgroups(256, before);
    assert_int_equal(setgroups(100, groups), 0);
    int late = dial_and_see("", "4000000099");
    int none = dial_and_see("", "4000000100");
    assert_int_equal(setgroups((size_t)count, before), 0);
    assert_true(late);
    assert_false(none);
}

static void an_unknown_name_ends_the_start(void **state)
{
    (void)state;
    static const struct {
        const char *uids, *gids, *setting, *value;
    } rows[] = {{"0,no-such-user-here", "", "socket.allowed_uids", "no-such-user-here"},
                {"", "no-such-group-here", "socket.allowed_gids", "no-such-group-here"},
                {"12x", "", "socket.allowed_uids", "12x"},
                {"4294967295", "", "socket.allowed_uids", "4294967295"}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct listener_error error = {""};
        struct receive receive = {
            .config = {.allowed_uids = rows[i].uids, .allowed_gids = rows[i].gids}};
        assert_true(admission_init(&receive, &error) < 0);
        assert_non_null(strstr(error.text, rows[i].setting));
        assert_non_null(strstr(error.text, rows[i].value));
        assert_non_null(strstr(error.text, "use its number"));
        admission_deinit(&receive.admission);
    }
}

static void lists_are_for_the_unix_socket_alone(void **state)
{
    (void)state;
    struct house *house = house_with(&(struct house_options){.allowed_uids = "4000000001"});
    struct sockaddr_in address = {.sin_family = AF_INET};
    const char *bound = receive_otlp_address(house->receive);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)strtoul(strrchr(bound, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(still_open(house, fd));
    close(fd);
    house_until_closed(house);
    house_free(house);
}

static void the_limit_may_change(void **state)
{
    (void)state;
    struct house *house = house_with(&(struct house_options){.max_connections = 1});
    int first = house_dial(house);
    assert_true(still_open(house, first));
    int refused = house_dial(house);
    assert_false(still_open(house, refused));
    receive_set_limits(house->receive, &(struct receive_limits){.max_connections = 2});
    int second = house_dial(house);
    assert_true(still_open(house, second));
    receive_set_limits(house->receive, &(struct receive_limits){.max_connections = 1});
    assert_true(still_open(house, first)); // who is in stays
    close(first);
    close(refused);
    close(second);
    house_until_closed(house);
    house_free(house);
}

static void connections_have_a_limit(void **state)
{
    (void)state;
    struct house *house = house_with(&(struct house_options){.max_connections = 3});
    int fds[5];
    for (int i = 0; i < 5; i++)
        fds[i] = house_dial(house);
    for (int i = 0; i < 5; i++)
        assert_int_equal(still_open(house, fds[i]), i < 3);
    assert_int_equal(closed(house, CLOSE_TOO_MANY), 2);
    close(fds[0]); // leaves room for one
    still_open(house, fds[1]);
    fds[0] = house_dial(house);
    house_put(house, fds[0], "in again\n", 9);
    house_until_documents(house, 1);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
    house_until_closed(house);
    assert_int_equal(closed(house, CLOSE_SILENT), 0); // no first_byte_timeout, no offence
    house_free(house);
}

// The longest silent one goes: it has sent nothing, or what could still be anything.
static void who_is_silent_makes_room(void **state)
{
    (void)state;
    struct house *house =
        house_with(&(struct house_options){.max_connections = 3, .first_byte_timeout_ns = 1});
    int spoke = house_dial(house);
    house_put(house, spoke, "{", 1);
    assert_true(still_open(house, spoke));
    int silent = house_dial(house);
    assert_true(still_open(house, silent));
    int dribbles = house_dial(house);
    house_put(house, dribbles, "<1", 2);
    assert_true(still_open(house, dribbles));
    int fourth = house_dial(house);
    assert_true(still_open(house, fourth));
    assert_false(still_open(house, silent));
    assert_true(still_open(house, dribbles));
    assert_int_equal(closed(house, CLOSE_SILENT), 1);
    assert_int_equal(house->sink->count, 0);
    int fifth = house_dial(house);
    assert_true(still_open(house, fifth));
    assert_false(still_open(house, dribbles));
    assert_int_equal(house->sink->count, 1); // what it did send counts
    int sixth = house_dial(house);
    house_put(house, fourth, "just now\n", 9); // not read yet when that one is accepted
    assert_true(still_open(house, sixth));     // in place of the fifth
    assert_true(still_open(house, fourth));
    assert_false(still_open(house, fifth));
    assert_true(still_open(house, spoke));
    assert_int_equal(closed(house, CLOSE_SILENT), 3);
    assert_int_equal(closed(house, CLOSE_TOO_MANY), 0);
    close(spoke), close(silent), close(dribbles), close(fourth), close(fifth), close(sixth);
    house_until_closed(house);
    house_free(house);
}

static void two_thousand_are_served_at_once(void **state)
{
    (void)state;
    enum { MANY = 2000, FILES = 2 * MANY + 300 };
    struct rlimit limit, before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    if (before.rlim_max < FILES)
        skip();
    limit = (struct rlimit){1024, before.rlim_max}; // as a shell gives it
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct house *house =
        house_with(&(struct house_options){.max_connections = FILES, .log_bytes = 8u << 20});
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(limit.rlim_cur >= FILES); // raised at the start
    int *fds = calloc(MANY, sizeof *fds);
    char line[32];
    for (int i = 0; i < MANY; i++) {
        fds[i] = house_dial(house);
        house_turn(house);
    }
    for (int i = 0; i < MANY; i++)
        house_put(house, fds[i], line, (size_t)snprintf(line, sizeof line, "number %d\nhalf", i));
    house_until_documents(house, MANY);
    assert_int_equal(house->books.receive.open, MANY);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    house_until_documents(house, 2 * MANY);
    house_until_closed(house);
    assert_int_equal(house->books.receive.read_bytes.used, 0);
    free(fds);
    house_free(house);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_is_let_in_by_its_user),
        cmocka_unit_test(a_peer_is_let_in_by_a_group),
        cmocka_unit_test(an_unknown_name_ends_the_start),
        cmocka_unit_test(lists_are_for_the_unix_socket_alone),
        cmocka_unit_test(connections_have_a_limit),
        cmocka_unit_test(the_limit_may_change),
        cmocka_unit_test(who_is_silent_makes_room),
        cmocka_unit_test(two_thousand_are_served_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
