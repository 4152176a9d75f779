// Lets peers in: by who they are, and as long as there are connections left.
#include "receive/admission.h"

#include "base/account_id.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/own_log.h"
#include "receive/connection.h"
#include "receive/listener.h"
#include "receive/receive_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define OTHER_FILES 128 // descriptors beside those of connections
#define SILENT_TRIES 8  // to make room for one connection
#define GROUPS_GUESSED 64

// --- the lists ---

// One setting's list to ids (heap). 0 or -errno with *error.
static int parse_list(const char *setting, const char *list,
                      bool (*find)(const char *text, unsigned *id), unsigned **ids, size_t *count,
                      struct listener_error *error)
{
    char *copy = strdup(list), *rest = copy;
    *ids = calloc(strlen(list) / 2 + 1, sizeof **ids);
    int r = copy && *ids ? 0 : -ENOMEM;
    for (char *item; r == 0 && (item = strtok_r(rest, ", \t\r\n", &rest));) {
        if (find(item, *ids + *count)) {
            ++*count;
            continue;
        }
        r = -ENOENT;
        snprintf(error->text, sizeof error->text,
                 "%s: \"%.60s\": no such name here; use its number, or take it from the list",
                 setting, item);
    }
    free(copy);
    return r;
}

// --- open files ---

// Each connection is a descriptor.
void admission_raise_open_files(size_t max_connections)
{
    struct rlimit limit;
    rlim_t needed = max_connections + OTHER_FILES;
    if (max_connections == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < needed)
        own_log(OWN_WARN, "open_files",
                "max_connections: %zu: the limit of open files is %llu; raise it to %llu "
                "(LimitNOFILE, ulimit -n), or set max_connections lower",
                max_connections, (unsigned long long)limit.rlim_cur, (unsigned long long)needed);
}

int admission_init(struct receive *receive, struct listener_error *error)
{
    struct admission *admission = &receive->admission;
    const struct receive_config *config = &receive->config;
    int r = 0;
    if (config->allowed_uids && *config->allowed_uids)
        r = parse_list("socket.allowed_uids", config->allowed_uids, account_user, &admission->uids,
                       &admission->uid_count, error);
    if (r == 0 && config->allowed_gids && *config->allowed_gids)
        r = parse_list("socket.allowed_gids", config->allowed_gids, account_group, &admission->gids,
                       &admission->gid_count, error);
    if (r == 0)
        admission_raise_open_files(config->max_connections);
    return r;
}

void admission_deinit(struct admission *admission)
{
    free(admission->uids);
    free(admission->gids);
    *admission = (struct admission){0};
}

// --- who ---

static bool listed(const unsigned *ids, size_t count, unsigned id)
{
    for (size_t i = 0; ids && i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

// Whether a supplementary group of the peer is listed.
static bool group_listed(const struct admission *admission, int fd)
{
    gid_t guessed[GROUPS_GUESSED], *groups = guessed;
    socklen_t size = sizeof guessed;
    bool found = false;
    int r = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size);
    if (r < 0 && errno == ERANGE) { // it says how much it needs
        groups = malloc(size);
        r = groups ? getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) : -1;
    }
    for (size_t i = 0; r == 0 && !found && i < size / sizeof *groups; i++)
        found = listed(admission->gids, admission->gid_count, groups[i]);
    if (groups != guessed)
        free(groups);
    return found;
}

static bool is_allowed(const struct admission *admission, int fd, const struct ucred *peer)
{
    if (!admission->uids && !admission->gids)
        return true;
    return listed(admission->uids, admission->uid_count, peer->uid) ||
           listed(admission->gids, admission->gid_count, peer->gid) ||
           (admission->gids && group_listed(admission, fd));
}

// --- how many ---

// The longest silent one makes room, if it has been silent for long enough. A prefix that could
// still be several things is no first byte yet: nobody holds a place by dribbling one.
static bool silence_one(struct receive *receive)
{
    struct link *link = link_first(&receive->undecided);
    uint64_t allowed_ns = receive->config.first_byte_timeout_ns;
    if (!link || allowed_ns == 0)
        return false;
    struct connection *connection = CONNECTION_OF(link, place);
    if (clock_monotonic(receive->config.clock) - connection->since_ns < allowed_ns)
        return false;
    // What it may just have sent counts, and may be its first bytes.
    if (!connection_drink(connection) || connection->door)
        return true;
    hint(&receive->hints, CLOSE_SILENT,
         "all %zu connections (max_connections) are in use, and one had sent nothing for %llu s "
         "(first_byte_timeout)",
         receive->config.max_connections, (unsigned long long)(allowed_ns / NS_PER_S));
    connection_count_closed(connection, CLOSE_SILENT);
    if (connection->kept_size > 0)
        connection_end(connection);
    else
        connection_free(connection);
    return true;
}

static bool make_room(struct receive *receive)
{
    size_t most = receive->config.max_connections;
    for (int i = 0; most > 0 && receive->open >= most && i < SILENT_TRIES; i++)
        if (!silence_one(receive))
            break;
    return most == 0 || receive->open < most;
}

static void refuse(struct receive *receive, int fd, enum close_reason reason)
{
    receive->config.book->closed[reason]++;
    close(fd);
}

void admission_accept(struct receive *receive, int fd, bool local)
{
    struct ucred peer = {.pid = -1, .uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t size = sizeof peer;
    if (local && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        peer.uid = (uid_t)-1; // nobody
    if (local && !is_allowed(&receive->admission, fd, &peer)) {
        hint(&receive->hints, CLOSE_NOT_ALLOWED,
             "its peer has uid %ld and gid %ld, and neither is in socket.allowed_uids or "
             "socket.allowed_gids; add one of them",
             (long)peer.uid, (long)peer.gid);
        refuse(receive, fd, CLOSE_NOT_ALLOWED);
    } else if (!make_room(receive)) {
        hint(&receive->hints, CLOSE_TOO_MANY,
             "all %zu connections are in use; raise max_connections, or let clients share one",
             receive->config.max_connections);
        refuse(receive, fd, CLOSE_TOO_MANY);
    } else if (connection_new(receive, fd, &peer) < 0) {
        own_log(OWN_ERROR, "connection_refused", "out of memory: a connection was closed");
    }
}
