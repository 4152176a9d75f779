// Cuts the drawn variables out of a loguru traceback:
//
//     f(password)
//     │ └ 'the value, which may go on over further lines'
//     └ <function f at 0x7f>
//
// Where the stream is ASCII the drawing is of | and ->. A group's lines have a margin of " | ".
#include "decode/loguru_values.h"

#include <string.h>

static bool begins(struct slice text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

static struct slice without(struct slice text, size_t size)
{
    return slice_of(text.data + size, text.size - size);
}

// "\x1b[33m": bytes of a colour at the beginning.
static size_t colour_size(struct slice text)
{
    size_t size = 2;
    if (!begins(text, "\x1b["))
        return 0;
    while (size < text.size && text.data[size] != 'm')
        size++;
    return size < text.size ? size + 1 : 0;
}

// Whether a variable is drawn in the line: nothing but blanks and bars stand before the arrow.
static bool is_drawn(struct slice line)
{
    static const char bar[] = "│";
    while (line.size) {
        size_t size = colour_size(line);
        if (begins(line, bar))
            size = sizeof bar - 1;
        else if (line.data[0] == ' ' || line.data[0] == '|')
            size = 1;
        if (size == 0)
            break;
        line = without(line, size);
    }
    return begins(line, "└") || begins(line, "-> ");
}

// Whether a variable's further lines end before this one: they are indented deeper than any line
// of the trace itself.
static bool ends_value(struct slice line)
{
    struct slice inner = line;
    while (inner.size && inner.data[0] == ' ')
        inner = without(inner, 1);
    bool margin = begins(inner, "|") && inner.data - line.data <= 4;
    if (margin)
        line = begins(inner, "| ") ? without(inner, 2) : without(inner, 1);
    return line.size == 0 || line.data[0] != ' ' || begins(line, "  File \"");
}

static struct slice line_at(struct slice text, size_t at)
{
    const char *feed = memchr(text.data + at, '\n', text.size - at);
    return slice_of(text.data + at, feed ? (size_t)(feed - text.data) - at : text.size - at);
}

bool loguru_values_drop(struct arena *arena, struct slice trace, struct slice *out)
{
    char *kept = arena_alloc(arena, trace.size + 1);
    size_t size = 0;
    bool inside = false;
    if (!kept)
        return false;
    for (size_t at = 0; at < trace.size;) {
        struct slice line = line_at(trace, at);
        bool drawn = is_drawn(line);
        at += line.size + 1;
        inside = drawn || (inside && !ends_value(line));
        if (inside)
            continue;
        memcpy(kept + size, line.data, line.size);
        size += line.size;
        kept[size++] = '\n';
    }
    while (size && strchr(" \r\n", kept[size - 1]) && kept[size - 1])
        size--;
    *out = slice_of(kept, size);
    return true;
}
