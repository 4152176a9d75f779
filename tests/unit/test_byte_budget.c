// Charging, refusing and giving back.
#include "base/byte_budget.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void no_limit_takes_everything(void **state)
{
    (void)state;
    struct byte_budget budget = {0};
    assert_true(byte_budget_take(&budget, SIZE_MAX / 4));
    assert_true(byte_budget_take(&budget, SIZE_MAX / 4));
    assert_int_equal(budget.refused, 0);
}

static void refuses_above_the_limit_and_charges_nothing(void **state)
{
    (void)state;
    struct byte_budget budget = {.limit = 100};
    assert_true(byte_budget_take(&budget, 60));
    assert_false(byte_budget_take(&budget, 41));
    assert_int_equal(budget.used, 60);
    assert_int_equal(budget.refused, 1);
    assert_true(byte_budget_take(&budget, 40));
    byte_budget_give(&budget, 100);
    assert_int_equal(budget.used, 0);
    assert_int_equal(budget.peak, 100);
}

static void forced_bytes_count_and_leave_no_room(void **state)
{
    (void)state;
    struct byte_budget budget = {.limit = 100};
    byte_budget_force(&budget, 150);
    assert_int_equal(budget.peak, 150);
    assert_false(byte_budget_take(&budget, 1));
    byte_budget_give(&budget, 60);
    assert_true(byte_budget_take(&budget, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_takes_everything),
        cmocka_unit_test(refuses_above_the_limit_and_charges_nothing),
        cmocka_unit_test(forced_bytes_count_and_leave_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
