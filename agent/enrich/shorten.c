// One level for all texts, as high as possible: what is longer is cut there, so the longest give
// most.
#include "enrich/shorten.h"

#include "enrich/ecs_table.h"

#include <string.h>

#define TEXT_MIN 64     // bytes: shorter texts stay, ids and names among them
#define MEMBER_FIXED 8  // quotes, colon, comma
#define NUMBER_BYTES 32 // of any value that is no text, at most
#define PATH_FACTOR 3   // a dotted path as nested objects: a.b is "a":{"b":…}

// Bytes of a character of valid UTF-8 inside a JSON string.
static size_t escaped_byte(unsigned char byte)
{
    if (byte == '"' || byte == '\\')
        return 2;
    if (byte >= 0x20)
        return 1;
    return strchr("\b\t\n\f\r", byte) && byte ? 2 : 6;
}

static size_t escaped_size(struct slice text)
{
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++)
        size += escaped_byte((unsigned char)text.data[i]);
    return size;
}

// The longest prefix of text that takes at most level bytes when it is escaped.
static struct slice cut_text(struct slice text, size_t level)
{
    size_t size = 0, used = 0;
    while (size < text.size) {
        used += escaped_byte((unsigned char)text.data[size]);
        if (used > level)
            break;
        size++;
    }
    while (size && size < text.size && ((unsigned char)text.data[size] & 0xc0) == 0x80)
        size--;
    return slice_of(text.data, size);
}

static bool is_unicode_escape(struct slice text, size_t at)
{
    return text.size - at >= 6 && text.data[at] == '\\' && text.data[at + 1] == 'u';
}

// Whether a surrogate pair, two escapes that are one character, starts there.
static bool is_pair(struct slice text, size_t at)
{
    char kind = (char)(text.data[at + 2] | 0x20);
    char half = (char)(text.data[at + 3] | 0x20);
    return kind == 'd' &&
           (half == ('8' | 0x20) || half == ('9' | 0x20) || half == 'a' || half == 'b') &&
           is_unicode_escape(text, at + 6);
}

// The same of text that is escaped already: no escape is parted, nor a pair of them.
static struct slice cut_escaped(struct slice text, size_t level)
{
    size_t at = 0;
    while (at < text.size) {
        size_t size = 1;
        if (is_unicode_escape(text, at))
            size = is_pair(text, at) ? 12 : 6;
        else if (text.data[at] == '\\')
            size = 2;
        if (size > text.size - at || at + size > level)
            break;
        at += size;
    }
    while (at && at < text.size && ((unsigned char)text.data[at] & 0xc0) == 0x80)
        at--;
    return slice_of(text.data, at);
}

static void cut_value(struct long_text *text, size_t level)
{
    struct value *value = text->value;
    if (text->size <= level)
        return;
    if (value->kind == VALUE_ESCAPED) {
        value->text = cut_escaped(value->text, level);
        text->size = value->text.size;
    } else { // what was an object or an array becomes the start of its text
        value->text = cut_text(value->text, level);
        value->kind = VALUE_TEXT;
        text->size = escaped_size(value->text);
    }
}

static void measure(struct shortening *to, struct value *value, bool label)
{
    bool text = value->kind == VALUE_TEXT || (value->kind == VALUE_JSON && label);
    bool plain = value->kind == VALUE_ESCAPED || (value->kind == VALUE_JSON && !label);
    size_t size = text ? escaped_size(value->text) : plain ? value->text.size : NUMBER_BYTES;
    if ((text || plain) && size > TEXT_MIN) {
        to->texts[to->count++] = (struct long_text){value, size};
        to->bytes += size;
    } else {
        to->rest += size;
    }
}

static void measure_list(struct shortening *to, const struct named_values *list, size_t factor,
                         bool label)
{
    for (uint32_t i = 0; i < list->count; i++) {
        to->rest += factor * escaped_size(list->items[i].name) + MEMBER_FIXED;
        measure(to, &list->items[i].value, label);
    }
}

