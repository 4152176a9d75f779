// Walks the fields that are present, in the table's order, and opens and closes each object once.
//
// Objects that only the agent fills were rendered at start and are copied. The table is sorted so
// that an object's fields stand together: the walk needs no tree and no sorting. Every member
// starts with a comma; the very first comma of a document becomes its brace.
#include "enrich/ecs_encode.h"

#include "enrich/ecs_parts.h"

#include <assert.h>

_Static_assert(ECS_DEPTH_MAX + 1 + ECS_KEY_MAX <= JSON_SLACK, "what opens a field fits the slack");

// Closes what the last field's object and this one do not share, and opens the rest. The caller
// has seen that the cursor is within the limit: all this fits the slack.
static inline void open_field(struct json_out *out, const struct ecs_table *table,
                              const struct ecs_field_row *row, unsigned *object)
{
    unsigned common = row->depth;
    if (row->object != *object) {
        common = table->common[*object][row->object];
        memcpy(out->at, "}}}}", 4);
        out->at += table->depth[*object] - common;
        *object = row->object;
    }
    *out->at++ = ',';
    memcpy(out->at, row->key + row->from[common], ECS_KEY_MAX);
    out->at += row->key_size - row->from[common];
}

static inline void write_value(struct json_out *out, const struct value *value)
{
    if (value->kind == VALUE_ESCAPED) {
        if (!json_room(out, value->text.size + 2))
            return;
        *out->at++ = '"';
        json_copy(out->at, value->text.data, value->text.size);
        out->at += value->text.size;
        *out->at++ = '"';
    } else {
        json_value(out, value);
    }
}

static void close_objects(struct json_out *out, unsigned depth)
{
    while (depth--)
        json_byte(out, '}');
}

void ecs_write_slots(struct ecs_document *document, const uint64_t mask[FIELDS_WORDS])
{
    const struct ecs_encoder *encoder = document->encoder;
    const struct ecs_table *table = encoder->table;
    struct json_out *out = &document->out;
    unsigned object = 0;
    for (unsigned word = 0; word < FIELDS_WORDS; word++) {
        for (uint64_t left = mask[word]; left && !out->full; left &= left - 1) {
            unsigned field = word * 64 + (unsigned)__builtin_ctzll(left);
            const struct value *value = ecs_strongest(document->layers, (enum ecs_field)field);
            assert(value);
            if (!json_room(out, JSON_SLACK)) // leaves the limit where open_field may use the slack
                return;
            open_field(out, table, &table->rows[field], &object);
            write_value(out, value);
        }
    }
    close_objects(out, table->depth[object]);
}

// Copies the objects that only the agent fills, and takes their fields out of the walk.
static void write_constants(struct ecs_document *document, const uint64_t strong[FIELDS_WORDS],
                            uint64_t walk[FIELDS_WORDS])
{
    const struct ecs_encoder *encoder = document->encoder;
    bool shared = false;
    for (unsigned i = 0; i < FIELDS_WORDS; i++) {
        shared |= (strong[i] & encoder->constant_mask[i]) != 0;
        walk[i] &= ~encoder->constant_mask[i];
    }
    if (!shared) {
        json_raw(&document->out, encoder->constants_text.data, encoder->constants_text.size);
        return;
    }
    for (unsigned c = 0; c < encoder->constant_count; c++) {
        const struct ecs_constant *constant = &encoder->constants[c];
        shared = false;
        for (unsigned i = 0; i < FIELDS_WORDS; i++)
            shared |= (strong[i] & constant->mask[i]) != 0;
        if (!shared)
            json_raw(&document->out, constant->text.data, constant->text.size);
        for (unsigned i = 0; shared && i < FIELDS_WORDS; i++)
            walk[i] |= (strong[i] | encoder->agent.present[i]) & constant->mask[i];
    }
}

static void write_merged(struct ecs_document *document)
{
    uint64_t strong[FIELDS_WORDS];
    uint64_t walk[FIELDS_WORDS];
    for (unsigned i = 0; i < FIELDS_WORDS; i++) {
        strong[i] = document->layers[LAYER_OWN]->present[i];
        if (document->layers[LAYER_RESOURCE])
            strong[i] |= document->layers[LAYER_RESOURCE]->present[i];
        walk[i] = strong[i] | document->encoder->agent.present[i];
    }
    // The time first, for who reads documents by eye; then whole objects, whose place JSON leaves
    // open; then the walk.
    uint64_t time[FIELDS_WORDS] = {[ECS_TIMESTAMP / 64] = (uint64_t)1 << (ECS_TIMESTAMP % 64)};
    ecs_write_slots(document, time);
    walk[ECS_TIMESTAMP / 64] &= ~time[ECS_TIMESTAMP / 64];
    write_constants(document, strong, walk);
    ecs_write_slots(document, walk);
}

static struct ecs_document document_of(struct ecs_encoder *encoder, const struct record *record)
{
    return (struct ecs_document){
        .encoder = encoder,
        .layers = {&record->own, record->resource, &encoder->agent},
    };
}

const struct value *ecs_value(const struct ecs_encoder *encoder, const struct record *record,
                              enum ecs_field field)
{
    const struct fields *const layers[LAYER_COUNT] = {&record->own, record->resource,
                                                      &encoder->agent};
    return ecs_strongest(layers, field);
}

size_t ecs_encode(struct ecs_encoder *encoder, const struct record *record, uint8_t *data,
                  size_t capacity)
{
    if (capacity < 2 * JSON_SLACK)
        return 0;
    struct ecs_document document = document_of(encoder, record);
    document.out = json_out_of(data, capacity);
    bool paths = record->own.other.count || (record->resource && record->resource->other.count);
    if (paths)
        ecs_write_tree(&document);
    else
        write_merged(&document);
    ecs_write_lists(&document);
    json_raw(&document.out, "}\n", 2);
    if (document.out.full)
        return 0;
    assert(data[0] == ',');
    data[0] = '{';
    return (size_t)(document.out.at - data);
}
