// What the Kubernetes downward API says of the pod, in files that a volume puts into one folder.
//
// Files: name, namespace, uid, nodeName (each also pod_name, node_name …), labels, annotations: the
// last two as the kubelet writes them, key="value" lines with Go's quotes. Labels become
// k8s.pod.label.KEY; of the annotations only resource.opentelemetry.io/NAME counts, which sets the
// attribute NAME. Sources: Kubernetes' downward API, OpenTelemetry's k8s conventions. Any thread.
#ifndef SLUICE_BASE_PODINFO_H
#define SLUICE_BASE_PODINFO_H

#include "base/settings.h"

#include <stddef.h>

#define PODINFO_LABELS_MAX 64         // labels and attributes of annotations; the rest is left out
#define PODINFO_LABELS_BYTES_MAX 4096 // names and values of them, together
#define PODINFO_PATHS_MAX 16

struct podinfo {
    struct resource_setting *items; // strongest first
    size_t count;
    size_t firm;       // items from here on only guess (a service's name from a label): the weakest
    char problem[256]; // the first thing that could not be used; "": nothing
};

// Reads the folder. What is not there is no error, what cannot be used is left out and the first of
// it told in problem. folder "": reads nothing. 0 or -ENOMEM.
int podinfo_read(struct podinfo *out, const char *folder);
void podinfo_deinit(struct podinfo *podinfo);

// The files it looks for: NUL-terminated in `room`, which the paths point into. Returns how many.
#define PODINFO_PATH_ROOM 4096
size_t podinfo_paths(const char *folder, char room[PODINFO_PATH_ROOM],
                     const char *paths[PODINFO_PATHS_MAX]);

// Every attribute of the agent's own place, strongest first, each name once: what settings and
// OTEL_* say, then the files, then the environment and the host, then what the files only suggest.
// Views into both. Free *out with free(). 0 or -ENOMEM.
int podinfo_merge(const struct settings *settings, const struct podinfo *podinfo,
                  struct resource_setting **out, size_t *count);

#endif
