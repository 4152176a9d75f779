// Tells media apart by the filesystem's magic number.
#include "base/medium.h"

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

static const struct {
    unsigned long magic;
    enum spool_medium medium;
    const char *name;
} media[] = {
    {0xEF53, MEDIUM_DISK, "ext4"},           {0x58465342, MEDIUM_DISK, "xfs"},
    {0x9123683E, MEDIUM_DISK, "btrfs"},      {0xF2F52010, MEDIUM_DISK, "f2fs"},
    {0x2FC12FC1, MEDIUM_DISK, "zfs"},        {0x01021994, MEDIUM_MEMORY, "tmpfs"},
    {0x858458F6, MEDIUM_MEMORY, "ramfs"},    {0x958458F6, MEDIUM_MEMORY, "hugetlbfs"},
    {0x794C7630, MEDIUM_OVERLAY, "overlay"}, {0x61756673, MEDIUM_OVERLAY, "aufs"},
    {0x6969, MEDIUM_NETWORK, "nfs"},         {0xFF534D42, MEDIUM_NETWORK, "cifs"},
    {0xFE534D42, MEDIUM_NETWORK, "smb2"},    {0x517B, MEDIUM_NETWORK, "smb"},
    {0x00C36400, MEDIUM_NETWORK, "ceph"},    {0x01021997, MEDIUM_NETWORK, "9p"},
    {0x5346414F, MEDIUM_NETWORK, "afs"},     {0x0BD00BD0, MEDIUM_NETWORK, "lustre"},
    {0x65735546, MEDIUM_FUSE, "fuse"},
};

enum spool_medium medium_of(unsigned long magic, const char **name)
{
    for (size_t i = 0; i < sizeof media / sizeof *media; i++) {
        if (media[i].magic == magic) {
            *name = media[i].name;
            return media[i].medium;
        }
    }
    *name = NULL;
    return MEDIUM_DISK;
}

// The parent of the path in place; false: there is none left.
static bool go_up(char *path)
{
    char *slash = strrchr(path, '/');
    if (!slash) {
        bool more = strcmp(path, ".") != 0;
        memcpy(path, ".", 2); // a name has one byte at least
        return more;
    }
    if (slash[1] == '\0' && slash == path)
        return false; // the root itself
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

int spool_medium(const char *path, struct medium_view *out)
{
    struct medium_view view = {0};
    struct statfs status;
    const char *name;
    if (!*path || strlen(path) >= sizeof view.folder)
        return -EINVAL;
    memcpy(view.folder, path, strlen(path) + 1);
    while (statfs(view.folder, &status) < 0) {
        int error = error_from_errno();
        if (error != -ENOENT || !go_up(view.folder))
            return error;
    }
    unsigned long magic = (unsigned long)status.f_type & 0xFFFFFFFFul;
    view.medium = medium_of(magic, &name);
    if (name)
        snprintf(view.name, sizeof view.name, "%s", name);
    else
        snprintf(view.name, sizeof view.name, "filesystem 0x%lX", magic);
    *out = view;
    return 0;
}

const char *medium_survives(enum spool_medium medium)
{
    static const char *const texts[] = {
        [MEDIUM_DISK] = "the agent's death and the container's; the node's where the disk does",
        [MEDIUM_MEMORY] = "the agent's death, not the pod's or the node's; it counts as memory",
        [MEDIUM_OVERLAY] = "the agent's death, not the container's",
        [MEDIUM_NETWORK] = "the node, while the server answers: slow, and it may fail while we run",
        [MEDIUM_FUSE] = "what the program behind it keeps",
    };
    return texts[medium];
}
