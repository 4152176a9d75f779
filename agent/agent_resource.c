// The resource attributes of the agent's own place: put in force at start, and again whenever the
// pod's downward API files change.
#include "agent_state.h"

#include "base/error.h"
#include "base/file_watch.h"
#include "base/own_log.h"
#include "base/podinfo.h"
#include "base/settings.h"
#include "enrich/enrich.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// FNV-1a over names and values: whether anything is other than before.
static uint64_t hash_of(const struct resource_setting *attributes, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < 2 * count; i++) {
        const char *text = i % 2 ? attributes[i / 2].value : attributes[i / 2].name;
        do
            hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
        while (*text++);
    }
    return hash;
}

static int hand_over(struct agent *agent, const struct resource_setting *merged, size_t count)
{
    uint64_t hash = hash_of(merged, count);
    if (hash == agent->resource_hash)
        return 0;
    struct resource_attribute *attributes = calloc(count + 1, sizeof *attributes);
    if (!attributes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        attributes[i] =
            (struct resource_attribute){slice_from(merged[i].name), slice_from(merged[i].value)};
    int r = enrich_set_resource(agent->enrich, attributes, count);
    free(attributes);
    if (r < 0)
        return r;
    if (agent->resource_hash)
        own_log(OWN_INFO, "resource_changed",
                "records get other resource attributes from now on (%zu); `sluice explain` lists "
                "them",
                count);
    agent->resource_hash = hash;
    return 0;
}

// Once, until it is something else: the kubelet writes all files anew for any one change.
static void tell_problem(struct agent *agent, const struct podinfo *podinfo)
{
    if (podinfo->problem[0] && strcmp(podinfo->problem, agent->podinfo_problem) != 0)
        own_log(OWN_WARN, "podinfo_unusable", "%s", podinfo->problem);
    snprintf(agent->podinfo_problem, sizeof agent->podinfo_problem, "%s", podinfo->problem);
}

int agent_apply_resource(struct agent *agent)
{
    struct podinfo podinfo;
    struct resource_setting *merged = NULL;
    size_t count = 0;
    int r = podinfo_read(&podinfo, agent->settings->podinfo);
    if (r < 0)
        return r;
    tell_problem(agent, &podinfo);
    r = podinfo_merge(agent->settings, &podinfo, &merged, &count);
    if (r == 0)
        r = hand_over(agent, merged, count);
    free(merged);
    podinfo_deinit(&podinfo);
    return r;
}

static void files_changed(void *ctx)
{
    int r = agent_apply_resource(ctx);
    if (r < 0)
        own_log(OWN_ERROR, "podinfo_unusable",
                "the pod's files have changed: %s; the old resource "
                "attributes stay",
                strerror(-r));
}

int agent_start_resource(struct agent *agent)
{
    char room[PODINFO_PATH_ROOM];
    const char *paths[PODINFO_PATHS_MAX];
    const char *folder = agent->settings->podinfo;
    struct stat status;
    int r = agent_apply_resource(agent);
    if (r < 0 || !folder[0] || stat(folder, &status) < 0 || !S_ISDIR(status.st_mode))
        return r; // a volume is there before its container starts, or never
    size_t count = podinfo_paths(folder, room, paths);
    r = file_watch_new(&agent->podinfo, agent->loop, paths, count, files_changed, agent);
    if (r < 0)
        own_log(OWN_WARN, "podinfo_unusable", "%s cannot be watched: %s; its changes are not seen",
                folder, strerror(-r));
    return 0;
}

void agent_stop_resource(struct agent *agent)
{
    file_watch_free(agent->podinfo);
    agent->podinfo = NULL;
}
