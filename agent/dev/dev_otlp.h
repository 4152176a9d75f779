// An embedded OTLP/gRPC receiver on a loopback port that the kernel picks.
#ifndef SLUICE_DEV_DEV_OTLP_H
#define SLUICE_DEV_DEV_OTLP_H

#include "base/slice.h"

struct dev_otlp;
struct loop;

struct dev_otlp_reader {
    // An ExportTraceServiceRequest, valid during the call. 0, or -EBADMSG: it is refused for good.
    // Logs and metrics are taken and not looked at.
    int (*spans)(void *ctx, struct slice request);
    void *ctx;
};

int dev_otlp_new(struct dev_otlp **out, struct loop *loop, struct dev_otlp_reader reader);
const char *dev_otlp_url(const struct dev_otlp *otlp); // http://127.0.0.1:port
void dev_otlp_free(struct dev_otlp *otlp);

#endif
