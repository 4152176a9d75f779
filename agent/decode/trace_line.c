// Recognises single lines of stack traces by how they begin.
#include "decode/trace_line.h"

#include "decode/error_heading.h"
#include "decode/record_start.h"

#include <string.h>

struct opening {
    char text[44]; // in place: every plain line is compared with the first byte of each
    uint8_t size;
    uint8_t kind; // enum trace_line_kind
};

#define OPENING(text, kind)                                                                        \
    {                                                                                              \
        text, sizeof(text) - 1, kind                                                               \
    }

// Lines that begin at the left margin.
static const struct opening openings[] = {
    OPENING("Traceback (most recent call last)", LINE_PYTHON),
    OPENING("During handling of the above exception", LINE_PYTHON_CHAIN),
    OPENING("The above exception was the direct cause", LINE_PYTHON_CHAIN),
    OPENING("Exception in thread ", LINE_CRASH),
    OPENING("Unhandled exception", LINE_CRASH),
    OPENING("Unhandled Exception", LINE_CRASH),
    OPENING("Uncaught ", LINE_CRASH),
    OPENING("Caused by: ", LINE_CAUSE),
    OPENING("Suppressed: ", LINE_CAUSE),
    OPENING("Wrapped by: ", LINE_CAUSE),
    OPENING("---> ", LINE_CAUSE),
    OPENING("<---", LINE_CAUSE),
    OPENING("--- End of ", LINE_CAUSE),
    OPENING("panic: ", LINE_GO_CRASH),
    OPENING("fatal error: ", LINE_GO_CRASH),
    OPENING("runtime: ", LINE_GO_CRASH),
    OPENING("unexpected fault address ", LINE_GO_CRASH),
    OPENING("SIGQUIT: quit", LINE_GO_CRASH),
    OPENING("SIGABRT: abort", LINE_GO_CRASH),
    OPENING("SIGSEGV: segmentation violation", LINE_GO_CRASH),
    OPENING("goroutine ", LINE_GO_ROUTINE),
    OPENING("runtime stack:", LINE_GO_ROUTINE),
    OPENING("created by ", LINE_GO_REST),
    OPENING("exit status ", LINE_GO_REST),
    OPENING("[signal ", LINE_GO_REST),
    OPENING("[originating from ", LINE_GO_REST),
    OPENING("...additional frames elided...", LINE_GO_REST),
    OPENING("thread '", LINE_RUST_CRASH),
    OPENING("thread caused non-unwinding panic", LINE_RUST_REST),
    OPENING("note: ", LINE_RUST_REST),
    OPENING("stack backtrace:", LINE_RUST_REST),
    OPENING("fatal runtime error: ", LINE_RUST_REST),
    OPENING("Node.js v", LINE_NODE_REST),
    OPENING("Thrown at:", LINE_NODE_REST),
    OPENING("PHP Fatal error:  Uncaught ", LINE_PHP_CRASH),
    OPENING("Fatal error: Uncaught ", LINE_PHP_CRASH),
    OPENING("Stack trace:", LINE_NUMBERED),
    OPENING("PHP Stack trace:", LINE_NUMBERED),
    OPENING("PHP   ", LINE_NUMBERED),
    OPENING("[stacktrace]", LINE_NUMBERED),
    OPENING("Next ", LINE_PHP_NEXT),
    // asyncio's context, SQLAlchemy's and PostgreSQL's details
    OPENING("handle: <", LINE_PYTHON_DETAIL),
    OPENING("task: <", LINE_PYTHON_DETAIL),
    OPENING("future: <", LINE_PYTHON_DETAIL),
    OPENING("source_traceback: ", LINE_PYTHON_DETAIL),
    OPENING("Stack (most recent call last)", LINE_PYTHON_DETAIL),
    OPENING("[SQL: ", LINE_PYTHON_DETAIL),
    OPENING("[parameters: ", LINE_PYTHON_DETAIL),
    OPENING("(Background on this error at: ", LINE_PYTHON_DETAIL),
    OPENING("DETAIL:  ", LINE_PYTHON_DETAIL),
    OPENING("HINT:  ", LINE_PYTHON_DETAIL),
    OPENING("CONTEXT:  ", LINE_PYTHON_DETAIL),
};

