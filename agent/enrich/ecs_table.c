// Turns the list of ECS fields into the text and the object tree that the encoder walks.
#include "enrich/ecs_table.h"

#include <assert.h>

static struct ecs_table table;

static const struct slice paths[ECS_FIELD_COUNT] = {
#define ECS_FIELD_PATH(name, path, type) {(path), sizeof(path) - 1},
    ECS_FIELDS(ECS_FIELD_PATH)
#undef ECS_FIELD_PATH
};

static struct slice prefix_of(const struct ecs_field_row *row, unsigned depth)
{
    size_t size = 0;
    for (unsigned dots = 0; size < row->path.size; size++) {
        if (row->path.data[size] == '.' && ++dots == depth)
            break;
    }
    return slice_of(row->path.data, size);
}

static void render_key(struct ecs_field_row *row)
{
    char *out = row->key;
    *out++ = '"';
    for (size_t i = 0; i < row->path.size; i++) {
        if (row->path.data[i] != '.') {
            *out++ = row->path.data[i];
            continue;
        }
        memcpy(out, "\":{", 3);
        out += 3;
        row->depth++;
        assert(row->depth <= ECS_DEPTH_MAX);
        row->from[row->depth] = (uint8_t)(out - row->key);
        *out++ = '"';
    }
    memcpy(out, "\":", 2);
    row->key_size = (uint8_t)(out + 2 - row->key);
    assert(row->key_size <= ECS_KEY_MAX);
}

static bool same_prefix(const struct ecs_field_row *a, const struct ecs_field_row *b,
                        unsigned depth)
{
    return a->depth >= depth && b->depth >= depth &&
           slice_equal(prefix_of(a, depth), prefix_of(b, depth));
}

// Fields of one object stand together, so a field's object is that of its predecessors or new.
static void number_objects(void)
{
    const struct ecs_field_row *owner[ECS_OBJECTS_MAX] = {NULL};
    table.objects = 1;
    for (unsigned i = 0; i < ECS_FIELD_COUNT; i++) {
        struct ecs_field_row *row = &table.rows[i];
        for (unsigned object = 1; row->depth && object < table.objects; object++) {
            if (owner[object]->depth == row->depth && same_prefix(owner[object], row, row->depth))
                row->object = (uint8_t)object;
        }
        if (row->depth && !row->object) {
            assert(table.objects < ECS_OBJECTS_MAX);
            table.depth[table.objects] = row->depth;
            owner[table.objects] = row;
            row->object = table.objects++;
        }
        if (row->depth)
            row->group =
                i && same_prefix(row, &table.rows[i - 1], 1) ? table.groups : ++table.groups;
    }
    for (unsigned a = 1; a < table.objects; a++) {
        for (unsigned b = 1; b < table.objects; b++) {
            while (same_prefix(owner[a], owner[b], table.common[a][b] + 1u))
                table.common[a][b]++;
        }
    }
}

const struct ecs_table *ecs_table(void)
{
    if (table.objects)
        return &table;
    for (unsigned i = 0; i < ECS_FIELD_COUNT; i++) {
        table.rows[i].path = paths[i];
        // The walk over the present fields relies on this order.
        assert(i == 0 || ecs_path_compare(paths[i - 1], paths[i]) < 0);
        render_key(&table.rows[i]);
    }
    number_objects();
    return &table;
}

static unsigned path_rank(char byte)
{
    return byte == '.' ? 0 : (unsigned char)byte + 1u;
}

int ecs_path_compare(struct slice a, struct slice b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    for (size_t i = 0; i < size; i++) {
        if (a.data[i] != b.data[i])
            return path_rank(a.data[i]) < path_rank(b.data[i]) ? -1 : 1;
    }
    return (a.size > b.size) - (a.size < b.size);
}

static bool beneath(struct slice path, struct slice object)
{
    return path.size > object.size && path.data[object.size] == '.' &&
           memcmp(path.data, object.data, object.size) == 0;
}

enum ecs_path_kind ecs_path_kind(struct slice path, enum ecs_field *field)
{
    for (unsigned i = 0; i < ECS_FIELD_COUNT; i++) {
        if (slice_equal(paths[i], path)) {
            *field = (enum ecs_field)i;
            return ECS_PATH_FIELD;
        }
        if (beneath(paths[i], path))
            return ECS_PATH_OBJECT;
        if (beneath(path, paths[i]))
            return i == ECS_KUBERNETES_LABELS ? ECS_PATH_UNKNOWN : ECS_PATH_BELOW; // an object
    }
    return ECS_PATH_UNKNOWN;
}
