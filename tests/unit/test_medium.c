// What a folder's filesystem survives.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent_check_medium.h"
#include "base/medium.h"
#include "base/settings.h"
#include "base/settings_load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

static unsigned long magic; // what statfs says of folders that exist
static const char *exists;  // the only one
static char asked[256];     // the last

// In front of the C library's.
int statfs(const char *path, struct statfs *out)
{
    snprintf(asked, sizeof asked, "%s", path);
    if (strcmp(path, exists) != 0) {
        errno = strcmp(path, "/secret") == 0 ? EACCES : ENOENT;
        return -1;
    }
    memset(out, 0, sizeof *out);
    out->f_type = (__typeof__(out->f_type))magic;
    return 0;
}

static struct medium_view view_of(const char *path, const char *existing, unsigned long type)
{
    struct medium_view view;
    exists = existing;
    magic = type;
    assert_int_equal(spool_medium(path, &view), 0);
    return view;
}

static void media_are_told_apart(void **state)
{
    (void)state;
    assert_int_equal(view_of("/s", "/s", 0x01021994).medium, MEDIUM_MEMORY);
    assert_string_equal(view_of("/s", "/s", 0x01021994).name, "tmpfs");
    assert_int_equal(view_of("/s", "/s", 0x794C7630).medium, MEDIUM_OVERLAY);
    assert_int_equal(view_of("/s", "/s", 0x6969).medium, MEDIUM_NETWORK);
    assert_int_equal(view_of("/s", "/s", 0xFF534D42).medium,
                     MEDIUM_NETWORK); // sign-extended by some
    assert_int_equal(view_of("/s", "/s", 0x65735546).medium, MEDIUM_FUSE);
    assert_int_equal(view_of("/s", "/s", 0xEF53).medium, MEDIUM_DISK);
    assert_string_equal(view_of("/s", "/s", 0xABC).name, "filesystem 0xABC");
}

static void a_folder_that_is_not_there_yet_is_its_parents(void **state)
{
    (void)state;
    assert_string_equal(view_of("/var/lib/sluice/spool", "/var", 0xEF53).folder, "/var");
    assert_string_equal(view_of("/none", "/", 0xEF53).folder, "/");
    assert_string_equal(view_of("here/too", ".", 0xEF53).folder, ".");
    assert_string_equal(view_of("/var/", "/var", 0xEF53).folder, "/var");
}

static void what_cannot_be_asked_is_said(void **state)
{
    (void)state;
    struct medium_view view;
    char endless[400];
    exists = "/nowhere";
    assert_int_equal(spool_medium("/secret/spool", &view), -EACCES);
    assert_int_equal(spool_medium("/a", &view), -ENOENT);
    assert_int_equal(spool_medium("a", &view), -ENOENT);
    assert_int_equal(spool_medium("", &view), -EINVAL);
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = '\0';
    assert_int_equal(spool_medium(endless, &view), -EINVAL);
}

// The warning that check gives; empty: none.
static void warning_of(const char *text, unsigned long type, char *out, size_t size)
{
    struct settings *settings = NULL;
    struct settings_mistakes mistakes = {0};
    struct settings_input input = {.file = "a.yaml", .text = text, .size = strlen(text)};
    assert_int_equal(settings_load(&settings, &mistakes, &input), 0);
    exists = "/s";
    magic = type;
    agent_check_medium(settings, &mistakes);
    snprintf(out, size, "%s", mistakes.count ? mistakes.items[0].text : "");
    assert_true(mistakes.count == 0 || mistakes.items[0].warning);
    settings_mistakes_deinit(&mistakes);
    settings_free(settings);
}

#define EXPORTER "exporters: {kafka: {type: kafka}}\n"

static void a_promise_that_the_medium_cannot_keep_is_warned_of(void **state)
{
    (void)state;
    char text[600];
    warning_of(EXPORTER "spool: {path: /s, durability: node}\n", 0x01021994, text, sizeof text);
    assert_non_null(strstr(text, "power cut"));
    warning_of(EXPORTER "spool: {path: /s}\n", 0x794C7630, text, sizeof text);
    assert_non_null(strstr(text, "mount a volume"));
    warning_of(EXPORTER "spool: {path: /s}\n", 0x6969, text, sizeof text);
    assert_non_null(strstr(text, "nfs"));
    warning_of(EXPORTER "spool: {path: /s, durability: node}\n", 0xEF53, text, sizeof text);
    assert_string_equal(text, "");
    warning_of(EXPORTER "spool: {path: /s, durability: memory}\n", 0x01021994, text, sizeof text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(media_are_told_apart),
        cmocka_unit_test(a_folder_that_is_not_there_yet_is_its_parents),
        cmocka_unit_test(what_cannot_be_asked_is_said),
        cmocka_unit_test(a_promise_that_the_medium_cannot_keep_is_warned_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
