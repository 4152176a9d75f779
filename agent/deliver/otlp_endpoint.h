// Where an OTLP exporter sends: http://host:port, https://host:port or unix:///path.
//
// Source: OTLP exporter specification, endpoint URLs; gRPC naming for unix. Pure; any thread.
#ifndef SLUICE_DELIVER_OTLP_ENDPOINT_H
#define SLUICE_DELIVER_OTLP_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#define OTLP_PORT 4317

struct otlp_endpoint {
    bool local;          // a Unix socket
    bool tls;            // https
    char path[108];      // local: sun_path
    char host[256];      // a name or a literal address, without brackets
    uint16_t port;       // 0 never
    char authority[272]; // :authority of the requests
};

// 0 or -EINVAL.
int otlp_endpoint_parse(const char *text, struct otlp_endpoint *out);

#endif
