// Finds an error's type and message in the text of its stack trace.
#include "decode/error_heading.h"

#include <string.h>

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '$';
}

static bool begins(struct slice text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

static bool ends(struct slice text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data + text.size - size, with, size) == 0;
}

static struct slice from(struct slice text, size_t at)
{
    return slice_of(text.data + at, text.size - at);
}

static struct slice without_spaces(struct slice text)
{
    while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = from(text, 1);
    return text;
}

// Bytes of the name at the beginning; Python's may hold ".<locals>.".
static size_t name_size(struct slice text)
{
    size_t size = 0;
    while (size < text.size) {
        if (is_name(text.data[size]))
            size++;
        else if (begins(from(text, size), "<locals>."))
            size += 9;
        else
            break;
    }
    return size;
}

// Node's codes: " [ERR_INVALID_ARG_TYPE]".
static size_t code_size(struct slice text)
{
    if (!begins(text, " ["))
        return 0;
    size_t size = 2;
    while (size < text.size && is_name(text.data[size]))
        size++;
    return size > 2 && size < text.size && text.data[size] == ']' ? size + 1 : 0;
}

bool error_heading_parse(struct slice text, struct error_heading *out)
{
    size_t size = name_size(text);
    if (size == 0 || text.data[0] == '.' || (text.data[0] >= '0' && text.data[0] <= '9'))
        return false;
    struct slice rest = from(text, size);
    rest = from(rest, code_size(rest));
    bool colon = rest.size && rest.data[0] == ':';
    if (rest.size && (!colon || (rest.size > 1 && !strchr(" \t\r\n", rest.data[1]))))
        return false;
    out->type = slice_of(text.data, size);
    out->has_message = colon;
    out->message = from(rest, colon);
    while (out->message.size && out->message.data[0] == ' ')
        out->message = from(out->message, 1);
    out->line = text;
    return true;
}

bool error_name(struct slice type)
{
    return ends(type, "Error") || ends(type, "Exception") || ends(type, "Throwable") ||
           ends(type, "ExceptionGroup") || ends(type, "KeyboardInterrupt") ||
           ends(type, "UnhandledPromiseRejection");
}

bool error_heading_ruby(struct slice line, struct error_heading *out)
{
    const char *open = line.size ? memrchr(line.data, '(', line.size) : NULL;
    if (!open || line.data[line.size - 1] != ')' || open == line.data || open[-1] != ' ')
        return false;
    const char *end = line.data + line.size - 1;
    for (const char *at = open + 1; at < end; at++)
        if (!is_name(*at) && *at != ':')
            return false;
    const char *in = memmem(line.data, line.size, ":in ", 4);
    if (!in || in > open || open[1] < 'A' || open[1] > 'Z')
        return false;
    const char *colon = memmem(in + 4, (size_t)(open - in - 4), ": ", 2);
    if (!colon)
        return false;
    out->type = slice_of(open + 1, (size_t)(end - open - 1));
    out->message = colon + 2 < open - 1 ? slice_of(colon + 2, (size_t)(open - 1 - colon - 2))
                                        : slice_of(open, 0);
    out->has_message = true;
    out->line = line;
    return true;
}

static struct slice line_at(struct slice text, size_t at)
{
    const char *begin = text.data + at; // also of an empty text
    const char *feed = at < text.size ? memchr(begin, '\n', text.size - at) : NULL;
    size_t size = feed ? (size_t)(feed - begin) : text.size - at;
    if (size && begin[size - 1] == '\r')
        size--;
    return slice_of(begin, size);
}

static size_t next_line(struct slice text, size_t at)
{
    const char *feed = memchr(text.data + at, '\n', text.size - at);
    return feed ? (size_t)(feed - text.data) + 1 : text.size;
}

static bool is_traceback(struct slice line)
{
    return begins(line, "Traceback");
}

static bool is_group(struct slice line)
{
    return begins(without_spaces(line), "+ Exception Group Traceback");
}

bool error_is_python(struct slice text)
{
    for (size_t at = 0; at < text.size; at = next_line(text, at))
        if (is_traceback(line_at(text, at)) || is_group(line_at(text, at)))
            return true;
    return false;
}

// Python: the first line after the last traceback's frames, which are indented. Its message may go
// on over further lines. A group's lines have a margin, and so have those of the errors in it.
static bool find_python(struct slice text, struct error_heading *out)
{
    bool found = false, indented = false, group = false;
    for (size_t at = 0; at < text.size; at = next_line(text, at)) {
        struct slice line = line_at(text, at), inner = without_spaces(line);
        if (is_traceback(line) || is_group(line)) {
            found = false;
            group = !is_traceback(line);
        } else if (found) {
            continue;
        } else if (group && begins(inner, "| ")) {
            found = error_heading_parse(from(inner, 2), out);
        } else if (indented && line.size && line.data[0] != ' ' && line.data[0] != '\t') {
            found = error_heading_ruby(line, out) || error_heading_parse(from(text, at), out) ||
                    error_heading_parse(line, out);
            out->line = line;
        }
        indented = line.size && (line.data[0] == ' ' || line.data[0] == '\t');
    }
    return found;
}

