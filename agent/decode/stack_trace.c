// One small handler for each kind of trace.
#include "decode/stack_trace.h"

#include "decode/record_start.h"

#include <string.h>

// Lines of a message before its frames, at most, that are taken unseen.
#define MESSAGE_LINES 8
#define DIFF_LINES 64 // of Node's assertions

enum phase {
    PHASE_HEADING, // the type and message are there, the frames not yet
    PHASE_FRAMES,
    PHASE_DONE,  // Python: the type and message have come
    PHASE_CHAIN, // Python: another traceback must follow
    PHASE_GROUP, // Python: what follows has a margin
    PHASE_STACK, // Python: frames without a heading of their own
    PHASE_MODEL, // Python: done, and pydantic's fields follow
};

static void become(struct stack_trace *trace, enum trace_kind kind, enum phase phase)
{
    trace->kind = (uint8_t)kind;
    trace->phase = (uint8_t)phase;
    trace->others = 0;
}

// What a trace's line is the beginning of. False where it cannot begin one.
static bool become_kind_of(struct stack_trace *trace, struct slice line, struct trace_line form)
{
    switch (form.kind) {
    case LINE_AT:
        become(trace, TRACE_AT, PHASE_FRAMES);
        return true;
    case LINE_TYPED:
    case LINE_NAMED:
        become(trace, TRACE_AT, PHASE_HEADING);
        return true;
    case LINE_CRASH:
    case LINE_CAUSE:
        become(trace, TRACE_AT, PHASE_HEADING);
        trace->others = MESSAGE_LINES;
        return true;
    case LINE_PYTHON:
        become(trace, TRACE_PYTHON, PHASE_FRAMES);
        return true;
    case LINE_FILE:
        become(trace, TRACE_PYTHON, PHASE_STACK);
        return true;
    case LINE_PYTHON_GROUP:
        become(trace, TRACE_PYTHON, PHASE_GROUP);
        return true;
    case LINE_GO_CRASH:
        become(trace, TRACE_GO, PHASE_HEADING);
        trace->others = MESSAGE_LINES;
        return true;
    case LINE_GO_ROUTINE:
    case LINE_GO_NAME:
    case LINE_GO_CALL:
        become(trace, TRACE_GO, PHASE_FRAMES);
        return true;
    case LINE_RUST_CRASH:
        become(trace, TRACE_RUST, PHASE_HEADING);
        trace->others = line.data[line.size - 1] == ':';
        return true;
    case LINE_RUBY_CRASH:
        become(trace, TRACE_RUBY, PHASE_HEADING);
        return true;
    case LINE_RUBY_FRAME:
    case LINE_FROM:
        become(trace, TRACE_RUBY, PHASE_FRAMES);
        return true;
    case LINE_NODE_SOURCE:
        become(trace, TRACE_NODE, PHASE_HEADING);
        trace->others = 1;
        return true;
    case LINE_PHP_CRASH:
        become(trace, TRACE_PHP, PHASE_HEADING);
        trace->others = MESSAGE_LINES;
        return true;
    case LINE_NUMBERED:
        become(trace, TRACE_PHP, PHASE_FRAMES);
        return true;
    default:
        return false;
    }
}

void stack_trace_begin(struct stack_trace *trace, struct slice line, struct trace_line form)
{
    *trace = (struct stack_trace){
        .record = form.kind == LINE_RECORD,
        .head_indent = form.indent,
        .indented = form.indent > 0,
        .named = form.kind == LINE_NAMED,
        .half = form.kind == LINE_RECORD && record_is_half(line),
    };
    become_kind_of(trace, line, form);
    // A name and arguments are a call only below a record; a lone frame is no proof either.
    if (form.kind == LINE_GO_NAME || form.kind == LINE_GO_CALL || form.kind == LINE_NUMBERED ||
        form.kind == LINE_NAMED)
        become(trace, TRACE_NONE, PHASE_HEADING);
}

// A line of no known form, where some are expected.
static bool take_other(struct stack_trace *trace, uint32_t blanks)
{
    if (trace->others == 0 || blanks)
        return false;
    trace->others--;
    return true;
}

// At most so much of it that every line may ask.
static struct slice first_line(struct slice text)
{
    size_t size = text.size < 1024 ? text.size : 1024;
    const char *feed = memchr(text.data, '\n', size);
    return slice_of(text.data, feed ? (size_t)(feed - text.data) : size);
}

static bool is_severe(struct slice head)
{
    struct slice level = record_level(head); // of a record in two halves: the second tells
    return level.size && strchr("EWFCSAPewfcsap", level.data[0]);
}

// Whether a name that begins the line is one of a class in a package or another class.
static bool has_path(struct slice line)
{
    for (size_t i = 0; i < line.size && line.data[i] != ':'; i++)
        if (line.data[i] == '.' || line.data[i] == '$')
            return true;
    return false;
}

