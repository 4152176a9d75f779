// Prints every effective setting with its origin, what is derived from it, and the configuration
// document.
#include "base/budget.h"
#include "base/medium.h"
#include "base/podinfo.h"
#include "base/settings.h"
#include "base/settings_table.h"
#include "base/settings_value.h"
#include "control/command_settings.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void print_row(FILE *out, const char *name, const char *value, const char *origin)
{
    fprintf(out, "%-40s %-28s %s\n", name, value[0] ? value : "\"\"", origin);
}

static void print_bytes(FILE *out, const char *name, uint64_t bytes, const char *origin)
{
    char value[32];
    // Shares are sixteenths and ninths: rounded down, they say as much.
    value_format_bytes(bytes >= 1 << 20 ? bytes >> 10 << 10 : bytes, value, sizeof value);
    print_row(out, name, value, origin);
}

static void print_medium(FILE *out, const struct settings *settings)
{
    static const char name[] = "spool";
    const char *durability = settings->spool.durability;
    struct medium_view view;
    bool in_files = strcmp(durability, "auto") != 0 ? strcmp(durability, "memory") != 0
                                                    : *settings->spool.path != '\0';
    if (!in_files) {
        print_row(out, name, "memory", "what waits survives nothing: set spool.path");
        return;
    }
    int r = spool_medium(settings->spool.path, &view);
    char text[200];
    snprintf(text, sizeof text, "what waits survives %s",
             r == 0 ? medium_survives(view.medium) : "nobody can say what");
    print_row(out, name, r == 0 ? view.name : strerror(-r), text);
}

static void print_derived(FILE *out, const struct settings *settings)
{
    struct budget budget = budget_derive(settings->max_memory, settings->exporter_count);
    char value[32], name[128];
    fputs("\n# derived\n", out);
    value_format_duration(settings->max_delay_ns, value, sizeof value);
    print_row(out, "linger", value, "max_delay: how long a batch waits for more records");
    for (unsigned i = 0; i < settings->exporter_count; i++) {
        const struct exporter_settings *exporter = &settings->exporters[i];
        bool kafka = strcmp(exporter->type, "kafka") == 0;
        snprintf(name, sizeof name, "%s: spool", exporter->name);
        print_bytes(out, name, budget.spool_bytes_each, "max_memory: segments of 1MiB");
        snprintf(name, sizeof name, "%s: window", exporter->name);
        print_bytes(out, name, kafka ? budget.kafka_window : budget.otlp_window,
                    kafka ? "max_memory: librdkafka's queue" : "max_memory: requests in flight");
    }
    print_medium(out, settings);
    print_bytes(out, "decompression", budget.inflate, "max_memory");
    print_bytes(out, "read buffers", budget.read_buffers, "max_memory");
}

// As they are now: the pod's files may change while the agent runs.
static void print_attributes(FILE *out, const struct settings *settings)
{
    struct podinfo podinfo;
    struct resource_setting *attributes = NULL;
    size_t count = 0;
    if (podinfo_read(&podinfo, settings->podinfo) < 0)
        return;
    if (podinfo_merge(settings, &podinfo, &attributes, &count) < 0)
        count = 0;
    fputs("\n# resource attributes of every record that does not say them itself\n", out);
    for (size_t i = 0; i < count; i++) {
        bool hide = setting_is_secret(attributes[i].name);
        print_row(out, attributes[i].name, hide ? "(hidden)" : attributes[i].value,
                  attributes[i].origin);
    }
    if (podinfo.problem[0])
        fprintf(out, "# left out: %s\n", podinfo.problem);
    free(attributes);
    podinfo_deinit(&podinfo);
}

void command_write_explanation(FILE *out, const struct settings *settings)
{
    fputs("# settings: name, value, where it comes from\n", out);
    for (size_t i = 0; i < settings->effective_count; i++) {
        const struct effective_setting *effective = &settings->effective[i];
        bool hide = effective->secret && effective->value[0];
        print_row(out, effective->path, hide ? "(hidden)" : effective->value, effective->origin);
    }
    print_attributes(out, settings);
    print_derived(out, settings);
}

// --- docs/CONFIGURATION.md ---

