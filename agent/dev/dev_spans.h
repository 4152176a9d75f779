// The spans of an Export request, one by one, as far as a tree of them needs.
#ifndef SLUICE_DEV_DEV_SPANS_H
#define SLUICE_DEV_DEV_SPANS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

// Views into the request.
struct dev_span_view {
    const uint8_t *trace_id;  // 16 bytes
    const uint8_t *span_id;   // 8 bytes
    const uint8_t *parent_id; // 8 bytes; NULL: a root
    struct slice service, name, status_message;
    uint64_t start_ns, end_ns;
    bool error;
};

// Calls span for each span with valid ids. 0, or -EBADMSG where the bytes are no such request.
int dev_spans_read(struct slice request, void (*span)(void *ctx, const struct dev_span_view *view),
                   void *ctx);

// The service.name of a Resource message; *service stays where it has none. 0 or -EBADMSG.
int dev_spans_read_service(struct slice resource, struct slice *service);

#endif
