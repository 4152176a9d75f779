// The places that settings name, looked at before the agent starts: files, folders, users, groups.
//
// A mistake where a place is of the wrong kind, or two settings mean the same one: no agent would
// start so. A warning where something is missing or forbidden: it may be there for another user, or
// on the machine where the agent will run.
#include "agent_check.h"

#include "base/account_id.h"
#include "base/settings.h"
#include "base/settings_load.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEPARATORS ", \t\r\n" // of a list of accounts

struct look {
    const struct settings *settings;
    struct settings_mistakes *mistakes;
};

static const char *origin_of(const struct look *look, const char *name)
{
    for (size_t i = 0; i < look->settings->effective_count; i++)
        if (strcmp(look->settings->effective[i].path, name) == 0)
            return look->settings->effective[i].origin;
    return "default";
}

static void wrong(const struct look *look, const char *name, const char *path, const char *what)
{
    settings_mistake_at(look->mistakes, origin_of(look, name), name, "%.200s %s", path, what);
}

// Whether the folder of a path that is not there yet takes a new file.
static void look_at_folder(const struct look *look, const char *name, const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t size = slash == path ? 1 : (size_t)(slash - path); // the rules want an absolute path
    if (size >= sizeof folder)
        return; // told as too long
    memcpy(folder, path, size);
    folder[size] = '\0';
    if (access(folder, W_OK | X_OK) < 0)
        settings_warn_at(look->mistakes, origin_of(look, name), name,
                         "the folder %.200s takes no new file of this user: %s", folder,
                         strerror(errno));
}

// False: nothing is there. Tells what no agent could open.
static bool is_there(const struct look *look, const char *name, const char *path,
                     int (*look_up)(const char *path, struct stat *status), struct stat *status)
{
    if (look_up(path, status) == 0)
        return true;
    struct stat link;
    if (errno == ENAMETOOLONG || errno == ELOOP || errno == ENOTDIR)
        wrong(look, name, path, strerror(errno));
    else if (lstat(path, &link) == 0)
        wrong(look, name, path, "is a symbolic link to nothing");
    else
        look_at_folder(look, name, path);
    return false;
}

static void check_dead_letters(const struct look *look)
{
    static const char name[] = "dead_letters.path";
    const char *path = look->settings->dead_letters.path;
    struct stat status;
    if (!*path || !is_there(look, name, path, lstat, &status))
        return;
    if (!S_ISREG(status.st_mode))
        wrong(look, name, path, "is no regular file: the agent will not start");
    else if (access(path, R_OK | W_OK) < 0)
        settings_warn_at(look->mistakes, origin_of(look, name), name,
                         "%.200s cannot be written by this user: %s", path, strerror(errno));
}

static void check_spool(const struct look *look)
{
    static const char name[] = "spool.path", durability_name[] = "spool.durability";
    const char *path = look->settings->spool.path, *durability = look->settings->spool.durability;
    struct stat status;
    bool files = strcmp(durability, "auto") != 0 && strcmp(durability, "memory") != 0;
    if (!*path && files)
        settings_mistake_at(look->mistakes, origin_of(look, durability_name), durability_name,
                            "%s needs a spool.path, the folder where records wait", durability);
    if (*path && strcmp(durability, "memory") == 0)
        settings_warn_at(look->mistakes, origin_of(look, name), name,
                         "is not used: spool.durability is memory");
    else if (*path && is_there(look, name, path, stat, &status) && !S_ISDIR(status.st_mode))
        wrong(look, name, path, "is no folder: the agent will not start");
    else if (*path && access(path, F_OK) == 0 && access(path, R_OK | W_OK | X_OK) < 0)
        settings_warn_at(look->mistakes, origin_of(look, name), name,
                         "%.200s cannot be written by this user: %s", path, strerror(errno));
}

static void check_socket(const struct look *look)
{
    static const char name[] = "socket.path", group_name[] = "socket.group";
    const char *path = look->settings->socket.path, *group = look->settings->socket.group;
    struct stat status;
    unsigned id;
    if (lstat(path, &status) == 0) {
        if (!S_ISSOCK(status.st_mode))
            wrong(look, name, path,
                  "is there and no socket: remove it, or set another path; the agent will not "
                  "start");
    } else if (strcmp(origin_of(look, name), "default") != 0) {
        look_at_folder(look, name, path); // the default one is made where the agent is installed
    }
    if (*group && !account_group(group, &id))
        settings_warn_at(look->mistakes, origin_of(look, group_name), group_name,
                         "no group is called \"%.60s\" here: the agent will not start", group);
}

static void check_names(const struct look *look, const char *name, const char *list,
                        bool (*find)(const char *text, unsigned *id))
{
    char item[64];
    unsigned id;
    while (*(list += strspn(list, SEPARATORS)) != '\0') {
        size_t size = strcspn(list, SEPARATORS);
        snprintf(item, sizeof item, "%.*s", size < sizeof item ? (int)size : (int)sizeof item - 1,
                 list);
        if (size < sizeof item && !find(item, &id))
            settings_warn_at(look->mistakes, origin_of(look, name), name,
                             "nobody is called \"%s\" here: the agent will not start; use the "
                             "number",
                             item);
        list += size;
    }
}

// No two settings may have one file: each would destroy what the other keeps there.
static void check_apart(const struct look *look)
{
    const struct settings *settings = look->settings;
    const struct {
        const char *name, *path;
    } files[] = {
        {"socket.path", settings->socket.path},
        {"spool.path", settings->spool.path},
        {"dead_letters.path", settings->dead_letters.path},
        {"termination_message", settings->termination_message},
    };
    char text[128];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        for (size_t k = 0; k < i; k++)
            if (files[i].path[0] && strcmp(files[i].path, files[k].path) == 0) {
                snprintf(text, sizeof text, "is %s too; give each its own", files[k].name);
                wrong(look, files[i].name, files[i].path, text);
            }
    size_t size = strlen(settings->spool.path);
    const char *dead = settings->dead_letters.path;
    for (unsigned i = 0; size > 0 && i < settings->exporter_count; i++)
        if (strncmp(dead, settings->spool.path, size) == 0 && dead[size] == '/' &&
            strcmp(dead + size + 1, settings->exporters[i].name) == 0)
            wrong(look, "dead_letters.path", dead, "is an exporter's folder in spool.path");
}

void agent_check_places(const struct settings *settings, struct settings_mistakes *mistakes)
{
    const struct look look = {settings, mistakes};
    check_socket(&look);
    check_names(&look, "socket.allowed_uids", settings->socket.allowed_uids, account_user);
    check_names(&look, "socket.allowed_gids", settings->socket.allowed_gids, account_group);
    check_spool(&look);
    check_dead_letters(&look);
    check_apart(&look);
}
