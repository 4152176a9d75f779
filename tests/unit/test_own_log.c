// The own log: one line a write, valid JSON whatever the text, cut and not broken when too long,
// and never more lines of one event than its limit.
#include "base/own_log.h"

#include "base/clock.h"
#include "base/own_log_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yajl/yajl_tree.h>

static char captured[65536];
static size_t writes;

// Standard error becomes a pipe that keeps each write apart (O_DIRECT), so that they can be
// counted.
static void capture_start(int pipe_fds[2], int *keep)
{
    own_log_clock(NULL); // what an earlier case wrote does not count
    assert_int_equal(pipe2(pipe_fds, O_DIRECT), 0);
    *keep = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
    close(pipe_fds[1]);
}

static void capture_end(const int pipe_fds[2], int keep)
{
    size_t used = 0;
    ssize_t got;
    dup2(keep, STDERR_FILENO); // the pipe's last writer goes
    close(keep);
    for (writes = 0; (got = read(pipe_fds[0], captured + used, sizeof captured - used - 1)) > 0;)
        used += (size_t)got, writes += captured[used - 1] == '\n';
    captured[used] = '\0';
    close(pipe_fds[0]);
}

static const char *text_of(yajl_val line, const char *name)
{
    const char *path[] = {name, NULL};
    yajl_val value = yajl_tree_get(line, path, yajl_t_string);
    assert_non_null(value);
    return YAJL_GET_STRING(value);
}

static yajl_val parse(void)
{
    char why[256];
    assert_int_equal(writes, 1);
    assert_int_equal(captured[strlen(captured) - 1], '\n');
    assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
    yajl_val line = yajl_tree_parse(captured, why, sizeof why);
    if (!line)
        fail_msg("%s: %s", why, captured);
    return line;
}

static void a_line_has_its_members(void **state)
{
    (void)state;
    int fds[2], keep;
    const struct log_field fields[] = {
        {"address", "127.0.0.1:1", 0}, {"count", NULL, -5}, {NULL, NULL, 0}};
    capture_start(fds, &keep);
    errno = EAGAIN;
    own_log_fields(OWN_WARN, "socket_busy", fields, "%s is %d", "it", 7);
    int after = errno;
    capture_end(fds, keep);
    assert_int_equal(after, EAGAIN);
    yajl_val line = parse();
    assert_string_equal(text_of(line, "log.level"), "warn");
    assert_string_equal(text_of(line, "event"), "socket_busy");
    assert_string_equal(text_of(line, "message"), "it is 7");
    assert_string_equal(text_of(line, "address"), "127.0.0.1:1");
    const char *time = text_of(line, "@timestamp"); // 2026-01-02T03:04:05.678901Z
    assert_int_equal(strlen(time), 27);
    assert_int_equal(time[10], 'T');
    assert_int_equal(time[26], 'Z');
    const char *path[] = {"count", NULL};
    assert_int_equal(YAJL_GET_INTEGER(yajl_tree_get(line, path, yajl_t_number)), -5);
    yajl_tree_free(line);
}

