// The list of collected members: finding equal keys, and reading values.
#include "decode/map_members.h"

#include "decode/key_hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_FROM 32 // members from which a hash table is worth its upkeep

void map_forget(struct mapper *mapper)
{
    memset(mapper->present, 0, sizeof mapper->present);
    mapper->count = 0;
    mapper->index_size = 0;
    mapper->first_message.kind = VALUE_NULL;
    mapper->failed = false;
    mapper->hoists = false;
    mapper->groups = false;
}

static void index_add(struct mapper *mapper, uint32_t member)
{
    uint32_t slot = mapper->members[member].hash & (mapper->index_size - 1);
    while (mapper->index[slot])
        slot = (slot + 1) & (mapper->index_size - 1);
    mapper->index[slot] = member + 1;
}

// A table at most half full. Without memory there is none: lookups then fail the record.
static bool index_build(struct mapper *mapper)
{
    uint32_t size = mapper->index_size ? 2 * mapper->index_size : 4 * INDEX_FROM;
    mapper->index = arena_alloc(mapper->arena, size * sizeof *mapper->index);
    if (!mapper->index)
        return false;
    memset(mapper->index, 0, size * sizeof *mapper->index);
    mapper->index_size = size;
    for (uint32_t i = 0; i < mapper->count; i++)
        index_add(mapper, i);
    return true;
}

static struct map_member *find(const struct mapper *mapper, struct slice path, uint32_t hash)
{
    if (!mapper->index_size) {
        for (uint32_t i = 0; i < mapper->count; i++)
            if (mapper->members[i].hash == hash && slice_equal(mapper->members[i].path, path))
                return &mapper->members[i];
        return NULL;
    }
    uint32_t slot = hash & (mapper->index_size - 1);
    for (; mapper->index[slot]; slot = (slot + 1) & (mapper->index_size - 1)) {
        struct map_member *member = &mapper->members[mapper->index[slot] - 1];
        if (member->hash == hash && slice_equal(member->path, path))
            return member;
    }
    return NULL;
}

bool map_member_exists(const struct mapper *mapper, struct slice path)
{
    return find(mapper, path, key_hash(path.data, path.size, mapper->seed)) != NULL;
}

static __attribute__((noinline)) bool reserve(struct mapper *mapper)
{
    uint32_t capacity = mapper->capacity ? 2 * mapper->capacity : INDEX_FROM;
    struct map_member *members =
        arena_grow(mapper->arena, mapper->members, mapper->count * sizeof *members,
                   capacity * sizeof *members);
    if (!members)
        return false;
    mapper->members = members;
    mapper->capacity = capacity;
    return true;
}

// The line has the key already. Nested beats dotted whatever their order; else the key's own rule.
static void settle(struct mapper *mapper, struct map_member *old, const struct map_member *new)
{
    if (new->depth < old->depth)
        return;
    old->flags |= MAP_MEMBER_REPEATED;
    if (new->depth == old->depth && map_keys[old->row].first)
        return;
    bool again = map_keys[old->row].known == KNOWN_MSG && old->depth == new->depth;
    if (again && mapper->first_message.kind == VALUE_NULL)
        mapper->first_message = old->value;
    old->value = new->value;
    old->raw = new->raw;
    old->depth = new->depth;
    old->group = new->group;
    old->flags = (uint8_t)(MAP_MEMBER_REPEATED | new->flags);
}

// The member that has the key already, or NULL.
static inline struct map_member *find_same(const struct mapper *mapper,
                                           const struct map_member *member)
{
    if (!member->row)
        return find(mapper, member->path, member->hash);
    bool present = mapper->present[member->row / 64] >> (member->row % 64) & 1;
    return present ? &mapper->members[mapper->member_of[member->row]] : NULL;
}

static void keep(struct mapper *mapper, const struct map_member *member)
{
    if (member->row) {
        mapper->present[member->row / 64] |= (uint64_t)1 << (member->row % 64);
        mapper->member_of[member->row] = mapper->count;
        mapper->hoists |= map_keys[member->row].object == MAP_HOIST;
    }
    mapper->groups |= member->group != 0;
    mapper->count++;
    if (mapper->count >= INDEX_FROM && 2 * mapper->count > mapper->index_size) {
        if (!index_build(mapper))
            mapper->failed = true;
    } else if (mapper->index_size) {
        index_add(mapper, mapper->count - 1);
    }
}

