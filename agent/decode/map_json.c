// A JSON object's members, offered to the mapper: nested ECS objects as dotted paths.
#include "decode/map_members.h"

#include "decode/frame_locals.h"
#include "decode/json_quick.h"
#include "decode/key_hash.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define PATH_MAX_TAKEN 256 // longer keys' objects stay whole: each leaf gets a copy of the path

// Where in the line the walk is.
struct place {
    struct json_scanner *scanner;
    struct slice prefix; // dotted path of the object, empty at the top
    uint16_t group;      // row of the group's object
    uint8_t depth;
    bool flatten;         // everything below is ECS: objects are taken apart to their leaves
    struct slice hoisted; // key of the object whose members stand for the line's; else empty
};

static void offer_members(struct mapper *mapper, struct json_walk *walk, struct place place);

// prefix.name in the arena.
static bool join_path(struct mapper *mapper, struct slice prefix, struct slice name,
                      struct slice *out)
{
    char *path = arena_alloc(mapper->arena, prefix.size + 1 + name.size);
    if (!path)
        return false;
    memcpy(path, prefix.data, prefix.size);
    path[prefix.size] = '.';
    if (name.size)
        memcpy(path + prefix.size + 1, name.data, name.size);
    *out = slice_of(path, prefix.size + 1 + name.size);
    return true;
}

static bool is_empty_object(struct slice text)
{
    return json_skip_space(text.data + 1, text.data + text.size) == text.data + text.size - 1;
}

// What is to become of an object under this path; *row is the group's.
static enum map_object object_kind(const struct mapper *mapper, struct slice path,
                                   const struct place *place, uint16_t *row)
{
    if (place->group)
        return MAP_WHOLE;
    *row = map_key_find(mapper, path, key_hash(path.data, path.size, mapper->seed));
    if (place->flatten)
        return MAP_FLATTEN;
    if (*row == 0 && path.size && memchr(path.data, '.', path.size) &&
        map_key_under_ecs(path, false))
        return MAP_FLATTEN; // "http.request": {…}
    return map_keys[*row].object;
}

// Takes an object apart. False where it is a value like any other.
static bool offer_object(struct mapper *mapper, struct slice path, const struct json_token *token,
                         const struct place *place)
{
    uint16_t row = 0;
    if (token->flags & JSON_DEEP || path.size > PATH_MAX_TAKEN || is_empty_object(token->text))
        return false; // at most JSON_DEPTH_KEPT levels
    enum map_object kind = object_kind(mapper, path, place, &row);
    if (kind != MAP_FLATTEN && kind != MAP_GROUP)
        return false;
    struct place inner = {
        .scanner = place->scanner,
        .prefix = path,
        .group = kind == MAP_GROUP ? row : 0,
        .depth = (uint8_t)(place->depth + 1),
        .flatten = kind == MAP_FLATTEN,
        .hoisted = place->hoisted,
    };
    struct json_walk walk;
    json_walk_init(&walk, place->scanner, token->text);
    offer_members(mapper, &walk, inner);
    return true;
}

// The token as a value: most are views.
static inline bool as_value(struct json_scanner *scanner, const struct json_token *token,
                            struct value *out)
{
    if (token->kind == JSON_STRING && !(token->flags & JSON_BROKEN)) {
        out->kind = VALUE_ESCAPED;
        out->text = token->text;
        return true;
    }
    if (token->kind == JSON_INTEGER) {
        out->kind = VALUE_INTEGER;
        out->integer = token->integer;
        return true;
    }
    return json_to_value(scanner, token, out);
}

// The member's dotted path: its name, where it stands at the top.
static inline bool member_path(struct mapper *mapper, const struct json_token *key,
                               struct slice prefix, struct slice *path)
{
    *path = key->text;
    if (key->flags && !json_unescape(mapper->arena, key, path))
        return false;
    return prefix.size == 0 || join_path(mapper, prefix, *path, path);
}

static inline void offer_value(struct mapper *mapper, struct slice path,
                               const struct json_token *token, const struct place *place)
{
    struct map_member *member = map_member_new(mapper);
    if (!member || !as_value(place->scanner, token, &member->value)) {
        mapper->failed = true;
        return;
    }
    member->path = path;
    member->raw = token->text;
    member->group = place->group;
    member->depth = place->depth;
    member->flags = (uint8_t)((token->kind == JSON_NAN ? MAP_MEMBER_NAN : 0) |
                              (token->flags & JSON_DEEP ? MAP_MEMBER_DEEP : 0));
    map_member_add(mapper, member);
}

void map_offer(struct mapper *mapper, struct json_scanner *scanner, struct slice path,
               const struct json_token *token)
{
    offer_value(mapper, path, token, &(struct place){.scanner = scanner});
}

static inline void offer_token(struct mapper *mapper, const struct json_token *key,
                               const struct json_token *token, const struct place *place)
{
    struct slice path;
    if (!member_path(mapper, key, place->prefix, &path)) {
        mapper->failed = true;
        return;
    }
    if (token->kind == JSON_OBJECT && offer_object(mapper, path, token, place))
        return;
    // The line's own member is the stronger; the other keeps its full name.
    bool taken = place->hoisted.size && map_member_exists(mapper, path);
    if (taken && !join_path(mapper, place->hoisted, path, &path)) {
        mapper->failed = true;
        return;
    }
    offer_value(mapper, path, token, place);
}

