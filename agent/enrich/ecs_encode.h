// Writes one log record as one ECS document: strict JSON, nested objects, each key once, '\n' at
// the end.
//
// Layers are merged slot by slot; what only the agent says is rendered once and copied. The fields
// are those of the Elastic Common Schema 8.11. Loop thread only.
#ifndef SLUICE_ENRICH_ECS_ENCODE_H
#define SLUICE_ENRICH_ECS_ENCODE_H

#include "base/arena.h"
#include "enrich/ecs_table.h"
#include "enrich/json_out.h"
#include "enrich/name_set.h"
#include "enrich/record.h"
#include "enrich/resource.h"

#include <stddef.h>
#include <stdint.h>

#define ECS_TIME_SIZE 30 // 2026-11-22T19:28:47.061264279Z
#define ECS_CONSTANTS_MAX 16

// An object that only the agent fills, ready to be copied.
struct ecs_constant {
    uint64_t mask[FIELDS_WORDS]; // the fields of that object
    struct slice text;           // ,"host":{"name":"…"}
};

// The text of a second, for the many records that share it.
struct ecs_second {
    uint64_t second;
    char text[20]; // 2026-11-22T19:28:47.
};

struct ecs_encoder {
    const struct ecs_table *table;
    struct fields agent; // the weakest layer; its texts are in arena or the agent_resource
    struct arena arena;
    struct ecs_constant constants[ECS_CONSTANTS_MAX];
    unsigned constant_count;
    uint64_t constant_mask[FIELDS_WORDS]; // of all of them
    struct slice constants_text;          // all of them, one after the other

    struct name_set names;
    struct arena scratch;      // of the record being encoded
    struct ecs_second event;   // of the last record's time
    struct ecs_second receipt; // of the last receipt
    char time[ECS_TIME_SIZE];
    char created[ECS_TIME_SIZE];
    char ingested[ECS_TIME_SIZE];
    char id[32];
    char dataset[DATA_STREAM_PART_MAX];
    char environment[DATA_STREAM_PART_MAX];
};

// resource must outlive the encoder. 0 or -errno.
int ecs_encoder_init(struct ecs_encoder *encoder, const struct agent_resource *resource,
                     const char *agent_version, const uint8_t start_id[8]);
void ecs_encoder_deinit(struct ecs_encoder *encoder);

// Sets the slots of record->own that the agent answers for: times, id, sequence, level, message,
// data_stream. They point into the encoder and stay until the next record. now_ns is the time of
// receipt.
void ecs_prepare(struct ecs_encoder *encoder, struct record *record, const uint8_t id[16],
                 uint64_t now_ns);

// The document, into data. Returns its size, or 0 where it does not fit into capacity. May be
// repeated with more room.
size_t ecs_encode(struct ecs_encoder *encoder, const struct record *record, uint8_t *data,
                  size_t capacity);

// The strongest layer's value of a field; NULL: none.
const struct value *ecs_value(const struct ecs_encoder *encoder, const struct record *record,
                              enum ecs_field field);

// Bytes of a document beyond what its record and its resource hold, at most.
size_t ecs_overhead(const struct ecs_encoder *encoder);

// Writes ns since 1970 as ISO 8601 with nine digits: ECS_TIME_SIZE bytes, no NUL.
void ecs_time(struct ecs_second *last, char *out, uint64_t ns);

#endif