static void any_bytes_make_valid_json(void **state)
{
    (void)state;
    static const struct {
        const char *given, *read;
    } texts[] = {
        {"a\"b\\c", "a\"b\\c"},
        {"tab\tline\nend\r\b\f", "tab\tline\nend\r\b\f"},
        {"\x01\x1f\x7f", "\x01\x1f\x7f"},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff", "\xef\xbf\xbd"},
        {"\xc3", "\xef\xbf\xbd"},                                 // cut off
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 // overlong
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, // surrogate
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe0\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, // overlong
        {"\xf0\x80\x80\xaf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fds[2], keep;
        capture_start(fds, &keep);
        own_log(OWN_INFO, "test", "%s", texts[i].given);
        capture_end(fds, keep);
        yajl_val line = parse();
        assert_string_equal(text_of(line, "message"), texts[i].read);
        yajl_tree_free(line);
    }
}

static void long_texts_are_cut_and_stay_json(void **state)
{
    (void)state;
    // Around the limit, so that the cut falls on every kind of place.
    for (size_t size = 1; size < 5000; size += size < 1700 ? 97 : 1) {
        int fds[2], keep;
        char *text = malloc(size + 1);
        assert_non_null(text);
        memset(text, size % 2 ? '\n' : 'x', size);
        text[size] = '\0';
        const struct log_field fields[] = {{"text", text, 0}, {"n", NULL, 123456}, {NULL, NULL, 0}};
        capture_start(fds, &keep);
        own_log_fields(OWN_INFO, "test", fields, "%s", text);
        capture_end(fds, keep);
        yajl_tree_free(parse());
        free(text);
    }
}

static void the_threshold_holds(void **state)
{
    (void)state;
    int fds[2], keep;
    capture_start(fds, &keep);
    own_log(OWN_DEBUG, "test", "not written");
    own_log_threshold(OWN_ERROR);
    own_log(OWN_WARN, "test", "not written either");
    own_log_threshold(OWN_DEBUG);
    own_log(OWN_DEBUG, "test", "written");
    own_log_threshold(OWN_INFO);
    capture_end(fds, keep);
    yajl_val line = parse();
    assert_string_equal(text_of(line, "message"), "written");
    yajl_tree_free(line);
}

static void what_a_terminal_obeys_is_escaped(void **state)
{
    (void)state;
    int fds[2], keep;
    capture_start(fds, &keep);
    own_log(
        OWN_INFO, "test",
        "\x1b[2J \xc2\x9b"
        "2J \xe2\x80\xae \xe2\x81\xa6 \xd8\x9c \xe2\x80\x8f \xe2\x80\xa8 \xc2\xa0 \xe2\x80\xaf");
    capture_end(fds, keep);
    assert_non_null(strstr(
        captured,
        "\"\\u001b[2J \\u009b2J \\u202e \\u2066 \\u061c \\u200f \\u2028 \xc2\xa0 \xe2\x80\xaf\""));
    yajl_tree_free(parse());
}

// --- the limit ---

static uint64_t limit_now;

static uint64_t test_time(struct clock *clock)
{
    (void)clock;
    return limit_now;
}

static unsigned lines_with(const char *text)
{
    unsigned count = 0;
    for (const char *at = captured; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void one_event_never_floods(void **state)
{
    (void)state;
    struct clock clock = {.realtime = test_time, .monotonic = test_time};
    int fds[2], keep;
    limit_now = NS_PER_S;
    capture_start(fds, &keep);
    own_log_clock(&clock);
    for (unsigned i = 0; i < 100; i++)
        own_log(OWN_WARN, "foreign_bytes", "flood");
    own_log(OWN_WARN, "accept_paused", "another event has a limit of its own");
    limit_now += OWN_LOG_PERIOD_S * NS_PER_S - 1;
    own_log(OWN_WARN, "foreign_bytes", "too early");
    limit_now++;
    own_log(OWN_WARN, "foreign_bytes", "again");
    own_log(OWN_WARN, "foreign_bytes", "said once");
    own_log_threshold(OWN_ERROR);
    for (unsigned i = 0; i < 100; i++)
        own_log(OWN_WARN, "accept_paused", "below the threshold nothing is counted");
    own_log_threshold(OWN_INFO);
    own_log(OWN_WARN, "accept_paused", "still");
    own_log_clock(NULL);
    capture_end(fds, keep);
    assert_int_equal(lines_with("\"flood\""), OWN_LOG_BURST);
    assert_int_equal(lines_with("too early"), 0);
    assert_int_equal(lines_with("\"message\":\"again\",\"suppressed\":91}"), 1);
    assert_int_equal(lines_with("\"message\":\"said once\"}"), 1);
    assert_int_equal(lines_with("a limit of its own\"}"), 1);
    assert_int_equal(lines_with("\"still\"}"), 1);
}

// A pipe that keeps writes apart holds sixteen of them.
static void events_of_the_agents_life_have_no_limit(void **state)
{
    (void)state;
    static const char *const events[] = {"started",       "draining",      "ended",
                                         "start_failed",  "listen_failed", "setting_refused",
                                         "reload_refused"};
    int fds[2], keep;
    for (size_t e = 0; e < sizeof events / sizeof *events; e++) {
        capture_start(fds, &keep);
        for (unsigned i = 0; i < OWN_LOG_BURST + 5; i++)
            own_log(OWN_ERROR, events[e], "said");
        capture_end(fds, keep);
        assert_int_equal(lines_with("\"said\"}"), OWN_LOG_BURST + 5);
    }
}

static void events_are_told_apart_by_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < own_log_event_count; i++)
        assert_int_equal(own_log_event_find(own_log_events[i].name), i); // so none stands twice
    assert_int_equal(own_log_event_find("no_such_event"), own_log_event_count);
}

static void a_full_stderr_never_blocks(void **state)
{
    (void)state;
    int fds[2], keep;
    static const char page[4096];
    capture_start(fds, &keep);
    fcntl(STDERR_FILENO, F_SETFL, O_DIRECT | O_NONBLOCK);
    while (write(STDERR_FILENO, page, sizeof page) > 0)
        continue;
    fcntl(STDERR_FILENO, F_SETFL, O_DIRECT);
    own_log(OWN_INFO, "test", "not taken");
    own_log(OWN_INFO, "test", "nor this");
    char taken[sizeof page];
    assert_int_equal(read(fds[0], taken, sizeof taken), sizeof taken);
    own_log(OWN_INFO, "test", "taken");
    dup2(keep, STDERR_FILENO);
    close(keep);
    ssize_t got, last = 0;
    while ((got = read(fds[0], taken, sizeof taken - 1)) > 0)
        last = got;
    close(fds[0]);
    assert_in_range(last, 1, sizeof taken - 2);
    taken[last] = '\0';
    assert_non_null(strstr(taken, "\"message\":\"taken\",\"lost_before\":2}\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_its_members),
        cmocka_unit_test(any_bytes_make_valid_json),
        cmocka_unit_test(long_texts_are_cut_and_stay_json),
        cmocka_unit_test(the_threshold_holds),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped),
        cmocka_unit_test(one_event_never_floods),
        cmocka_unit_test(events_of_the_agents_life_have_no_limit),
        cmocka_unit_test(events_are_told_apart_by_name),
        cmocka_unit_test(a_full_stderr_never_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
