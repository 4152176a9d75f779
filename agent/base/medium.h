// What kind of medium a folder lies on, and so what files in it survive.
//
// Any thread. Source: statfs(2), the kernel's include/uapi/linux/magic.h.
#ifndef SLUICE_BASE_MEDIUM_H
#define SLUICE_BASE_MEDIUM_H

enum spool_medium {
    MEDIUM_DISK,    // as far as is known: a local filesystem on a device
    MEDIUM_MEMORY,  // tmpfs, ramfs: gone with the pod or the node; counts as memory
    MEDIUM_OVERLAY, // a container's own layer: gone with the container
    MEDIUM_NETWORK, // nfs, cifs, ceph …: slow, and may be gone while the agent runs
    MEDIUM_FUSE,    // nobody knows what is behind it
};

struct medium_view {
    enum spool_medium medium;
    char name[32];    // of the filesystem: tmpfs; as hex where it is unknown
    char folder[256]; // that was looked at: the path, or its nearest parent that exists
};

// Of the path, or of its nearest parent where it does not exist yet. 0 or -errno.
int spool_medium(const char *path, struct medium_view *out);
// By a magic number of statfs.
enum spool_medium medium_of(unsigned long magic, const char **name);
// What is kept there survives.
const char *medium_survives(enum spool_medium medium);

#endif
