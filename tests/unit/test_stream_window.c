// Streams are remembered, told apart, and given up when there are too many.
#include "decode/stream_window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

static void a_stream_only_rises(void **state)
{
    (void)state;
    struct stream_window *window = stream_window_new();
    const uint8_t one[8] = "stream-1", two[8] = "stream-2";
    assert_int_equal(stream_window_last(window, one), 0);
    stream_window_store(window, one, 7);
    stream_window_store(window, two, 1);
    stream_window_store(window, one, 5);
    assert_int_equal(stream_window_last(window, one), 7);
    assert_int_equal(stream_window_last(window, two), 1);
    stream_window_free(window);
}

static void the_one_heard_of_last_stays(void **state)
{
    (void)state;
    struct stream_window *window = stream_window_new();
    const uint8_t busy[8] = "busy one";
    uint8_t other[8];
    for (uint64_t i = 1; i < 20u * STREAM_WINDOW_MAX; i++) {
        memcpy(other, &i, sizeof other);
        stream_window_store(window, other, i);
        stream_window_store(window, busy, i);
        assert_int_equal(stream_window_last(window, other), i);
    }
    assert_int_equal(stream_window_last(window, busy), 20u * STREAM_WINDOW_MAX - 1);
    memcpy(other, &(uint64_t){1}, sizeof other);
    assert_int_equal(stream_window_last(window, other), 0);
    stream_window_free(window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_only_rises),
        cmocka_unit_test(the_one_heard_of_last_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
