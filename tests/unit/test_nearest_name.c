// Which name a slip is taken for, and that another word is taken for none.
#include "base/nearest_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const char *best_of(const char *wanted, const char *const *candidates)
{
    static struct nearest_name nearest;
    nearest_name_init(&nearest, wanted);
    for (; *candidates; candidates++)
        nearest_name_offer(&nearest, *candidates);
    return nearest_name_best(&nearest);
}

static void slips_are_understood(void **state)
{
    (void)state;
    static const char *const names[] = {"max_delay", "max_memory", "max_line", "socket", NULL};
    static const struct {
        const char *wanted, *best;
        unsigned distance;
    } rows[] = {
        {"max_delay", "max_delay", 0},
        {"max_dealy", "max_delay", 1}, // a swap is one slip
        {"MAX_DELAY", "max_delay", 0},
        {"maxdelay", "max_delay", 1},
        {"sockett", "socket", 1},
        {"sokt", "socket", 2},
        {"max_lime", "max_line", 1},
        {"memory", NULL, 4},
        {"xyz", NULL, 6},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *best = best_of(rows[i].wanted, names);
        if (!best != !rows[i].best || (best && strcmp(best, rows[i].best) != 0))
            fail_msg("%s: %s", rows[i].wanted, best ? best : "none");
    }
    struct nearest_name nearest;
    nearest_name_init(&nearest, "ab");
    nearest_name_offer(&nearest, "ba");
    assert_int_equal(nearest.distance, 1);
    nearest_name_init(&nearest, "kitten");
    nearest_name_offer(&nearest, "sitting");
    assert_int_equal(nearest.distance, 3);
}

static void long_names_are_passed_over(void **state)
{
    (void)state;
    char longer[400];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const char *const names[] = {longer, "xx", NULL};
    assert_null(best_of(longer, names));
    assert_string_equal(best_of("xy", names), "xx");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slips_are_understood),
        cmocka_unit_test(long_names_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
