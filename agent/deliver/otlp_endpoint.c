// Reads an OTLP endpoint.
#include "deliver/otlp_endpoint.h"

#include "base/error.h"
#include "base/slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int local_parse(const char *path, struct otlp_endpoint *out)
{
    // unix:///path has an empty authority; unix:/path is gRPC's short form.
    if (starts(path, "//"))
        path += 2;
    size_t size = strlen(path);
    if (path[0] != '/' || size >= sizeof out->path)
        return -EINVAL;
    *out = (struct otlp_endpoint){.local = true, .authority = "localhost"};
    memcpy(out->path, path, size + 1);
    return 0;
}

static bool host_valid(struct slice host, bool literal)
{
    for (size_t i = 0; i < host.size; i++) {
        char c = host.data[i];
        bool name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '-' || c == '_';
        if (!name && !(literal && (c == ':' || c == '%')))
            return false;
    }
    return host.size > 0 && host.size < sizeof((struct otlp_endpoint *)0)->host;
}

// digits, then nothing or a lone slash.
static int port_parse(const char *text, uint16_t *out)
{
    char *end;
    if (*text < '0' || *text > '9')
        return -EINVAL;
    unsigned long port = strtoul(text, &end, 10);
    if (port == 0 || port > UINT16_MAX || (strcmp(end, "") != 0 && strcmp(end, "/") != 0))
        return -EINVAL;
    *out = (uint16_t)port;
    return 0;
}

static int remote_parse(const char *text, bool tls, struct otlp_endpoint *out)
{
    struct otlp_endpoint endpoint = {.port = OTLP_PORT, .tls = tls};
    bool literal = *text == '[';
    const char *start = literal ? text + 1 : text;
    size_t size = strcspn(start, literal ? "]" : ":/");
    const char *rest = start + size;
    if (literal && *rest++ != ']')
        return -EINVAL;
    if (!host_valid(slice_of(start, size), literal))
        return -EINVAL;
    if (*rest == ':') {
        if (port_parse(rest + 1, &endpoint.port) < 0)
            return -EINVAL;
    } else if (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0) {
        return -EINVAL;
    }
    memcpy(endpoint.host, start, size);
    snprintf(endpoint.authority, sizeof endpoint.authority, literal ? "[%s]:%u" : "%s:%u",
             endpoint.host, endpoint.port);
    *out = endpoint;
    return 0;
}

int otlp_endpoint_parse(const char *text, struct otlp_endpoint *out)
{
    if (starts(text, "unix:"))
        return local_parse(text + strlen("unix:"), out);
    if (starts(text, "http://"))
        return remote_parse(text + strlen("http://"), false, out);
    if (starts(text, "https://"))
        return remote_parse(text + strlen("https://"), true, out);
    return -EINVAL;
}
