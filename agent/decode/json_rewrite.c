// Tokens made fit for output: walks containers and writes the broken ones anew as strict JSON.
#include "decode/json.h"

#include "decode/json_quick.h"
#include "decode/utf8.h"

#include <string.h>

void json_walk_init(struct json_walk *walk, struct json_scanner *scanner, struct slice container)
{
    *walk = (struct json_walk){scanner, container.data, *container.data == '{'};
}

bool json_walk_next(struct json_walk *walk, struct json_token *key, struct json_token *value)
{
    const char *end = walk->scanner->end;
    // What precedes a member is the opening bracket or a comma; a closing bracket ends the walk.
    const char *at = walk->at;
    if (!at || (*at != '{' && *at != '[' && *at != ','))
        return false;
    at = json_skip_space(at + 1, end);
    if (walk->object) {
        if (at >= end || *at != '"')
            return false;
        at = json_quick_string(walk->scanner, at + 1, key);
        at = at ? json_quick_colon(at, end) : NULL;
        if (!at)
            return false;
    }
    at = json_quick_value(walk->scanner, at, value);
    if (!at)
        return false;
    at = json_skip_space(at, end);
    walk->at = at < end ? at : NULL;
    return true;
}

bool json_to_value(struct json_scanner *scanner, const struct json_token *token, struct value *out)
{
    struct slice text = token->text;
    switch ((enum json_kind)token->kind) {
    case JSON_NULL:
    case JSON_NAN:
        out->kind = VALUE_NULL;
        return true;
    case JSON_FALSE:
    case JSON_TRUE:
        *out = (struct value){.kind = VALUE_BOOLEAN, .boolean = token->kind == JSON_TRUE};
        return true;
    case JSON_INTEGER:
        *out = (struct value){.kind = VALUE_INTEGER, .integer = token->integer};
        return true;
    case JSON_NUMBER:
        *out = (struct value){.kind = VALUE_JSON, .text = text};
        return true;
    case JSON_LONG:
        out->kind = VALUE_JSON;
        return json_shorten(scanner->arena, token, &out->text);
    case JSON_HUGE:
        *out = (struct value){.kind = VALUE_TEXT, .text = text};
        return true;
    case JSON_STRING:
        out->kind = VALUE_ESCAPED;
        return json_repair_string(scanner->arena, token, &out->text);
    default:
        break;
    }
    if (token->flags & JSON_DEEP) {
        out->kind = VALUE_TEXT;
        return utf8_repair(scanner->arena, text, &out->text);
    }
    out->kind = VALUE_JSON;
    out->text = text;
    return !(token->flags & JSON_BROKEN) || json_rewrite(scanner, token, &out->text);
}

// Text that grows in an arena.
struct writer {
    struct json_scanner *scanner;
    char *text;
    size_t size;
    size_t capacity;
};

static bool put(struct writer *writer, struct slice bytes)
{
    if (writer->capacity - writer->size < bytes.size) {
        size_t capacity = 2 * (writer->size + bytes.size) + 64;
        char *text = arena_grow(writer->scanner->arena, writer->text, writer->size, capacity);
        if (!text)
            return false;
        writer->text = text;
        writer->capacity = capacity;
    }
    if (bytes.size)
        memcpy(writer->text + writer->size, bytes.data, bytes.size);
    writer->size += bytes.size;
    return true;
}

static bool put_string(struct writer *writer, const struct json_token *string)
{
    struct slice strict;
    return json_repair_string(writer->scanner->arena, string, &strict) &&
           put(writer, SLICE("\"")) && put(writer, strict) && put(writer, SLICE("\""));
}

struct member {
    struct json_token key;
    struct json_token value;
    struct slice name; // the key, unescaped and repaired
    uint32_t position;
    bool replaced; // by a later member of the same name
};

static int compare_members(const struct member *a, const struct member *b)
{
    size_t size = a->name.size < b->name.size ? a->name.size : b->name.size;
    int order = size ? memcmp(a->name.data, b->name.data, size) : 0;
    if (order != 0)
        return order;
    if (a->name.size != b->name.size)
        return a->name.size < b->name.size ? -1 : 1;
    return a->position < b->position ? -1 : 1;
}

