// The general mapping from any logger's keys to ECS: keys and values in, one layer of a record out.
//
// Values are collected first and placed at the end, because what a key means depends on its
// neighbours (pino's "level":30 and zap's "duration":1.5) and never on their order. The table of
// keys is map_keys.c. Source: Elastic Common Schema 8.11. Loop thread only; no heap allocation:
// everything lies in the arena given, which outlives the layer.
#ifndef SLUICE_DECODE_MAP_H
#define SLUICE_DECODE_MAP_H

#include "base/arena.h"
#include "base/slice.h"
#include "enrich/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAP_KEYS_MAX 256 // rows of the table of keys
#define MAP_SLOTS 1024   // its hash table
#define MAP_KNOWN_MAX 24

// A collected key and its value, until map_end places it.
struct map_member {
    struct slice path; // dotted, valid UTF-8, not escaped
    struct value value;
    struct slice raw; // a JSON value's source text; empty where it came as a value
    uint32_t hash;    // of path
    uint16_t row;     // of the table of keys; 0: unknown key
    uint16_t group;   // row of the object it was taken out of (req, err …); 0: none
    uint8_t depth;    // nested objects it was found in: nested beats dotted
    uint8_t flags;    // enum map_member_flag
};

struct mapper {
    struct arena *arena;
    struct record *record; // NULL where a bare layer is mapped
    struct fields *fields;
    struct map_member *members; // in the arena
    uint32_t count;
    uint32_t capacity;
    uint32_t *index; // hash table over members, where there are many
    uint32_t index_size;
    uint64_t present[MAP_KEYS_MAX / 64]; // rows that have a member
    uint32_t member_of[MAP_KEYS_MAX];    // valid where present
    struct value first_message;          // the first of several "msg"
    bool ecs;                            // the line says that it is ECS already
    bool severity_given;                 // by the caller, before map_end
    bool failed;                         // memory ran out
    bool hoists;                         // some member's object may stand for members of the line
    bool groups;                         // some member was taken out of an object such as req
    uint8_t known[MAP_KNOWN_MAX];        // enum map_known → row, filled by map_init
    uint8_t slots[MAP_SLOTS];            // hash → row, filled by map_init
    uint64_t seed;
};

// Builds the hash table. Once.
void map_init(struct mapper *mapper);

// Starts a record: clears record->own, touches nothing else of it. What the caller puts into the
// record between map_begin and map_end is stronger than what the keys say:
//   record->time_ns   OTLP's timeUnixNano; keys such as "timestamp" are then only checked
//   record->severity  OTLP's severityNumber; map_end writes log.level and event.severity from it,
//                     and the text given as "severity_text" becomes labels.level_original where it
//                     differs
//   record->own       slots (trace.id, message, log.logger …) set with fields_set
void map_begin(struct mapper *mapper, struct record *record, struct arena *arena);
// Starts a bare layer, such as a resource's attributes: no time, level or message is sought.
void map_begin_fields(struct mapper *mapper, struct fields *fields, struct arena *arena);

// Offers one value under its dotted key. Text must be valid UTF-8 (VALUE_TEXT, VALUE_ESCAPED) or
// strict JSON (VALUE_JSON); key and value must stay until the layer is done with. Objects and
// arrays come as VALUE_JSON, bytes as base64 text. A number that is none (NaN) becomes null; null
// itself is dropped.
void map_value(struct mapper *mapper, struct slice key, struct value value);

// Offers every member of a JSON object (strict, plus bare NaN and Infinity; white space around it
// is fine). False where it is not one: then nothing was offered.
bool map_json_text(struct mapper *mapper, struct slice json);

// OTLP's severityNumber for a level's name as apps write it; 0: it is none.
uint8_t map_severity(struct slice text);

// Places everything that was offered. False where memory ran out (the record is then incomplete:
// reject it as too large). Sets record->time_ns (0 where no key held one), ->observed_ns (where
// event.created was given) and ->severity.
bool map_end(struct mapper *mapper);

#endif
