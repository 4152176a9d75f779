// The downward API's files: what is read, what is left out and told, and who is stronger.
#include "settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/podinfo.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static int begin(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/sluice-podinfo-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int finish(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void put(const char *name, const char *text, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static const char *value_of(const struct podinfo *podinfo, const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < podinfo->count; i++) {
        if (strcmp(podinfo->items[i].name, name) == 0) {
            assert_null(found);
            found = podinfo->items[i].value;
        }
    }
    return found;
}

static void expect(const struct podinfo *podinfo, const char *name, const char *value)
{
    const char *found = value_of(podinfo, name);
    if (!found)
        fail_msg("%s is not there", name);
    assert_string_equal(found, value);
}

static void nothing_there_is_no_error(void **state)
{
    (void)state;
    struct podinfo podinfo;
    const char *const folders[] = {"", folder, "/tmp/sluice-podinfo-that-is-not-there"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(podinfo_read(&podinfo, folders[i]), 0);
        assert_int_equal(podinfo.count, 0);
        assert_string_equal(podinfo.problem, "");
        podinfo_deinit(&podinfo);
    }
}

static void every_file_is_read(void **state)
{
    (void)state;
    struct podinfo podinfo;
    put_text("name", "shop-7d4b-x2x7p");
    put_text("pod_namespace", " shop\n");
    put_text("uid", "8b1c\n");
    put_text("nodeName", "node-17");
    put_text("node_name", "another");
    put_text("labels", "app.kubernetes.io/name=\"shop\"\napp.kubernetes.io/version=\"2.1\"\n"
                       "team=\"pay\\\"ments\\u20ac\\U0001f600\\x09\\\\\"\nempty=\"\"");
    put_text("annotations", "kubernetes.io/config.seen=\"2026\"\n"
                            "resource.opentelemetry.io/service.namespace=\"b\\nc\"\n"
                            "resource.opentelemetry.io/=\"nameless\"\n");
    assert_int_equal(podinfo_read(&podinfo, folder), 0);
    assert_string_equal(podinfo.problem, "");
    expect(&podinfo, "k8s.pod.name", "shop-7d4b-x2x7p");
    expect(&podinfo, "k8s.namespace.name", "shop");
    expect(&podinfo, "k8s.pod.uid", "8b1c");
    expect(&podinfo, "k8s.node.name", "node-17");
    expect(&podinfo, "k8s.pod.label.app.kubernetes.io/name", "shop");
    expect(&podinfo, "k8s.pod.label.team", "pay\"ments\xe2\x82\xac\xf0\x9f\x98\x80\t\\");
    expect(&podinfo, "service.namespace", "b\nc");
    expect(&podinfo, "service.name", "shop");
    expect(&podinfo, "service.version", "2.1");
    assert_int_equal(podinfo.count, 10);
    assert_int_equal(podinfo.firm, 8);
    podinfo_deinit(&podinfo);
}

static void what_is_broken_is_left_out_and_told(void **state)
{
    (void)state;
    static const char *const broken[] = {
        "b",           "b=",        "b=x",        "=\"x\"",        "b=\"x",
        "b=\"x\"y",    "b=\"\\q\"", "b=\"\\x4\"", "b=\"\\ud800\"", "b=\"\\U00110000\"",
        "b=\"\\x00\"", "b=\"\\",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct podinfo podinfo;
        char text[100];
        snprintf(text, sizeof text, "a=\"1\"\n%s\nc=\"3\"\n", broken[i]);
        put_text("labels", text);
        assert_int_equal(podinfo_read(&podinfo, folder), 0);
        expect(&podinfo, "k8s.pod.label.a", "1");
        expect(&podinfo, "k8s.pod.label.c", "3");
        if (podinfo.count != 2 || !strstr(podinfo.problem, "/labels: line 2 is not"))
            fail_msg("%s: %zu kept, told \"%s\"", broken[i], podinfo.count, podinfo.problem);
        podinfo_deinit(&podinfo);
    }
}

