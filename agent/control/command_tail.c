// Follows the agent's stream, filters it, and prints a line a record.
#include "control/command_tail.h"

#include "base/terminal_text.h"
#include "control/command_line.h"
#include "control/commands.h"
#include "control/http_get.h"
#include "control/tail_filter.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

struct tail {
    const struct command_context *context;
    struct tail_filter filter;
    bool json, colour;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

// --- one line ---

static const char *colour_of(const char *level)
{
    int rank = tail_level_rank(level);
    return rank >= 4 ? "\033[31m" : rank == 3 ? "\033[33m" : rank < 2 ? "\033[2m" : "";
}

static void put(const struct tail *tail, const char *colour, const char *text)
{
    FILE *out = tail->context->out;
    bool coloured = tail->colour && colour[0];
    if (coloured)
        fputs(colour, out);
    terminal_text_put(out, slice_from(text), TERMINAL_PLAIN);
    if (coloured)
        fputs("\033[0m", out);
}

// The time of day, to the millisecond, of 2026-01-02T03:04:05.678901Z.
static void put_time(const struct tail *tail, yajl_val document)
{
    const char *time = tail_text(document, "@timestamp"), *day_end = strchr(time, 'T');
    char text[16] = "--:--:--.---";
    if (day_end && strlen(day_end) > 12)
        snprintf(text, sizeof text, "%.12s", day_end + 1);
    put(tail, "\033[2m", text);
}

static void put_duration(const struct tail *tail, yajl_val document)
{
    yajl_val duration = tail_field(document, "event.duration");
    if (duration && YAJL_IS_NUMBER(duration))
        fprintf(tail->context->out, " %.3fms", YAJL_GET_DOUBLE(duration) / 1e6);
    if (strcmp(tail_text(document, "event.outcome"), "failure") == 0)
        put(tail, "\033[31m", " failed");
    const char *why = tail_text(document, "error.message");
    if (why[0]) {
        fputs(": ", tail->context->out);
        put(tail, "", why);
    }
}

static void put_points(const struct tail *tail, yajl_val document)
{
    yajl_val points = tail_field(document, "metric.points");
    fprintf(tail->context->out, " %s, %lld points", tail_text(document, "metric.type"),
            points && YAJL_IS_INTEGER(points) ? YAJL_GET_INTEGER(points) : 0);
}

static void put_record(const struct tail *tail, yajl_val document)
{
    FILE *out = tail->context->out;
    const char *kind = tail_text(document, "event.kind");
    const char *level = tail_text(document, "log.level");
    const char *service = tail_text(document, "service.name");
    const char *trace = tail_text(document, "trace.id");
    bool span = strcmp(kind, "span") == 0, metric = strcmp(kind, "metric") == 0;
    char label[16];
    snprintf(label, sizeof label, " %-6.12s ", span || metric ? kind : level[0] ? level : "info");
    put_time(tail, document);
    put(tail, metric ? "" : colour_of(level), label);
    put(tail, "\033[36m", service[0] ? service : "-");
    fputc(' ', out);
    put(tail, "", tail_text(document, "message"));
    if (span)
        put_duration(tail, document);
    if (metric)
        put_points(tail, document);
    if (trace[0]) {
        fputc(' ', out);
        put(tail, "\033[2m", trace);
    }
    fputc('\n', out);
}

// What the agent itself says between the records.
static bool take_note(const struct tail *tail, yajl_val document)
{
    yajl_val left = tail_field(document, "sluice.not_shown");
    if (!left || !YAJL_IS_INTEGER(left) || document->u.object.len != 1)
        return false;
    fflush(tail->context->out);
    fprintf(tail->context->err,
            "sluice tail: … %lld records not shown: they came faster than they were read\n",
            YAJL_GET_INTEGER(left));
    return true;
}

static bool on_line(void *ctx, struct slice text)
{
    const struct tail *tail = ctx;
    char why[64];
    char *copy = strndup(text.data, text.size);
    yajl_val document = copy ? yajl_tree_parse(copy, why, sizeof why) : NULL;
    free(copy);
    bool whole = document && YAJL_IS_OBJECT(document);
    if (!whole || (!take_note(tail, document) && tail_filter_admits(&tail->filter, document))) {
        if (whole && !tail->json) {
            put_record(tail, document);
        } else {
            terminal_text_put(tail->context->out, text, TERMINAL_JSON);
            fputc('\n', tail->context->out);
        }
    }
    yajl_tree_free(document);
    return fflush(tail->context->out) == 0;
}

// --- the stream ---

static bool wants_colour(FILE *out)
{
    const char *none = getenv("NO_COLOR");
    int fd = fileno(out);
    return fd >= 0 && isatty(fd) == 1 && !(none && none[0]);
}

static int follow(struct tail *tail, const char *address)
{
    FILE *err = tail->context->err;
    char path[3000], *body = NULL;
    tail_filter_path(&tail->filter, path, sizeof path);
    int r = http_follow(address, path, &interrupted, on_line, tail, &body);
    int status = interrupted || ferror(tail->context->out) ? COMMAND_OK : COMMAND_FAILED;
    if (status == COMMAND_FAILED && r == 200)
        fputs("sluice tail: the agent has ended the stream\n", err);
    else if (status == COMMAND_FAILED && r < 0)
        fprintf(err, "sluice tail: http://%s: %s\n", address, strerror(-r));
    else if (status == COMMAND_FAILED)
        fprintf(err, "sluice tail: http://%s answers %d: %s", address, r, body);
    free(body);
    return status;
}

int command_tail(const struct command_context *context, const struct command_line *line,
                 const char *address)
{
    struct tail tail = {
        .context = context, .json = line->json, .colour = wants_colour(context->out)};
    char error[300];
    if (tail_filter_init(&tail.filter, line, error, sizeof error) < 0) {
        fprintf(context->err, "sluice tail: %s\n", error);
        return COMMAND_USAGE;
    }
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    interrupted = 0;
    sigaction(SIGINT, &action, &before); // without SA_RESTART, so that waiting ends
    int status = follow(&tail, address);
    sigaction(SIGINT, &before, NULL);
    return status;
}