static bool begins(struct slice text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits_at(struct slice text, size_t from)
{
    size_t at = from;
    while (at < text.size && is_digit(text.data[at]))
        at++;
    return at - from;
}

static struct slice from(struct slice text, size_t at)
{
    return slice_of(text.data + at, text.size - at);
}

// The frame of "at f (file:1)": something that has a place.
static bool has_place(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if (strchr("(.:/<", text.data[i]) && text.data[i])
            return true;
    return begins(text, "async ") || begins(text, "new ");
}

static bool is_more(struct slice text)
{
    size_t digits = digits_at(text, 4);
    return begins(text, "... ") && digits &&
           (begins(from(text, 4 + digits), " more") ||
            begins(from(text, 4 + digits), " common frames"));
}

static enum trace_line_kind indented_kind(struct slice text)
{
    if (begins(text, "at ") && has_place(from(text, 3)))
        return LINE_AT;
    if (is_more(text) || begins(text, "--- End of ") || begins(text, "---> ") ||
        begins(text, "Caused by: ") || begins(text, "Suppressed: "))
        return LINE_AT;
    if (begins(text, "File \""))
        return LINE_FILE;
    size_t digits = digits_at(text, 0);
    if (digits && begins(from(text, digits), ": "))
        text = from(text, digits + 2);
    if (begins(text, "from ") && memchr(text.data, ':', text.size))
        return LINE_FROM;
    if (begins(text, "+ Exception Group Traceback"))
        return LINE_PYTHON_GROUP;
    return LINE_INDENTED;
}

// "file.rb:12:in 'm'", and what follows it.
static enum trace_line_kind ruby_kind(struct slice line)
{
    const char *end = line.data + (line.size < 512 ? line.size : 512);
    const char *at = line.data;
    while ((at = memchr(at, ':', (size_t)(end - at))) != NULL) {
        size_t place = (size_t)(at - line.data) + 1;
        size_t digits = digits_at(line, place);
        at++;
        if (!digits)
            continue;
        if (!begins(from(line, place + digits), ":in "))
            return LINE_OTHER;
        struct error_heading heading;
        return error_heading_ruby(line, &heading) ? LINE_RUBY_CRASH : LINE_RUBY_FRAME;
    }
    return LINE_OTHER;
}

// "/srv/app.js:12" or "node:internal/x:12", alone in its line.
static bool is_source_place(struct slice line)
{
    size_t at = line.size;
    while (at > 0 && is_digit(line.data[at - 1]))
        at--;
    if (at == line.size || at < 3 || line.data[at - 1] != ':' || memchr(line.data, ' ', line.size))
        return false;
    struct slice file = slice_of(line.data, at - 1);
    static const char *const ends[] = {"js", "ts", "jsx", "tsx"};
    if (begins(file, "node:") || begins(file, "evalmachine.") || begins(file, "[eval") ||
        begins(file, "[stdin"))
        return true;
    const char *dot = memrchr(file.data, '.', file.size);
    struct slice end = dot ? from(file, (size_t)(dot - file.data) + 1) : SLICE("");
    if (end.size > 2 && (end.data[0] == 'c' || end.data[0] == 'm')) // .cjs, .mts
        end = from(end, 1);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (slice_equal(end, slice_from(ends[i])))
            return true;
    return false;
}

static bool is_go_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
           strchr("._/-*()[]{}~%", c) != NULL;
}

// "net/http.(*conn).serve(0xc000124000, {0x6d5b88, 0xc0})" or, without arguments, "main.main".
static enum trace_line_kind go_kind(struct slice line)
{
    size_t at = 0;
    bool dot = begins(line, "panic(");
    while (at < line.size && line.data[at] && is_go_name(line.data[at])) {
        if (line.data[at] == '(' && dot && line.data[at - 1] != '.')
            return line.data[line.size - 1] == ')' ? LINE_GO_CALL : LINE_OTHER;
        dot |= line.data[at] == '.' && at > 0;
        at++;
    }
    return dot && at == line.size && line.data[at - 1] != '.' ? LINE_GO_NAME : LINE_OTHER;
}

