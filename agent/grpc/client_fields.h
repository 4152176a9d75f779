// The header fields a gRPC client sends with every call: copied, checked and counted once.
//
// Source: gRPC over HTTP/2, Request-Headers. Loop thread only.
#ifndef SLUICE_GRPC_CLIENT_FIELDS_H
#define SLUICE_GRPC_CLIENT_FIELDS_H

#include "grpc/grpc_client.h"

#include <nghttp2/nghttp2.h>

#define CLIENT_HEADERS_MAX 32 // of the caller's own
#define CLIENT_FIELDS_MAX (CLIENT_HEADERS_MAX + 12)
#define CLIENT_TIMEOUT_SIZE 16

struct client_fields {
    char *scheme, *authority, *user_agent;
    struct {
        char *name, *value;
    } own[CLIENT_HEADERS_MAX];
    size_t own_count;
};

// 0, -EINVAL (a header that may not be sent, too many of them, or too long together) or -ENOMEM.
int client_fields_init(struct client_fields *fields, const struct grpc_client_config *config);
void client_fields_deinit(struct client_fields *fields);

// Fills out with views of fields, path and timeout (which this writes). Returns how many.
size_t client_fields_write(const struct client_fields *fields, const char *path,
                           uint64_t timeout_ns, bool gzip, char timeout[CLIENT_TIMEOUT_SIZE],
                           nghttp2_nv out[CLIENT_FIELDS_MAX]);

#endif
