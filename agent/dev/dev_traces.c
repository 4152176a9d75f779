// Keeps the spans of a few traces and prints each as a tree.
#include "dev/dev_traces.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "base/terminal_text.h"
#include "dev/dev_spans.h"

#include <stdlib.h>
#include <string.h>

#define INDENT_MAX 24 // levels; deeper ones stay there

struct text {
    char bytes[DEV_SPAN_TEXT_MAX];
    uint8_t size;
};

struct span {
    uint8_t id[8];
    uint8_t parent_id[8];
    bool has_parent;
    bool error;
    bool printed;
    uint64_t start_ns, end_ns;
    struct text service, name, status;
};

struct trace {
    uint8_t id[16];
    uint64_t last_ns; // monotonic, when its last span came
    size_t count, capacity;
    struct span *spans; // NULL: a free place
};

struct dev_traces {
    struct dev_traces_config config;
    struct loop_timer timer;
    struct trace traces[DEV_TRACES];
};

static struct text text_of(struct slice from)
{
    struct text text = {.size = 0};
    size_t size = from.size < sizeof text.bytes ? from.size : sizeof text.bytes;
    if (size < from.size) // not in the middle of a character
        while (size > 0 && ((unsigned char)from.data[size] & 0xC0) == 0x80)
            size--;
    if (size > 0)
        memcpy(text.bytes, from.data, size);
    text.size = (uint8_t)size;
    return text;
}

static struct slice slice_of_text(const struct text *text)
{
    return slice_of(text->bytes, text->size);
}

// ---- printing

static void put_duration(FILE *out, uint64_t ns)
{
    if (ns >= NS_PER_S)
        fprintf(out, "%.2f s", (double)ns / 1e9);
    else if (ns >= NS_PER_MS)
        fprintf(out, "%.2f ms", (double)ns / 1e6);
    else
        fprintf(out, "%.1f us", (double)ns / 1e3);
}

static void colour(const struct dev_traces *traces, const char *code)
{
    if (traces->config.colour)
        fprintf(traces->config.out, "\033[%sm", code);
}

static void print_span(const struct dev_traces *traces, const struct span *span, unsigned depth)
{
    FILE *out = traces->config.out;
    fprintf(out, "%*s", 2 + 2 * (int)(depth < INDENT_MAX ? depth : INDENT_MAX), "");
    colour(traces, "36");
    terminal_text_put(out,
                      span->service.size ? slice_of_text(&span->service) : SLICE("unknown_service"),
                      TERMINAL_JSON);
    colour(traces, "0");
    fputs("  ", out);
    terminal_text_put(out, slice_of_text(&span->name), TERMINAL_JSON);
    fputs("  ", out);
    put_duration(out, span->end_ns > span->start_ns ? span->end_ns - span->start_ns : 0);
    if (span->error) {
        colour(traces, "31");
        fputs("  ERROR", out);
        if (span->status.size > 0) {
            fputs(": ", out);
            terminal_text_put(out, slice_of_text(&span->status), TERMINAL_JSON);
        }
        colour(traces, "0");
    }
    fputc('\n', out);
}

// A span and all below it. Each is printed once, so that parents in a circle end.
static void print_branch(const struct dev_traces *traces, struct trace *trace, struct span *span,
                         unsigned depth)
{
    span->printed = true;
    print_span(traces, span, depth);
    for (size_t i = 0; i < trace->count; i++) {
        struct span *child = &trace->spans[i];
        if (!child->printed && child->has_parent && memcmp(child->parent_id, span->id, 8) == 0)
            print_branch(traces, trace, child, depth + 1);
    }
}

static bool is_top(const struct trace *trace, const struct span *span)
{
    if (!span->has_parent)
        return true;
    for (size_t i = 0; i < trace->count; i++)
        if (memcmp(trace->spans[i].id, span->parent_id, 8) == 0)
            return false;
    return true;
}

static int by_start(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    return (x->start_ns > y->start_ns) - (x->start_ns < y->start_ns);
}

static void print_head(const struct dev_traces *traces, const struct trace *trace)
{
    uint64_t start = UINT64_MAX, end = 0;
    for (size_t i = 0; i < trace->count; i++) {
        start = trace->spans[i].start_ns < start ? trace->spans[i].start_ns : start;
        end = trace->spans[i].end_ns > end ? trace->spans[i].end_ns : end;
    }
    FILE *out = traces->config.out;
    colour(traces, "1");
    fputs("trace ", out);
    for (size_t i = 0; i < sizeof trace->id; i++)
        fprintf(out, "%02x", trace->id[i]);
    colour(traces, "0");
    fprintf(out, "  %zu %s  ", trace->count, trace->count == 1 ? "span" : "spans");
    put_duration(out, end > start ? end - start : 0);
    fputc('\n', out);
}

