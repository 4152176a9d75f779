// The shares of max_memory never add up to more than it, and every log gets its segments.
#include "base/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define MIB ((uint64_t)1024 * 1024)

static void shares_fit(void **state)
{
    (void)state;
    for (unsigned exporters = 1; exporters <= 16; exporters++) {
        uint64_t least = budget_least(exporters);
        for (uint64_t memory = least; memory < 1024 * MIB; memory += 1 + memory / 7) {
            struct budget b = budget_derive(memory, exporters);
            // Every exporter of the hungrier kind.
            uint64_t window = b.kafka_window > b.otlp_window ? b.kafka_window : b.otlp_window;
            assert_true(exporters * (b.spool_bytes_each + window) + b.read_buffers + b.inflate <=
                        memory);
            assert_true(b.spool_bytes_each >= 2 * MIB);
            assert_int_equal(b.spool_bytes_each % BUDGET_SEGMENT, 0);
            assert_true(b.read_buffers && b.kafka_window && b.otlp_window && b.inflate);
        }
    }
}

static void the_usual_shares(void **state)
{
    (void)state;
    struct budget b = budget_derive(64 * MIB, 2);
    assert_int_equal(b.spool_bytes_each, 14 * MIB);
    assert_int_equal(b.inflate, 16 * MIB);
    assert_int_equal(b.kafka_window, 8 * MIB);
    assert_int_equal(b.otlp_window, 8 * MIB);
    assert_int_equal(b.read_buffers, 4 * MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_fit),
        cmocka_unit_test(the_usual_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
