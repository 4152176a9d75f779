// The request's header fields.
#include "grpc/client_fields.h"

#include "base/clock.h"
#include "base/error.h"
#include "grpc/h2.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What HTTP/2 forbids, and what the engine writes itself.
static const char *const reserved[] = {
    "connection", "keep-alive", "proxy-connection", "transfer-encoding",
    "upgrade",    "te",         "content-type",     "content-length",
    "host",       "user-agent",
};

static bool name_valid(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || strncmp(name, "grpc-", 5) == 0)
        return false;
    for (size_t i = 0; i < size; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9') ||
              name[i] == '-' || name[i] == '_' || name[i] == '.'))
            return false;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (strcmp(name, reserved[i]) == 0)
            return false;
    return true;
}

static bool value_valid(const char *value)
{
    size_t size = strlen(value);
    for (size_t i = 0; i < size; i++)
        if (value[i] < ' ' || value[i] > '~') // gRPC: ASCII-Value
            return false;
    return size == 0 || (value[0] != ' ' && value[size - 1] != ' ');
}

bool grpc_header_valid(const char *name, const char *value)
{
    return name_valid(name) && value_valid(value);
}

int client_fields_init(struct client_fields *fields, const struct grpc_client_config *config)
{
    *fields = (struct client_fields){0};
    size_t total = strlen(config->authority);
    if (config->header_count > CLIENT_HEADERS_MAX || !value_valid(config->authority))
        return -EINVAL;
    for (size_t i = 0; i < config->header_count; i++) {
        const struct grpc_header *header = &config->headers[i];
        if (!grpc_header_valid(header->name, header->value))
            return -EINVAL;
        total += strlen(header->name) + strlen(header->value) + 32;
    }
    // nghttp2 would refuse each call's HEADERS, for ever, beyond its own bound of 64 KiB.
    if (total > H2_HEADER_LIST_MAX)
        return -EINVAL;
    fields->scheme = strdup(config->scheme ? config->scheme : "http");
    fields->authority = strdup(config->authority);
    fields->user_agent = strdup(config->user_agent ? config->user_agent : "sluice");
    bool copied = fields->scheme && fields->authority && fields->user_agent;
    for (size_t i = 0; i < config->header_count && copied; i++) {
        fields->own[i].name = strdup(config->headers[i].name);
        fields->own[i].value = strdup(config->headers[i].value);
        fields->own_count = i + 1;
        copied = fields->own[i].name && fields->own[i].value;
    }
    if (copied)
        return 0;
    client_fields_deinit(fields);
    return -ENOMEM;
}

void client_fields_deinit(struct client_fields *fields)
{
    free(fields->scheme);
    free(fields->authority);
    free(fields->user_agent);
    for (size_t i = 0; i < fields->own_count; i++) {
        free(fields->own[i].name);
        free(fields->own[i].value);
    }
    *fields = (struct client_fields){0};
}

// TimeoutValue has at most eight digits.
static size_t timeout_write(uint64_t timeout_ns, char out[CLIENT_TIMEOUT_SIZE])
{
    uint64_t ms = timeout_ns / NS_PER_MS, seconds = timeout_ns / NS_PER_S;
    if (seconds > 99999999)
        seconds = 99999999;
    int n = ms <= 99999999 ? snprintf(out, CLIENT_TIMEOUT_SIZE, "%" PRIu64 "m", ms ? ms : 1)
                           : snprintf(out, CLIENT_TIMEOUT_SIZE, "%" PRIu64 "S", seconds);
    return (size_t)n;
}

size_t client_fields_write(const struct client_fields *fields, const char *path,
                           uint64_t timeout_ns, bool gzip, char timeout[CLIENT_TIMEOUT_SIZE],
                           nghttp2_nv out[CLIENT_FIELDS_MAX])
{
    size_t n = 0;
    out[n++] = h2_field(":method", SLICE("POST"));
    out[n++] = h2_field(":scheme", slice_from(fields->scheme));
    out[n++] = h2_field(":path", slice_from(path));
    out[n++] = h2_field(":authority", slice_from(fields->authority));
    // Some servers want te before anything of gRPC's own, to tell proxies that drop trailers.
    out[n++] = h2_field("te", SLICE("trailers"));
    if (timeout_ns > 0)
        out[n++] = h2_field("grpc-timeout", slice_of(timeout, timeout_write(timeout_ns, timeout)));
    out[n++] = h2_field("content-type", SLICE("application/grpc"));
    if (gzip)
        out[n++] = h2_field("grpc-encoding", SLICE("gzip"));
    out[n++] = h2_field("grpc-accept-encoding", SLICE("identity,gzip"));
    out[n++] = h2_field("user-agent", slice_from(fields->user_agent));
    for (size_t i = 0; i < fields->own_count; i++)
        out[n++] = h2_field(fields->own[i].name, slice_from(fields->own[i].value));
    return n;
}
