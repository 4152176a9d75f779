// A connection of the HTTP endpoint, for the files that read its request, make its page and feed
// its stream.
//
// Private to agent/control/http_*.c.
#ifndef SLUICE_CONTROL_HTTP_CONNECTION_H
#define SLUICE_CONTROL_HTTP_CONNECTION_H

#include "base/loop.h"
#include "control/http_endpoint.h"

#include <stddef.h>

#define CONTAINER(pointer, type, member)                                                           \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct http_tail;

struct http_connection {
    struct http_endpoint *endpoint;
    struct http_connection *next, **link;
    struct loop_io io;
    struct loop_timer deadline;
    int fd;
    size_t received;
    char *answer; // head and body; NULL while the request is read
    size_t answer_size, sent;
    struct http_tail *tail; // a stream instead of an answer
    bool done;              // all is sent; waiting for the peer's end
    char head[HTTP_HEAD_MAX];
};

struct http_endpoint {
    struct http_endpoint_config config;
    uint64_t started_ns;
    int fd;
    struct loop_io io;
    struct loop_timer pause; // while the process is out of descriptors
    struct http_connection *connections;
    unsigned count;
    unsigned tails; // of these
    char address[80];
};

// What was asked for: pieces of the connection's head, NUL-terminated.
struct http_request {
    const char *method;
    char *path;
    char *query;        // "": none
    const char *fields; // each ends in CRLF
};

struct http_answer {
    int status;
    const char *type;
    char *body; // from malloc
    size_t size;
};

void http_connection_close(struct http_connection *connection);
// Watches the peer for events, or closes where that cannot be had.
void http_connection_watch(struct http_connection *connection, unsigned events);
// Takes the answer's body.
void http_connection_answer(struct http_connection *connection, struct http_answer *answer,
                            bool head_only);
void http_refuse(struct http_connection *connection, int status, const char *text);

// connection->head is whole and NUL-terminated: answers it, or starts its stream.
void http_request_read(struct http_connection *connection);

void http_text_page(struct http_answer *answer, int status, const char *text);
// Makes the page of the request's path, 404 where there is none.
void http_page(struct http_connection *connection, const struct http_request *request,
               struct http_answer *answer);
// Whether the peer may see what stays on the host: it is on loopback, and no foreign name led a
// browser here. If not, makes the refusal.
bool http_is_local(const struct http_connection *connection, const struct http_request *request,
                   struct http_answer *answer);

// Starts a stream of records. False: answer says why not.
bool http_tail_start(struct http_connection *connection, const struct http_request *request,
                     struct http_answer *answer);
void http_tail_ready(struct http_connection *connection, unsigned events);
// The connection ends.
void http_tail_free(struct http_connection *connection);

#endif
