// The general path: slots and dotted paths without a slot, merged into one tree of objects.
//
// Off the fast path: only records with such paths come here. Paths are collected, sorted, freed of
// clashes and walked. What the table of ECS fields says of a path stands, whether or not this
// record uses it: Elasticsearch has mapped it so.
#include "enrich/ecs_parts.h"

#include <stdlib.h>

#define PATH_DEPTH_MAX 16 // objects; Elasticsearch refuses documents deeper than 20

struct leaf {
    struct slice path;
    const struct value *value;
    unsigned layer;
};

struct leaves {
    struct leaf *items;
    size_t count;
};

static void lose(struct ecs_document *document)
{
    document->out.full = true; // no memory: refused whole rather than written in part
}

// VALUE_JSON may be a number whose own digits are kept, too.
static bool is_container(const struct value *value)
{
    return value->kind == VALUE_JSON && value->text.size &&
           (value->text.data[0] == '{' || value->text.data[0] == '[');
}

static bool is_number(const struct value *value)
{
    if (value->kind == VALUE_JSON && value->text.size)
        return value->text.data[0] == '-' ||
               (value->text.data[0] >= '0' && value->text.data[0] <= '9');
    return value->kind == VALUE_INTEGER || value->kind == VALUE_DOUBLE;
}

static void put_aside(struct ecs_document *document, struct named_values *list, struct slice path,
                      const struct value *value)
{
    struct arena *arena = &document->encoder->scratch;
    char *name = arena_alloc(arena, path.size);
    if (!name) {
        lose(document);
        return;
    }
    for (size_t i = 0; i < path.size; i++)
        name[i] = path.data[i] == '.' ? '_' : path.data[i];
    if (!named_values_add(list, arena, slice_of(name, path.size), *value))
        lose(document);
}

// A value whose path is taken: scalars become labels, objects and arrays go to app.
static void put_clash(struct ecs_document *document, const struct leaf *leaf)
{
    bool container = is_container(leaf->value);
    put_aside(document, container ? &document->extra_app : &document->extra_labels, leaf->path,
              leaf->value);
}

static bool starts_with(struct slice path, struct slice root)
{
    return path.size > root.size && memcmp(path.data, root.data, root.size) == 0;
}

// labels.NAME, numeric_labels.NAME and app.NAME belong to the lists.
static bool put_listed(struct ecs_document *document, const struct leaf *leaf)
{
    const struct {
        struct slice root;
        struct named_values *list;
    } roots[] = {
        {{"labels.", 7}, &document->extra_labels},
        {{"numeric_labels.", 15},
         is_number(leaf->value) ? &document->extra_numbers : &document->extra_labels},
        {{"app.", 4}, &document->extra_app},
    };
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        if (!starts_with(leaf->path, roots[i].root))
            continue;
        struct slice name =
            slice_of(leaf->path.data + roots[i].root.size, leaf->path.size - roots[i].root.size);
        put_aside(document, roots[i].list, name, leaf->value);
        return true;
    }
    return false;
}

static bool path_usable(struct slice path)
{
    size_t dots = 0;
    bool empty = true; // the segment so far
    for (size_t i = 0; i < path.size; i++) {
        if (path.data[i] != '.') {
            empty = false;
            continue;
        }
        if (empty || ++dots > PATH_DEPTH_MAX)
            return false;
        empty = true;
    }
    bool list = slice_equal(path, SLICE("labels")) || slice_equal(path, SLICE("numeric_labels")) ||
                slice_equal(path, SLICE("app"));
    return !empty && !list;
}

static void add_path(struct ecs_document *document, struct leaves *leaves, const struct leaf *leaf)
{
    enum ecs_field field;
    if (put_listed(document, leaf))
        return;
    bool clash = !path_usable(leaf->path);
    switch (clash ? ECS_PATH_UNKNOWN : ecs_path_kind(leaf->path, &field)) {
    case ECS_PATH_UNKNOWN:
        break;
    case ECS_PATH_FIELD:
        clash = ecs_strongest(document->layers, field) != NULL;
        break;
    case ECS_PATH_OBJECT:
    case ECS_PATH_BELOW:
        clash = true;
        break;
    }
    if (clash)
        put_clash(document, leaf);
    else
        leaves->items[leaves->count++] = *leaf;
}

