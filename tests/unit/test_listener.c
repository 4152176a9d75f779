// Listening sockets: who may take a path, and who may not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "receive/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64];
static char path[96];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/sluice-listener-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/s.sock", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    char lock[128];
    unlink(path);
    snprintf(lock, sizeof lock, "%s.lock", path);
    unlink(lock);
    return rmdir(folder);
}

static int connect_to(const char *where)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", where);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    close(fd);
    return -1;
}

// A socket file as an agent that was killed leaves it.
static void leave_stale_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static void opens_with_the_mode_and_removes_its_file(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_error error = {""};
    struct stat status;
    assert_int_equal(listener_open_unix(&listener, path, 0620, "", &error), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0620);
    int fd = connect_to(path);
    assert_true(fd >= 0);
    close(fd);
    listener_close(&listener);
    assert_int_equal(access(path, F_OK), -1);
    listener_close(&listener);
}

static void a_stale_socket_is_replaced(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_error error = {""};
    leave_stale_socket();
    assert_int_equal(listener_open_unix(&listener, path, 0600, "", &error), 0);
    int fd = connect_to(path);
    assert_true(fd >= 0);
    close(fd);
    listener_close(&listener);
}

static void a_live_agent_is_never_stolen_from(void **state)
{
    (void)state;
    struct listener first, second;
    struct listener_error error = {""};
    assert_int_equal(listener_open_unix(&first, path, 0600, "", &error), 0);
    assert_int_equal(listener_open_unix(&second, path, 0600, "", &error), -EADDRINUSE);
    assert_non_null(strstr(error.text, path));
    int fd = connect_to(path);
    assert_true(fd >= 0);
    close(fd);
    listener_close(&first);
}

// Somebody who knows nothing of our lock, but answers.
static void a_live_stranger_is_never_stolen_from(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_error error = {""};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int stranger = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(stranger, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(stranger, 4), 0);
    assert_int_equal(listener_open_unix(&listener, path, 0600, "", &error), -EADDRINUSE);
    assert_int_equal(access(path, F_OK), 0);
    close(stranger);
}

static void a_file_is_not_removed(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_error error = {""};
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(fd);
    assert_int_equal(listener_open_unix(&listener, path, 0600, "", &error), -EEXIST);
    assert_non_null(strstr(error.text, "not a socket"));
    assert_int_equal(access(path, F_OK), 0);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_error error = {""};
    char longer[200];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(listener_open_unix(&listener, longer, 0600, "", &error), -ENAMETOOLONG);
    assert_int_equal(listener_open_unix(&listener, path, 0600, "no-such-group-here", &error),
                     -ENOENT);
    assert_non_null(strstr(error.text, "no-such-group-here"));
    assert_int_equal(access(path, F_OK), -1);
    assert_true(listener_open_unix(&listener, "/nonexistent/folder/s.sock", 0600, "", &error) < 0);
    assert_non_null(strstr(error.text, "/nonexistent/folder/s.sock"));
    assert_int_equal(listener_open_tcp(&listener, "localhost:4317", &error), -EINVAL);
    assert_non_null(strstr(error.text, "localhost:4317"));
}

// As long as the settings allow, which is as long as the kernel does.
static void the_longest_path_is_taken(void **state)
{
    (void)state;
    struct sockaddr_un address;
    struct listener listener;
    struct listener_error error = {""};
    size_t used = strlen(folder);
    char longest[sizeof address.sun_path], lock[sizeof longest + 8];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, folder, used);
    longest[used] = '/';
    longest[sizeof longest - 1] = '\0';
    if (listener_open_unix(&listener, longest, 0600, "", &error) < 0)
        fail_msg("%s", error.text);
    assert_string_equal(listener.address, longest);
    int fd = connect_to(longest);
    assert_true(fd >= 0);
    close(fd);
    listener_close(&listener);
    snprintf(lock, sizeof lock, "%s.lock", longest);
    assert_int_equal(unlink(lock), 0);
    char longer[sizeof longest + 1];
    memset(longer, 'x', sizeof longest);
    longer[0] = '/';
    longer[sizeof longest] = '\0';
    assert_int_equal(listener_open_unix(&listener, longer, 0600, "", &error), -ENAMETOOLONG);
}

static void tcp_tells_the_port_it_got(void **state)
{
    (void)state;
    struct listener listener;
    struct listener_error error = {""};
    assert_int_equal(listener_open_tcp(&listener, "127.0.0.1:0", &error), 0);
    assert_memory_equal(listener.address, "127.0.0.1:", 10);
    assert_true(strtoul(listener.address + 10, NULL, 10) > 0);
    listener_close(&listener);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(opens_with_the_mode_and_removes_its_file),
        IN_FOLDER(a_stale_socket_is_replaced),
        IN_FOLDER(a_live_agent_is_never_stolen_from),
        IN_FOLDER(a_live_stranger_is_never_stolen_from),
        IN_FOLDER(a_file_is_not_removed),
        IN_FOLDER(mistakes_are_named),
        IN_FOLDER(the_longest_path_is_taken),
        cmocka_unit_test(tcp_tells_the_port_it_got),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
