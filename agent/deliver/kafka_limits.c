// One short-lived client that asks for the cluster's brokers, then for the limits of one of them
// and of the topic.
//
// A metadata request that names a topic would make it where brokers create topics, so only
// DescribeConfigs names it.
#include "deliver/kafka_limits.h"

#include "base/error.h"
#include "deliver/kafka.h"
#include "deliver/kafka_conf.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a broker's silence is due to stands in an error event: a refused connection, a certificate.
static void last_error(rd_kafka_t *client, char *error, size_t size)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_get_main(client);
    rd_kafka_event_t *event;
    while ((event = rd_kafka_queue_poll(queue, 0))) {
        if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
            rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
            snprintf(error, size, "%s", rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
}

static int first_broker(rd_kafka_t *client, int32_t *id, char *error, size_t size)
{
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_resp_err_t r =
        rd_kafka_metadata(client, 0, NULL, &metadata, KAFKA_LIMITS_TIMEOUT_MS / 2);
    if (r) {
        snprintf(error, size, "%s", rd_kafka_err2str(r));
        last_error(client, error, size);
        return -ETIMEDOUT;
    }
    int n = metadata->broker_cnt;
    if (n > 0)
        *id = metadata->brokers[0].id;
    rd_kafka_metadata_destroy(metadata);
    if (n == 0) {
        snprintf(error, size, "the cluster names no broker");
        return -EPROTO;
    }
    return 0;
}

static uint64_t number_of(const rd_kafka_ConfigEntry_t *entry)
{
    const char *value = rd_kafka_ConfigEntry_value(entry);
    return value ? strtoull(value, NULL, 10) : 0;
}

static int take_resource(const rd_kafka_ConfigResource_t *resource, struct kafka_limits *out,
                         char *error, size_t size)
{
    bool is_topic = rd_kafka_ConfigResource_type(resource) == RD_KAFKA_RESOURCE_TOPIC;
    rd_kafka_resp_err_t r = rd_kafka_ConfigResource_error(resource);
    if (is_topic && r == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        out->topic_missing = true;
        return 0;
    }
    if (r) {
        const char *text = rd_kafka_ConfigResource_error_string(resource);
        snprintf(error, size, "%s: %s", rd_kafka_ConfigResource_name(resource),
                 text ? text : rd_kafka_err2str(r));
        return -EPROTO;
    }
    size_t n;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);
    for (size_t i = 0; i < n; i++) {
        const char *name = rd_kafka_ConfigEntry_name(entries[i]);
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        if (is_topic && strcmp(name, "max.message.bytes") == 0)
            out->topic_bytes = number_of(entries[i]);
        else if (!is_topic && strcmp(name, "message.max.bytes") == 0)
            out->broker_bytes = number_of(entries[i]);
        else if (!is_topic && strcmp(name, "auto.create.topics.enable") == 0)
            out->auto_create = value && strcmp(value, "true") == 0;
    }
    return 0;
}

static int take_answer(rd_kafka_event_t *event, struct kafka_limits *out, char *error, size_t size)
{
    if (!event || rd_kafka_event_error(event)) {
        snprintf(error, size, "%s",
                 event ? rd_kafka_event_error_string(event) : "no broker answers");
        return !event || rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__TIMED_OUT ? -ETIMEDOUT
                                                                                     : -EPROTO;
    }
    const rd_kafka_DescribeConfigs_result_t *result = rd_kafka_event_DescribeConfigs_result(event);
    size_t n = 0;
    const rd_kafka_ConfigResource_t **resources =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &n) : NULL;
    int r = 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = take_resource(resources[i], out, error, size);
    return r;
}

static int describe(rd_kafka_t *client, rd_kafka_ResourceType_t type, const char *name,
                    struct kafka_limits *out, char *error, size_t size)
{
    char why[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_LIMITS_TIMEOUT_MS / 4, why,
                                              sizeof why);
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(type, name);
    rd_kafka_DescribeConfigs(client, &resource, 1, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, KAFKA_LIMITS_TIMEOUT_MS / 4);
    int r = take_answer(event, out, error, size);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    return r;
}

static int ask(rd_kafka_t *client, const char *topic, struct kafka_limits *out, char *error,
               size_t size)
{
    int32_t id = 0;
    int r = first_broker(client, &id, error, size);
    char name[16];
    snprintf(name, sizeof name, "%d", (int)id);
    if (r == 0)
        r = describe(client, RD_KAFKA_RESOURCE_BROKER, name, out, error, size);
    if (r == 0 && topic)
        r = describe(client, RD_KAFKA_RESOURCE_TOPIC, topic, out, error, size);
    return r;
}

int kafka_limits_read(const char *brokers, const struct setting_map *properties, const char *topic,
                      struct kafka_limits *out, char *error, size_t size)
{
    struct kafka_exporter_config config = {
        .brokers = brokers, .properties = properties, .window_bytes = 1024, .window_messages = 1};
    rd_kafka_conf_t *conf;
    int r = kafka_conf_new(&conf, &config, error, size);
    if (r < 0)
        return r;
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, size);
    if (!client) {
        rd_kafka_conf_destroy(conf);
        return -EINVAL;
    }
    rd_kafka_set_log_queue(client, NULL);
    rd_kafka_error_t *none = rd_kafka_sasl_background_callbacks_enable(client);
    if (none)
        rd_kafka_error_destroy(none); // not OAUTHBEARER
    struct kafka_limits limits = {0};
    r = ask(client, topic, &limits, error, size);
    rd_kafka_destroy(client);
    if (r == 0)
        *out = limits;
    return r;
}
