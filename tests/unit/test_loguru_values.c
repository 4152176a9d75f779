// What loguru draws below a traceback's lines never leaves, however it is drawn.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
// cmocka wants those before it
#include <cmocka.h>

#include "decode/loguru_values.h"

#include <string.h>

struct drawing {
    const char *trace;
    const char *kept;
};

static void variables_are_cut(void **state)
{
    (void)state;
    static const struct drawing cases[] = {
        {"", ""},
        {"Traceback\n  File \"a.py\", line 1\n    f()\n\nE: x\n \n",
         "Traceback\n  File \"a.py\", line 1\n    f()\n\nE: x"},
        // Further lines of a value, a blank one among them, up to the trace's own.
        {"  File \"a.py\", line 1\n    f(b, c)\n    │ │  └ one\n    │ │    \n    │ │    two\n"
         "    │ └ 'secret'\n    └ <function f>\n\n  File \"b.py\", line 2\n    g()\n    └ many\n"
         "      \n      lines\n        File \"x\n  File \"c.py\", line 3\n    h()\n    └ z\n      "
         "y\n"
         "E: secret no more\n",
         "  File \"a.py\", line 1\n    f(b, c)\n\n  File \"b.py\", line 2\n    g()\n"
         "  File \"c.py\", line 3\n    h()\nE: secret no more"},
        // On an ASCII stream, and in colours.
        {"    f(b)\n    | -> 'secret'\n    |    \n    |    more\n    -> <function f>\n\nE: x",
         "    f(b)\n\nE: x"},
        {"    f(b)\n    \x1b[36m└ \x1b[0m\x1b[1m'secret'\x1b[0m\n\nE: x\x1b[",
         "    f(b)\n\nE: x\x1b["},
        {"\x1b[", "\x1b["},
        // A group's margin.
        {"  + Exception Group Traceback (most recent call last):\n  |   File \"a\"\n  |     f(b)\n"
         "  |     │ └ 'secret'\n  |          more\n  |     └ <function f>\n  | \n  | E: x\n  |\n",
         "  + Exception Group Traceback (most recent call last):\n  |   File \"a\"\n  |     f(b)\n"
         "  | \n  | E: x\n  |"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena;
        struct slice kept;
        arena_init(&arena, 1 << 12, 0);
        assert_true(loguru_values_drop(&arena, slice_from(cases[i].trace), &kept));
        if (!slice_equal(kept, slice_from(cases[i].kept)))
            fail_msg("%s\nbecame\n%.*s", cases[i].trace, (int)kept.size, kept.data);
        arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(variables_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
