// Asks a running agent for one of its pages.
#ifndef SLUICE_CONTROL_HTTP_GET_H
#define SLUICE_CONTROL_HTTP_GET_H

#include "base/slice.h"

#include <signal.h>
#include <stdbool.h>

// address: numeric host:port; an unspecified host (0.0.0.0, [::]) is reached on loopback. Waits
// for five seconds at most. *body is NUL-terminated and the caller's to free. Returns the HTTP
// status, or -errno (-EPROTO: not an HTTP answer, -EMSGSIZE: larger than 1 MiB).
int http_get(const char *address, const char *path, char **body);

// Asks for a stream of lines and hands each to line, without its end, until *stop is set (by a
// signal's handler), line returns false, or the agent ends the stream. Where the answer is not 200,
// *body is its text and the caller's to free. Waits for five seconds for the answer's head, then as
// long as it takes. Returns the HTTP status, or -errno (-EPROTO: not an HTTP answer, -EMSGSIZE: a
// line larger than 1 MiB).
int http_follow(const char *address, const char *path, const volatile sig_atomic_t *stop,
                bool (*line)(void *ctx, struct slice text), void *ctx, char **body);

#endif
