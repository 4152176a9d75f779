// The rows of the settings, and what can be said of a row alone.
#include "base/settings_table.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/settings_rules.h"
#include "base/settings_value.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)
#define SECONDS(n) ((uint64_t)(n)*NS_PER_S)

#define AGENT(member) SCOPE_AGENT, .offset = offsetof(struct settings, member)
#define EXPORTER(member) SCOPE_EXPORTER, .offset = offsetof(struct exporter_settings, member)

const struct setting_row setting_rows[] = {
    {"socket.path", AGENT(socket.path), .type = SETTING_TEXT, .fallback = "/run/sluice/sluice.sock",
     .rule = rule_socket_path, .short_env = "socket",
     .help = "The Unix socket that apps write to, in any dialect. Clients read SLUICE_SOCKET too."},
    {"socket.mode", AGENT(socket.mode), .type = SETTING_MODE, .fallback = "0660", .max = 0777,
     .help = "Permission bits of the socket. 0666 lets a container's other user write."},
    {"socket.group", AGENT(socket.group), .type = SETTING_TEXT, .fallback = "", .rule = rule_group,
     .help = "Group (name or number) that owns the socket; empty keeps the agent's own."},
    {"socket.allowed_uids", AGENT(socket.allowed_uids), .type = SETTING_TEXT, .fallback = "",
     .rule = rule_ids,
     .help =
         "Users (names or numbers, separated by commas) that may connect to the socket; empty "
         "for all that its mode lets in. A peer is let in where its user or its group is listed."},
    {"socket.allowed_gids", AGENT(socket.allowed_gids), .type = SETTING_TEXT, .fallback = "",
     .rule = rule_ids, .help = "Groups, likewise."},
    {"otlp_listen", AGENT(otlp_listen), .type = SETTING_LISTEN, .fallback = "127.0.0.1:4317",
     .help = "TCP address of OTLP/gRPC, so that an SDK with its defaults just works; empty "
             "switches it off."},
    {"http.listen", AGENT(http.listen), .type = SETTING_LISTEN, .fallback = "127.0.0.1:9598",
     .help =
         "TCP address of `/metrics`, `/healthz`, `/readyz` and `/books`, and for loopback peers "
         "of `/config` and `/tail`; empty switches it off."},
    {"max_connections", AGENT(max_connections), .reloadable = true, .type = SETTING_INTEGER,
     .fallback = "10000", .min = 1, .max = 1000000,
     .help = "Connections open at once, of all doors. Further ones are closed and counted."},
    {"first_byte_timeout", AGENT(first_byte_timeout_ns), .reloadable = true,
     .type = SETTING_DURATION, .fallback = "10s", .min = NS_PER_MS, .max = SECONDS(3600),
     .help = "How long a connection may be without a first byte once `max_connections` is reached; "
             "then it makes room for a new one. With room left, silence is no offence."},
    {"service.name", AGENT(service.name), .reloadable = true, .type = SETTING_TEXT, .fallback = "",
     .help = "`service.name` of every record that does not say it itself."},
    {"service.version", AGENT(service.version), .reloadable = true, .type = SETTING_TEXT,
     .fallback = "", .help = "`service.version`, likewise."},
    {"service.environment", AGENT(service.environment), .reloadable = true, .type = SETTING_TEXT,
     .fallback = "",
     .help = "`deployment.environment.name` (ECS `service.environment`), likewise."},
    {"service.instance", AGENT(service.instance), .reloadable = true, .type = SETTING_TEXT,
     .fallback = "", .help = "`service.instance.id` (ECS `service.node.name`), likewise."},
    {"resource", AGENT(resource), .reloadable = true, .type = SETTING_MAP, .fallback = "",
     .key_separator = '.', .help = "Further resource attributes by their OpenTelemetry names."},
    {"podinfo", AGENT(podinfo), .type = SETTING_TEXT, .fallback = "/etc/podinfo",
     .rule = rule_optional_path,
     .help = "Folder where a pod mounts the downward API's files (name, namespace, labels …), read "
             "again when they change; empty for none."},
    {"max_delay", AGENT(max_delay_ns), .type = SETTING_DURATION, .fallback = "200ms",
     .max = SECONDS(60),
     .help = "What batching may add to a record's way. Linger and batch sizes follow from it."},
    {"max_memory", AGENT(max_memory), .type = SETTING_BYTES, .fallback = "auto", .min = MIB(8),
     .max = GIB(64), .literal = "auto",
     .help = "What the agent may keep of records, shared out as `sluice explain` prints. `auto` is "
             "half of the cgroup's memory limit, or 64MiB without one."},
    {"spool.path", AGENT(spool.path), .type = SETTING_TEXT, .fallback = "",
     .rule = rule_optional_path,
     .help =
         "Folder where records wait for their sink, so that they survive the agent; empty keeps "
         "them in memory."},
    {"spool.durability", AGENT(spool.durability), .type = SETTING_CHOICE, .fallback = "auto",
     .allowed = "auto|memory|process|node",
     .help = "What a record that was accepted survives: `memory` nothing, `process` the agent's "
             "death (SIGKILL included), `node` a power cut too, once its receipt says `stored`. "
             "`auto`: `process` where there is a `spool.path`."},
    {"spool.max_bytes", AGENT(spool.max_bytes), .type = SETTING_BYTES, .fallback = "1GiB",
     .min = MIB(8), .max = GIB(1024),
     .help = "Largest size of the files of all exporters together."},
    {"spool.min_free", AGENT(spool.min_free), .type = SETTING_BYTES, .fallback = "64MiB",
     .max = GIB(1024),
     .help = "What the agent leaves free on the device: below it no further file is made."},
    {"block_for", AGENT(block_for_ns), .reloadable = true, .type = SETTING_DURATION,
     .fallback = "1s", .max = SECONDS(3600),
     .help = "How long a writer of lines waits for room before records are shed."},
    {"gap_interval", AGENT(gap_interval_ns), .reloadable = true, .type = SETTING_DURATION,
     .fallback = "60s", .max = SECONDS(3600),
     .help = "How often a document may tell of dropped records of one cause (service, level, "
             "reason); 0s for never, and then they are only counted."},
    {"max_line", AGENT(max_line), .type = SETTING_BYTES, .fallback = "256KiB", .min = KIB(1),
     .max = KIB(512), .help = "Longest line; a longer one is cut and marked."},
    {"join_for", AGENT(join_for_ns), .type = SETTING_DURATION, .fallback = "100ms",
     .max = SECONDS(10),
     .help = "How long a line that is not JSON waits for the rest of its stack trace; 0s joins "
             "none."},
    {"max_message", AGENT(max_message), .type = SETTING_BYTES, .fallback = "16MiB", .min = KIB(64),
     .max = MIB(256),
     .help = "Largest OTLP message, inflated. The default is smaller where max_memory's share for "
             "decompression is."},
    {"drain_timeout", AGENT(drain_timeout_ns), .reloadable = true, .type = SETTING_DURATION,
     .fallback = "10s", .max = SECONDS(3600),
     .help = "How long SIGTERM waits for writers to close and sinks to confirm."},
    {"termination_message", AGENT(termination_message), .reloadable = true, .type = SETTING_TEXT,
     .fallback = "", .rule = rule_optional_path,
     .help = "File that gets the last line too, such as /dev/termination-log; empty for none."},
    {"dead_letters.path", AGENT(dead_letters.path), .type = SETTING_TEXT, .fallback = "",
     .rule = rule_optional_path,
     .help =
         "File that keeps what a sink refused for good, a JSON line each with the reason; empty "
         "for none: then it is only counted and told."},
    {"dead_letters.max_bytes", AGENT(dead_letters.max_bytes), .type = SETTING_BYTES,
     .fallback = "64MiB", .min = KIB(64), .max = GIB(64),
     .help = "Largest size of that file; what does not fit is counted."},
    {"log_level", AGENT(log_level), .reloadable = true, .type = SETTING_CHOICE, .fallback = "info",
     .allowed = "debug|info|warn|error", .help = "The least level of the agent's own log."},

    {"type", EXPORTER(type), .type = SETTING_CHOICE, .fallback = "", .allowed = "kafka|otlp",
     .help = "What the exporter speaks. May be left out where its name is one of them."},
    {"when_full", EXPORTER(when_full), .type = SETTING_CHOICE, .fallback = "auto",
     .allowed = "auto|block|shed",
     .help = "What a full log does with one more record: `block` pauses the writer, `shed` drops "
             "this exporter's copy and counts it, `auto` does as the dialect asks."},
    {"catch_up_rate", EXPORTER(catch_up_rate), .type = SETTING_BYTES, .fallback = "32MiB",
     .max = GIB(8),
     .help =
         "How many bytes a second of a backlog (after an outage or a start) are sent above what "
         "comes live, the oldest first, so that recovery does not flood the sink; 0B for as "
         "fast as it takes them. Not when the agent ends."},
    {"brokers", EXPORTER(brokers), .type = SETTING_TEXT, .fallback = "127.0.0.1:9092",
     .only = "kafka", .rule = rule_brokers, .help = "Bootstrap brokers."},
    {"topic", EXPORTER(topic), .type = SETTING_TEXT, .fallback = "logs", .only = "kafka",
     .rule = rule_topic,
     .help = "Topic of every message. `{service.name}` stands for that ECS field's value, what a "
             "topic may not hold replaced by `_`; `unknown` where a record has none."},
    {"max_topics", EXPORTER(max_topics), .type = SETTING_INTEGER, .fallback = "100", .min = 1,
     .max = 10000, .only = "kafka",
     .help = "How many topics a template may make; further values become `other`."},
    {"key", EXPORTER(key), .type = SETTING_TEXT, .fallback = "", .only = "kafka",
     .rule = rule_field_path,
     .help = "ECS field whose value is the message key, such as trace.id; empty for none."},
    {"partitioner", EXPORTER(partitioner), .type = SETTING_CHOICE, .fallback = "murmur2_random",
     .only = "kafka",
     .allowed = "murmur2_random|murmur2|consistent_random|consistent|fnv1a_random|fnv1a|random",
     .help = "How a key chooses its partition; the default agrees with Java's clients. Without a "
             "key, the `_random` ones stay on one partition for a batch."},
    {"mode", EXPORTER(mode), .type = SETTING_CHOICE, .fallback = "ecs", .only = "kafka",
     .allowed = "ecs|lines",
     .help =
         "`ecs`: one ECS JSON document a message. `lines`: many, newline-delimited, for less CPU "
         "a record; the reader must split them."},
    {"lines_bytes", EXPORTER(lines_bytes), .type = SETTING_BYTES, .fallback = "64KiB",
     .min = KIB(1), .max = MIB(1), .only = "kafka",
     .help = "Largest message in mode `lines`; one larger document goes alone."},
    {"oversize", EXPORTER(oversize), .type = SETTING_CHOICE, .fallback = "cut", .only = "kafka",
     .allowed = "cut|dead_letter",
     .help = "A document larger than the property message.max.bytes allows: `cut` shortens its "
             "longest texts and marks it, `dead_letter` keeps it whole with the dead letters."},
    {"properties", EXPORTER(properties), .type = SETTING_MAP, .fallback = "compression.type=lz4",
     .only = "kafka", .key_separator = '.',
     .help = "librdkafka's own properties by name (TLS, SASL, compression …)."},
    {"headers", EXPORTER(headers), .type = SETTING_MAP, .fallback = "", .key_separator = '-',
     .help = "Headers of every request (`otlp`) or message (`kafka`, where `{service.name}` stands "
             "for that field's value; a header is left out where a record has none)."},
    {"endpoint", EXPORTER(endpoint), .type = SETTING_TEXT, .fallback = "http://127.0.0.1:4317",
     .only = "otlp", .rule = rule_endpoint,
     .help = "The collector's OTLP/gRPC address. Not the agent's own: change `otlp_listen` where "
             "both are "
             "on one host."},
    {"tls_ca_path", EXPORTER(tls_ca_path), .type = SETTING_TEXT, .fallback = "", .only = "otlp",
     .rule = rule_optional_path,
     .help = "PEM file of the authorities that may sign the collector's certificate (https); empty "
             "for the system's."},
    {"tls_certificate_path", EXPORTER(tls_certificate_path), .type = SETTING_TEXT, .fallback = "",
     .only = "otlp", .rule = rule_optional_path,
     .help = "PEM file of the agent's own certificate chain; empty for none."},
    {"tls_key_path", EXPORTER(tls_key_path), .type = SETTING_TEXT, .fallback = "", .only = "otlp",
     .rule = rule_optional_path, .help = "PEM file of its private key."},
    {"tls_server_name", EXPORTER(tls_server_name), .type = SETTING_TEXT, .fallback = "",
     .only = "otlp",
     .help = "The name that the collector's certificate must have; empty for the endpoint's host."},
    {"tls_verify", EXPORTER(tls_verify), .type = SETTING_CHOICE, .fallback = "full",
     .allowed = "full|none", .only = "otlp",
     .help = "`none` takes any certificate: for tests only."},
    {"compression", EXPORTER(compression), .type = SETTING_CHOICE, .fallback = "none",
     .only = "otlp", .allowed = "none|gzip", .help = "Compression of requests."},
    {"timeout", EXPORTER(timeout_ns), .type = SETTING_DURATION, .fallback = "10s", .min = NS_PER_MS,
     .max = SECONDS(3600), .only = "otlp",
     .help = "Deadline of one request; after it the records are sent again."},
    {"max_request", EXPORTER(max_request), .type = SETTING_BYTES, .fallback = "4MiB",
     .min = KIB(64), .max = MIB(64), .only = "otlp",
     .help = "Largest request. Most collectors refuse more than 4MiB. The default is smaller where "
             "max_memory's share for requests in flight is."},
    {"concurrency", EXPORTER(concurrency), .type = SETTING_INTEGER, .fallback = "4", .min = 1,
     .max = 64, .only = "otlp", .help = "Requests in flight."},

    {"signals", SCOPE_ROUTE, .type = SETTING_LIST, .fallback = "",
     .help = "What the route takes: logs, spans, metrics."},
    {"exporters", SCOPE_ROUTE, .type = SETTING_LIST, .fallback = "",
     .help = "Names of the exporters that get a copy each."},
};

