// Decode over enrich over one real log: Export requests in, what its exporter is offered out.
#ifndef SLUICE_TESTS_OTLP_DOOR_H
#define SLUICE_TESTS_OTLP_DOOR_H

#include "enrich_fixture.h"

#include "decode/decode.h"
#include "decode/decode_otlp.h"
#include "otlp_build.h"

struct door {
    struct house *house;
    struct sink *sink;
    struct decoder *decoder;
    struct otlp_result result;
    uint64_t sent; // log records
};

static inline struct door *door_of(uint64_t bytes, size_t segment, unsigned logs, unsigned otlp)
{
    struct door *door = calloc(1, sizeof *door);
    assert_non_null(door);
    door->house = house_new();
    door->sink = house_add(door->house, "all", segment, bytes, SPOOL_WHEN_FULL_AUTO);
    house_open(door->house, NULL, 0, "", logs, otlp);
    struct decoder_config config = {.enrich = door->house->enrich,
                                    .clock = &door->house->clock,
                                    .max_line = 256 << 10,
                                    .max_message = 16 << 20};
    assert_int_equal(decoder_new(&door->decoder, &config), 0);
    return door;
}

static inline struct door *door_new(void)
{
    return door_of(8u << 20, 0, 1, 1);
}

static inline void door_free(struct door *door)
{
    decoder_free(door->decoder);
    house_free(door->house);
    free(door);
}

// All turns of a request, with the loop between them.
static inline int export_turns(struct door *door, struct otlp_progress *progress)
{
    int r;
    for (unsigned i = 0; i < 1000000; i++) {
        r = decode_otlp_step(progress, false, &door->result);
        if (r != DECODE_AGAIN)
            return r;
        house_turn(door->house);
    }
    fail_msg("a request that never ends");
    return -1;
}

static inline int export_bytes(struct door *door, enum signal_kind signal, struct slice bytes)
{
    struct slice copy = copy_of(bytes); // alone, so that ASan sees its end
    struct otlp_progress *progress = NULL;
    assert_int_equal(decode_otlp_begin(door->decoder, signal, copy, &door->sent, &progress), 0);
    int r = export_turns(door, progress);
    if (r == DECODE_FULL) // as an agent that ends does
        r = decode_otlp_step(progress, true, &door->result);
    decode_otlp_free(progress);
    free((char *)copy.data);
    house_turn(door->house);
    return r;
}

static inline int export_message(struct door *door, enum signal_kind signal, struct message message)
{
    int r = export_bytes(door, signal, message_slice(&message));
    message_free(&message);
    return r;
}

#endif
