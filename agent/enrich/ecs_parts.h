// The inside of the ECS encoder: what its sources share.
//
// Private to enrich/ecs_*.c.
#ifndef SLUICE_ENRICH_ECS_PARTS_H
#define SLUICE_ENRICH_ECS_PARTS_H

#include "enrich/ecs_encode.h"

enum { LAYER_OWN, LAYER_RESOURCE, LAYER_AGENT, LAYER_COUNT };

// What encoding one document works with.
struct ecs_document {
    struct ecs_encoder *encoder;
    const struct fields *layers[LAYER_COUNT]; // NULL: there is none
    struct json_out out;
    // What the general path found no other place for; as strong as the record's own.
    struct named_values extra_labels;
    struct named_values extra_numbers;
    struct named_values extra_app;
};

// ecs_encode.c: the slots alone, in the table's order; every member begins with a comma.
void ecs_write_slots(struct ecs_document *document, const uint64_t mask[FIELDS_WORDS]);
// ecs_tree.c: slots and the paths without a slot, as one tree.
void ecs_write_tree(struct ecs_document *document);
// ecs_lists.c: labels, numeric_labels, app.
void ecs_write_lists(struct ecs_document *document);

// The strongest layer that has the field.
static inline const struct value *ecs_strongest(const struct fields *const *layers,
                                                enum ecs_field field)
{
    for (unsigned i = 0; i < LAYER_COUNT; i++) {
        if (layers[i] && fields_has(layers[i], field))
            return &layers[i]->ecs[field];
    }
    return NULL;
}

#endif
