// Warns where the spool's folder lies on a medium that holds less than its durability promises.
#include "agent_check_medium.h"

#include "base/medium.h"
#include "base/settings.h"
#include "base/settings_load.h"

#include <stdbool.h>
#include <string.h>

static const char *path_origin(const struct settings *settings)
{
    for (size_t i = 0; i < settings->effective_count; i++)
        if (strcmp(settings->effective[i].path, "spool.path") == 0)
            return settings->effective[i].origin;
    return "default";
}

// What is wrong with keeping files there; NULL: nothing.
static const char *doubt(enum spool_medium medium, bool node)
{
    switch (medium) {
    case MEDIUM_MEMORY:
        return node ? "durability node promises to survive a power cut, and this is memory"
                    : "this is memory: it counts as such, and is gone with the pod or the node";
    case MEDIUM_OVERLAY:
        return node ? "durability node promises to survive the node, and this is gone with the "
                      "container: mount a volume"
                    : "this is the container's own layer, gone with it: mount a volume";
    case MEDIUM_NETWORK:
        return "a server that does not answer stops the agent: use a disk of the node";
    case MEDIUM_FUSE:
        return "a program answers for this folder, and may stop the agent: use a disk of the node";
    case MEDIUM_DISK:
        break;
    }
    return NULL;
}

void agent_check_medium(const struct settings *settings, struct settings_mistakes *mistakes)
{
    static const char name[] = "spool.path";
    struct medium_view view;
    const char *path = settings->spool.path;
    if (!*path || strcmp(settings->spool.durability, "memory") == 0)
        return;
    if (spool_medium(path, &view) < 0)
        return; // the agent's start will say so
    const char *why = doubt(view.medium, strcmp(settings->spool.durability, "node") == 0);
    if (why)
        settings_warn_at(mistakes, path_origin(settings), name, "%s is on %s: %s", view.folder,
                         view.name, why);
}
