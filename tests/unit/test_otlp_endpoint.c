// OTLP endpoints: what is taken, and what is refused.
#include "base/error.h"
#include "deliver/otlp_endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void remote(const char *text, const char *host, uint16_t port, const char *authority)
{
    struct otlp_endpoint endpoint;
    assert_int_equal(otlp_endpoint_parse(text, &endpoint), 0);
    assert_false(endpoint.local);
    assert_int_equal(endpoint.tls, strncmp(text, "https", 5) == 0);
    assert_string_equal(endpoint.host, host);
    assert_int_equal(endpoint.port, port);
    assert_string_equal(endpoint.authority, authority);
}

static void test_remote(void **state)
{
    (void)state;
    remote("http://127.0.0.1:4317", "127.0.0.1", 4317, "127.0.0.1:4317");
    remote("http://collector.obs.svc", "collector.obs.svc", 4317, "collector.obs.svc:4317");
    remote("http://collector:1/", "collector", 1, "collector:1");
    remote("http://[::1]:65535", "::1", 65535, "[::1]:65535");
    remote("https://collector:443", "collector", 443, "collector:443");
    remote("https://[::1]", "::1", 4317, "[::1]:4317");
    remote("http://[fe80::1%eth0]/", "fe80::1%eth0", 4317, "[fe80::1%eth0]:4317");
}

static void test_local(void **state)
{
    (void)state;
    struct otlp_endpoint endpoint;
    assert_int_equal(otlp_endpoint_parse("unix:///run/otel.sock", &endpoint), 0);
    assert_true(endpoint.local);
    assert_string_equal(endpoint.path, "/run/otel.sock");
    assert_string_equal(endpoint.authority, "localhost");
    assert_int_equal(otlp_endpoint_parse("unix:/run/otel.sock", &endpoint), 0);
    assert_string_equal(endpoint.path, "/run/otel.sock");
}

static void test_refused(void **state)
{
    (void)state;
    const char *bad[] = {"",
                         "h:1",
                         "http://",
                         "http://:1",
                         "http://h:",
                         "http://h:0",
                         "http://h:65536",
                         "http://h:1x",
                         "http://h/p",
                         "http://[::1",
                         "http://h h",
                         "unix:run",
                         "unix://run",
                         "http://u@h:1",
                         "ftp://h",
                         "http://h:-1",
                         "http://[]:1",
                         "http://a::1"};
    struct otlp_endpoint endpoint;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(otlp_endpoint_parse(bad[i], &endpoint), -EINVAL);
    assert_int_equal(otlp_endpoint_parse("https://h/p", &endpoint), -EINVAL);
    char long_text[400] = "unix:///";
    memset(long_text + 8, 'p', 300);
    assert_int_equal(otlp_endpoint_parse(long_text, &endpoint), -EINVAL);
    snprintf(long_text, sizeof long_text, "http://%0300d", 0);
    assert_int_equal(otlp_endpoint_parse(long_text, &endpoint), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remote),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
