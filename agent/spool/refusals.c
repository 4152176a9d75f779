// Ranges of sequences by stream, in a table that is searched from its newest row.
#include "spool/refusals.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// Who is refused is so in order: its last range is among the last rows.
#define LOOK_BACK 32u

void refusals_deinit(struct refusals *refusals)
{
    free(refusals->rows);
    *refusals = (struct refusals){0};
}

static bool is_of(const struct refusal *row, const uint8_t stream[8])
{
    return memcmp(row->stream, stream, sizeof row->stream) == 0;
}

static uint64_t end_of(const struct refused_range *range)
{
    return range->first + range->count;
}

static void widen(struct refused_range *range, const struct refused_range *other)
{
    uint64_t end = end_of(range) > end_of(other) ? end_of(range) : end_of(other);
    if (other->first < range->first)
        range->first = other->first;
    range->count = end - range->first;
}

static void remove_row(struct refusals *refusals, uint32_t row)
{
    refusals->count--;
    memmove(&refusals->rows[row], &refusals->rows[row + 1],
            (refusals->count - row) * sizeof *refusals->rows);
}

// One range for all that the stream of this row has. Whether a row became free.
static bool join_stream(struct refusals *refusals, uint32_t row)
{
    uint32_t kept = row + 1;
    for (uint32_t i = row + 1; i < refusals->count; i++) {
        if (is_of(&refusals->rows[i], refusals->rows[row].stream))
            widen(&refusals->rows[row].range, &refusals->rows[i].range);
        else
            refusals->rows[kept++] = refusals->rows[i];
    }
    bool joined = kept < refusals->count;
    refusals->count = kept;
    return joined;
}

static void make_room(struct refusals *refusals)
{
    for (uint32_t i = 0; i < refusals->count; i++)
        if (join_stream(refusals, i))
            return;
    remove_row(refusals, 0);
    refusals->unknown++;
}

void refusals_note(struct refusals *refusals, const uint8_t stream[8], uint64_t first,
                   uint64_t count)
{
    struct refused_range now = {first, count};
    assert(first > 0 && count > 0);
    if (!refusals->rows)
        refusals->rows = calloc(REFUSALS_MAX, sizeof *refusals->rows);
    if (!refusals->rows) {
        refusals->unknown++;
        return;
    }
    for (uint32_t i = refusals->count, looked = 0; i-- > 0 && looked < LOOK_BACK; looked++) {
        struct refusal *row = &refusals->rows[i];
        if (is_of(row, stream) && first <= end_of(&row->range) &&
            row->range.first <= end_of(&now)) {
            widen(&row->range, &now);
            return;
        }
    }
    if (refusals->count == REFUSALS_MAX)
        make_room(refusals);
    struct refusal *row = &refusals->rows[refusals->count++];
    memcpy(row->stream, stream, sizeof row->stream);
    row->range = now;
}

size_t refusals_take(struct refusals *refusals, const uint8_t stream[8], uint64_t upto,
                     struct refused_range *ranges, size_t most)
{
    size_t taken = 0;
    for (uint32_t i = 0; i < refusals->count && taken < most;) {
        struct refusal *row = &refusals->rows[i];
        if (!is_of(row, stream) || row->range.first > upto) {
            i++;
            continue;
        }
        ranges[taken] = row->range;
        if (end_of(&row->range) - 1 <= upto) {
            remove_row(refusals, i);
        } else {
            ranges[taken].count = upto + 1 - row->range.first;
            row->range.first += ranges[taken].count;
            row->range.count -= ranges[taken].count;
            i++;
        }
        taken++;
    }
    return taken;
}
