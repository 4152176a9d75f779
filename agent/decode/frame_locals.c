// Cuts every member "locals" that is an object or an array out of JSON text.
#include "decode/frame_locals.h"

#include <string.h>

static const char *const key = "\"locals\"";
#define KEY_SIZE 8u

static bool contains(struct slice text, const char *what)
{
    return memmem(text.data, text.size, what, strlen(what)) != NULL;
}

// The end of the string whose opening quote is at `at`: behind its closing one, or the text's end.
static size_t string_end(struct slice text, size_t at)
{
    for (at++; at < text.size && text.data[at] != '"'; at++)
        at += text.data[at] == '\\';
    return at < text.size ? at + 1 : text.size;
}

static size_t skip_space(struct slice text, size_t at)
{
    while (at < text.size && strchr(" \t\r\n", text.data[at]) && text.data[at])
        at++;
    return at;
}

// Behind the container that opens at `at`.
static size_t container_end(struct slice text, size_t at)
{
    size_t depth = 0;
    while (at < text.size) {
        char c = text.data[at];
        if (c == '"') {
            at = string_end(text, at);
            continue;
        }
        at++;
        depth += c == '{' || c == '[';
        depth -= (c == '}' || c == ']') && depth > 0;
        if (depth == 0)
            break;
    }
    return at;
}

// The end of the member `"locals": {…}` at `at`; 0 where there is none.
static size_t member_end(struct slice text, size_t at)
{
    if (text.size - at < KEY_SIZE || memcmp(text.data + at, key, KEY_SIZE) != 0)
        return 0;
    at = skip_space(text, at + KEY_SIZE);
    if (at == text.size || text.data[at] != ':')
        return 0;
    at = skip_space(text, at + 1);
    if (at == text.size || (text.data[at] != '{' && text.data[at] != '['))
        return 0;
    return container_end(text, at);
}

bool frame_locals_present(struct slice json)
{
    return contains(json, key) &&
           (contains(json, "\"lineno\"") || contains(json, "\"frames\"") ||
            contains(json, "\"filename\"") || contains(json, "\"exc_type\""));
}

bool frame_locals_drop(struct arena *arena, struct slice json, struct slice *out)
{
    char *text = arena_alloc(arena, json.size);
    size_t size = 0, at = 0;
    if (!text)
        return false;
    while (at < json.size) {
        size_t end = json.data[at] == '"' ? member_end(json, at) : 0;
        if (end) { // with the comma before it, or else the one behind
            while (size > 0 && strchr(" \t\r\n", text[size - 1]) && text[size - 1])
                size--;
            at = skip_space(json, end);
            if (size > 0 && text[size - 1] == ',')
                size--;
            else if (at < json.size && json.data[at] == ',')
                at++;
            continue;
        }
        end = json.data[at] == '"' ? string_end(json, at) : at + 1;
        memcpy(text + size, json.data + at, end - at);
        size += end - at;
        at = end;
    }
    *out = slice_of(text, size);
    return true;
}