static void odd_files_are_told(void **state)
{
    (void)state;
    struct podinfo podinfo;
    put_text("name", "two\nlines");
    put("labels", "a=\"1\"\n\0b=\"2\"\n", 13);
    assert_int_equal(podinfo_read(&podinfo, folder), 0);
    assert_int_equal(podinfo.count, 1);
    expect(&podinfo, "k8s.pod.label.a", "1");
    assert_non_null(strstr(podinfo.problem, "/name: holds no name"));
    podinfo_deinit(&podinfo);
    char path[128];
    snprintf(path, sizeof path, "%s/name", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(podinfo_read(&podinfo, folder), 0);
    assert_non_null(strstr(podinfo.problem, "/name: cannot be read"));
    podinfo_deinit(&podinfo);
}

static void labels_are_limited(void **state)
{
    (void)state;
    struct podinfo podinfo;
    char text[20000];
    size_t used = 0;
    for (unsigned i = 0; i < 100; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "l%u=\"v\"\n", i);
    put("labels", text, used);
    assert_int_equal(podinfo_read(&podinfo, folder), 0);
    assert_int_equal(podinfo.count, PODINFO_LABELS_MAX);
    assert_non_null(strstr(podinfo.problem, "more than 64 entries"));
    podinfo_deinit(&podinfo);
    used = 0;
    for (unsigned i = 0; i < 40; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "l%02u=\"%0197d\"\n", i, 0);
    put("labels", text, used);
    assert_int_equal(podinfo_read(&podinfo, folder), 0);
    assert_int_equal(podinfo.count, 20); // of 200 bytes each
    podinfo_deinit(&podinfo);
}

static void files_stand_between_settings_and_environment(void **state)
{
    (void)state;
    struct podinfo podinfo;
    char yaml[200];
    char *environment[] = {"OTEL_RESOURCE_ATTRIBUTES=k8s.namespace.name=otel", "POD_NAME=variable",
                           "POD_UID=variable", NULL};
    put_text("name", "file");
    put_text("namespace", "file");
    put_text("labels", "app.kubernetes.io/name=\"label\"\napp.kubernetes.io/version=\"label\"\n");
    snprintf(yaml, sizeof yaml, "podinfo: %s\nservice: {version: \"3\"}\n", folder);
    struct loaded l = load_input((struct settings_input){.file = "s.yaml",
                                                         .text = yaml,
                                                         .size = strlen(yaml),
                                                         .environment = environment,
                                                         .host_name = "machine"});
    assert_int_equal(l.result, 0);
    assert_int_equal(podinfo_read(&podinfo, l.settings->podinfo), 0);
    struct resource_setting *merged = NULL;
    size_t count = 0;
    assert_int_equal(podinfo_merge(l.settings, &podinfo, &merged, &count), 0);
    const struct podinfo view = {.items = merged, .count = count};
    expect(&view, "service.version", "3");
    expect(&view, "k8s.namespace.name", "otel");
    expect(&view, "k8s.pod.name", "file");
    expect(&view, "k8s.pod.uid", "variable");
    expect(&view, "host.name", "machine");
    expect(&view, "service.name", "label");
    assert_string_equal(merged[count - 1].name, "service.name"); // the weakest of all
    free(merged);
    podinfo_deinit(&podinfo);
    unload(&l);
}

static void the_files_to_watch(void **state)
{
    (void)state;
    char room[PODINFO_PATH_ROOM];
    const char *paths[PODINFO_PATHS_MAX];
    assert_int_equal(podinfo_paths("", room, paths), 0);
    size_t count = podinfo_paths("/p", room, paths);
    assert_int_equal(count, 10);
    assert_string_equal(paths[0], "/p/name");
    assert_string_equal(paths[8], "/p/labels");
    assert_string_equal(paths[9], "/p/annotations");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_there_is_no_error, begin, finish),
        cmocka_unit_test_setup_teardown(every_file_is_read, begin, finish),
        cmocka_unit_test_setup_teardown(what_is_broken_is_left_out_and_told, begin, finish),
        cmocka_unit_test_setup_teardown(odd_files_are_told, begin, finish),
        cmocka_unit_test_setup_teardown(labels_are_limited, begin, finish),
        cmocka_unit_test_setup_teardown(files_stand_between_settings_and_environment, begin,
                                        finish),
        cmocka_unit_test(the_files_to_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
