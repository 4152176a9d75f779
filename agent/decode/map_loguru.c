// loguru's serialize=True: {"text": …, "record": {…}}, the record's parts as members of the line.
//
// Recognised by its shape alone: a string "text", and a "record" with a string "message" and an
// integer "level.no". "text" is the same once more, as loguru would have printed it; only there is
// the traceback, with the frames' variables (diagnose=True) that must not leave.
#include "decode/loguru_values.h"
#include "decode/map_members.h"

#include <string.h>

struct loguru {
    struct slice message; // plain text
    struct json_token level_name;
    int64_t level;
    bool exception;
};

// What becomes of a part of the record; without a path it says nothing new.
struct part {
    const char *object; // "" is the record itself
    const char *key;
    const char *path;
};

static const struct part parts[] = {
    {"", "message", "message"},
    {"", "name", "log.logger"},
    {"", "function", "log.origin.function"},
    {"", "line", "log.origin.file.line"},
    {"", "module", NULL}, // the file's name without its suffix
    {"file", "name", "log.origin.file.name"},
    {"file", "path", "file_path"},
    {"level", "name", NULL}, // taken before
    {"level", "no", NULL},
    {"level", "icon", NULL},
    {"time", "repr", "@timestamp"},
    {"time", "timestamp", "timestamp"},
    {"elapsed", "repr", NULL},
    {"elapsed", "seconds", "uptime_seconds"}, // since the program began
    {"process", "id", "process.pid"},
    {"process", "name", "process.name"},
    {"thread", "id", "process.thread.id"},
    {"thread", "name", "process.thread.name"},
    {"exception", "type", "error.type"},
    {"exception", "value", "error.message"},
    {"exception", "traceback", NULL}, // whether there is one
};

static bool is_key(const struct json_token *key, const char *name)
{
    return slice_equal(key->text, slice_from(name));
}

static void read_level(struct json_scanner *scanner, struct slice object, struct loguru *out,
                       bool *numbered)
{
    struct json_walk walk;
    struct json_token key, value;
    json_walk_init(&walk, scanner, object);
    while (json_walk_next(&walk, &key, &value)) {
        if (is_key(&key, "no") && value.kind == JSON_INTEGER) {
            out->level = value.integer;
            *numbered = true;
        } else if (is_key(&key, "name") && value.kind == JSON_STRING) {
            out->level_name = value;
        }
    }
}

static bool recognise(struct mapper *mapper, struct json_scanner *scanner, struct slice record,
                      struct loguru *out)
{
    struct json_walk walk;
    struct json_token key, value;
    bool message = false, numbered = false;
    *out = (struct loguru){.level_name = {.kind = JSON_STRING, .text = SLICE("")}};
    json_walk_init(&walk, scanner, record);
    while (json_walk_next(&walk, &key, &value)) {
        if (is_key(&key, "message") && value.kind == JSON_STRING)
            message = json_unescape(mapper->arena, &value, &out->message);
        else if (is_key(&key, "level") && value.kind == JSON_OBJECT)
            read_level(scanner, value.text, out, &numbered);
        else if (is_key(&key, "exception"))
            out->exception = value.kind == JSON_OBJECT;
    }
    return message && numbered;
}

// Offers a part under its path; one that the table does not have, or whose path the line has
// already, under its own.
static void offer_part(struct mapper *mapper, struct json_scanner *scanner, const char *object,
                       const struct json_token *key, const struct json_token *value)
{
    struct slice path = {NULL, 0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strcmp(parts[i].object, object) != 0 || !is_key(key, parts[i].key))
            continue;
        bool container = value->kind == JSON_OBJECT || value->kind == JSON_ARRAY;
        bool empty = value->kind == JSON_STRING && value->text.size == 0;
        bool no_message = empty && strcmp(object, "exception") == 0;
        if ((!parts[i].path && !container) || no_message)
            return;
        if (parts[i].path && !map_member_exists(mapper, slice_from(parts[i].path)))
            path = slice_from(parts[i].path);
        break;
    }
    if (!path.size) {
        size_t size = strlen("record.") + strlen(object) + 1 + key->text.size;
        char *own = arena_alloc(mapper->arena, size);
        if (!own) {
            mapper->failed = true;
            return;
        }
        size_t at = 7;
        memcpy(own, "record.", at);
        if (*object) {
            memcpy(own + at, object, strlen(object));
            at += strlen(object);
            own[at++] = '.';
        }
        if (key->text.size)
            memcpy(own + at, key->text.data, key->text.size);
        path = slice_of(own, at + key->text.size);
    }
    map_offer(mapper, scanner, path, value);
}

