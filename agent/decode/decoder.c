// The decoder: one scratch for all connections of a loop.
#include "decode/decoder.h"

#include "base/error.h"
#include "decode/line_join.h"
#include "enrich/enrich.h"
#include "enrich/enrich_stored.h"

#include <stdlib.h>
#include <string.h>

#define SCRATCH_KEPT (32u << 10) // what an ordinary record needs

// A record's scratch may not outgrow its input by more than this: each byte of a broken string
// becomes at most six, and members and labels of one or two bytes cost a few dozen.
#define SCRATCH_FACTOR 64

int decoder_new(struct decoder **out, const struct decoder_config *config)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return -ENOMEM;
    size_t largest =
        config->max_line > config->max_message ? config->max_line : config->max_message;
    decoder->config = *config;
    arena_init(&decoder->arena, SCRATCH_KEPT, SCRATCH_KEPT + SCRATCH_FACTOR * config->max_line);
    arena_init(&decoder->resource_arena, SCRATCH_KEPT, SCRATCH_KEPT + largest);
    map_init(&decoder->mapper);
    *out = decoder;
    return 0;
}

void decoder_free(struct decoder *decoder)
{
    if (!decoder)
        return;
    arena_deinit(&decoder->arena);
    arena_deinit(&decoder->resource_arena);
    line_join_free_spares(decoder);
    free(decoder);
}

void decoder_next_record(struct decoder *decoder)
{
    struct record *record = &decoder->record;
    arena_reset(&decoder->arena);
    record->time_ns = 0;
    record->observed_ns = 0;
    record->severity = 0;
    record->truncated = false;
    record->sheds = false;
    memset(record->stream, 0, sizeof record->stream);
    record->sequence = 0;
    record->has_sequence = false;
    record->resend = false;
    record->resource = NULL;
    fields_clear(&record->own);
}

void decoder_next_resource(struct decoder *decoder)
{
    arena_reset(&decoder->resource_arena);
    fields_clear(&decoder->resource);
}

void decoder_wait(struct decoder *decoder, struct room_waiter *waiter)
{
    enrich_wait(decoder->config.enrich, waiter);
}

void decoder_wait_cancel(struct decoder *decoder, struct room_waiter *waiter)
{
    enrich_wait_cancel(decoder->config.enrich, waiter);
}

uint64_t decoder_mark(struct decoder *decoder, enum signal_kind signal)
{
    return enrich_mark(decoder->config.enrich, MARK_STORED, signal);
}

bool decoder_is_stored(const struct decoder *decoder, enum signal_kind signal, uint64_t mark)
{
    return enrich_has_reached(decoder->config.enrich, MARK_STORED, signal, mark);
}

void decoder_store_now(struct decoder *decoder)
{
    enrich_store_now(decoder->config.enrich);
}

void decoder_wait_stored(struct decoder *decoder, struct room_waiter *waiter)
{
    enrich_wait_stored(decoder->config.enrich, waiter);
}

void decoder_wait_stored_cancel(struct decoder *decoder, struct room_waiter *waiter)
{
    enrich_wait_stored_cancel(decoder->config.enrich, waiter);
}
