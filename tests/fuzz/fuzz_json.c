// The JSON scanner against yajl: both accept or refuse, and read the same values, but for what the
// table below permits.
#include "decode/json.h"
#include "decode/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

// What a document says: a run of events, as text.
struct events {
    char *text;
    size_t size;
};

static int add(struct events *events, char kind, const void *text, size_t size)
{
    char *grown = realloc(events->text, events->size + size + 12);
    if (!grown)
        abort();
    events->text = grown;
    events->size += (size_t)sprintf(events->text + events->size, "%c%zu:", kind, size);
    if (size)
        memcpy(events->text + events->size, text, size);
    events->size += size;
    return 1;
}

static int on_null(void *events)
{
    return add(events, 'z', NULL, 0);
}
static int on_boolean(void *events, int value)
{
    return add(events, value ? 't' : 'f', NULL, 0);
}
static int on_number(void *events, const char *text, size_t size)
{
    return add(events, 'n', text, size);
}
static int on_string(void *events, const unsigned char *text, size_t size)
{
    return add(events, 's', text, size);
}
static int on_key(void *events, const unsigned char *text, size_t size)
{
    return add(events, 'k', text, size);
}
static int on_open_object(void *events)
{
    return add(events, '{', NULL, 0);
}
static int on_close_object(void *events)
{
    return add(events, '}', NULL, 0);
}
static int on_open_array(void *events)
{
    return add(events, '[', NULL, 0);
}
static int on_close_array(void *events)
{
    return add(events, ']', NULL, 0);
}

static bool read_with_yajl(struct slice text, struct events *events)
{
    static const yajl_callbacks callbacks = {on_null,         on_boolean,    NULL,           NULL,
                                             on_number,       on_string,     on_open_object, on_key,
                                             on_close_object, on_open_array, on_close_array};
    yajl_handle handle = yajl_alloc(&callbacks, NULL, events);
    bool good = yajl_parse(handle, (const unsigned char *)text.data, text.size) == yajl_status_ok &&
                yajl_complete_parse(handle) == yajl_status_ok;
    yajl_free(handle);
    return good;
}

static void read_token(struct json_scanner *scanner, const struct json_token *token,
                       struct events *events);

static void read_string(struct json_scanner *scanner, char kind, const struct json_token *token,
                        struct events *events)
{
    struct slice plain;
    if (!json_unescape(scanner->arena, token, &plain))
        abort();
    add(events, kind, plain.data, plain.size);
}

static void read_container(struct json_scanner *scanner, const struct json_token *token,
                           struct events *events)
{
    struct json_walk walk;
    struct json_token key, value;
    bool object = token->kind == JSON_OBJECT;
    add(events, object ? '{' : '[', NULL, 0);
    json_walk_init(&walk, scanner, token->text);
    while (json_walk_next(&walk, &key, &value)) {
        if (object)
            read_string(scanner, 'k', &key, events);
        read_token(scanner, &value, events);
    }
    add(events, object ? '}' : ']', NULL, 0);
}

static void read_token(struct json_scanner *scanner, const struct json_token *token,
                       struct events *events)
{
    switch ((enum json_kind)token->kind) {
    case JSON_NULL:
    case JSON_NAN:
        add(events, 'z', NULL, 0);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        add(events, token->kind == JSON_TRUE ? 't' : 'f', NULL, 0);
        break;
    case JSON_INTEGER:
    case JSON_NUMBER:
    case JSON_LONG:
    case JSON_HUGE:
        add(events, 'n', token->text.data, token->text.size);
        break;
    case JSON_STRING:
        read_string(scanner, 's', token, events);
        break;
    default:
        read_container(scanner, token, events);
        break;
    }
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && *at && strchr(" \t\r\n", *at))
        at++;
    return at;
}

static bool holds(struct slice text, const char *word)
{
    return memmem(text.data, text.size, word, strlen(word)) != NULL;
}

static bool says_nan(struct slice text)
{
    return holds(text, "NaN") || holds(text, "Infinity");
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < ' ')
            return true;
    return false;
}

static bool is_broken_utf8(struct slice text)
{
    return !utf8_valid(text);
}

