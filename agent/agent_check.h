// What only an exporter's own library can say about settings: `check` and `run` ask it before the
// agent starts.
#ifndef SLUICE_AGENT_CHECK_H
#define SLUICE_AGENT_CHECK_H

struct exporter_settings;
struct settings;
struct settings_mistakes;

// Adds every mistake in the librdkafka properties: unknown names (with the nearest), wrong values,
// properties that belong to the agent, files that cannot be read. Warns of limits that do not fit
// each other, and of a dead-letter file that cannot be written. Connects nowhere.
void agent_check(const struct settings *settings, struct settings_mistakes *mistakes);

// Asks the brokers of every Kafka exporter for their limits, ten seconds each at most, and warns of
// those that are below the agent's own, of topics that are not there, and of brokers that do not
// answer. Blocks: for `check`, never for `run`.
void agent_check_brokers(const struct settings *settings, struct settings_mistakes *mistakes);

// Adds the fields in an exporter's key, topic and headers that no record can be asked for.
void agent_check_fields(const struct settings *settings, const struct exporter_settings *exporter,
                        struct settings_mistakes *mistakes);

// Adds what is wrong with the files, folders, users and groups that settings name.
void agent_check_places(const struct settings *settings, struct settings_mistakes *mistakes);

#endif