const size_t setting_row_count = sizeof setting_rows / sizeof *setting_rows;

const struct setting_row *setting_row_find(enum setting_scope scope, const char *path)
{
    for (size_t i = 0; i < setting_row_count; i++)
        if (setting_rows[i].scope == scope && strcmp(setting_rows[i].path, path) == 0)
            return &setting_rows[i];
    return NULL;
}

const char *setting_scope_prefix(enum setting_scope scope)
{
    static const char *const prefixes[] = {"", "exporters.", "routes."};
    return prefixes[scope];
}

bool setting_is_numeric(const struct setting_row *row)
{
    return row->type == SETTING_BYTES || row->type == SETTING_DURATION ||
           row->type == SETTING_INTEGER || row->type == SETTING_MODE;
}

int setting_parse(const struct setting_row *row, const char *text, uint64_t *number)
{
    switch (row->type) {
    case SETTING_BYTES:
        return value_parse_bytes(text, number);
    case SETTING_DURATION:
        return value_parse_duration(text, number);
    case SETTING_MODE:
        return value_parse_mode(text, number);
    default:
        assert(row->type == SETTING_INTEGER);
        return value_parse_integer(text, number);
    }
}

void setting_format(const struct setting_row *row, uint64_t number, char *out, size_t size)
{
    if (row->type == SETTING_BYTES)
        value_format_bytes(number, out, size);
    else if (row->type == SETTING_DURATION)
        value_format_duration(number, out, size);
    else
        snprintf(out, size, row->type == SETTING_MODE ? "%04llo" : "%llu",
                 (unsigned long long)number);
}