static void write_cell(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void write_environment(FILE *out, const struct setting_row *row)
{
    static const char *const prefixes[] = {"SLUICE_", "SLUICE_NAME_", "SLUICE_ROUTES_NAME_"};
    const char *path = row->short_env ? row->short_env : row->path;
    fprintf(out, "`%s", prefixes[row->scope]);
    for (; *path; path++)
        fputc(*path == '.' ? '_' : *path >= 'a' && *path <= 'z' ? *path - 'a' + 'A' : *path, out);
    fputs("`", out);
}

static void write_setting(FILE *out, const struct setting_row *row)
{
    static const char *const scopes[] = {"", "exporters.NAME.", "routes.NAME."};
    char allowed[400];
    setting_describe(row, allowed, sizeof allowed);
    fprintf(out, "| `%s%s` | ", scopes[row->scope], row->path);
    if (row->fallback[0])
        fprintf(out, "`%s`", row->fallback);
    fputs(" | ", out);
    write_cell(out, allowed);
    fputs(" | ", out);
    write_environment(out, row);
    fputs(" | ", out);
    write_cell(out, row->help);
    fputs(row->reloadable ? " SIGHUP puts it in force. |\n" : " |\n", out);
}

static void write_table(FILE *out, enum setting_scope scope, const char *only)
{
    fputs("\n| Setting | Default | Allowed | Environment | What it does |\n|---|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < setting_row_count; i++) {
        const struct setting_row *row = &setting_rows[i];
        bool same = (!only && !row->only) || (only && row->only && strcmp(only, row->only) == 0);
        if (row->scope == scope && same)
            write_setting(out, row);
    }
}

static const char introduction[] =
    "<!-- Generated by `sluice docs configuration`; edit agent/base/settings_table.c instead. "
    "-->\n\n"
    "# Configuration\n\n"
    "Every setting has a default: `sluice run` alone reads the socket and sends to Kafka and OTLP "
    "on this host.\nTwo settings tune it, `max_delay` and `max_memory`; `sluice explain` shows "
    "what follows from them, and where\neach value comes from. `sluice check FILE` tells every "
    "mistake at once.\n\n"
    "A value is taken from the strongest of these that gives it:\n\n"
    "1. flags: `--max-delay 50ms`, `--kafka-brokers a:9092`, or `--set exporters.kafka.topic=app`\n"
    "2. the environment: `SLUICE_MAX_DELAY=50ms`\n"
    "3. the YAML file: `--config FILE`, else `/etc/sluice/sluice.yaml` where it exists\n"
    "4. the default\n\n"
    "**While it runs.** SIGHUP reads all of these again. A mistake is told and changes nothing; "
    "of what changed, only\nthe settings marked below are put in force, the others are named and "
    "wait for a restart.\n\n"
    "**From a file.** Any value, and any member of a map, may come from a file: add `_file` to its "
    "name\n(`sasl.password_file: /run/secrets/kafka`, "
    "`SLUICE_KAFKA_PROPERTIES_SASL_PASSWORD_FILE`)."
    " Line ends at its\nend are dropped. The file of a whole map (`headers_file`) or list has an "
    "item a line, or separated by commas.\n\n"
    "**Maps** merge by member. The environment names a member too "
    "(`SLUICE_KAFKA_PROPERTIES_SECURITY_PROTOCOL`\nis `properties: {security.protocol: …}`, "
    "`SLUICE_OTLP_HEADERS_X_TENANT` is `x-tenant`), or a whole map as\n"
    "`key=value,key=value`, percent-encoded.\n\n"
    "**Names in the environment.** `SLUICE_NAME_BROKERS` stands for the exporter `NAME`, so "
    "`SLUICE_KAFKA_BROKERS`\nsets `exporters.kafka.brokers`. An exporter that does not exist is a "
    "mistake.\n";

static const char sources_text[] =
    "\n## Resource attributes\n\n"
    "Every record gets those it does not bring itself, from the strongest source that has them:\n\n"
    "1. `service.*` and `resource` above\n"
    "2. `OTEL_SERVICE_NAME`, then `OTEL_RESOURCE_ATTRIBUTES` (`key=value,key=value`, "
    "percent-encoded)\n"
    "3. the Kubernetes downward API: the files of `podinfo`, then variables of the agent's "
    "container such as\n   `POD_NAME`, `POD_NAMESPACE`, `POD_UID`, `NODE_NAME` "
    "([RESOURCE.md](RESOURCE.md) has all of both)\n"
    "4. the host: `host.name`\n"
    "5. the pod's labels `app.kubernetes.io/name` and `app.kubernetes.io/version`, for "
    "`service.name` and `service.version`\n";

void command_write_configuration(FILE *out)
{
    fputs(introduction, out);
    fputs("\n## The agent\n", out);
    write_table(out, SCOPE_AGENT, NULL);
    fputs("\n## Exporters\n\n`exporters:` is a map of names. Without it there are two, `kafka` and "
          "`otlp`; with it, only those it names.\n",
          out);
    write_table(out, SCOPE_EXPORTER, NULL);
    fputs("\n### Of type `kafka` (logs)\n", out);
    write_table(out, SCOPE_EXPORTER, "kafka");
    fputs("\n### Of type `otlp` (spans, metrics)\n", out);
    write_table(out, SCOPE_EXPORTER, "otlp");
    fputs("\n## Routes\n\n`routes:` is a map of names. Without it each signal goes to every "
          "exporter that takes it.\n",
          out);
    write_table(out, SCOPE_ROUTE, NULL);
    fputs(sources_text, out);
}
