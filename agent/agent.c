// The only file that knows every room: builds them, runs the loop, drains and stops.
//
//     receive ──► decode ──► enrich ──► spool ──► deliver
//
// A room can only hand to one that is already there, so they start from the sink's end, and stop
// from the door's end: what is still inside flows out before the next room closes.
#include "agent.h"

#include "agent_state.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/own_log.h"
#include "base/settings.h"
#include "base/version.h"
#include "control/http_endpoint.h"
#include "decode/decode.h"
#include "deliver/exporter.h"
#include "deliver/kafka.h"
#include "deliver/otlp.h"
#include "dev/dev.h"
#include "enrich/enrich.h"
#include "grpc/client_fields.h"
#include "receive/receive.h"
#include "spool/spool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Bounds the window's table, not its bytes: small documents need many.
#define KAFKA_WINDOW_MESSAGES 65536u

static bool is_kafka(const struct exporter_settings *exporter)
{
    return strcmp(exporter->type, "kafka") == 0;
}

// --- deliver ---

static int start_kafka(struct agent *agent, const struct exporter_settings *settings,
                       struct exporter_book *book, struct exporter **out)
{
    struct kafka_exporter_config config = {
        .name = settings->name,
        .brokers = agent->dev ? dev_brokers(agent->dev) : settings->brokers,
        .topic = settings->topic,
        .partitioner = settings->partitioner,
        .lines_bytes = strcmp(settings->mode, "lines") == 0 ? settings->lines_bytes : 0,
        .properties = &settings->properties,
        .max_delay_ns = agent->settings->max_delay_ns,
        .window_bytes = agent->budget.kafka_window,
        .window_messages = KAFKA_WINDOW_MESSAGES,
        .loop = agent->loop,
        .clock = agent->clock,
        .book = book,
    };
    return kafka_exporter_new(out, &config);
}

static int start_otlp(struct agent *agent, const struct exporter_settings *settings,
                      struct exporter_book *book, struct exporter **out)
{
    struct grpc_header headers[CLIENT_HEADERS_MAX];
    size_t count = 0;
    for (; count < settings->headers.count && count < CLIENT_HEADERS_MAX; count++)
        headers[count] = (struct grpc_header){settings->headers.items[count].name,
                                              settings->headers.items[count].value};
    struct otlp_exporter_config config = {
        .name = settings->name,
        .endpoint = agent->dev ? dev_otlp_endpoint(agent->dev) : settings->endpoint,
        .headers = headers,
        .header_count = count,
        .tls = {.ca_path = settings->tls_ca_path,
                .certificate_path = settings->tls_certificate_path,
                .key_path = settings->tls_key_path,
                .server_name = settings->tls_server_name,
                .verify = strcmp(settings->tls_verify, "none") != 0},
        .gzip = strcmp(settings->compression, "gzip") == 0,
        .timeout_ns = settings->timeout_ns,
        .max_request = settings->max_request,
        .concurrency = (unsigned)settings->concurrency,
        .max_delay_ns = agent->settings->max_delay_ns,
        .max_held_bytes = agent->budget.otlp_window,
        .loop = agent->loop,
        .clock = agent->clock,
        .book = book,
    };
    return otlp_exporter_new(out, &config);
}

int agent_start_exporter(struct agent *agent, unsigned index, struct exporter_book *book)
{
    const struct exporter_settings *settings = &agent->settings->exporters[index];
    int r = is_kafka(settings) ? start_kafka(agent, settings, book, &agent->exporters[index])
                               : start_otlp(agent, settings, book, &agent->exporters[index]);
    if (r < 0)
        own_log(OWN_ERROR, "exporter_failed", "exporters.%s: cannot start: %s", settings->name,
                strerror(-r));
    return r;
}

static int start_deliver(struct agent *agent)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && i < agent->settings->exporter_count; i++)
        r = agent_start_exporter(
            agent, i, books_add_exporter(&agent->books, agent->settings->exporters[i].name));
    return r;
}

void agent_stop_deliver(struct agent *agent)
{
    for (unsigned i = 0; i < agent->settings->exporter_count; i++) {
        if (agent->exporters[i])
            agent->exporters[i]->ops->free(agent->exporters[i]);
        agent->exporters[i] = NULL;
    }
}

// --- enrich ---

