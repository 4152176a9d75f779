// The pod's files while the agent runs: what is in force at start, after a change, and after none.
#include "settings_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent_state.h"
#include "base/clock.h"
#include "base/file_watch.h"
#include "enrich/enrich_room.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    struct agent agent;
    struct loaded loaded;
    struct loop_timer turn;
    char folder[64];
    unsigned turns;
    struct slice wanted; // of kubernetes.labels
};

static void put(const struct bench *bench, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", bench->folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static struct bench *bench_new(const char *podinfo)
{
    struct bench *bench = calloc(1, sizeof *bench);
    char yaml[200];
    assert_non_null(bench);
    strcpy(bench->folder, "/tmp/sluice-resource-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(yaml, sizeof yaml, "podinfo: \"%s\"\n", podinfo ? podinfo : bench->folder);
    bench->loaded = load_text(yaml);
    assert_int_equal(bench->loaded.result, 0);
    struct agent *agent = &bench->agent;
    agent->settings = bench->loaded.settings;
    assert_int_equal(loop_new(&agent->loop), 0);
    struct enrich_config config = {.clock = clock_system(), .books = &agent->books};
    assert_int_equal(enrich_new(&agent->enrich, &config), 0);
    return bench;
}

static void bench_free(struct bench *bench)
{
    char command[128];
    agent_stop_resource(&bench->agent);
    loop_timer_stop(&bench->turn);
    enrich_free(bench->agent.enrich);
    loop_free(bench->agent.loop);
    unload(&bench->loaded);
    snprintf(command, sizeof command, "rm -rf '%s'", bench->folder);
    assert_int_equal(system(command), 0);
    free(bench);
}

static struct slice labels_of(const struct bench *bench)
{
    const struct fields *agent = &bench->agent.enrich->encoder.agent;
    return fields_has(agent, ECS_KUBERNETES_LABELS) ? agent->ecs[ECS_KUBERNETES_LABELS].text
                                                    : SLICE("none");
}

static void look(struct loop_timer *timer)
{
    struct bench *bench = (struct bench *)(void *)((char *)timer - offsetof(struct bench, turn));
    bool there = slice_equal(labels_of(bench), bench->wanted);
    if (there || ++bench->turns == 3000)
        loop_stop(bench->agent.loop);
    else
        loop_timer_start(bench->agent.loop, timer, 10 * NS_PER_MS);
}

// Runs the loop until the labels are these, or far too long.
static void until_labels(struct bench *bench, const char *wanted)
{
    bench->wanted = slice_from(wanted);
    bench->turns = 0;
    bench->turn.expired = look;
    loop_timer_start(bench->agent.loop, &bench->turn, 0);
    loop_run(bench->agent.loop);
    assert_true(slice_equal(labels_of(bench), bench->wanted));
}

static void a_change_is_in_force_without_a_restart(void **state)
{
    (void)state;
    struct bench *bench = bench_new(NULL);
    put(bench, "labels", "tier=\"web\"\n");
    put(bench, "name", "pod-1");
    assert_int_equal(agent_start_resource(&bench->agent), 0);
    const struct fields *agent = &bench->agent.enrich->encoder.agent;
    assert_true(slice_equal(labels_of(bench), SLICE("{\"tier\":\"web\"}")));
    assert_true(slice_equal(agent->ecs[ECS_KUBERNETES_POD_NAME].text, SLICE("pod-1")));
    put(bench, "labels", "tier=\"batch\"\nbroken\nb=\"2\"\n");
    until_labels(bench, "{\"tier\":\"batch\",\"b\":\"2\"}");
    assert_non_null(strstr(bench->agent.podinfo_problem, "labels: line 2"));
    put(bench, "labels", "tier=\"batch\"\n");
    until_labels(bench, "{\"tier\":\"batch\"}");
    assert_string_equal(bench->agent.podinfo_problem, "");
    bench_free(bench);
}

// As the kubelet does: all files are links into ..data, which is swapped.
static void a_swapped_volume_is_read_again(void **state)
{
    (void)state;
    struct bench *bench = bench_new(NULL);
    char path[128], target[32], next[128];
    for (unsigned i = 1; i < 4; i++) {
        snprintf(path, sizeof path, "%s/..%u", bench->folder, i);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(target, sizeof target, "..%u/labels", i);
        snprintf(next, sizeof next, "n=\"%u\"\n", i);
        put(bench, target, next);
        snprintf(target, sizeof target, "..%u", i);
        snprintf(next, sizeof next, "%s/..data_tmp", bench->folder);
        assert_int_equal(symlink(target, next), 0);
        snprintf(path, sizeof path, "%s/..data", bench->folder);
        assert_int_equal(rename(next, path), 0);
        if (i == 1) {
            snprintf(path, sizeof path, "%s/labels", bench->folder);
            assert_int_equal(symlink("..data/labels", path), 0);
            assert_int_equal(agent_start_resource(&bench->agent), 0);
        }
        snprintf(next, sizeof next, "{\"n\":\"%u\"}", i);
        until_labels(bench, next);
    }
    bench_free(bench);
}

static void no_folder_is_not_watched(void **state)
{
    (void)state;
    static const char *const folders[] = {"", "/tmp/sluice-resource-that-is-not-there"};
    for (unsigned i = 0; i < 2; i++) {
        struct bench *bench = bench_new(folders[i]);
        assert_int_equal(agent_start_resource(&bench->agent), 0);
        assert_null(bench->agent.podinfo);
        assert_string_equal(bench->agent.podinfo_problem, "");
        bench_free(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_in_force_without_a_restart),
        cmocka_unit_test(a_swapped_volume_is_read_again),
        cmocka_unit_test(no_folder_is_not_watched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
