// Reads the cgroup's memory limit, version 2 and version 1.
#include "base/memory_limit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNLIMITED (1ULL << 60) // version 1 writes "none" as the largest number of pages

static uint64_t read_limit(const char *path)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    char text[64];
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    uint64_t limit = read ? strtoull(text, NULL, 10) : 0; // "max" is 0: no limit
    return limit < UNLIMITED ? limit : 0;
}

static uint64_t stricter(uint64_t a, uint64_t b)
{
    return !a ? b : !b ? a : a < b ? a : b;
}

// From the process's own group up to the root: any of them may be the one that kills. In a
// container the path often names a place that is not visible; then the mount's root is the group.
static uint64_t walk_up(const char *root, const char *group, const char *file)
{
    char path[PATH_MAX];
    uint64_t limit = 0;
    size_t size = strlen(group);
    for (;;) {
        snprintf(path, sizeof path, "%s%.*s/%s", root, (int)size, group, file);
        limit = stricter(limit, read_limit(path));
        if (size == 0)
            return limit;
        while (size > 0 && group[size - 1] != '/')
            size--;
        if (size > 0)
            size--;
    }
}

// Whether "a,b,c" has the name.
static bool has_controller(const char *list, const char *name)
{
    size_t size = strlen(name);
    for (const char *at = list; *at; at += strcspn(at, ",")) {
        at += *at == ',';
        if (strcspn(at, ",") == size && strncmp(at, name, size) == 0)
            return true;
    }
    return false;
}

static uint64_t limit_of_line(char *line, const char *cgroup)
{
    // hierarchy-ID:controller-list:cgroup-path
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return 0;
    *controllers++ = '\0';
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (group[0] != '/' || strstr(group, "/.."))
        group = "";
    char root[PATH_MAX];
    if (strcmp(line, "0") == 0 && !controllers[0])
        return walk_up(cgroup, group, "memory.max");
    if (!has_controller(controllers, "memory"))
        return 0;
    snprintf(root, sizeof root, "%s/memory", cgroup);
    return walk_up(root, group, "memory.limit_in_bytes");
}

uint64_t memory_limit_read(const char *proc, const char *cgroup)
{
    char line[PATH_MAX + 256];
    snprintf(line, sizeof line, "%s/self/cgroup", proc);
    FILE *file = fopen(line, "re");
    if (!file)
        return 0;
    uint64_t limit = 0;
    while (fgets(line, sizeof line, file))
        limit = stricter(limit, limit_of_line(line, cgroup));
    fclose(file);
    return limit;
}

uint64_t memory_resident(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    char text[128];
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    const char *second = read ? strchr(text, ' ') : NULL; // size resident …, in pages
    long page = sysconf(_SC_PAGESIZE);
    return second && page > 0 ? strtoull(second, NULL, 10) * (uint64_t)page : 0;
}