static void print_trace(const struct dev_traces *traces, struct trace *trace)
{
    qsort(trace->spans, trace->count, sizeof *trace->spans, by_start);
    print_head(traces, trace);
    for (size_t i = 0; i < trace->count; i++)
        if (!trace->spans[i].printed && is_top(trace, &trace->spans[i]))
            print_branch(traces, trace, &trace->spans[i], 0);
    for (size_t i = 0; i < trace->count; i++) // a circle has no top
        if (!trace->spans[i].printed)
            print_branch(traces, trace, &trace->spans[i], 0);
    fflush(traces->config.out);
    free(trace->spans);
    *trace = (struct trace){.spans = NULL};
}

// ---- collecting

static void arm(struct dev_traces *traces)
{
    uint64_t now = clock_monotonic(clock_system()), soonest = UINT64_MAX;
    for (size_t i = 0; i < DEV_TRACES; i++) {
        const struct trace *trace = &traces->traces[i];
        if (trace->spans && trace->last_ns < soonest)
            soonest = trace->last_ns;
    }
    if (soonest == UINT64_MAX)
        return;
    uint64_t due = soonest + traces->config.quiet_ns;
    loop_timer_start(traces->config.loop, &traces->timer, due > now ? due - now : 1);
}

static void on_timer(struct loop_timer *timer)
{
    struct dev_traces *traces =
        (struct dev_traces *)((char *)timer - offsetof(struct dev_traces, timer));
    uint64_t now = clock_monotonic(clock_system());
    for (size_t i = 0; i < DEV_TRACES; i++) {
        struct trace *trace = &traces->traces[i];
        if (trace->spans && now - trace->last_ns >= traces->config.quiet_ns)
            print_trace(traces, trace);
    }
    arm(traces);
}

// Its trace, a free place, or the place of the one that has been quiet longest, which is printed.
static struct trace *place_of(struct dev_traces *traces, const uint8_t *id)
{
    struct trace *place = NULL;
    for (size_t i = 0; i < DEV_TRACES; i++) {
        struct trace *trace = &traces->traces[i];
        if (trace->spans && memcmp(trace->id, id, sizeof trace->id) == 0)
            return trace;
        if (!place || (place->spans && (!trace->spans || trace->last_ns < place->last_ns)))
            place = trace;
    }
    if (place->spans)
        print_trace(traces, place);
    memcpy(place->id, id, sizeof place->id);
    return place;
}

// Room for one span more. NULL: no memory.
static struct span *room_in(struct trace *trace)
{
    if (trace->count == trace->capacity) {
        size_t capacity = trace->capacity ? 2 * trace->capacity : 8;
        struct span *spans = realloc(trace->spans, capacity * sizeof *spans);
        if (!spans)
            return NULL;
        trace->spans = spans;
        trace->capacity = capacity;
    }
    return &trace->spans[trace->count++];
}

static void on_span(void *ctx, const struct dev_span_view *view)
{
    struct dev_traces *traces = ctx;
    struct trace *trace = place_of(traces, view->trace_id);
    if (trace->count == DEV_TRACE_SPANS) {
        print_trace(traces, trace);
        memcpy(trace->id, view->trace_id, sizeof trace->id);
    }
    trace->last_ns = clock_monotonic(clock_system());
    for (size_t i = 0; i < trace->count; i++)
        if (memcmp(trace->spans[i].id, view->span_id, 8) == 0)
            return; // sent again
    struct span *span = room_in(trace);
    if (!span)
        return;
    *span = (struct span){.start_ns = view->start_ns,
                          .end_ns = view->end_ns,
                          .error = view->error,
                          .has_parent = view->parent_id != NULL,
                          .service = text_of(view->service),
                          .name = text_of(view->name),
                          .status = text_of(view->status_message)};
    memcpy(span->id, view->span_id, sizeof span->id);
    if (view->parent_id)
        memcpy(span->parent_id, view->parent_id, sizeof span->parent_id);
}

int dev_traces_add(struct dev_traces *traces, struct slice request)
{
    int r = dev_spans_read(request, on_span, traces);
    if (!traces->timer.armed)
        arm(traces);
    return r;
}

void dev_traces_print(struct dev_traces *traces)
{
    for (size_t i = 0; i < DEV_TRACES; i++)
        if (traces->traces[i].spans)
            print_trace(traces, &traces->traces[i]);
    loop_timer_stop(&traces->timer);
}

int dev_traces_new(struct dev_traces **out, const struct dev_traces_config *config)
{
    struct dev_traces *traces = calloc(1, sizeof *traces);
    if (!traces)
        return -ENOMEM;
    traces->config = *config;
    traces->timer.expired = on_timer;
    *out = traces;
    return 0;
}

void dev_traces_free(struct dev_traces *traces)
{
    if (!traces)
        return;
    loop_timer_stop(&traces->timer);
    for (size_t i = 0; i < DEV_TRACES; i++)
        free(traces->traces[i].spans);
    free(traces);
}
