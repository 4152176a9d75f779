// The shares: seven sixteenths for the spool, the rest for what records pass through.
#include "base/budget.h"

#include <assert.h>

uint64_t budget_least(unsigned exporters)
{
    return 2ull * exporters * BUDGET_SEGMENTS_MIN * BUDGET_SEGMENT;
}

struct budget budget_derive(uint64_t max_memory, unsigned exporters)
{
    assert(exporters > 0 && max_memory >= budget_least(exporters));
    uint64_t segments = max_memory / 16 * 7 / exporters / BUDGET_SEGMENT;
    if (segments < BUDGET_SEGMENTS_MIN)
        segments = BUDGET_SEGMENTS_MIN;
    struct budget budget = {.spool_bytes_each = segments * BUDGET_SEGMENT};
    uint64_t ninth = (max_memory - exporters * budget.spool_bytes_each) / 9;
    budget.inflate = 4 * ninth;
    budget.kafka_window = 4 * ninth / exporters;
    budget.otlp_window = 4 * ninth / exporters;
    budget.read_buffers = ninth;
    return budget;
}
