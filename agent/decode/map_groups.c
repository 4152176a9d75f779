// What no field took of an object such as err or req stays together, as app.err or app.req.
#include "decode/map_members.h"

#include <string.h>

struct writer {
    struct mapper *mapper;
    char *text;
    size_t size;
    size_t capacity;
};

static void put(struct writer *writer, struct slice text)
{
    if (writer->capacity - writer->size < text.size) {
        size_t capacity = 2 * (writer->size + text.size) + 256;
        char *grown = arena_grow(writer->mapper->arena, writer->text, writer->size, capacity);
        if (!grown) {
            writer->mapper->failed = true;
            return;
        }
        writer->text = grown;
        writer->capacity = capacity;
    }
    if (text.size)
        memcpy(writer->text + writer->size, text.data, text.size);
    writer->size += text.size;
}

static void put_string(struct writer *writer, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    size_t plain = 0; // from here on bytes mean themselves
    put(writer, SLICE("\""));
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        char escape[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        put(writer, slice_of(text.data + plain, i - plain));
        put(writer, slice_of(escape, sizeof escape));
        plain = i + 1;
    }
    put(writer, slice_of(text.data + plain, text.size - plain));
    put(writer, SLICE("\""));
}

static void put_value(struct writer *writer, const struct map_member *member)
{
    switch (member->value.kind) {
    case VALUE_TEXT:
        put_string(writer, member->value.text);
        break;
    case VALUE_ESCAPED:
        put(writer, SLICE("\""));
        put(writer, member->value.text);
        put(writer, SLICE("\""));
        break;
    case VALUE_JSON:
        put(writer, member->value.text);
        break;
    case VALUE_NULL:
        put(writer, SLICE("null"));
        break;
    default:
        put(writer, member->raw); // members of groups come from JSON: 12, true
        break;
    }
}

static bool belongs(const struct map_member *member, uint16_t group)
{
    return member->group == group && !(member->flags & MAP_MEMBER_PLACED) &&
           (member->value.kind != VALUE_NULL || member->flags & MAP_MEMBER_NAN);
}

static void place_group(struct mapper *mapper, uint32_t from, uint16_t group)
{
    struct writer writer = {.mapper = mapper};
    size_t prefix = (size_t)map_keys[group].size + 1;
    for (uint32_t i = from; i < mapper->count; i++) {
        struct map_member *member = &mapper->members[i];
        if (!belongs(member, group))
            continue;
        put(&writer, writer.size ? SLICE(",") : SLICE("{"));
        put_string(&writer, slice_of(member->path.data + prefix, member->path.size - prefix));
        put(&writer, SLICE(":"));
        put_value(&writer, member);
        member->flags |= MAP_MEMBER_PLACED;
    }
    put(&writer, SLICE("}"));
    if (mapper->failed)
        return;
    struct named_values *app = &mapper->fields->app;
    struct value object = {.kind = VALUE_JSON, .text = slice_of(writer.text, writer.size)};
    struct slice name = slice_of(map_keys[group].key, map_keys[group].size);
    for (uint32_t i = 0; i < app->count; i++)
        if (slice_equal(app->items[i].name, name))
            return; // the line has the key again, and means the last
    if (!named_values_add(app, mapper->arena, name, object))
        mapper->failed = true;
}

void map_place_groups(struct mapper *mapper)
{
    for (uint32_t i = 0; i < mapper->count && !mapper->failed; i++) {
        uint16_t group = mapper->members[i].group;
        if (group && belongs(&mapper->members[i], group))
            place_group(mapper, i, group);
    }
}
