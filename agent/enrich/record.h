// A log record after decode: parsed numbers, and values that are views into the read buffer or the
// scratch arena.
//
// The ECS fields we know have a slot each (enrich/ecs_fields.h); everything else is in lists. A
// record has layers: its own values, then those of the resource it came with, then the agent's.
// Valid until the next record.
#ifndef SLUICE_ENRICH_RECORD_H
#define SLUICE_ENRICH_RECORD_H

#include "base/arena.h"
#include "base/slice.h"
#include "enrich/ecs_fields.h"

#include <stdbool.h>
#include <stdint.h>

enum value_kind {
    VALUE_NULL,
    VALUE_TEXT,    // text: valid UTF-8, to be escaped for JSON
    VALUE_ESCAPED, // text: already the inside of a JSON string (valid UTF-8, escapes kept), to be
                   // copied
    VALUE_JSON,    // text: strict JSON of any type (an object, an array, a number), to be copied
    VALUE_INTEGER,
    VALUE_DOUBLE, // finite
    VALUE_BOOLEAN,
};

struct value {
    enum value_kind kind;
    union {
        struct slice text;
        int64_t integer;
        double number;
        bool boolean;
    };
};

struct named_value {
    struct slice name; // VALUE_TEXT form: valid UTF-8, not escaped
    struct value value;
};

struct named_values {
    struct named_value *items; // in an arena
    uint32_t count;
    uint32_t capacity;
};

#define FIELDS_WORDS ((ECS_FIELD_COUNT + 63) / 64)

// One layer of a record.
struct fields {
    uint64_t present[FIELDS_WORDS];
    struct value ecs[ECS_FIELD_COUNT];  // only where present
    struct named_values labels;         // labels.NAME: text and booleans
    struct named_values numeric_labels; // numeric_labels.NAME: numbers
    struct named_values app;   // app.NAME: objects and arrays (VALUE_JSON), mapped flattened
    struct named_values other; // dotted ECS paths without a slot, kept where they are
};

static inline bool fields_has(const struct fields *fields, enum ecs_field field)
{
    return fields->present[field / 64] >> (field % 64) & 1;
}

static inline void fields_set(struct fields *fields, enum ecs_field field, struct value value)
{
    fields->ecs[field] = value;
    fields->present[field / 64] |= (uint64_t)1 << (field % 64);
}

static inline void fields_unset(struct fields *fields, enum ecs_field field)
{
    fields->present[field / 64] &= ~((uint64_t)1 << (field % 64));
}

// Forgets everything; the slots' old values stay but are not present.
void fields_clear(struct fields *fields);
// Appends in the arena (which outlives the layer). False where memory ran out.
bool named_values_add(struct named_values *list, struct arena *arena, struct slice name,
                      struct value value);

struct record {
    uint64_t time_ns;     // @timestamp; 0: none, the time of receipt is taken
    uint64_t observed_ns; // event.created; 0: none
    uint8_t severity;     // OTel number 1..24; 0 unknown (counts as info)
    bool truncated;       // log.flags
    bool sheds;        // its door (DOOR_SHED) waits no more: a log that asks the door may refuse it
    uint8_t stream[8]; // the client's stream, where it has one
    uint64_t sequence; // in that stream; or among what its connection brought; 0: none
    bool resend;       // the client may have sent it before: logs that have it keep no second
    bool has_sequence; // stream and sequence are its id; else the agent's own counter gives it
    struct fields own;
    const struct fields *resource; // may be NULL
};

#endif
