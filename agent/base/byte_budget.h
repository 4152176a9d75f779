// Bytes that many owners may keep together: charge before you keep, give back what you free.
//
// Loop thread only. A budget is embedded in what shares it out; limit is set once.
#ifndef SLUICE_BASE_BYTE_BUDGET_H
#define SLUICE_BASE_BYTE_BUDGET_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct byte_budget {
    uint64_t limit; // 0: no limit
    uint64_t used;
    uint64_t peak;    // of used, since the start
    uint64_t refused; // times it said no
};

// Charges what must be kept even where there is no room: the caller bounds how often.
static inline void byte_budget_force(struct byte_budget *budget, size_t bytes)
{
    budget->used += bytes;
    if (budget->used > budget->peak)
        budget->peak = budget->used;
}

// False: no room, and nothing is charged.
static inline bool byte_budget_take(struct byte_budget *budget, size_t bytes)
{
    if (budget->limit && (budget->used > budget->limit || bytes > budget->limit - budget->used)) {
        budget->refused++;
        return false;
    }
    byte_budget_force(budget, bytes);
    return true;
}

static inline void byte_budget_give(struct byte_budget *budget, size_t bytes)
{
    assert(budget->used >= bytes);
    budget->used -= bytes;
}

#endif