struct map_member *map_member_new(struct mapper *mapper)
{
    if (mapper->count == mapper->capacity && !reserve(mapper)) {
        mapper->failed = true;
        return NULL;
    }
    return &mapper->members[mapper->count];
}

void map_member_add(struct mapper *mapper, struct map_member *member)
{
    struct slice path = member->path;
    member->hash = key_hash(path.data, path.size, mapper->seed);
    member->row = map_key_find(mapper, path, member->hash);
    struct map_member *old = find_same(mapper, member);
    if (old)
        settle(mapper, old, member);
    else
        keep(mapper, member);
}

bool map_member_text(struct mapper *mapper, const struct map_member *member, struct slice *out)
{
    struct slice text = member->value.text;
    if (member->flags & MAP_MEMBER_DEEP)
        return false;
    if (member->value.kind == VALUE_TEXT) {
        *out = text;
        return true;
    }
    if (member->value.kind != VALUE_ESCAPED)
        return false;
    if (!text.size || !memchr(text.data, '\\', text.size)) {
        *out = text;
        return true;
    }
    struct json_token string = {.kind = JSON_STRING, .flags = JSON_ESCAPED, .text = text};
    return json_unescape(mapper->arena, &string, out);
}

bool map_member_is_container(const struct map_member *member)
{
    return member->flags & MAP_MEMBER_DEEP ||
           (member->value.kind == VALUE_JSON &&
            (member->value.text.data[0] == '{' || member->value.text.data[0] == '['));
}

bool map_member_is_number(const struct map_member *member)
{
    return member->value.kind == VALUE_INTEGER || member->value.kind == VALUE_DOUBLE ||
           (member->value.kind == VALUE_JSON && !map_member_is_container(member));
}

static bool scale_integer(int64_t integer, unsigned scale, int64_t *out)
{
    for (unsigned i = 0; i < scale; i++)
        if (__builtin_mul_overflow(integer, 10, &integer))
            return false;
    *out = integer;
    return true;
}

static bool scale_double(double number, unsigned scale, int64_t *out)
{
    for (unsigned i = 0; i < scale; i++)
        number *= 10;
    if (!(number > -9.2e18 && number < 9.2e18))
        return false;
    *out = llround(number);
    return true;
}

// The digits as they are written: a double would add noise below the microsecond.
static bool scale_decimal(struct slice text, unsigned scale, int64_t *out)
{
    int64_t result = 0;
    unsigned fraction = 0;
    bool negative = text.data[0] == '-', point = false, round = false;
    for (size_t i = negative; i < text.size; i++) {
        char c = text.data[i];
        if (c == '.') {
            point = true;
            continue;
        }
        if (point && fraction == scale) {
            round = c >= '5';
            break;
        }
        fraction += point;
        if (__builtin_mul_overflow(result, 10, &result) ||
            __builtin_add_overflow(result, c - '0', &result))
            return false;
    }
    if (!scale_integer(result, scale - fraction, &result) ||
        __builtin_add_overflow(result, (int)round, &result))
        return false;
    *out = negative ? -result : result;
    return true;
}

bool map_member_scaled(const struct map_member *member, unsigned scale, int64_t *out)
{
    struct slice text = member->value.text;
    if (member->value.kind == VALUE_INTEGER)
        return scale_integer(member->value.integer, scale, out);
    if (member->value.kind == VALUE_DOUBLE)
        return scale_double(member->value.number, scale, out);
    if (!map_member_is_number(member))
        return false;
    if (!memchr(text.data, 'e', text.size) && !memchr(text.data, 'E', text.size))
        return scale_decimal(text, scale, out);
    char copy[JSON_NUMBER_MAX + 1];
    if (text.size > JSON_NUMBER_MAX)
        return false;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    return scale_double(strtod(copy, NULL), scale, out);
}