// Whether a trace that begins here is this record's.
static bool takes_trace(const struct stack_trace *trace, struct slice text, struct slice line,
                        struct trace_line form)
{
    struct slice head = first_line(text);
    switch (form.kind) {
    case LINE_PYTHON:
    case LINE_PYTHON_GROUP:
    case LINE_TYPED:
    case LINE_RUBY_CRASH:
    case LINE_RUBY_FRAME:
    case LINE_GO_ROUTINE:
    case LINE_NUMBERED:
        return trace->record || trace_line_announces(head);
    case LINE_GO_NAME:
    case LINE_GO_CALL:
        return trace->record && is_severe(text);
    case LINE_NAMED: // "app.Refused: no", a type that does not say that it is an error's
        return trace->record && is_severe(text) && has_path(line);
    case LINE_CAUSE:
    case LINE_AT:
    case LINE_FROM:
    case LINE_FILE:
        return true;
    default:
        return false;
    }
}

static bool none_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                         struct trace_line form, uint32_t blanks)
{
    if (takes_trace(trace, text, line, form)) {
        become_kind_of(trace, line, form);
        if ((form.kind == LINE_TYPED || form.kind == LINE_NAMED) && trace->record)
            trace->others = MESSAGE_LINES;
        bool all = trace->named && form.kind == LINE_AT; // the head was the trace's own
        trace->start = all ? 0 : (uint32_t)(text.size + 1 + blanks);
        trace->seen = true;
        return true;
    }
    switch (form.kind) {
    case LINE_INDENTED:
        return !blanks && form.indent > trace->head_indent;
    case LINE_CLOSER:
        return !blanks && trace->indented;
    case LINE_PYTHON_DETAIL:
        return !blanks && (trace->record || trace_line_announces(first_line(text)));
    default:
        return false;
    }
}

static bool at_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                       struct trace_line form, uint32_t blanks)
{
    (void)text;
    bool heading = trace->phase == PHASE_HEADING;
    switch (form.kind) {
    case LINE_AT:
        trace->phase = PHASE_FRAMES;
        trace->seen = true;
        return true;
    case LINE_CAUSE:
        trace->phase = PHASE_HEADING;
        trace->others = MESSAGE_LINES;
        trace->seen = true;
        return true;
    case LINE_FILE:
    case LINE_FROM:
    case LINE_PYTHON_GROUP:
    case LINE_INDENTED:
        return !blanks || (heading && trace->others);
    case LINE_CLOSER:
        return (!blanks && trace->indented) || (heading && trace->others);
    case LINE_NODE_REST:
        return true;
    case LINE_PYTHON: // "Exception in thread Thread-1 (f):"
    case LINE_RUBY_CRASH:
        if (!heading || !trace->others)
            return false;
        trace->seen = true;
        return become_kind_of(trace, line, form);
    case LINE_OTHER:
    case LINE_NAMED:
    case LINE_TYPED:
    case LINE_GO_NAME:
    case LINE_GO_CALL:
    case LINE_PYTHON_DETAIL:
        return heading && take_other(trace, 0); // of a message with blank lines, too
    default:
        return false;
    }
}

// A single name may be the type only where it looks like one.
static bool is_python_type(struct slice line)
{
    return line.size && ((line.data[0] >= 'A' && line.data[0] <= 'Z') ||
                         memchr(line.data, '.', line.size) || memchr(line.data, ':', line.size));
}

// pydantic: "1 validation error for Model", then a line for each field and what is wrong with it.
static bool is_field(const struct stack_trace *trace, struct slice line, uint32_t blanks)
{
    return trace->phase == PHASE_MODEL && !blanks && !memchr(line.data, ' ', line.size);
}

static bool is_framed(const struct stack_trace *trace)
{
    return trace->phase == PHASE_FRAMES || trace->phase == PHASE_STACK;
}

static bool is_done(const struct stack_trace *trace)
{
    return trace->phase == PHASE_DONE || trace->phase == PHASE_MODEL;
}

static bool python_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                           struct trace_line form, uint32_t blanks)
{
    (void)text;
    trace->seen = true;
    switch (form.kind) {
    case LINE_INDENTED:
    case LINE_FILE:
    case LINE_AT:
    case LINE_FROM:
        return !blanks || is_framed(trace);
    case LINE_PYTHON_CHAIN:
        trace->phase = PHASE_CHAIN;
        return true;
    case LINE_PYTHON:
    case LINE_PYTHON_GROUP:
        if (trace->phase != PHASE_CHAIN && trace->phase != PHASE_STACK)
            return form.kind == LINE_PYTHON_GROUP && trace->phase == PHASE_GROUP && !blanks;
        trace->phase = form.kind == LINE_PYTHON ? PHASE_FRAMES : PHASE_GROUP;
        return true;
    case LINE_TYPED:
    case LINE_NAMED:
    case LINE_RUBY_CRASH:
    case LINE_GO_NAME: // "app.Stop", a type without a message
        if (is_framed(trace) && !blanks && trace->indented && is_python_type(line)) {
            bool model = memmem(line.data, line.size, " validation error", 17) != NULL;
            trace->phase = model ? PHASE_MODEL : PHASE_DONE;
            return true;
        }
        return is_field(trace, line, blanks);
    case LINE_PYTHON_DETAIL:
        return is_done(trace);
    case LINE_OTHER:
        return is_field(trace, line, blanks);
    default:
        return false;
    }
}

