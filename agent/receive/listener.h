// A listening socket, Unix or TCP, and the file that goes with the Unix one.
//
// Source: unix(7), ip(7). Loop thread only.
#ifndef SLUICE_RECEIVE_LISTENER_H
#define SLUICE_RECEIVE_LISTENER_H

#include "base/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct listener {
    struct loop *loop;
    struct loop_io io;
    struct loop_timer pause;             // while the process is out of descriptors
    void (*accepted)(void *ctx, int fd); // owns fd
    void *ctx;
    bool told;   // of a pause, since the last connection that came through
    int fd;      // -1: not open
    int lock_fd; // Unix: PATH.lock, held as long as we listen
    dev_t device;
    ino_t inode;       // of the socket file that we made
    char address[128]; // as bound: the path, or host:port
};

// A message of at most 200 bytes that names the address and the way out.
struct listener_error {
    char text[256];
};

// Listens on a path. An older socket there is replaced only when nobody answers on it and its lock
// is free; a live one is never stolen. mode: permission bits; group: name or number, "" for none. 0
// or -errno with *error.
int listener_open_unix(struct listener *listener, const char *path, mode_t mode, const char *group,
                       struct listener_error *error);
// Listens on a numeric "host:port" ("[::1]:0"). 0 or -errno with *error.
int listener_open_tcp(struct listener *listener, const char *address, struct listener_error *error);

// Hands each new connection (non-blocking, close-on-exec) to accepted().
int listener_start(struct listener *listener, struct loop *loop,
                   void (*accepted)(void *ctx, int fd), void *ctx);
// Stops and removes the socket file if it is still ours. Safe twice, and on a zeroed listener whose
// fd is -1.
void listener_close(struct listener *listener);

#endif
