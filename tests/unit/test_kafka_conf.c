// Properties by name: which pass, which are refused, and what is said of them.
#include "base/error.h"
#include "deliver/kafka_conf.h"
#include "kafka_cluster.h"

#include <string.h>

static void check_says(const char *name, const char *value, const char *text)
{
    char value_copy[128], name_copy[128], error[512] = "";
    snprintf(name_copy, sizeof name_copy, "%s", name);
    snprintf(value_copy, sizeof value_copy, "%s", value);
    struct setting_pair pair = {name_copy, value_copy};
    struct setting_map map = {&pair, 1};
    int r = kafka_exporter_check(&map, error, sizeof error);
    assert_int_equal(r, text ? -EINVAL : 0);
    if (text && !strstr(error, text))
        fail_msg("\"%s\" lacks \"%s\"", error, text);
}

static void properties_are_checked(void **state)
{
    (void)state;
    check_says("compression.type", "lz4", NULL);
    check_says("acks", "-1", NULL);
    check_says("enable.idempotence", "false", NULL);
    check_says("linger.ms", "soon", "property \"linger.ms\" = \"soon\": ");
    check_says("no.such", "1", "No such configuration property");
    check_says("compression.type", "rar", "rar");
    check_says("acks", "1", "replicas");
    check_says("delivery.timeout.ms", "1000", "spool");
    check_says("queue.buffering.max.messages", "10", "max_memory");
    check_says("bootstrap.servers", "a:1", "brokers");
    check_says("max.in.flight", "10", "max.in.flight"); // with idempotence: only a client judges
    char ca[] = "ssl.ca.location", path[] = "/nonexistent/ca.pem";
    char protocol[] = "security.protocol", ssl[] = "ssl";
    struct setting_pair pairs[] = {{protocol, ssl}, {ca, path}};
    struct setting_map map = {pairs, 2};
    char error[512];
    assert_int_equal(kafka_exporter_check(&map, error, sizeof error), -EINVAL);
    assert_non_null(strstr(error, "ssl.ca.location"));
    check_says("ssl.key.passwordx", "hunter2", "(hidden)");
}

static void conf_says(const rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[64] = "";
    size_t size = sizeof text;
    assert_int_equal(rd_kafka_conf_get(conf, name, text, &size), RD_KAFKA_CONF_OK);
    assert_string_equal(text, value);
}

static void settings_become_properties(void **state)
{
    (void)state;
    char error[256];
    struct kafka_exporter_config config = {.partitioner = "fnv1a_random",
                                           .max_delay_ns = 200 * NS_PER_MS,
                                           .window_bytes = 1024,
                                           .window_messages = 1};
    rd_kafka_conf_t *conf;
    assert_int_equal(kafka_conf_new(&conf, &config, error, sizeof error), 0);
    conf_says(conf, "partitioner", "fnv1a_random");
    conf_says(conf, "linger.ms", "200");
    rd_kafka_conf_destroy(conf);
    config.lines_bytes = 65536; // max_delay is spent on the message
    assert_int_equal(kafka_conf_new(&conf, &config, error, sizeof error), 0);
    conf_says(conf, "linger.ms", "5");
    rd_kafka_conf_destroy(conf);
    config.max_delay_ns = 0;
    assert_int_equal(kafka_conf_new(&conf, &config, error, sizeof error), 0);
    conf_says(conf, "linger.ms", "0");
    rd_kafka_conf_destroy(conf);
    check_says("partitioner", "random", "`partitioner`");
}

static void a_refused_property_refuses_the_exporter(void **state)
{
    (void)state;
    struct bench *bench = set_up();
    char name[] = "acks", value[] = "0";
    struct setting_pair pair = {name, value};
    struct setting_map map = {&pair, 1};
    struct kafka_exporter_config config = {.name = "kafka",
                                           .brokers = "127.0.0.1:1",
                                           .topic = TOPIC,
                                           .properties = &map,
                                           .window_bytes = 1,
                                           .window_messages = 1,
                                           .loop = bench->loop,
                                           .clock = clock_system(),
                                           .book = &bench->book};
    struct exporter *exporter = NULL;
    assert_int_equal(kafka_exporter_new(&exporter, &config), -EINVAL);
    assert_null(exporter);
    tear_down(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(properties_are_checked),
        cmocka_unit_test(settings_become_properties),
        cmocka_unit_test(a_refused_property_refuses_the_exporter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
