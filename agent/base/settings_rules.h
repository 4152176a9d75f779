// What a text setting must look like. Each says what is allowed where the value is not that, else
// NULL.
#ifndef SLUICE_BASE_SETTINGS_RULES_H
#define SLUICE_BASE_SETTINGS_RULES_H

const char *rule_socket_path(const char *value);
const char *rule_brokers(const char *value);
const char *rule_topic(const char *value);
const char *rule_field_path(const char *value);
const char *rule_endpoint(const char *value);
const char *rule_group(const char *value);
const char *rule_ids(const char *value);
const char *rule_optional_path(const char *value);
// The name of an exporter or a route.
const char *rule_name(const char *value);

#endif