static bool has_surrogate(struct slice text)
{
    return holds(text, "\\ud") || holds(text, "\\uD");
}

static bool has_odd_space(struct slice text)
{
    return memchr(text.data, '\v', text.size) || memchr(text.data, '\f', text.size);
}

// A string without its end after a whole value.
static bool ends_in_open_string(struct slice text)
{
    struct arena arena;
    struct json_scanner scanner;
    struct json_token token;
    const char *end = text.data + text.size;
    arena_init(&arena, 1 << 16, 0);
    json_scanner_init(&scanner, &arena, text, 7);
    const char *at = json_scan_value(&scanner, skip_space(text.data, end), &token);
    at = at ? skip_space(at, end) : NULL;
    bool open = at && at < end && *at == '"' && !json_scan_string(&scanner, at + 1, &token);
    arena_deinit(&arena);
    return open;
}

// The permitted disagreements: what the two say, and what the text must hold for it.
static const struct permitted {
    const char *reason;
    bool ours, yajls; // accepted
    bool (*applies)(struct slice text);
} permitted[] = {
    {"Python writes NaN and Infinity; yajl refuses them", true, false, says_nan},
    {"raw control characters in strings are kept as escapes; yajl refuses them", true, false,
     has_control},
    {"broken UTF-8 is repaired; yajl refuses it", true, false, is_broken_utf8},
    {"yajl takes \\v and \\f for space; RFC 8259 does not", false, true, has_odd_space},
    {"yajl overlooks an unfinished string after the value", false, true, ends_in_open_string},
    {"a lone surrogate is U+FFFD; yajl writes ?", true, true, has_surrogate},
    {"yajl lets overlong UTF-8 and surrogates in UTF-8 pass", true, true, is_broken_utf8},
};

static bool may_disagree(struct slice text, bool ours, bool yajls)
{
    for (size_t i = 0; i < sizeof permitted / sizeof *permitted; i++)
        if (permitted[i].ours == ours && permitted[i].yajls == yajls && permitted[i].applies(text))
            return true;
    return false;
}

// What goes out must be strict, whatever came in.
static void check_output(struct json_scanner *scanner, const struct json_token *token)
{
    struct value value;
    struct events events = {0};
    if (!json_to_value(scanner, token, &value))
        abort();
    if (value.kind == VALUE_TEXT && !utf8_valid(value.text))
        abort();
    if (value.kind == VALUE_JSON || value.kind == VALUE_ESCAPED) {
        char *text = malloc(value.text.size + 3);
        bool string = value.kind == VALUE_ESCAPED;
        int size = sprintf(text, "%s%.*s%s", string ? "\"" : "", (int)value.text.size,
                           value.text.data, string ? "\"" : "");
        if (size < 0 || (size_t)size != value.text.size + (string ? 2 : 0) ||
            !utf8_valid(value.text) || !read_with_yajl(slice_of(text, (size_t)size), &events))
            abort();
        free(text);
    }
    free(events.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(size ? (const char *)data : "", size);
    const char *end = text.data + text.size;
    struct arena arena;
    struct json_scanner scanner;
    struct json_token token;
    struct events yajls = {0}, ours = {0};
    arena_init(&arena, 1 << 16, 0);
    json_scanner_init(&scanner, &arena, text, 7);
    const char *after = json_scan_value(&scanner, skip_space(text.data, end), &token);
    after = after ? skip_space(after, end) : NULL;
    bool accepted = after == end && after;
    bool yajl_accepted = read_with_yajl(text, &yajls);
    if (accepted != yajl_accepted && !may_disagree(text, accepted, yajl_accepted))
        abort();
    if (accepted) {
        check_output(&scanner, &token);
        if (!(token.flags & JSON_DEEP)) // deeper ones would recurse here
            read_token(&scanner, &token, &ours);
        bool same =
            ours.size == yajls.size && ours.size && memcmp(ours.text, yajls.text, ours.size) == 0;
        if (yajl_accepted && !(token.flags & JSON_DEEP) && !same && !may_disagree(text, true, true))
            abort();
    }
    free(yajls.text);
    free(ours.text);
    arena_deinit(&arena);
    return 0;
}
