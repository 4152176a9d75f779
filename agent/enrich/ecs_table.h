// The table of ECS fields as the encoder wants it: the text that opens a field, ready to be copied,
// and which objects that opens.
//
// Built once, read-only afterwards.
#ifndef SLUICE_ENRICH_ECS_TABLE_H
#define SLUICE_ENRICH_ECS_TABLE_H

#include "base/slice.h"
#include "enrich/ecs_fields.h"

#include <stdbool.h>
#include <stdint.h>

#define ECS_DEPTH_MAX 4    // objects around a field; the root is not counted
#define ECS_OBJECTS_MAX 64 // distinct objects, the root is 0
#define ECS_KEY_MAX 48     // the longest text that opens a field

struct ecs_field_row {
    struct slice path; // http.request.id
    uint8_t object;    // the innermost object it stands in
    uint8_t depth;     // of that object; the root's is 0
    uint8_t group;     // its outermost object, counted from 1; 0: it stands in the root
    uint8_t from[ECS_DEPTH_MAX + 1]; // where in key the text starts when that many objects are open
    uint8_t key_size;
    char key[2 * ECS_KEY_MAX]; // "http":{"request":{"id": and padding, for copies in fixed strides
};

struct ecs_table {
    struct ecs_field_row rows[ECS_FIELD_COUNT];
    uint8_t common[ECS_OBJECTS_MAX][ECS_OBJECTS_MAX]; // objects that two objects have in common
    uint8_t depth[ECS_OBJECTS_MAX];
    uint8_t objects;
    uint8_t groups;
};

// The same table for everyone; built at the first call. Loop thread only.
const struct ecs_table *ecs_table(void);

enum ecs_path_kind {
    ECS_PATH_UNKNOWN, // nothing of the table is in its way
    ECS_PATH_FIELD,   // a field with a slot
    ECS_PATH_OBJECT,  // an object of the table: a scalar may not stand there
    ECS_PATH_BELOW,   // beneath a field of the table, which is no object
};
// What the table knows of a dotted path. *field is set for ECS_PATH_FIELD.
enum ecs_path_kind ecs_path_kind(struct slice path, enum ecs_field *field);

// Order of paths in which the members of one object stand together: the dot sorts first.
int ecs_path_compare(struct slice a, struct slice b);

#endif