static bool collect(struct ecs_document *document, struct leaves *leaves)
{
    size_t most = ECS_FIELD_COUNT;
    for (unsigned layer = 0; layer < LAYER_COUNT; layer++)
        most += document->layers[layer] ? document->layers[layer]->other.count : 0;
    leaves->count = 0;
    leaves->items = arena_alloc(&document->encoder->scratch, most * sizeof *leaves->items);
    if (!leaves->items)
        return false;
    for (unsigned i = 0; i < ECS_FIELD_COUNT; i++) {
        const struct value *value = ecs_strongest(document->layers, (enum ecs_field)i);
        if (value)
            leaves->items[leaves->count++] =
                (struct leaf){document->encoder->table->rows[i].path, value, LAYER_OWN};
    }
    for (unsigned layer = 0; layer < LAYER_COUNT; layer++) {
        const struct fields *fields = document->layers[layer];
        for (uint32_t i = 0; fields && i < fields->other.count; i++) {
            const struct named_value *item = &fields->other.items[i];
            add_path(document, leaves, &(struct leaf){item->name, &item->value, layer});
        }
    }
    return true;
}

static int leaf_compare(const void *a, const void *b)
{
    const struct leaf *left = a;
    const struct leaf *right = b;
    int order = ecs_path_compare(left->path, right->path);
    if (order == 0)
        order = (left->layer > right->layer) - (left->layer < right->layer);
    return order;
}

static bool is_object_of(struct slice object, struct slice path)
{
    return starts_with(path, object) && path.data[object.size] == '.';
}

// Keeps the strongest of equal paths, and of a scalar and an object the object.
static void resolve(struct ecs_document *document, struct leaves *leaves)
{
    size_t kept = 0;
    for (size_t i = 0; i < leaves->count; i++) {
        struct leaf *leaf = &leaves->items[i];
        const struct leaf *last = kept ? &leaves->items[kept - 1] : NULL;
        if (last && slice_equal(last->path, leaf->path)) {
            if (last->layer == leaf->layer)
                put_clash(document, leaf);
            continue;
        }
        size_t next = i + 1;
        while (next < leaves->count && slice_equal(leaves->items[next].path, leaf->path))
            next++;
        if (next < leaves->count && is_object_of(leaf->path, leaves->items[next].path)) {
            put_clash(document, leaf);
            i = next - 1; // weaker values of the same path go with it
            continue;
        }
        leaves->items[kept++] = *leaf;
    }
    leaves->count = kept;
}

// The bytes up to and including the last dot that two paths share.
static size_t common_objects(struct slice a, struct slice b)
{
    size_t common = 0;
    for (size_t i = 0; i < a.size && i < b.size && a.data[i] == b.data[i]; i++) {
        if (a.data[i] == '.')
            common = i + 1;
    }
    return common;
}

static void write_leaf(struct json_out *out, struct slice before, const struct leaf *leaf)
{
    size_t at = common_objects(before, leaf->path);
    for (size_t i = at; i < before.size; i++) {
        if (before.data[i] == '.')
            json_byte(out, '}');
    }
    json_byte(out, ',');
    while (at < leaf->path.size) {
        const char *dot = memchr(leaf->path.data + at, '.', leaf->path.size - at);
        size_t end = dot ? (size_t)(dot - leaf->path.data) : leaf->path.size;
        json_string(out, slice_of(leaf->path.data + at, end - at));
        json_raw(out, ":{", dot ? 2 : 1);
        at = end + 1;
    }
    json_value(out, leaf->value);
}

void ecs_write_tree(struct ecs_document *document)
{
    struct leaves leaves;
    if (!collect(document, &leaves)) {
        lose(document);
        return;
    }
    qsort(leaves.items, leaves.count, sizeof *leaves.items, leaf_compare);
    resolve(document, &leaves);
    struct slice before = {0};
    for (size_t i = 0; i < leaves.count && !document->out.full; i++) {
        write_leaf(&document->out, before, &leaves.items[i]);
        before = leaves.items[i].path;
    }
    for (size_t i = 0; i < before.size; i++) {
        if (before.data[i] == '.')
            json_byte(&document->out, '}');
    }
}