// A value that holds stack frames' local variables, without them.
static __attribute__((noinline)) void offer_frames(struct mapper *mapper,
                                                   const struct json_token *key,
                                                   const struct json_token *token,
                                                   const struct place *place)
{
    struct json_scanner scanner;
    struct json_token cleaned;
    struct place inner = *place;
    struct slice text;
    if (!frame_locals_drop(mapper->arena, token->text, &text)) {
        mapper->failed = true;
        return;
    }
    json_scanner_init(&scanner, mapper->arena, text, mapper->seed);
    inner.scanner = &scanner;
    if (json_scan_value(&scanner, text.data, &cleaned))
        offer_token(mapper, key, &cleaned, &inner);
    else
        mapper->failed = true;
}

static inline void offer_member(struct mapper *mapper, const struct json_token *key,
                                const struct json_token *token, const struct place *place)
{
    bool container = token->kind == JSON_OBJECT || token->kind == JSON_ARRAY;
    if (container && frame_locals_present(token->text))
        offer_frames(mapper, key, token, place);
    else
        offer_token(mapper, key, token, place);
}

static void offer_members(struct mapper *mapper, struct json_walk *walk, struct place place)
{
    struct json_token key, value;
    while (json_walk_next(walk, &key, &value))
        offer_member(mapper, &key, &value, &place);
}

// The line's own members, while they are being scanned. False where the text is no object.
static bool offer_line(struct mapper *mapper, struct json_scanner *scanner, const char *at)
{
    const char *end = scanner->end;
    const struct place top = {.scanner = scanner};
    struct json_token key, value;
    at = json_skip_space(at + 1, end);
    if (json_peek(at, end) == '}')
        return json_skip_space(at + 1, end) == end;
    while (true) {
        if (json_peek(at, end) != '"')
            return false;
        at = json_quick_string(scanner, at + 1, &key);
        at = at ? json_quick_colon(at, end) : NULL;
        at = at ? json_quick_value(scanner, at, &value) : NULL;
        if (!at)
            return false;
        offer_member(mapper, &key, &value, &top);
        at = json_skip_space(at, end);
        char c = json_peek(at, end);
        if (c == '}')
            return json_skip_space(at + 1, end) == end;
        if (c != ',')
            return false;
        at = json_skip_space(at + 1, end);
    }
}

bool map_json_text(struct mapper *mapper, struct slice json)
{
    const char *end = json.data + json.size;
    const char *begin = json_skip_space(json.data, end);
    if (json_peek(begin, end) != '{')
        return false;
    struct json_scanner scanner;
    json_scanner_init(&scanner, mapper->arena, json, mapper->seed);
    if (mapper->count > 0) { // members offered before must not be touched by half an object
        struct json_token token;
        const char *after = json_scan_value(&scanner, begin, &token);
        if (!after || json_skip_space(after, end) != end)
            return false;
    }
    if (offer_line(mapper, &scanner, begin))
        return true;
    map_forget(mapper);
    return false;
}

// Offers a member's object again, with another meaning.
static void offer_again(struct mapper *mapper, const struct map_member *member, struct place place)
{
    struct json_scanner scanner;
    json_scanner_init(&scanner, mapper->arena, member->raw, mapper->seed);
    place.scanner = &scanner;
    struct json_walk walk;
    json_walk_init(&walk, &scanner, member->raw);
    offer_members(mapper, &walk, place);
}

void map_hoist(struct mapper *mapper, const struct map_member *member)
{
    offer_again(mapper, member, (struct place){.hoisted = member->path});
}

void map_flatten(struct mapper *mapper, const struct map_member *member)
{
    offer_again(mapper, member,
                (struct place){.prefix = member->path, .flatten = true, .depth = 1});
}

void map_value(struct mapper *mapper, struct slice key, struct value value)
{
    struct slice raw = {NULL, 0};
    assert(value.kind != VALUE_JSON || value.text.size > 0);
    if (value.kind == VALUE_JSON) {
        if (frame_locals_present(value.text) &&
            !frame_locals_drop(mapper->arena, value.text, &value.text)) {
            mapper->failed = true;
            return;
        }
        raw = value.text;
        if (raw.data[0] == '{') {
            struct json_scanner scanner;
            struct json_token token;
            json_scanner_init(&scanner, mapper->arena, raw, mapper->seed);
            if (json_scan_value(&scanner, raw.data, &token) &&
                offer_object(mapper, key, &token, &(struct place){.scanner = &scanner}))
                return;
        }
    }
    struct map_member *member = map_member_new(mapper);
    if (!member)
        return;
    member->path = key;
    member->value = value;
    member->raw = raw;
    member->group = 0;
    member->depth = 0;
    member->flags = 0;
    if (value.kind == VALUE_DOUBLE && !isfinite(value.number)) {
        member->value.kind = VALUE_NULL;
        member->flags = MAP_MEMBER_NAN;
    }
    map_member_add(mapper, member);
}
