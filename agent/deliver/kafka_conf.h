// librdkafka's configuration for the exporter: our defaults, the user's properties, the contract.
#ifndef SLUICE_DELIVER_KAFKA_CONF_H
#define SLUICE_DELIVER_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>
#include <stddef.h>
#include <stdint.h>

struct kafka_exporter_config;

// A configuration that rd_kafka_new takes, without brokers where config has none. The caller
// destroys it. 0, -ENOMEM, or -EINVAL and the reason in error.
int kafka_conf_new(rd_kafka_conf_t **out, const struct kafka_exporter_config *config, char *error,
                   size_t size);

// Sets a property whose name and value are ours. A refusal is a bug.
void kafka_conf_must_set(rd_kafka_conf_t *conf, const char *name, const char *value);
void kafka_conf_must_set_number(rd_kafka_conf_t *conf, const char *name, uint64_t value);
// The number a property has now.
uint64_t kafka_conf_number(const rd_kafka_conf_t *conf, const char *name);

#endif
