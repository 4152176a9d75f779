// Users and groups by number and name; nothing is cut down to a number that somebody else has.
#include "base/account_id.h"
#include "base/settings_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void numbers(void **state)
{
    (void)state;
    static const char *const bad[] = {"4294967295", "4294967296", "99999999999999999999999"};
    unsigned id = 7;
    assert_true(account_user("0", &id));
    assert_int_equal(id, 0);
    assert_true(account_group("4294967294", &id));
    assert_int_equal(id, 4294967294u);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(account_user(bad[i], &id));
        assert_false(account_group(bad[i], &id));
        assert_non_null(rule_group(bad[i]));
        assert_non_null(rule_ids(bad[i]));
    }
    assert_int_equal(id, 4294967294u);
}

static void names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-1", "+0", " 0", "0x0", "no-such-account-here"};
    unsigned id = 7;
    assert_true(account_user("root", &id));
    assert_int_equal(id, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(account_user(bad[i], &id));
        assert_false(account_group(bad[i], &id));
    }
}

static void rules(void **state)
{
    (void)state;
    assert_null(rule_group(""));
    assert_null(rule_group("1000"));
    assert_null(rule_group("DOMAIN\\apps$"));
    assert_non_null(rule_group("a,b"));
    assert_non_null(rule_group("a b"));
    assert_null(rule_ids("root, 1000,4294967294"));
    assert_null(rule_ids("root\n1000\r\n7")); // as a file has them
    assert_non_null(rule_ids("root,,1000"));
    assert_non_null(rule_ids("root 1000"));
    assert_non_null(rule_ids("\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(names),
        cmocka_unit_test(rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
