// A setting that names a field of the record: an ECS path with a slot, or labels.NAME.
//
// Looked up once, when enrich is made; reading it costs no search by name. Loop thread only.
#ifndef SLUICE_ENRICH_FIELD_PATH_H
#define SLUICE_ENRICH_FIELD_PATH_H

#include "enrich/ecs_encode.h"

struct field_path {
    enum ecs_field field; // ECS_FIELD_COUNT: a label, or nothing
    struct slice label;   // NAME, a view into the path that it was made of
};

// path is borrowed and must outlive it. 0, or -EINVAL: nobody could look anything up there.
int field_path_of(struct field_path *out, struct slice path);

static inline bool field_path_is_set(const struct field_path *path)
{
    return path->field < ECS_FIELD_COUNT || path->label.size;
}

// The value's own text, at most room bytes, cut between characters: text without quotes and
// escapes, a number in decimal. Either a view into the record, or into scratch (room bytes). data
// NULL: the record has none, or null.
#define FIELD_TEXT_MIN 256  // room, at least
#define FIELD_TEXT_MAX 1024 // what a key and a header hold of one field
struct slice field_path_text(const struct field_path *path, const struct ecs_encoder *encoder,
                             const struct record *record, char *scratch, size_t room);

#endif
