// error.type, error.message and error.stack_trace, read from stack traces.
//
// Frames' local variables are gone before (frame_locals.h).
#include "decode/error_heading.h"
#include "decode/map_members.h"

#include <stddef.h>
#include <string.h>

#define GROUP_DEPTH 8 // exception groups within groups, twice: lists of lists

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
    if (!text.data || text.size == 0)
        return;
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

// What an exception's object says of it, in any logger's words.
struct exception {
    struct slice type, text, stack; // insides of JSON strings
    struct slice frames, notes, inner;
};

struct word {
    const char *key;
    size_t offset; // of the struct slice it fills
};

#define WORD(key, member)                                                                          \
    {                                                                                              \
        key, offsetof(struct exception, member)                                                    \
    }

// structlog; log4j2's thrown; Quarkus; OpenTelemetry and gelf
static const struct word scalars[] = {
    WORD("exc_type", type),
    WORD("name", type),
    WORD("exceptionType", type),
    WORD("type", type),
    WORD("exception_class", type),
    WORD("exc_value", text),
    WORD("message", text),
    WORD("exception_message", text),
    WORD("extendedStackTrace", stack),
    WORD("stacktrace", stack),
    WORD("stack_trace", stack),
    WORD("stack", stack),
};
static const struct word arrays[] = {WORD("frames", frames), WORD("exc_notes", notes),
                                     WORD("exceptions", inner)};

static void fill(struct exception *exception, const struct word *words, size_t count,
                 struct slice key, struct slice value)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(key, slice_from(words[i].key)))
            memcpy((char *)exception + words[i].offset, &value, sizeof value);
}

static void read_exception(struct mapper *mapper, struct json_scanner *scanner, struct slice object,
                           struct exception *out)
{
    struct json_walk walk;
    struct json_token key, value;
    json_walk_init(&walk, scanner, object);
    while (json_walk_next(&walk, &key, &value)) {
        if (value.kind == JSON_ARRAY)
            fill(out, arrays, sizeof arrays / sizeof *arrays, key.text, value.text);
        else if (value.kind == JSON_STRING)
            fill(out, scalars, sizeof scalars / sizeof *scalars, key.text, escaped(mapper, &value));
    }
}

static void set_heading(struct mapper *mapper, const struct exception *exception)
{
    if (exception->type.size)
        set_absent(mapper, ECS_ERROR_TYPE,
                   (struct value){.kind = VALUE_ESCAPED, .text = exception->type});
    if (exception->text.size)
        set_absent(mapper, ECS_ERROR_MESSAGE,
                   (struct value){.kind = VALUE_ESCAPED, .text = exception->text});
}

static bool put_list(struct trace *trace, struct json_scanner *scanner, struct slice list,
                     unsigned depth);

static void put_notes(struct trace *trace, struct json_scanner *scanner, struct slice notes)
{
    struct json_walk walk;
    struct json_token key, note;
    json_walk_init(&walk, scanner, notes);
    while (json_walk_next(&walk, &key, &note)) {
        if (note.kind != JSON_STRING)
            continue;
        put(trace, SLICE("\\n"));
        put(trace, escaped(trace->mapper, &note));
    }
}

// One exception of structlog's. False where it does not look like one.
static bool put_exception(struct trace *trace, struct json_scanner *scanner, struct slice object,
                          unsigned depth)
{
    struct exception exception = {.type = {NULL, 0}};
    read_exception(trace->mapper, scanner, object, &exception);
    if (!exception.type.data && !exception.frames.data)
        return false;
    if (trace->size)
        put(trace, SLICE("\\n"));
    put(trace, exception.type);
    if (exception.type.size)
        put(trace, SLICE(": "));
    put(trace, exception.text);
    if (exception.notes.data)
        put_notes(trace, scanner, exception.notes);
    if (trace->size)
        put(trace, SLICE("\\n"));
    if (exception.frames.data)
        put_frames(trace, scanner, exception.frames);
    if (exception.inner.data && depth < GROUP_DEPTH)
        put_list(trace, scanner, exception.inner, depth + 1);
    if (depth == 0)
        set_heading(trace->mapper, &exception);
    return true;
}

// A list of exceptions, or (of a group's) of such lists.
static bool put_list(struct trace *trace, struct json_scanner *scanner, struct slice list,
                     unsigned depth)
{
    struct json_walk walk;
    struct json_token key, value;
    json_walk_init(&walk, scanner, list);
    while (json_walk_next(&walk, &key, &value)) {
        bool taken = false;
        if (value.kind == JSON_OBJECT)
            taken = put_exception(trace, scanner, value.text, depth);
        else if (value.kind == JSON_ARRAY && depth > 0 && depth < GROUP_DEPTH)
            taken = put_list(trace, scanner, value.text, depth + 1);
        if (!taken)
            return false;
    }
    return true;
}

// structlog's dict_tracebacks. What does not look like them stays where it is, too.
static bool take_list(struct mapper *mapper, const struct map_member *member)
{
    struct trace trace = {.mapper = mapper};
    struct json_scanner scanner;
    if (fields_has(mapper->fields, ECS_ERROR_STACK_TRACE))
        return false;
    json_scanner_init(&scanner, mapper->arena, member->raw, mapper->seed);
    bool whole = put_list(&trace, &scanner, member->raw, 0);
    if (trace.size == 0)
        return false;
    fields_set(mapper->fields, ECS_ERROR_STACK_TRACE,
               (struct value){.kind = VALUE_ESCAPED, .text = slice_of(trace.text, trace.size)});
    return whole;
}

// One exception. Its object may say more, so it stays.
static bool take_object(struct mapper *mapper, const struct map_member *member)
{
    struct trace trace = {.mapper = mapper};
    struct exception exception = {.type = {NULL, 0}};
    struct json_scanner scanner;
    if (fields_has(mapper->fields, ECS_ERROR_STACK_TRACE))
        return false;
    json_scanner_init(&scanner, mapper->arena, member->raw, mapper->seed);
    read_exception(mapper, &scanner, member->raw, &exception);
    if (exception.stack.size) {
        fields_set(mapper->fields, ECS_ERROR_STACK_TRACE,
                   (struct value){.kind = VALUE_ESCAPED, .text = exception.stack});
    } else if (exception.type.size && exception.frames.size &&
               put_exception(&trace, &scanner, member->raw, 0)) {
        fields_set(mapper->fields, ECS_ERROR_STACK_TRACE,
                   (struct value){.kind = VALUE_ESCAPED, .text = slice_of(trace.text, trace.size)});
    }
    if (exception.type.size)
        set_heading(mapper, &exception);
    return false;
}

static bool take_container(struct mapper *mapper, const struct map_member *member)
{
    if (!member->raw.size)
        return false;
    return member->raw.data[0] == '[' ? take_list(mapper, member) : take_object(mapper, member);
}

bool map_take_exception(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct slice text;
    (void)key;
    if (map_member_is_container(member))
        return take_container(mapper, member);
    return map_member_text(mapper, member, &text) && text.size > 0 &&
           take_text(mapper, member, text);
}

bool map_take_traceback(struct mapper *mapper, struct map_member *member, const struct map_key *key)
{
    struct slice text;
    (void)key;
    if (map_member_is_container(member))
        return take_container(mapper, member);
    if (!map_member_text(mapper, member, &text) || !error_is_python(trimmed(text)))
        return false;
    return take_text(mapper, member, text);
}
