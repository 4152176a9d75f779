// The doors: listening sockets, and every connection that came through them.
//
// Never interprets a record: bytes go to decode, verdicts on the dialect come back. Loop thread
// only.
#ifndef SLUICE_RECEIVE_RECEIVE_H
#define SLUICE_RECEIVE_RECEIVE_H

#include "base/books.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct clock;
struct decoder;
struct loop;
struct receive;

struct receive_config {
    struct loop *loop;
    struct clock *clock;
    struct decoder *decoder;
    struct receive_book *book;
    const char *socket_path;
    mode_t socket_mode;
    const char *socket_group; // "": none
    const char *otlp_listen;  // host:port; "": none
    size_t max_line;          // bytes
    size_t max_message;       // bytes
    uint64_t block_for_ns;    // how long a line waits for room before it is shed
    uint64_t join_for_ns;     // how long a plain line waits for the rest of its stack trace
    // All of these: 0 or "" for no limit. What connections keep together is limited by the book's
    // read_bytes and message_bytes, whose limits the caller sets.
    size_t max_connections;
    uint64_t first_byte_timeout_ns; // while connections are scarce
    const char *allowed_uids;       // numbers or names, separated by commas
    const char *allowed_gids;
};

// Opens the sockets and starts to accept. What cannot be opened is told in the own log by name,
// value and way out.
int receive_new(struct receive **out, const struct receive_config *config);
void receive_free(struct receive *receive);

// Other limits from now on; connections that are open stay.
struct receive_limits {
    size_t max_connections;
    uint64_t first_byte_timeout_ns;
    uint64_t block_for_ns;
};
void receive_set_limits(struct receive *receive, const struct receive_limits *limits);

// The addresses as bound ("" where off).
const char *receive_socket_path(const struct receive *receive);
const char *receive_otlp_address(const struct receive *receive);

// Connections open now, and a call (once, from the loop) when the last one of them has closed.
size_t receive_open(const struct receive *receive);
void receive_on_idle(struct receive *receive, void (*idle)(void *ctx), void *ctx);

// Accepts no more, reads what the sockets still hold (bounded), and closes every connection.
void receive_close_all(struct receive *receive);

#endif
