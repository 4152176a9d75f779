// Text with fields of the record in braces: a Kafka topic such as logs.{service.name}, or a
// header's value.
//
// Compiled once; rendering is copies. Loop thread only.
#ifndef SLUICE_ENRICH_TEMPLATE_H
#define SLUICE_ENRICH_TEMPLATE_H

#include "enrich/field_path.h"

#define TOPIC_MAX 249 // bytes, Kafka's limit

struct template_part {
    struct slice literal;    // before the field
    struct field_path field; // not set: the last part's
};

struct template
{
    char *text; // what the parts point into
    struct template_part *parts;
    size_t count;
    size_t fields;
    size_t literals; // bytes
};

// 0, -ENOMEM, or -EINVAL: a brace without its other, or a field that nobody could look up.
int template_compile(struct template *out, struct slice text);
void template_deinit(struct template *compiled);

// A topic's name: what Kafka does not allow in one becomes '_', a missing field `unknown`, and long
// values are cut so that the rest stays. `other` (NULL: the fields') takes every field's place.
// Returns the bytes, 1 to TOPIC_MAX.
size_t template_topic(const struct template *compiled, const struct ecs_encoder *encoder,
                      const struct record *record, const char *other, char out[TOPIC_MAX]);

// The text as it is, FIELD_TEXT_MAX bytes of a field at most, room in all. Returns its size;
// SIZE_MAX where a field is missing, room + 1 where it is longer.
size_t template_text(const struct template *compiled, const struct ecs_encoder *encoder,
                     const struct record *record, char *out, size_t room);

// Which topics a template has made so far, up to a number of them.
struct topic_set {
    uint64_t *hashes; // 0: free
    size_t capacity;  // a power of two, at least twice max
    size_t count;
    size_t max;
    uint64_t seed; // so that nobody can choose names that collide
};

// 0 or -ENOMEM.
int topic_set_init(struct topic_set *set, size_t max);
void topic_set_deinit(struct topic_set *set);
// Whether the name is there, or could be added.
bool topic_set_take(struct topic_set *set, struct slice name);

#endif