static bool go_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                       struct trace_line form, uint32_t blanks)
{
    (void)text;
    trace->seen = true;
    bool heading = trace->phase == PHASE_HEADING;
    switch (form.kind) {
    case LINE_GO_ROUTINE:
        trace->phase = PHASE_FRAMES;
        return true;
    case LINE_GO_REST:
        return true;
    case LINE_GO_CRASH: // "runtime: goroutine stack exceeds …" comes before "fatal error: …"
        return heading && !blanks && line.data[0] != 'p';
    case LINE_INDENTED:
    case LINE_AT:
    case LINE_FROM:
    case LINE_FILE:
        return !blanks;
    case LINE_GO_CALL:
    case LINE_GO_NAME:
        return !blanks && (!heading || take_other(trace, blanks));
    case LINE_OTHER:
    case LINE_NAMED:
    case LINE_TYPED:
    case LINE_CLOSER:
        return heading && take_other(trace, blanks);
    default:
        return false;
    }
}

static bool ruby_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                         struct trace_line form, uint32_t blanks)
{
    (void)text;
    (void)line;
    trace->seen = true;
    bool heading = trace->phase == PHASE_HEADING;
    switch (form.kind) {
    case LINE_FROM:
    case LINE_RUBY_FRAME:
        trace->phase = PHASE_FRAMES;
        trace->others = 0;
        return true;
    case LINE_INDENTED: // also the source line and its marks, a blank line below
    case LINE_AT:
    case LINE_FILE:
        return heading || !blanks;
    case LINE_GO_CALL:
    case LINE_GO_NAME:
    case LINE_OTHER: // the source line itself
        if (!heading || blanks != 1)
            return false;
        trace->phase = PHASE_FRAMES;
        return true;
    default:
        return false;
    }
}

static bool rust_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                         struct trace_line form, uint32_t blanks)
{
    (void)text;
    (void)line;
    trace->seen = true;
    switch (form.kind) {
    case LINE_RUST_REST:
        trace->phase = PHASE_FRAMES;
        trace->others = 0;
        return true;
    case LINE_INDENTED:
    case LINE_AT:
    case LINE_FROM:
    case LINE_FILE:
        return !blanks;
    case LINE_RECORD:
        return false;
    default: // the message may be anything
        return take_other(trace, blanks);
    }
}

// Node: the source line, the marks below it, and after a blank line the error.
static bool node_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                         struct trace_line form, uint32_t blanks)
{
    (void)text;
    if (trace->phase == PHASE_HEADING) {
        if (trace_line_is_caret(line)) {
            trace->phase = PHASE_FRAMES;
            trace->seen = true;
            return true;
        }
        return !blanks && (form.indent > 0 || take_other(trace, blanks));
    }
    if (blanks != 1)
        return false;
    become(trace, TRACE_AT, PHASE_HEADING);
    trace->others = DIFF_LINES;
    return true;
}

static bool php_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                        struct trace_line form, uint32_t blanks)
{
    (void)text;
    (void)line;
    trace->seen = true;
    switch (form.kind) {
    case LINE_NUMBERED:
        trace->phase = PHASE_FRAMES;
        return true;
    case LINE_PHP_NEXT:
        trace->phase = PHASE_HEADING;
        trace->others = MESSAGE_LINES;
        return true;
    case LINE_INDENTED:
    case LINE_AT:
    case LINE_FROM:
    case LINE_FILE:
        return !blanks;
    case LINE_OTHER:
    case LINE_NAMED:
    case LINE_TYPED:
        return trace->phase == PHASE_HEADING && take_other(trace, blanks);
    default:
        return false;
    }
}

typedef bool goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                     struct trace_line form, uint32_t blanks);

static goes_on *const handlers[TRACE_KINDS] = {
    [TRACE_NONE] = none_goes_on, [TRACE_AT] = at_goes_on,     [TRACE_PYTHON] = python_goes_on,
    [TRACE_GO] = go_goes_on,     [TRACE_RUBY] = ruby_goes_on, [TRACE_RUST] = rust_goes_on,
    [TRACE_NODE] = node_goes_on, [TRACE_PHP] = php_goes_on,
};

bool stack_trace_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                         struct trace_line form, uint32_t blanks)
{
    if (trace->closed || blanks > TRACE_BLANKS_MAX)
        return false;
    bool half = trace->half && !blanks && record_is_other_half(line);
    trace->half = false;
    if (half)
        return true;
    if (form.kind == LINE_RECORD || !handlers[trace->kind](trace, text, line, form, blanks))
        return false;
    trace->named = false;
    trace->indented = form.indent > 0;
    return true;
}