static void describe_number(const struct setting_row *row, char *out, size_t size)
{
    static const char *const kinds[] = {
        [SETTING_BYTES] = "a size with a unit (B, KiB, MiB, GiB, KB, MB, GB)",
        [SETTING_DURATION] = "a duration with a unit (ns, us, ms, s, m, h)",
        [SETTING_INTEGER] = "a whole number",
        [SETTING_MODE] = "octal permission bits",
    };
    char min[32], max[32];
    setting_format(row, row->min, min, sizeof min);
    setting_format(row, row->max, max, sizeof max);
    snprintf(out, size, "%s%s%s from %s to %s", row->literal ? row->literal : "",
             row->literal ? ", or " : "", kinds[row->type], min, max);
}

void setting_describe(const struct setting_row *row, char *out, size_t size)
{
    const char *must = row->rule ? row->rule("\n") : NULL;
    switch (row->type) {
    case SETTING_TEXT:
        snprintf(out, size, "%s", must ? must : "a text");
        break;
    case SETTING_LISTEN:
        snprintf(out, size, "a numeric address as 127.0.0.1:4317 or [::1]:4317, or \"\" for off");
        break;
    case SETTING_MAP:
        snprintf(out, size, "a map of names to texts");
        break;
    case SETTING_LIST:
        snprintf(out, size, "a list of names");
        break;
    case SETTING_CHOICE: {
        size_t used = 0;
        for (const char *at = row->allowed; *at && used + 3 < size; at++) {
            if (*at == '|')
                used += (size_t)snprintf(out + used, size - used, ", ");
            else
                out[used++] = *at;
        }
        out[used] = '\0';
        break;
    }
    default:
        describe_number(row, out, size);
    }
}

bool setting_is_secret(const char *path)
{
    // Whatever a header holds may be a key to somebody's service, whatever its name.
    static const char *const marks[] = {".headers",
                                        "password",
                                        "passwd",
                                        "passphrase",
                                        "secret",
                                        "token",
                                        "credential",
                                        "jaas",
                                        "private",
                                        "authorization",
                                        "api-key",
                                        "api_key",
                                        "apikey",
                                        "cookie",
                                        ".pem",
                                        "oauthbearer.config",
                                        "oauthbearer.extensions"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strcasestr(path, marks[i]))
            return true;
    return false;
}
