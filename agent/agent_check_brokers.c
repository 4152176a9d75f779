// Compares the limits of a cluster with those of the agent: what check --connect adds.
#include "agent_check.h"

#include "base/settings.h"
#include "base/settings_load.h"
#include "deliver/kafka.h"
#include "deliver/kafka_limits.h"

#include <stdio.h>
#include <string.h>

static void warn_of_limit(const struct exporter_settings *exporter, const char *whose,
                          uint64_t taken, struct settings_mistakes *mistakes)
{
    uint64_t sent = kafka_message_max(&exporter->properties);
    char path[512];
    snprintf(path, sizeof path, "exporters.%s.properties.message.max.bytes", exporter->name);
    if (taken && taken < sent)
        settings_warn_at(
            mistakes, exporter->brokers, path,
            "%llu is more than %s takes (%llu, compressed): set it to that at most, or "
            "records in between are refused and dead",
            (unsigned long long)sent, whose, (unsigned long long)taken);
}

static void check_exporter(const struct exporter_settings *exporter,
                           struct settings_mistakes *mistakes)
{
    char path[512], error[512] = "";
    const char *topic = strchr(exporter->topic, '{') ? NULL : exporter->topic; // a template
    struct kafka_limits limits;
    int r = kafka_limits_read(exporter->brokers, &exporter->properties, topic, &limits, error,
                              sizeof error);
    snprintf(path, sizeof path, "exporters.%s.%s", exporter->name, "brokers");
    if (r < 0) {
        settings_warn_at(mistakes, exporter->brokers, path, "%s", error);
        return;
    }
    snprintf(path, sizeof path, "exporters.%s.%s", exporter->name, "topic");
    if (limits.topic_missing)
        settings_warn_at(mistakes, exporter->brokers, path, "there is no topic \"%s\"; %s", topic,
                         limits.auto_create ? "the brokers will make it with their defaults"
                                            : "records wait until somebody makes it");
    if (limits.topic_bytes)
        warn_of_limit(exporter, "the topic", limits.topic_bytes, mistakes);
    else
        warn_of_limit(exporter, "a broker", limits.broker_bytes, mistakes);
}

void agent_check_brokers(const struct settings *settings, struct settings_mistakes *mistakes)
{
    for (unsigned i = 0; i < settings->exporter_count; i++)
        if (strcmp(settings->exporters[i].type, "kafka") == 0)
            check_exporter(&settings->exporters[i], mistakes);
}