static void sift(struct member **heap, size_t root, size_t size)
{
    while (2 * root + 1 < size) {
        size_t child = 2 * root + 1;
        if (child + 1 < size && compare_members(heap[child + 1], heap[child]) > 0)
            child++;
        if (compare_members(heap[root], heap[child]) >= 0)
            return;
        struct member *swap = heap[root];
        heap[root] = heap[child];
        heap[child] = swap;
        root = child;
    }
}

// Marks all but the last of each run of equal names. By sorting: an object may be wide.
static void mark_replaced(struct member **order, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(order, i, count);
    for (size_t size = count; size-- > 1;) {
        struct member *swap = order[0];
        order[0] = order[size];
        order[size] = swap;
        sift(order, 0, size);
    }
    for (size_t i = 1; i < count; i++)
        order[i - 1]->replaced = slice_equal(order[i - 1]->name, order[i]->name);
}

static size_t count_members(struct json_scanner *scanner, struct slice object)
{
    struct json_walk walk;
    struct json_token key, value;
    size_t count = 0;
    json_walk_init(&walk, scanner, object);
    while (json_walk_next(&walk, &key, &value))
        count++;
    return count;
}

// An object's members in order, each name's last marked. NULL where memory ran out.
static struct member *collect_members(struct json_scanner *scanner, struct slice object,
                                      size_t count)
{
    struct member *members = arena_alloc(scanner->arena, count * sizeof *members);
    struct member **order = arena_alloc(scanner->arena, count * sizeof(struct member *));
    if (!members || !order)
        return NULL;
    struct json_walk walk;
    json_walk_init(&walk, scanner, object);
    for (uint32_t i = 0; i < count && json_walk_next(&walk, &members[i].key, &members[i].value);
         i++) {
        if (!json_unescape(scanner->arena, &members[i].key, &members[i].name))
            return NULL;
        members[i].position = i;
        members[i].replaced = false;
        order[i] = &members[i];
    }
    mark_replaced(order, count);
    return members;
}

static bool put_shortened(struct writer *writer, const struct json_token *number)
{
    struct slice text;
    return json_shorten(writer->scanner->arena, number, &text) && put(writer, text);
}

static bool put_value(struct writer *writer, const struct json_token *token);

static bool put_object(struct writer *writer, struct slice text)
{
    size_t count = count_members(writer->scanner, text);
    struct member *members = collect_members(writer->scanner, text, count);
    if (!members || !put(writer, SLICE("{")))
        return false;
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        if (members[i].replaced)
            continue;
        if (!first && !put(writer, SLICE(",")))
            return false;
        first = false;
        if (!put_string(writer, &members[i].key) || !put(writer, SLICE(":")) ||
            !put_value(writer, &members[i].value))
            return false;
    }
    return put(writer, SLICE("}"));
}

static bool put_array(struct writer *writer, struct slice text)
{
    struct json_walk walk;
    struct json_token key, value;
    bool first = true;
    if (!put(writer, SLICE("[")))
        return false;
    json_walk_init(&walk, writer->scanner, text);
    while (json_walk_next(&walk, &key, &value)) {
        if (!first && !put(writer, SLICE(",")))
            return false;
        first = false;
        if (!put_value(writer, &value))
            return false;
    }
    return put(writer, SLICE("]"));
}

// Calls itself at most JSON_DEPTH_KEPT levels deep.
static bool put_value(struct writer *writer, const struct json_token *token)
{
    switch ((enum json_kind)token->kind) {
    case JSON_NAN:
        return put(writer, SLICE("null"));
    case JSON_LONG:
        return put_shortened(writer, token);
    case JSON_HUGE:
        return put(writer, SLICE("\"")) && put(writer, token->text) && put(writer, SLICE("\""));
    case JSON_STRING:
        return put_string(writer, token);
    case JSON_OBJECT:
    case JSON_ARRAY:
        if (!(token->flags & JSON_BROKEN))
            break;
        return token->kind == JSON_OBJECT ? put_object(writer, token->text)
                                          : put_array(writer, token->text);
    default:
        break;
    }
    return put(writer, token->text);
}

bool json_rewrite(struct json_scanner *scanner, const struct json_token *container,
                  struct slice *out)
{
    struct writer writer = {.scanner = scanner};
    if (!put_value(&writer, container))
        return false;
    *out = slice_of(writer.text, writer.size);
    return true;
}
