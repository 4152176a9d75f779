// The cgroup's limit, read from copies of what the kernel shows, both versions.
#include "base/memory_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char root[] = "/tmp/sluice-cgroup-XXXXXX";

static void put(const char *path, const char *text)
{
    char full[300];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *at = full + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static uint64_t limit(void)
{
    char proc[100], cgroup[100];
    snprintf(proc, sizeof proc, "%s/proc", root);
    snprintf(cgroup, sizeof cgroup, "%s/cgroup", root);
    return memory_limit_read(proc, cgroup);
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/sluice-cgroup-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command); // a folder of this test's own making
}

static void without_files_there_is_none(void **state)
{
    (void)state;
    assert_int_equal(limit(), 0);
    put("proc/self/cgroup", "0::/a\n");
    assert_int_equal(limit(), 0);
    put("cgroup/a/memory.max", "max\n");
    assert_int_equal(limit(), 0);
    put("proc/self/cgroup", "not a cgroup line\n\n5\n");
    assert_int_equal(limit(), 0);
}

static void version_2_takes_the_strictest_on_the_way_up(void **state)
{
    (void)state;
    put("proc/self/cgroup", "0::/pod/app\n");
    put("cgroup/pod/app/memory.max", "max\n");
    put("cgroup/pod/memory.max", "67108864\n");
    assert_int_equal(limit(), 67108864);
    put("cgroup/pod/app/memory.max", "33554432\n");
    assert_int_equal(limit(), 33554432);
    put("cgroup/memory.max", "16777216\n");
    assert_int_equal(limit(), 16777216);
}

static void a_container_sees_its_limit_at_the_root(void **state)
{
    (void)state;
    // The path is the host's, and not visible here.
    put("proc/self/cgroup", "0::/kubepods/burstable/podx/y\n");
    put("cgroup/memory.max", "134217728\n");
    assert_int_equal(limit(), 134217728);
    put("proc/self/cgroup", "0::/../../sibling\n");
    assert_int_equal(limit(), 134217728);
}

static void version_1_has_its_own_hierarchy(void **state)
{
    (void)state;
    put("proc/self/cgroup", "12:cpuset,cpu:/a\n4:rdma,memory:/docker/x\n1:name=memory:/z\n0::/\n");
    put("cgroup/memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n"); // none
    assert_int_equal(limit(), 0);
    put("cgroup/memory/docker/x/memory.limit_in_bytes", "50331648\n");
    assert_int_equal(limit(), 50331648);
    put("cgroup/cpu/a/memory.limit_in_bytes", "1\n");
    assert_int_equal(limit(), 50331648);
}

static void this_process_is_resident(void **state)
{
    (void)state;
    assert_true(memory_resident() > 100000);
    memory_limit_read("/proc", "/sys/fs/cgroup"); // whatever it is here, it reads
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_files_there_is_none, make_root, remove_root),
        cmocka_unit_test_setup_teardown(version_2_takes_the_strictest_on_the_way_up, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(a_container_sees_its_limit_at_the_root, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(version_1_has_its_own_hierarchy, make_root, remove_root),
        cmocka_unit_test(this_process_is_resident),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