// "...22369471 frames elided..."
static bool is_elision(struct slice line)
{
    size_t digits = begins(line, "...") ? digits_at(line, 3) : 0;
    return digits && begins(from(line, 3 + digits), " frames elided...");
}

// "rip    0x45e9b1", as Go prints them after a signal.
static bool is_register(struct slice line)
{
    const char *mark = memchr(line.data, ' ', line.size < 8 ? line.size : 8);
    size_t at = mark ? (size_t)(mark - line.data) : line.size;
    while (at < line.size && line.data[at] == ' ')
        at++;
    return at >= 3 && at <= 12 && begins(from(line, at), "0x");
}

static bool is_closer(struct slice line)
{
    for (size_t i = 0; i < line.size; i++)
        if (!strchr("}])>,; {", line.data[i]) || !line.data[i])
            return false;
    return strchr("}])", line.data[0]) != NULL;
}

static bool contains(struct slice line, const char *text)
{
    return line.size && memmem(line.data, line.size, text, strlen(text)) != NULL;
}

// LINE_OTHER where none of the table's rows fits.
static enum trace_line_kind opening_kind(struct slice line)
{
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        if (openings[i].text[0] != line.data[0] || line.size < openings[i].size ||
            memcmp(line.data, openings[i].text, openings[i].size) != 0)
            continue;
        enum trace_line_kind kind = (enum trace_line_kind)openings[i].kind;
        if (kind == LINE_GO_ROUTINE && line.data[0] == 'g' && !digits_at(line, 10))
            return LINE_OTHER;
        if (kind == LINE_RUST_CRASH && !contains(line, "panicked at") &&
            !contains(line, "has overflowed its stack"))
            return LINE_OTHER;
        return kind;
    }
    return LINE_OTHER;
}

static enum trace_line_kind margin_kind(struct slice line)
{
    char first = line.data[0];
    if (is_digit(first) && record_start(line))
        return LINE_RECORD; // most are
    enum trace_line_kind kind = opening_kind(line);
    if (kind != LINE_OTHER)
        return kind;
    if (record_start(line))
        return LINE_RECORD;
    if (first == '#' && digits_at(line, 1))
        return LINE_NUMBERED;
    if (is_closer(line))
        return LINE_CLOSER;
    struct error_heading heading;
    kind = ruby_kind(line);
    if (kind != LINE_OTHER)
        return kind;
    if (is_source_place(line))
        return LINE_NODE_SOURCE;
    if (error_heading_parse(line, &heading)) {
        if (error_name(heading.type))
            return LINE_TYPED;
        kind = go_kind(line);
        return kind != LINE_OTHER ? kind : LINE_NAMED;
    }
    kind = go_kind(line);
    if (kind == LINE_OTHER && (is_register(line) || is_elision(line)))
        kind = LINE_GO_REST;
    return kind;
}

struct trace_line trace_line_of(struct slice line)
{
    struct trace_line out = {.indent = 0};
    while (out.indent < line.size &&
           (line.data[out.indent] == ' ' || line.data[out.indent] == '\t'))
        out.indent++;
    struct slice text = from(line, out.indent);
    out.kind = out.indent ? indented_kind(text) : margin_kind(text);
    return out;
}

bool trace_line_is_caret(struct slice line)
{
    bool caret = false;
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '^' &&
            line.data[i] != '~')
            return false;
        caret |= line.data[i] == '^';
    }
    return caret;
}

bool trace_line_announces(struct slice line)
{
    static const char *const words[] = {"error",    "exception", "fail",      "fatal", "panic",
                                        "uncaught", "unhandled", "traceback", "crash", "abort"};
    if (line.size && line.data[line.size - 1] == ':')
        return true;
    for (size_t at = 0; at < line.size; at++) {
        char first = (char)(line.data[at] | 0x20);
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            size_t length = 1;
            if (first != words[i][0])
                continue;
            while (words[i][length] && at + length < line.size &&
                   (line.data[at + length] | 0x20) == words[i][length])
                length++;
            if (!words[i][length])
                return true;
        }
    }
    return false;
}