// The name of a part that is an object of parts.
static const char *object_named(const struct json_token *key)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].object[0] && is_key(key, parts[i].object))
            return parts[i].object;
    return NULL;
}

// The program's own fields come last: what the record says itself is the stronger.
static void offer_parts(struct mapper *mapper, struct json_scanner *scanner, struct slice record)
{
    struct json_walk walk, inner;
    struct json_token key, value, name;
    struct map_member extra = {.path = SLICE("extra")};
    json_walk_init(&walk, scanner, record);
    while (json_walk_next(&walk, &key, &value)) {
        const char *object = value.kind == JSON_OBJECT ? object_named(&key) : NULL;
        if (value.kind == JSON_OBJECT && is_key(&key, "extra")) {
            extra.raw = value.text;
        } else if (object) {
            json_walk_init(&inner, scanner, value.text);
            while (json_walk_next(&inner, &name, &value))
                offer_part(mapper, scanner, object, &name, &value);
        } else {
            offer_part(mapper, scanner, "", &key, &value);
        }
    }
    if (extra.raw.size)
        map_hoist(mapper, &extra);
}

static const char *find(struct slice text, const char *what)
{
    return text.size ? memmem(text.data, text.size, what, strlen(what)) : NULL;
}

// Where the traceback begins, behind the message; the text's end where there is none.
static size_t trace_at(struct slice text, size_t from)
{
    struct slice rest = slice_of(text.data + from, text.size - from);
    const char *at = find(rest, "Traceback (most recent call last)");
    if (!at)
        return text.size;
    while (at > rest.data && at[-1] != '\n') // a group's margin
        at--;
    return (size_t)(at - text.data);
}

// Where the text says the message, behind it; 0 where it does not.
static size_t message_end(struct slice text, struct slice message)
{
    if (message.size == 0)
        return 0;
    const char *at = text.size ? memmem(text.data, text.size, message.data, message.size) : NULL;
    return at ? (size_t)(at - text.data) + message.size : 0;
}

void map_take_loguru(struct mapper *mapper, const struct map_member *record)
{
    struct json_scanner scanner;
    struct loguru loguru;
    struct slice text;
    struct map_member *printed = map_known(mapper, KNOWN_TEXT);
    if (!mapper->record || !printed || !map_member_text(mapper, printed, &text))
        return;
    json_scanner_init(&scanner, mapper->arena, record->raw, mapper->seed);
    if (!recognise(mapper, &scanner, record->raw, &loguru))
        return;
    size_t end = message_end(text, loguru.message), trace = text.size;
    if (loguru.exception)
        trace = trace_at(text, end);
    if (loguru.exception && trace == text.size) { // a drawn variable held the message
        trace = trace_at(text, 0);
        end = trace < end ? 0 : end;
    }
    if (end > 0 || loguru.message.size == 0)
        printed->flags |= MAP_MEMBER_PLACED;
    else if (trace < text.size)
        printed->value = (struct value){.kind = VALUE_TEXT, .text = slice_of(text.data, trace)};
    map_known(mapper, KNOWN_RECORD)->flags |= MAP_MEMBER_PLACED;
    struct slice name;
    if (json_unescape(mapper->arena, &loguru.level_name, &name))
        map_set_level_loguru(mapper, name, loguru.level);
    else
        mapper->failed = true;
    offer_parts(mapper, &scanner, record->raw);
    struct slice stack = slice_of(text.data + trace, text.size - trace);
    if (!stack.size)
        return;
    if (loguru_values_drop(mapper->arena, stack, &stack))
        map_value(mapper, SLICE("error.stack_trace"),
                  (struct value){.kind = VALUE_TEXT, .text = stack});
    else
        mapper->failed = true;
}
