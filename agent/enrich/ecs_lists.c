// The open-ended objects labels, numeric_labels and app: layers merged by name, each name once.
#include "enrich/ecs_parts.h"

#include <stdio.h>

struct list {
    const char *open; // ,"labels":{
    void (*write)(struct json_out *out, const struct value *value);
    const struct named_values *layers[LAYER_COUNT + 1]; // own, what the tree left over, resource …
};

static const unsigned strength[LAYER_COUNT + 1] = {LAYER_OWN, LAYER_OWN, LAYER_RESOURCE,
                                                   LAYER_AGENT};

// A second value of a name that is taken gets _2, _3 …: nothing is lost. data NULL: no memory.
static struct slice free_name(struct ecs_encoder *encoder, struct slice name, unsigned layer)
{
    size_t room = name.size + 12;
    char *text = arena_alloc(&encoder->scratch, room);
    if (!text)
        return (struct slice){0};
    memcpy(text, name.data, name.size);
    for (unsigned n = 2;; n++) {
        int digits = snprintf(text + name.size, 12, "_%u", n);
        struct slice next = slice_of(text, name.size + (size_t)digits);
        if (name_set_add(&encoder->names, next, layer) == NAME_NEW)
            return next;
    }
}

static bool name_for(struct ecs_encoder *encoder, struct slice *name, unsigned layer)
{
    switch (name_set_add(&encoder->names, *name, layer)) {
    case NAME_NEW:
        return true;
    case NAME_TWICE:
        *name = free_name(encoder, *name, layer);
        return name->data != NULL;
    case NAME_HIDDEN:
        break;
    }
    return false;
}

static void write_list(struct ecs_document *document, const struct list *list)
{
    uint32_t total = 0;
    for (unsigned i = 0; i <= LAYER_COUNT; i++)
        total += list->layers[i] ? list->layers[i]->count : 0;
    if (total == 0)
        return;
    struct json_out *out = &document->out;
    if (!name_set_start(&document->encoder->names, total)) {
        out->full = true; // as if it were too large: better refused whole than a key twice
        return;
    }
    json_raw(out, list->open, strlen(list->open));
    for (unsigned i = 0; i <= LAYER_COUNT; i++) {
        for (uint32_t n = 0; list->layers[i] && n < list->layers[i]->count && !out->full; n++) {
            const struct named_value *item = &list->layers[i]->items[n];
            struct slice name = item->name;
            if (!name_for(document->encoder, &name, strength[i]))
                continue;
            json_string(out, name);
            json_byte(out, ':');
            list->write(out, &item->value);
            json_byte(out, ',');
        }
    }
    // The comma after the last member becomes the brace: the strongest layer's first name is
    // always written.
    if (!out->full)
        out->at[-1] = '}';
}

void ecs_write_lists(struct ecs_document *document)
{
    const struct fields *const *layers = document->layers;
    const struct fields *resource = layers[LAYER_RESOURCE];
    const struct fields *own = layers[LAYER_OWN];
    const struct fields *agent = layers[LAYER_AGENT];
    const struct list lists[] = {
        {",\"labels\":{",
         json_label_value,
         {&own->labels, &document->extra_labels, resource ? &resource->labels : NULL,
          &agent->labels}},
        {",\"numeric_labels\":{",
         json_value,
         {&own->numeric_labels, &document->extra_numbers,
          resource ? &resource->numeric_labels : NULL, &agent->numeric_labels}},
        {",\"app\":{",
         json_value,
         {&own->app, &document->extra_app, resource ? &resource->app : NULL, &agent->app}},
    };
    for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++)
        write_list(document, &lists[i]);
}