static void measure_layer(struct shortening *to, struct fields *fields)
{
    const struct ecs_table *table = ecs_table();
    for (unsigned i = 0; i < ECS_FIELD_COUNT; i++) {
        if (!fields_has(fields, (enum ecs_field)i))
            continue;
        to->rest += (size_t)table->rows[i].key_size + table->rows[i].depth + MEMBER_FIXED;
        measure(to, &fields->ecs[i], false);
    }
    measure_list(to, &fields->labels, 1, true);
    measure_list(to, &fields->numeric_labels, 1, false);
    measure_list(to, &fields->app, 1, false);
    measure_list(to, &fields->other, PATH_FACTOR, true);
}

static size_t values_of(const struct fields *fields)
{
    return ECS_FIELD_COUNT + (size_t)fields->labels.count + fields->numeric_labels.count +
           fields->app.count + fields->other.count;
}

static bool copy_list(struct named_values *list, struct arena *arena)
{
    if (!list->count)
        return true;
    struct named_value *items = arena_alloc(arena, list->count * sizeof *items);
    if (!items)
        return false;
    memcpy(items, list->items, list->count * sizeof *items);
    list->items = items;
    list->capacity = list->count;
    return true;
}

// The resource is shared with the connection's other records.
static struct fields *copy_resource(const struct fields *resource, struct arena *arena)
{
    struct fields *copy = arena_alloc(arena, sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *resource;
    bool ok = copy_list(&copy->labels, arena) && copy_list(&copy->numeric_labels, arena) &&
              copy_list(&copy->app, arena) && copy_list(&copy->other, arena);
    return ok ? copy : NULL;
}

static void measure_all(struct shortening *to)
{
    to->count = 0;
    to->bytes = 0;
    to->rest = to->overhead;
    measure_layer(to, &to->record->own);
    if (to->resource)
        measure_layer(to, to->resource);
}

bool shorten_start(struct shortening *shortening, struct record *record, struct arena *arena,
                   size_t overhead)
{
    *shortening = (struct shortening){.record = record, .overhead = overhead};
    size_t most = values_of(&record->own);
    if (record->resource) {
        most += values_of(record->resource);
        shortening->resource = copy_resource(record->resource, arena);
        if (!shortening->resource)
            return false;
    }
    shortening->texts = arena_alloc(arena, most * sizeof *shortening->texts);
    if (!shortening->texts)
        return false;
    record->resource = shortening->resource;
    measure_all(shortening);
    return true;
}

size_t shorten_size(const struct shortening *shortening)
{
    return shortening->bytes + shortening->rest;
}

static size_t bytes_at(const struct shortening *shortening, size_t level)
{
    size_t bytes = 0;
    for (size_t i = 0; i < shortening->count; i++) {
        size_t size = shortening->texts[i].size;
        bytes += size < level ? size : level;
    }
    return bytes;
}

// Drops the last half of every list. False: they are empty.
static bool halve_lists(struct fields *fields)
{
    struct named_values *const lists[4] = {&fields->labels, &fields->numeric_labels, &fields->app,
                                           &fields->other};
    bool any = false;
    for (size_t i = 0; i < 4; i++) {
        any |= lists[i]->count > 0;
        lists[i]->count /= 2;
    }
    return any;
}

bool shorten_to(struct shortening *shortening, size_t size)
{
    struct shortening *to = shortening;
    while (size < to->rest || bytes_at(to, TEXT_MIN) > size - to->rest) {
        bool any = halve_lists(&to->record->own);
        if (to->resource)
            any |= halve_lists(to->resource);
        if (!any)
            return false;
        measure_all(to);
    }
    size_t low = TEXT_MIN; // fits
    size_t high = size - to->rest > low ? size - to->rest : low;
    while (low < high) {
        size_t level = high - (high - low) / 2;
        if (bytes_at(to, level) <= size - to->rest)
            low = level;
        else
            high = level - 1;
    }
    to->bytes = 0;
    for (size_t i = 0; i < to->count; i++) {
        cut_value(&to->texts[i], low);
        to->bytes += to->texts[i].size;
    }
    return true;
}
