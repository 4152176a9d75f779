// What every dialect of the decode room shares: the scratch that is reused for every record.
//
// Private to agent/decode. Loop thread only.
#ifndef SLUICE_DECODE_DECODER_H
#define SLUICE_DECODE_DECODER_H

#include "base/arena.h"
#include "decode/decode.h"
#include "decode/map.h"
#include "enrich/record.h"

struct decoder {
    struct decoder_config config;
    struct arena arena;          // of one record: reset before each
    struct record record;        // its values point into arena and into the bytes offered
    struct arena resource_arena; // of one resource's layer: reset before each run of records
    struct fields resource;      // that layer; point record.resource at it
    struct mapper mapper;        // used for both, one after the other
    struct line_join *spare_joins;
    unsigned spare_join_count;
};

// Makes arena and record ready for the next record; record.resource becomes NULL.
void decoder_next_record(struct decoder *decoder);
// Makes resource_arena and resource ready for the next resource.
void decoder_next_resource(struct decoder *decoder);

#endif
