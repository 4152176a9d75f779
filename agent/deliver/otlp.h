// The OTLP/gRPC exporter: batches of OTLP fragments to one collector, several requests in flight.
//
// A parcel's payload is a run of fields of an Export request (`ResourceSpans`, `ResourceLogs` or
// `ResourceMetrics`, each with tag and length), so that parcels of one signal put together are a
// request. Nothing is copied but by gzip. Loop thread only.
// Source: OTLP 1.x specification, OTLP/gRPC (responses, retryable codes, partial success).
#ifndef SLUICE_DELIVER_OTLP_H
#define SLUICE_DELIVER_OTLP_H

#include "deliver/exporter.h"
#include "grpc/grpc_client.h"

struct clock;
struct loop;

// Paths of PEM files, copied; "" or NULL: the system's authorities, no certificate of our own, the
// endpoint's host. A file that changes is read again for the next connection.
struct otlp_tls {
    const char *ca_path;
    const char *certificate_path;
    const char *key_path;
    const char *server_name;
    bool verify; // false: takes any certificate
};

struct otlp_exporter_config {
    const char *name;                  // lives as long as the exporter
    const char *endpoint;              // http(s)://host:port or unix:///path; copied
    struct otlp_tls tls;               // https only
    const struct grpc_header *headers; // copied; names may have any case
    size_t header_count;
    bool gzip;
    uint64_t timeout_ns;   // of one request, from sending to its answer; 0: 10 s
    size_t max_request;    // bytes of a request before compression, which stay below it; 0: 4 MiB
    uint32_t max_records;  // of a request; 0: 8192
    unsigned concurrency;  // requests in flight; 0: 4
    uint64_t max_delay_ns; // how long a request waits for more parcels; 0: not at all
    size_t max_held_bytes; // the window: payloads held, in whatever state; 0: 4 × max_request
    struct loop *loop;
    struct clock *clock;
    struct exporter_book *book; // requests, retries, failures are counted here
};

// Verdicts: delivered where the collector answered OK (with what a partial success turned down as
// `refused`); dead where its answer is final by the specification; what may be retried is retried
// here, for ever, after a jittered back-off, and is given back only by free().
// 0, -EINVAL (the endpoint, a header that may not be sent, or TLS files, which the own log names)
// or -ENOMEM.
int otlp_exporter_new(struct exporter **out, const struct otlp_exporter_config *config);

// Whether TLS can be had from these files now: 0, or -EINVAL with the setting and the reason as
// "tls_key_path: /run/tls.key: No such file or directory". Any thread.
int otlp_tls_check(const struct otlp_tls *tls, char *error, size_t error_size);

#endif