// "panic: what happened", "thread 'main' panicked at file:1:2:" and the message in the next line.
static bool find_panic(struct slice text, struct error_heading *out)
{
    const char *fatal = memmem(text.data, text.size, "\nfatal error: ", 14);
    if (fatal && (begins(text, "runtime: ") || begins(text, "unexpected fault ")))
        text = from(text, (size_t)(fatal + 1 - text.data)); // before it, what led there
    struct slice line = line_at(text, 0);
    const char *mark = line.size ? memmem(line.data, line.size, "panicked at ", 12) : NULL;
    *out = (struct error_heading){.type = SLICE("panic"), .has_message = true, .line = line};
    if (begins(line, "panic: ")) {
        out->message = from(line, 7);
        return true;
    }
    if (begins(line, "fatal error: ")) {
        out->type = slice_of(line.data, 11);
        out->message = from(line, 13);
        return true;
    }
    if (!begins(line, "thread '") || !mark)
        return false;
    out->message = from(line, (size_t)(mark - line.data) + 12);
    if (line.data[line.size - 1] == ':' && next_line(text, 0) < text.size)
        out->message = line_at(text, next_line(text, 0));
    else if (out->message.size && out->message.data[0] == '\'' &&
             memrchr(out->message.data + 1, '\'', out->message.size - 1))
        out->message = slice_of(
            out->message.data + 1,
            (size_t)((const char *)memrchr(out->message.data + 1, '\'', out->message.size - 1) -
                     out->message.data - 1));
    return true;
}

bool error_heading_within(struct slice line, struct error_heading *out)
{
    for (size_t at = 0; at < line.size;) {
        size_t size = name_size(from(line, at));
        if (size && error_name(slice_of(line.data + at, size)) &&
            error_heading_parse(from(line, at), out) && (out->has_message || at > 0)) {
            out->message = line_at(out->message, 0);
            out->line = line;
            return true;
        }
        at += size + 1;
    }
    return false;
}

static bool is_frame(struct slice line)
{
    struct slice inner = without_spaces(line);
    return inner.data != line.data && (begins(inner, "at ") || begins(inner, "from "));
}

// What runtimes print between a message and the frames, or behind frames that were left out.
static bool is_section(struct slice line)
{
    struct slice inner = without_spaces(line);
    return begins(inner, "Caused by: ") || begins(inner, "Suppressed: ") ||
           begins(inner, "Wrapped by: ") || begins(inner, "---> ") || begins(inner, "... ");
}

// The message goes on to the first frame, where there is one.
static void extend_message(struct slice trace, struct error_heading *heading)
{
    const char *begin = heading->message.data;
    size_t end = (size_t)(heading->line.data + heading->line.size - trace.data), at;
    if (!heading->has_message || begin + heading->message.size != trace.data + end)
        return; // it ends within the line
    for (at = next_line(trace, end); at < trace.size; at = next_line(trace, at)) {
        struct slice line = line_at(trace, at);
        if (is_section(line))
            return;
        if (is_frame(line))
            break;
    }
    if (at >= trace.size)
        return;
    while (at > (size_t)(begin - trace.data) && strchr(" \t\r\n", trace.data[at - 1]))
        at--;
    heading->message = slice_of(begin, at - (size_t)(begin - trace.data));
}

// The JVM: Exception in thread "main" app.Refused: no
static struct slice without_thread(struct slice line)
{
    if (begins(line, "[Unhandled"))
        return from(line, 1);
    if (!begins(line, "Exception in thread \""))
        return line;
    const char *end = memchr(line.data + 21, '"', line.size - 21);
    return end ? without_spaces(from(line, (size_t)(end - line.data) + 1)) : line;
}

bool error_heading_find(struct slice trace, struct error_heading *out)
{
    if (error_is_python(trace))
        return find_python(trace, out);
    if (find_panic(trace, out))
        return true;
    for (size_t at = 0; at < trace.size; at = next_line(trace, at)) {
        struct slice line = line_at(trace, at);
        if (is_frame(line))
            break;
        if (error_heading_ruby(line, out))
            return true;
        struct slice name = without_thread(line);
        if (error_heading_parse(name, out) &&
            (out->has_message || name.size < line.size || error_name(out->type)) &&
            (at == 0 || error_name(out->type))) {
            out->line = line;
            extend_message(trace, out);
            return true;
        }
        if (error_heading_within(line, out)) {
            extend_message(trace, out);
            return true;
        }
    }
    return false;
}
