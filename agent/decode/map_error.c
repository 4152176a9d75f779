// error.type, error.message and error.stack_trace, read from stack traces.
//
// structlog's list of dicts carries every frame's local variables: they hold secrets, and never
// leave this file.
#include "decode/error_heading.h"
#include "decode/map_members.h"

#include <string.h>

static struct slice trimmed(struct slice text)
{
    while (text.size && (text.data[0] == '\n' || text.data[0] == '\r'))
        text = slice_of(text.data + 1, text.size - 1);
    while (text.size && strchr(" \n\r\t", text.data[text.size - 1]))
        text.size--;
    return text;
}

static void set_absent(struct mapper *mapper, enum ecs_field field, struct value value)
{
    if (!fields_has(mapper->fields, field))
        fields_set(mapper->fields, field, value);
}

// A stack trace as text. False where there is another one already.
static bool take_text(struct mapper *mapper, const struct map_member *member, struct slice text)
{
    struct error_heading heading;
    if (fields_has(mapper->fields, ECS_ERROR_STACK_TRACE)) {
        struct slice other = mapper->fields->ecs[ECS_ERROR_STACK_TRACE].text;
        return slice_equal(other, member->value.text);
    }
    fields_set(mapper->fields, ECS_ERROR_STACK_TRACE, member->value);
    if (!error_heading_find(trimmed(text), &heading))
        return true;
    set_absent(mapper, ECS_ERROR_TYPE, (struct value){.kind = VALUE_TEXT, .text = heading.type});
    if (heading.message.size)
        set_absent(mapper, ECS_ERROR_MESSAGE,
                   (struct value){.kind = VALUE_TEXT, .text = heading.message});
    return true;
}

// Text that grows in the arena; the inside of a JSON string.
struct trace {
    struct mapper *mapper;
    char *text;
    size_t size;
    size_t capacity;
};

static void put(struct trace *trace, struct slice text)
{
    if (trace->capacity - trace->size < text.size) {
        size_t capacity = 2 * (trace->size + text.size) + 256;
        char *grown = arena_grow(trace->mapper->arena, trace->text, trace->size, capacity);
        if (!grown) {
            trace->mapper->failed = true;
            return;
        }
        trace->text = grown;
        trace->capacity = capacity;
    }
    if (text.size)
        memcpy(trace->text + trace->size, text.data, text.size);
    trace->size += text.size;
}

// A scalar as the inside of a JSON string; nothing for others.
static struct slice escaped(struct mapper *mapper, const struct json_token *token)
{
    struct slice text = {NULL, 0};
    if (token->kind == JSON_STRING) {
        if (!json_repair_string(mapper->arena, token, &text))
            mapper->failed = true;
    } else if (token->kind == JSON_INTEGER) {
        text = token->text;
    }
    return text;
}

static void put_frame(struct trace *trace, struct json_scanner *scanner, struct slice frame)
{
    struct slice file = {NULL, 0}, line = {NULL, 0}, name = {NULL, 0};
    struct json_walk walk;
    struct json_token key, value;
    json_walk_init(&walk, scanner, frame);
    while (json_walk_next(&walk, &key, &value)) {
        if (slice_equal(key.text, SLICE("filename")))
            file = escaped(trace->mapper, &value);
        else if (slice_equal(key.text, SLICE("lineno")))
            line = escaped(trace->mapper, &value);
        else if (slice_equal(key.text, SLICE("name")))
            name = escaped(trace->mapper, &value);
    }
    put(trace, SLICE("  File \\\""));
    put(trace, file);
    put(trace, SLICE("\\\", line "));
    put(trace, line);
    put(trace, SLICE(", in "));
    put(trace, name);
}

static void put_frames(struct trace *trace, struct json_scanner *scanner, struct slice frames)
{
    struct json_walk walk;
    struct json_token key, frame;
    bool first = true;
    json_walk_init(&walk, scanner, frames);
    while (json_walk_next(&walk, &key, &frame)) {
        if (frame.kind != JSON_OBJECT)
            continue;
        if (!first)
            put(trace, SLICE("\\n"));
        first = false;
        put_frame(trace, scanner, frame.text);
    }
}

// One exception of the list. False where it does not look like one.
static bool put_exception(struct trace *trace, struct json_scanner *scanner, struct slice object)
{
    struct slice type = {NULL, 0}, text = {NULL, 0}, frames = {NULL, 0};
    struct json_walk walk;
    struct json_token key, value;
    json_walk_init(&walk, scanner, object);
    while (json_walk_next(&walk, &key, &value)) {
        if (slice_equal(key.text, SLICE("exc_type")))
            type = escaped(trace->mapper, &value);
        else if (slice_equal(key.text, SLICE("exc_value")))
            text = escaped(trace->mapper, &value);
        else if (slice_equal(key.text, SLICE("frames")) && value.kind == JSON_ARRAY)
            frames = value.text;
    }
    if (!type.data && !frames.data)
        return false;
    if (trace->size)
        put(trace, SLICE("\\n"));
    put(trace, type);
    put(trace, SLICE(": "));
    put(trace, text);
    put(trace, SLICE("\\n"));
    if (frames.data)
        put_frames(trace, scanner, frames);
    if (type.data)
        set_absent(trace->mapper, ECS_ERROR_TYPE,
                   (struct value){.kind = VALUE_ESCAPED, .text = type});
    if (text.data)
        set_absent(trace->mapper, ECS_ERROR_MESSAGE,
                   (struct value){.kind = VALUE_ESCAPED, .text = text});
    return true;
}

// structlog's dict_tracebacks.
static bool take_list(struct mapper *mapper, const struct map_member *member)
{
    struct trace trace = {.mapper = mapper};
    struct json_scanner scanner;
    struct json_walk walk;
    struct json_token key, value;
    if (!member->raw.size || member->raw.data[0] != '[' ||
        fields_has(mapper->fields, ECS_ERROR_STACK_TRACE))
        return false;
    json_scanner_init(&scanner, mapper->arena, member->raw, mapper->seed);
    json_walk_init(&walk, &scanner, member->raw);
    while (json_walk_next(&walk, &key, &value)) {
        if (value.kind != JSON_OBJECT || !put_exception(&trace, &scanner, value.text))
            break;
    }
    if (trace.size == 0)
        return false;
    fields_set(mapper->fields, ECS_ERROR_STACK_TRACE,
               (struct value){.kind = VALUE_ESCAPED, .text = slice_of(trace.text, trace.size)});
    return true;
}

bool map_take_exception(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct slice text;
    (void)key;
    if (map_member_is_container(member))
        return take_list(mapper, member);
    return map_member_text(mapper, member, &text) && text.size > 0 &&
           take_text(mapper, member, text);
}

bool map_take_traceback(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct slice text;
    (void)key;
    if (!map_member_text(mapper, member, &text) || !error_is_python(trimmed(text)))
        return false;
    return take_text(mapper, member, text);
}
