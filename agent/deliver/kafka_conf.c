// Which librdkafka properties the exporter sets, which it passes through, and which it refuses.
#include "deliver/kafka_conf.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/settings.h"
#include "deliver/kafka.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_MAX_MS 900000u // librdkafka's bound
// In mode `lines` max_delay was spent on the message already.
#define LINES_LINGER_MS 5u

struct property {
    const char *name;
    const char *value;
};

// Set before the user's properties, which may say otherwise.
static const struct property defaults[] = {
    {"client.id", "sluice"},
    {"enable.idempotence", "true"},
    {"log_level", "4"},                // warnings; librdkafka's default also tells each idle close
    {"log.connection.close", "false"}, // a lost connection arrives as an error event already
    {"socket.keepalive.enable", "true"},
    {"socket.nagle.disable", "true"}, // batches are whole when they are written
    // Below the broker's own limit of ten minutes, so that we close first and lose no request.
    {"connections.max.idle.ms", "540000"},
};

// Set after the user's properties, which cannot differ (see the rules).
static const struct property contract[] = {
    {"acks", "all"},
    {"message.timeout.ms", "0"}, // the spool decides how long to try
    {"log.queue", "true"},       // never librdkafka's own stderr
};

struct rule {
    const char *name;
    const char *allowed[2]; // values that say what the contract says anyway
    const char *why;
};

static const struct rule rules[] = {
    {"bootstrap.servers", {NULL, NULL}, "the exporter's own setting `brokers` says this"},
    {"metadata.broker.list", {NULL, NULL}, "the exporter's own setting `brokers` says this"},
    {"partitioner", {NULL, NULL}, "the exporter's own setting `partitioner` says this"},
    {"acks", {"all", "-1"}, "a record counts as delivered only when all replicas in sync have it"},
    {"request.required.acks",
     {"all", "-1"},
     "a record counts as delivered only when all replicas "
     "in sync have it"},
    {"message.timeout.ms", {"0", NULL}, "the spool decides how long a record is kept and tried"},
    {"delivery.timeout.ms", {"0", NULL}, "the spool decides how long a record is kept and tried"},
    {"delivery.report.only.error", {"false", NULL}, "every record needs its report"},
    {"queue.buffering.max.messages", {NULL, NULL}, "it follows from `max_memory`"},
    {"queue.buffering.max.kbytes", {NULL, NULL}, "it follows from `max_memory`"},
    {"transactional.id", {NULL, NULL}, "the exporter uses no transactions"},
    {"statistics.interval.ms", {"0", NULL}, "it would wake an idle agent, and nobody reads them"},
    {"log.queue", {"true", NULL}, "librdkafka's log goes through the agent's own"},
    {"enabled_events", {NULL, NULL}, "it belongs to the agent"},
    {"internal.termination.signal", {NULL, NULL}, "signals belong to the agent"},
    {"test.mock.num.brokers", {NULL, NULL}, "`sluice run --dev` embeds a broker"},
};

// Values that must not reach a log: all that librdkafka calls sensitive, by what its names have in
// common.
static bool is_secret(const char *name)
{
    static const char *const marks[] = {"password", "secret", ".pem", "oauthbearer.config"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strstr(name, marks[i]))
            return true;
    return false;
}

static int refuse(char *error, size_t size, const struct setting_pair *property, const char *why)
{
    snprintf(error, size, "property \"%s\" = \"%s\": %s", property->name,
             is_secret(property->name) ? "(hidden)" : property->value, why);
    return -EINVAL;
}

static const struct rule *broken_rule(const struct setting_pair *property)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (strcmp(property->name, rules[i].name) != 0)
            continue;
        for (unsigned v = 0; v < 2 && rules[i].allowed[v]; v++)
            if (strcmp(property->value, rules[i].allowed[v]) == 0)
                return NULL;
        return &rules[i];
    }
    return NULL;
}

static int set_property(rd_kafka_conf_t *conf, const struct setting_pair *property, char *error,
                        size_t size)
{
    const struct rule *rule = broken_rule(property);
    if (rule)
        return refuse(error, size, property, rule->why);
    char why[256];
    if (rd_kafka_conf_set(conf, property->name, property->value, why, sizeof why) ==
        RD_KAFKA_CONF_OK)
        return 0;
    return refuse(error, size, property, why);
}

void kafka_conf_must_set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    rd_kafka_conf_res_t r = rd_kafka_conf_set(conf, name, value, why, sizeof why);
    assert(r == RD_KAFKA_CONF_OK);
    (void)r;
}