static void add_targets(struct agent *agent, const struct route_settings *route,
                        enum signal_kind signal, struct enrich_target *targets, size_t *count)
{
    for (unsigned i = 0; i < route->exporter_count && *count < EXPORTER_MAX; i++) {
        unsigned index = route->exporters[i];
        const struct exporter_settings *exporter = &agent->settings->exporters[index];
        bool known = false;
        for (size_t k = 0; k < *count; k++)
            known |= targets[k].log == agent->logs[index];
        if (known)
            continue; // two routes to one exporter are one copy
        targets[(*count)++] = (struct enrich_target){
            .log = agent->logs[index],
            .form = is_kafka(exporter) && signal == SIGNAL_LOGS ? WIRE_ECS_JSON : WIRE_OTLP,
            .key_field = slice_from(exporter->key ? exporter->key : ""),
            .topic = slice_from(exporter->topic ? exporter->topic : ""),
            .max_topics = exporter->max_topics,
            .headers = is_kafka(exporter) ? &exporter->headers : NULL,
            .document_max = is_kafka(exporter) ? kafka_document_max(&exporter->properties) : 0,
            .cut = exporter->oversize && strcmp(exporter->oversize, "cut") == 0,
            .book = &agent->books.exporters[index].book,
        };
    }
}

int agent_start_enrich(struct agent *agent)
{
    const struct settings *settings = agent->settings;
    struct enrich_target targets[SIGNAL_COUNT][EXPORTER_MAX];
    struct enrich_config config = {
        .clock = agent->clock,
        .books = &agent->books,
        .agent_version = sluice_version(),
        .gaps = agent->gaps,
        .loop = agent->loop,
        .gap_interval_ns = settings->gap_interval_ns,
    };
    for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
        for (unsigned i = 0; i < settings->route_count; i++)
            if (settings->routes[i].signals[signal])
                add_targets(agent, &settings->routes[i], (enum signal_kind)signal, targets[signal],
                            &config.target_count[signal]);
        config.targets[signal] = targets[signal];
    }
    int r = enrich_new(&agent->enrich, &config);
    return r == 0 ? agent_start_resource(agent) : r;
}

void agent_stop_enrich(struct agent *agent)
{
    agent_stop_resource(agent);
    enrich_free(agent->enrich);
    agent->enrich = NULL;
}

// --- decode ---

int agent_start_decode(struct agent *agent)
{
    struct decoder_config config = {
        .enrich = agent->enrich,
        .clock = agent->clock,
        .max_line = agent->settings->max_line,
        .max_message = agent->settings->max_message,
        .join = agent->settings->join_for_ns > 0,
        .truncated = &agent->books.receive.truncated,
        .credit_waits = &agent->books.receive.credit_waits,
        .read_bytes = &agent->books.receive.read_bytes,
        .agent_version = sluice_version(),
    };
    return decoder_new(&agent->decoder, &config);
}

void agent_stop_decode(struct agent *agent)
{
    decoder_free(agent->decoder);
    agent->decoder = NULL;
}

// --- receive ---

static int start_receive(struct agent *agent)
{
    struct receive_config config = {
        .loop = agent->loop,
        .clock = agent->clock,
        .decoder = agent->decoder,
        .book = &agent->books.receive,
        .socket_path = agent->settings->socket.path,
        .socket_mode = (mode_t)agent->settings->socket.mode,
        .socket_group = agent->settings->socket.group,
        .otlp_listen = agent->settings->otlp_listen,
        .max_line = agent->settings->max_line,
        .max_message = agent->settings->max_message,
        .block_for_ns = agent->settings->block_for_ns,
        .join_for_ns = agent->settings->join_for_ns,
        .max_connections = agent->settings->max_connections,
        .first_byte_timeout_ns = agent->settings->first_byte_timeout_ns,
        .allowed_uids = agent->settings->socket.allowed_uids,
        .allowed_gids = agent->settings->socket.allowed_gids,
    };
    agent->books.receive.read_bytes.limit = agent->budget.read_buffers;
    agent->books.receive.message_bytes.limit = agent->budget.inflate;
    return receive_new(&agent->receive, &config);
}

static void stop_receive(struct agent *agent)
{
    receive_free(agent->receive);
    agent->receive = NULL;
}

static const struct room {
    const char *name;
    int (*start)(struct agent *agent);
    void (*stop)(struct agent *agent);
} rooms[] = {
    {"receive", start_receive, stop_receive},
    {"decode", agent_start_decode, agent_stop_decode},
    {"enrich", agent_start_enrich, agent_stop_enrich},
    {"spool", agent_start_spool, agent_stop_spool},
    {"deliver", start_deliver, agent_stop_deliver},
};

