// Numeric addresses: what parses, what does not, port 0, and the address as bound.
#include "base/listen_address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void addresses_parse_or_not(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:0", "0.0.0.0:65535", "[::1]:80", "[::]:0",
                                       "[fe80::1:2]:9"};
    static const char *const bad[] = {"",        ":1",          "localhost:1",     "127.0.0.1",
                                      "[::1]",   "::1:80",      "127.0.0.1:65536", "127.0.0.1:-1",
                                      "1.2.3:4", "127.0.0.1:x", "[::1:80",         "[]:1",
                                      "[:1",     "[:80",        "[x]:1",           "127.0.0.1: 80",
                                      "[",       "]:1"};
    struct listen_address address;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (listen_address_parse(&address, good[i]) != 0)
            fail_msg("refused: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (listen_address_parse(&address, bad[i]) != -EINVAL)
            fail_msg("taken: %s", bad[i]);
    char longer[200];
    memset(longer, '1', sizeof longer);
    memcpy(longer + sizeof longer - 3, ":1", 3);
    assert_int_equal(listen_address_parse(&address, longer), -EINVAL);
}

static void the_bound_address_is_told(void **state)
{
    (void)state;
    struct listen_address address;
    char text[80];
    assert_int_equal(listen_address_parse(&address, "127.0.0.1:0"), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address.storage, address.size), 0);
    assert_int_equal(listen_address_of(fd, text, sizeof text), 0);
    assert_memory_equal(text, "127.0.0.1:", 10);
    assert_string_not_equal(text, "127.0.0.1:0");
    assert_int_equal(listen_address_parse(&address, text), 0);
    close(fd);
    assert_int_equal(listen_address_of(fd, text, sizeof text), -EBADF);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(listen_address_of(fd, text, sizeof text), -EAFNOSUPPORT);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_parse_or_not),
        cmocka_unit_test(the_bound_address_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
