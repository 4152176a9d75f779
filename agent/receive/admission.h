// Who may have a connection: users and groups on the Unix socket, and so many of all.
//
// Private to receive/. Source: socket(7) SO_PEERCRED, SO_PEERGROUPS; getrlimit(2). Loop thread
// only.
#ifndef SLUICE_RECEIVE_ADMISSION_H
#define SLUICE_RECEIVE_ADMISSION_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct receive;
struct listener_error;

struct admission {
    uid_t *uids;
    size_t uid_count;
    gid_t *gids;
    size_t gid_count;
};

// Reads the lists of receive->config, resolving names; raises the limit of open files where
// max_connections needs it. 0 or -errno with *error.
int admission_init(struct receive *receive, struct listener_error *error);
void admission_deinit(struct admission *admission);
// Takes what the hard limit of open files gives, where the soft one is too low for so many.
void admission_raise_open_files(size_t max_connections);

// Makes a connection of fd, or closes it, counted, with a hint. local: from the Unix socket.
void admission_accept(struct receive *receive, int fd, bool local);

#endif
