// The table of commands, and each command.
#include "control/commands.h"

#include "agent.h"
#include "agent_check.h"
#include "base/error.h"
#include "base/metrics.h"
#include "base/nearest_name.h"
#include "base/own_log.h"
#include "base/own_log_events.h"
#include "base/settings.h"
#include "base/version.h"
#include "control/command_line.h"
#include "control/command_settings.h"
#include "control/command_tail.h"
#include "control/http_get.h"

#include <event2/event.h>
#include <librdkafka/rdkafka.h>
#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_version.h>
#include <yaml.h>
#include <zlib.h>

#define HTTP_DEFAULT "127.0.0.1:9598"

typedef int command_fn(const struct command_context *context, const struct command_line *line);

struct command {
    const char *name;
    const char *words; // as help shows them
    unsigned options;
    size_t words_min, words_max;
    command_fn *run;
    const char *help;
};

static command_fn run_agent, replay, adopt, check, explain, status, tail, health, version, docs,
    help;

static const struct command commands[] = {
    {"run", "", OPTION_CONFIG | OPTION_DEV | OPTION_SETTINGS, 0, 0, run_agent,
     "run the agent; --dev adds a Kafka and an OTLP receiver of its own"},
    {"check", "FILE", OPTION_CONNECT | OPTION_SETTINGS, 1, 1, check,
     "tell every mistake of a settings file; --connect asks the brokers too"},
    {"explain", "", OPTION_CONFIG | OPTION_SETTINGS, 0, 0, explain,
     "print each effective setting and where it comes from"},
    {"status", "", OPTION_CONFIG | OPTION_HTTP | OPTION_SETTINGS, 0, 0, status,
     "print the books of the running agent"},
    {"tail", "[FIELD=VALUE …]", OPTION_CONFIG | OPTION_HTTP | OPTION_TAIL | OPTION_SETTINGS, 0, 16,
     tail, "print live records of the running agent"},
    {"health", "", OPTION_CONFIG | OPTION_HTTP | OPTION_SETTINGS, 0, 0, health,
     "succeed when the running agent answers"},
    {"replay", "PATH", OPTION_CONFIG | OPTION_REPLAY | OPTION_SETTINGS, 1, 1, replay,
     "send again: a dead-letter file, a folder of spools, or records (- for stdin)"},
    {"adopt", "DIR", OPTION_CONFIG | OPTION_WATCH | OPTION_SETTINGS, 1, 1, adopt,
     "send what agents that are gone left in folders below DIR"},
    {"version", "", 0, 0, 0, version, "print the version and those of the libraries"},
    {"docs", "configuration|metrics|events", 0, 1, 1, docs,
     "print the document made from the table"},
    {"help", "", 0, 0, 0, help, "print this"},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

// --- run, check, explain ---

static void log_mistakes(const struct settings_mistakes *mistakes)
{
    for (size_t i = 0; i < mistakes->count; i++)
        if (mistakes->items[i].warning)
            own_log(OWN_WARN, "setting_doubtful", "%s", mistakes->items[i].text);
        else
            own_log(OWN_ERROR, "setting_refused", "%s", mistakes->items[i].text);
    if (mistakes->left_off)
        own_log(OWN_ERROR, "setting_refused", "and %zu more", mistakes->left_off);
}

struct loading {
    const struct command_context *context;
    const struct command_line *line;
};

static int load_logging(void *ctx, struct settings **out)
{
    const struct loading *loading = ctx;
    struct settings_mistakes mistakes = {0};
    int r = command_settings_load(out, &mistakes, loading->context, loading->line);
    log_mistakes(&mistakes);
    settings_mistakes_deinit(&mistakes);
    return r;
}

static int run_agent(const struct command_context *context, const struct command_line *line)
{
    struct settings *settings;
    struct loading loading = {context, line};
    struct agent_options options = {.dev = line->dev, .load = load_logging, .load_ctx = &loading};
    int r = load_logging(&loading, &settings);
    if (r < 0)
        own_log(OWN_ERROR, "start_failed", "cannot load the settings: %s", strerror(-r));
    if (r != 0)
        return COMMAND_FAILED;
    r = agent_run(settings, &options);
    settings_free(settings);
    return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static int load_to_run(struct settings **settings, const struct command_context *context,
                       const struct command_line *line)
{
    struct loading loading = {context, line};
    int r = load_logging(&loading, settings);
    if (r < 0)
        own_log(OWN_ERROR, "start_failed", "cannot load the settings: %s", strerror(-r));
    return r;
}

static int replay(const struct command_context *context, const struct command_line *line)
{
    struct settings *settings;
    struct replay_options options = {.path = line->words[0],
                                     .exporter = line->exporter,
                                     .dry_run = line->dry_run,
                                     .remove = line->remove};
    if (load_to_run(&settings, context, line) != 0)
        return COMMAND_FAILED;
    int r = agent_replay(settings, &options);
    settings_free(settings);
    return r == 0 ? COMMAND_OK : COMMAND_FAILED;
}

static int adopt(const struct command_context *context, const struct command_line *line)
{
    struct settings *settings;
    if (load_to_run(&settings, context, line) != 0)
        return COMMAND_FAILED;
    int r = agent_adopt(settings, line->words[0], line->watch);
    settings_free(settings);
    return r == 0 ? COMMAND_OK : COMMAND_FAILED;
}

// Prints the mistakes, if any. False: the settings do not hold.
static bool load(struct settings **settings, const struct command_context *context,
                 const struct command_line *line)
{
    struct settings_mistakes mistakes = {0};
    int r = command_settings_load(settings, &mistakes, context, line);
    command_print_mistakes(context->err, &mistakes);
    if (mistakes.errors)
        fprintf(context->err, "%zu mistake%s\n", mistakes.errors, mistakes.errors > 1 ? "s" : "");
    else if (r < 0)
        fprintf(context->err, "sluice: %s\n", strerror(-r));
    settings_mistakes_deinit(&mistakes);
    return r == 0;
}

// Prints what they answer. False: one of it is a mistake.
static bool ask_brokers(const struct command_context *context, const struct settings *settings)
{
    struct settings_mistakes mistakes = {0};
    agent_check_brokers(settings, &mistakes);
    command_print_mistakes(context->err, &mistakes);
    bool holds = mistakes.errors == 0;
    settings_mistakes_deinit(&mistakes);
    return holds;
}

static int check(const struct command_context *context, const struct command_line *line)
{
    struct settings *settings;
    struct command_line named = *line;
    named.config = line->words[0];
    if (!load(&settings, context, &named))
        return COMMAND_FAILED;
    if (line->connect && !ask_brokers(context, settings)) {
        settings_free(settings);
        return COMMAND_FAILED;
    }
    fprintf(context->out, "%s: ok;", named.config);
    for (unsigned i = 0; i < settings->exporter_count; i++)
        fprintf(context->out, "%s %s (%s)", i ? "," : " exporters", settings->exporters[i].name,
                settings->exporters[i].type);
    for (unsigned i = 0; i < settings->route_count; i++)
        fprintf(context->out, "%s %s", i ? "," : "; routes", settings->routes[i].name);
    fputc('\n', context->out);
    settings_free(settings);
    return COMMAND_OK;
}

static int explain(const struct command_context *context, const struct command_line *line)
{
    struct settings *settings;
    if (!load(&settings, context, line))
        return COMMAND_FAILED;
    command_write_explanation(context->out, settings);
    settings_free(settings);
    return COMMAND_OK;
}

// --- status, health ---

// Where the agent listens: as told, else as its settings say. Empty: it does not.
static void http_address(const struct command_context *context, const struct command_line *line,
                         char *out, size_t size)
{
    struct settings *settings;
    struct settings_mistakes mistakes = {0};
    snprintf(out, size, "%s", line->http ? line->http : HTTP_DEFAULT);
    if (line->http)
        return;
    if (command_settings_load(&settings, &mistakes, context, line) == 0) {
        snprintf(out, size, "%s", settings->http.listen);
        settings_free(settings);
    }
    settings_mistakes_deinit(&mistakes);
}

// False: it is switched off, told.
static bool find_agent(const struct command_context *context, const struct command_line *line,
                       char *out, size_t size)
{
    http_address(context, line, out, size);
    if (!out[0])
        fputs("sluice: http.listen is switched off\n", context->err);
    return out[0];
}

// The page's body, or NULL, told.
static char *ask(const struct command_context *context, const struct command_line *line,
                 const char *path)
{
    char address[128];
    char *body = NULL;
    if (!find_agent(context, line, address, sizeof address))
        return NULL;
    int r = http_get(address, path, &body);
    if (r == 200)
        return body;
    if (r < 0)
        fprintf(context->err, "sluice: http://%s%s: %s\n", address, path, strerror(-r));
    else
        fprintf(context->err, "sluice: http://%s%s answers %d: %s", address, path, r, body);
    free(body);
    return NULL;
}

static int status(const struct command_context *context, const struct command_line *line)
{
    char *books = ask(context, line, "/books");
    if (!books)
        return COMMAND_FAILED;
    int r = command_write_status(context->out, books);
    if (r < 0)
        fputs("sluice: the answer is not the books of an agent\n", context->err);
    free(books);
    return r < 0 ? COMMAND_FAILED : COMMAND_OK;
}

static int tail(const struct command_context *context, const struct command_line *line)
{
    char address[128];
    if (!find_agent(context, line, address, sizeof address))
        return COMMAND_FAILED;
    return command_tail(context, line, address);
}

static int health(const struct command_context *context, const struct command_line *line)
{
    char *body = ask(context, line, "/healthz");
    if (!body)
        return COMMAND_FAILED;
    fputs(body, context->out);
    free(body);
    return COMMAND_OK;
}

// --- version, docs, help ---

static int version(const struct command_context *context, const struct command_line *line)
{
    (void)line;
    int yajl = yajl_version();
    fprintf(context->out, "sluice %s\nbuilt with %s\n", sluice_version(), sluice_build());
    fprintf(context->out, "libevent %s\nlibrdkafka %s\nnghttp2 %s\nlibyaml %s\n",
            event_get_version(), rd_kafka_version_str(), nghttp2_version(0)->version_str,
            yaml_get_version_string());
    fprintf(context->out, "yajl %d.%d.%d\nzlib %s\n", yajl / 10000, yajl / 100 % 100, yajl % 100,
            zlibVersion());
    return COMMAND_OK;
}

static int docs(const struct command_context *context, const struct command_line *line)
{
    if (strcmp(line->words[0], "configuration") == 0) {
        command_write_configuration(context->out);
    } else if (strcmp(line->words[0], "metrics") == 0) {
        metrics_write_document(context->out);
    } else if (strcmp(line->words[0], "events") == 0) {
        own_log_write_document(context->out);
    } else {
        fprintf(context->err, "sluice: docs: there are configuration, metrics and events\n");
        return COMMAND_USAGE;
    }
    return COMMAND_OK;
}

static int help(const struct command_context *context, const struct command_line *line)
{
    (void)line;
    fputs("sluice COMMAND [OPTIONS]\n\n", context->out);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        char usage[64];
        snprintf(usage, sizeof usage, "%s %s", commands[i].name, commands[i].words);
        fprintf(context->out, "  %-28s %s\n", usage, commands[i].help);
    }
    fputs("\n  --config FILE         settings; else /etc/sluice/sluice.yaml where it exists\n"
          "  --set NAME=VALUE      one setting; --max-delay 50ms is the same for max_delay\n"
          "  --http ADDRESS        where status, tail and health ask; else as the settings say\n\n"
          "sluice tail shows what each of these lets through:\n"
          "  --signal LIST         logs, spans, metrics; else logs,spans\n"
          "  --service NAME        of service.name\n"
          "  --level LEVEL         at least: trace, debug, info, warn, error, fatal\n"
          "  --match TEXT          somewhere in the message; with * or ?, the whole message\n"
          "  FIELD=VALUE           a field by its ECS path, such as trace.id=4bf9…\n"
          "  --json                print whole documents\n\n"
          "sluice replay:\n"
          "  --exporter NAME       where to, instead of where it was meant to go\n"
          "  --dry-run             only count\n"
          "  --remove              remove the dead-letter file once all of it is delivered\n"
          "sluice adopt:\n"
          "  --watch               look again every 10 seconds, until SIGTERM\n\n"
          "docs/CONFIGURATION.md lists the settings.\n",
          context->out);
    return COMMAND_OK;
}

// --- the command line ---

static const struct command *find_command(const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int unknown_command(const struct command_context *context, const char *name)
{
    struct nearest_name nearest;
    nearest_name_init(&nearest, name);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        nearest_name_offer(&nearest, commands[i].name);
    const char *best = nearest_name_best(&nearest);
    fprintf(context->err, "sluice: %s: no such command%s%s%s\n", name,
            best ? "; did you mean " : "", best ? best : "; see sluice help", best ? "?" : "");
    return COMMAND_USAGE;
}

// What looks like a setting has taken the word behind it: --dry-rum PATH.
static void tell_missing(const struct command_context *context, const struct command *command,
                         const struct command_line *line)
{
    fprintf(context->err, "sluice %s: needs %s", command->name, command->words);
    for (size_t i = 0; i < line->flag_count; i++)
        if (!line->flags[i].exact)
            fprintf(context->err, "; %s is no option of it, and \"%.100s\" was taken for its value",
                    line->flags[i].spelling, line->flags[i].value);
    fputc('\n', context->err);
}

int commands_main(const struct command_context *context, int argc, char *const *argv)
{
    if (argc < 2) {
        help(context, NULL);
        return COMMAND_USAGE;
    }
    const struct command *command = find_command(argv[1]);
    if (!command)
        return unknown_command(context, argv[1]);
    struct command_line line;
    char error[300];
    int r = command_line_parse(&line, command->options, command->words_max, argc - 2, argv + 2,
                               error, sizeof error);
    if (r == -EINVAL) {
        fprintf(context->err, "sluice %s: %s\n", command->name, error);
        return COMMAND_USAGE;
    }
    if (r < 0) {
        fprintf(context->err, "sluice: %s\n", strerror(-r));
        return COMMAND_FAILED;
    }
    if (line.word_count < command->words_min) {
        tell_missing(context, command, &line);
        r = COMMAND_USAGE;
    } else {
        r = command->run(context, &line);
    }
    command_line_deinit(&line);
    return r;
}
