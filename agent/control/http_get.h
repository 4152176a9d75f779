// Asks a running agent for one of its pages.
#ifndef SLUICE_CONTROL_HTTP_GET_H
#define SLUICE_CONTROL_HTTP_GET_H

// address: numeric host:port; an unspecified host (0.0.0.0, [::]) is reached on loopback. Waits
// for five seconds at most. *body is NUL-terminated and the caller's to free. Returns the HTTP
// status, or -errno (-EPROTO: not an HTTP answer, -EMSGSIZE: larger than 1 MiB).
int http_get(const char *address, const char *path, char **body);

#endif
