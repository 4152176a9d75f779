// Memory for records that wait for their next line: charged before it is kept, and reused.
#include "decode/line_join.h"

#include "base/byte_budget.h"
#include "base/clock.h"
#include "enrich/enrich.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_FIRST 1024u
#define SPARES_MAX 16u // of CAPACITY_FIRST bytes: uncharged, for all connections together

static bool charge(struct decoder *decoder, size_t bytes)
{
    return !decoder->config.read_bytes || byte_budget_take(decoder->config.read_bytes, bytes);
}

static void discharge(struct decoder *decoder, size_t bytes)
{
    if (decoder->config.read_bytes)
        byte_budget_give(decoder->config.read_bytes, bytes);
}

static struct line_join *join_new(struct decoder *decoder, size_t size)
{
    struct line_join *join = decoder->spare_joins;
    size_t capacity = CAPACITY_FIRST;
    while (capacity < size)
        capacity *= 2;
    if (!charge(decoder, capacity))
        return NULL;
    if (join && capacity == CAPACITY_FIRST) {
        decoder->spare_joins = join->next;
        decoder->spare_join_count--;
    } else {
        join = malloc(sizeof *join + capacity);
        if (!join) {
            discharge(decoder, capacity);
            return NULL;
        }
    }
    join->capacity = capacity;
    return join;
}

static void join_free(struct decoder *decoder, struct line_join *join)
{
    discharge(decoder, join->capacity);
    if (join->capacity != CAPACITY_FIRST || decoder->spare_join_count >= SPARES_MAX) {
        free(join);
        return;
    }
    join->next = decoder->spare_joins;
    decoder->spare_joins = join;
    decoder->spare_join_count++;
}

bool line_join_keep(struct decoder *decoder, struct line_state *state,
                    const struct open_record *record)
{
    assert(!state->join && record->lines);
    struct line_join *join = join_new(decoder, record->text.size);
    if (!join)
        return false;
    memcpy(join->bytes, record->text.data, record->text.size);
    join->record = *record;
    join->record.text.data = join->bytes;
    join->since_ns = clock_realtime(decoder->config.clock);
    state->join = join;
    enrich_hold(decoder->config.enrich, record->lines);
    return true;
}

// Room for `size` bytes of text.
static bool grow(struct decoder *decoder, struct line_state *state, size_t size)
{
    struct line_join *join = state->join;
    size_t capacity = join->capacity;
    while (capacity < size)
        capacity *= 2;
    if (capacity == join->capacity)
        return true;
    if (!charge(decoder, capacity - join->capacity))
        return false;
    struct line_join *grown = realloc(join, sizeof *join + capacity);
    if (!grown) {
        discharge(decoder, capacity - join->capacity);
        return false;
    }
    grown->capacity = capacity;
    grown->record.text.data = grown->bytes;
    state->join = grown;
    return true;
}

bool line_join_add(struct decoder *decoder, struct line_state *state, struct slice line)
{
    struct open_record *record = &state->join->record;
    size_t feeds = 1 + record->blanks;
    if (!grow(decoder, state, record->text.size + feeds + line.size))
        return false;
    record = &state->join->record;
    char *end = state->join->bytes + record->text.size;
    memset(end, '\n', feeds);
    memcpy(end + feeds, line.data, line.size);
    record->text.size += feeds + line.size;
    record->blanks = 0;
    record->lines++;
    enrich_hold(decoder->config.enrich, 1);
    return true;
}

void line_join_drop(struct decoder *decoder, struct line_state *state)
{
    if (!state->join)
        return;
    enrich_release(decoder->config.enrich, state->join->record.lines);
    join_free(decoder, state->join);
    state->join = NULL;
}

void line_join_free_spares(struct decoder *decoder)
{
    while (decoder->spare_joins) {
        struct line_join *join = decoder->spare_joins;
        decoder->spare_joins = join->next;
        free(join);
    }
    decoder->spare_join_count = 0;
}