#define ROOMS (sizeof rooms / sizeof rooms[0])

static void terminate_raised(struct loop_signal *signal)
{
    agent_drain((struct agent *)((char *)signal - offsetof(struct agent, terminate)));
}

static void interrupt_raised(struct loop_signal *signal)
{
    agent_drain((struct agent *)((char *)signal - offsetof(struct agent, interrupt)));
}

static void hangup_raised(struct loop_signal *signal)
{
    agent_reload((struct agent *)((char *)signal - offsetof(struct agent, hangup)));
}

static bool ready(void *ctx)
{
    const struct agent *agent = ctx;
    return agent->receive && !agent->draining; // never waits for a sink
}

static const struct settings *settings_of(void *ctx)
{
    const struct agent *agent = ctx;
    return agent->settings;
}

static int start_ends(struct agent *agent)
{
    struct http_endpoint_config config = {
        .loop = agent->loop,
        .listen = agent->settings->http.listen,
        .books = &agent->books,
        .ready = ready,
        .settings = settings_of,
        .watch = agent_watch,
        .ctx = agent,
    };
    int r = *config.listen ? http_endpoint_new(&agent->http, &config) : 0;
    if (r < 0)
        own_log(OWN_ERROR, "listen_failed",
                "http.listen: %s: %s; free the port, set another one, or \"\" to switch it off",
                config.listen, strerror(-r));
    agent->terminate.raised = terminate_raised;
    agent->interrupt.raised = interrupt_raised;
    agent->hangup.raised = hangup_raised;
    signal(SIGPIPE, SIG_IGN);
    if (r == 0)
        r = loop_signal_start(agent->loop, &agent->terminate, SIGTERM);
    if (r == 0)
        r = loop_signal_start(agent->loop, &agent->interrupt, SIGINT);
    if (r == 0)
        r = loop_signal_start(agent->loop, &agent->hangup, SIGHUP);
    return r;
}

static void stop_ends(struct agent *agent)
{
    loop_signal_stop(&agent->terminate);
    loop_signal_stop(&agent->interrupt);
    loop_signal_stop(&agent->hangup);
    loop_timer_stop(&agent->deadline);
    http_endpoint_free(agent->http);
    agent->http = NULL;
}

// No start fails without a word: which part, and why.
static int told(const char *part, int result)
{
    if (result < 0)
        own_log(OWN_ERROR, "start_failed", "%s: %s", part, strerror(-result));
    return result;
}

static int start(struct agent *agent)
{
    int r = told("event loop", loop_new(&agent->loop));
    if (r == 0 && agent->options->dev)
        r = told("embedded sinks",
                 dev_new(&agent->dev, &(struct dev_config){.loop = agent->loop, .out = stdout}));
    for (size_t i = ROOMS; r == 0 && i-- > 0;)
        r = told(rooms[i].name, rooms[i].start(agent));
    return r == 0 ? told("ends", start_ends(agent)) : r;
}

static void stop(struct agent *agent)
{
    stop_ends(agent);
    stop_receive(agent);
    agent_stop_decode(agent);
    agent_stop_enrich(agent);
    // What an exporter gives back lands in its log, so that the books' last line is right.
    agent_stop_deliver(agent);
    agent_last_words(agent);
    agent_stop_spool(agent);
    if (agent->dev)
        dev_free(agent->dev);
    loop_free(agent->loop);
}

static void log_started(const struct agent *agent)
{
    struct log_field fields[] = {
        {"socket", receive_socket_path(agent->receive), 0},
        {"otlp_listen", receive_otlp_address(agent->receive), 0},
        {"http_listen", agent->http ? http_endpoint_address(agent->http) : "", 0},
        {"pid", NULL, getpid()},
        {NULL, NULL, 0},
    };
    own_log_fields(OWN_INFO, "started", fields, "sluice %s listens", sluice_version());
}

int agent_run(struct settings *settings, const struct agent_options *options)
{
    struct agent *agent = calloc(1, sizeof *agent);
    if (!agent)
        return told("agent", -ENOMEM);
    agent->settings = settings;
    agent_apply_log_level(settings);
    agent->options = options;
    agent->clock = clock_system();
    agent->budget = budget_derive(settings->max_memory, settings->exporter_count);
    int r = start(agent);
    if (r == 0) {
        log_started(agent);
        r = loop_run(agent->loop);
        if (agent->dev)
            dev_finish(agent->dev);
    }
    stop(agent);
    free(agent);
    return r;
}