void kafka_conf_must_set_number(rd_kafka_conf_t *conf, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    kafka_conf_must_set(conf, name, text);
}

uint64_t kafka_conf_number(const rd_kafka_conf_t *conf, const char *name)
{
    char text[32];
    size_t size = sizeof text;
    rd_kafka_conf_res_t r = rd_kafka_conf_get(conf, name, text, &size);
    assert(r == RD_KAFKA_CONF_OK);
    (void)r;
    return strtoull(text, NULL, 10);
}

static bool names_oauth(const rd_kafka_conf_t *conf)
{
    char text[64];
    size_t size = sizeof text;
    return rd_kafka_conf_get(conf, "sasl.mechanisms", text, &size) == RD_KAFKA_CONF_OK &&
           strcmp(text, "OAUTHBEARER") == 0;
}

// The window, as librdkafka's own limits. They count a message until its report was taken.
static void set_window(rd_kafka_conf_t *conf, const struct kafka_exporter_config *config)
{
    uint64_t bytes = config->window_bytes;
    uint64_t largest = kafka_conf_number(conf, "message.max.bytes");
    if (bytes < largest)
        bytes = largest; // one parcel above the window goes alone
    uint64_t kib = bytes / 1024 + 1;
    kafka_conf_must_set_number(conf, "queue.buffering.max.kbytes",
                               kib > INT32_MAX ? INT32_MAX : kib);
    kafka_conf_must_set_number(conf, "queue.buffering.max.messages", config->window_messages);
}

static int fill(rd_kafka_conf_t *conf, const struct kafka_exporter_config *config, char *error,
                size_t size)
{
    for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
        kafka_conf_must_set(conf, defaults[i].name, defaults[i].value);
    uint64_t linger = config->max_delay_ns / NS_PER_MS;
    uint64_t most = config->lines_bytes ? LINES_LINGER_MS : LINGER_MAX_MS;
    kafka_conf_must_set_number(conf, "linger.ms", linger > most ? most : linger);
    if (config->partitioner)
        kafka_conf_must_set(conf, "partitioner", config->partitioner);

    for (size_t i = 0; config->properties && i < config->properties->count; i++) {
        int r = set_property(conf, &config->properties->items[i], error, size);
        if (r < 0)
            return r;
    }

    for (size_t i = 0; i < sizeof contract / sizeof *contract; i++)
        kafka_conf_must_set(conf, contract[i].name, contract[i].value);
    set_window(conf, config);
    if (config->brokers)
        kafka_conf_must_set(conf, "bootstrap.servers", config->brokers);
    rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
    // A token is fetched by HTTP, which must not happen on the loop.
    if (names_oauth(conf))
        rd_kafka_conf_enable_sasl_queue(conf, 1);
    return 0;
}

int kafka_conf_new(rd_kafka_conf_t **out, const struct kafka_exporter_config *config, char *error,
                   size_t size)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (!conf) {
        snprintf(error, size, "out of memory");
        return -ENOMEM;
    }
    int r = fill(conf, config, error, size);
    if (r < 0) {
        rd_kafka_conf_destroy(conf);
        return r;
    }
    *out = conf;
    return 0;
}

int kafka_exporter_check(const struct setting_map *properties, char *error, size_t size)
{
    struct kafka_exporter_config config = {
        .properties = properties, .window_bytes = 1024, .window_messages = 1};
    rd_kafka_conf_t *conf;
    int r = kafka_conf_new(&conf, &config, error, size);
    if (r < 0)
        return r;
    // Properties that contradict each other, and files, are judged only when a client is made.
    // Without brokers it connects nowhere.
    char why[512];
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!client) {
        snprintf(error, size, "properties: %s", why);
        rd_kafka_conf_destroy(conf);
        return -EINVAL;
    }
    rd_kafka_destroy(client);
    return 0;
}

// What a message costs beside its payload: the batch's and the record's head, a key, a few headers.
#define MESSAGE_OVERHEAD 1024u

uint64_t kafka_message_max(const struct setting_map *properties)
{
    uint64_t most = 1000000; // librdkafka's default
    for (size_t i = 0; properties && i < properties->count; i++)
        if (strcmp(properties->items[i].name, "message.max.bytes") == 0)
            most = strtoull(properties->items[i].value, NULL, 10);
    return most;
}

size_t kafka_document_max(const struct setting_map *properties)
{
    uint64_t most = kafka_message_max(properties);
    return most > 2 * MESSAGE_OVERHEAD ? (size_t)most - MESSAGE_OVERHEAD : (size_t)most / 2;
}
