// Spans collected by trace, in bounded memory, and printed as trees when a trace has gone quiet.
#ifndef SLUICE_DEV_DEV_TRACES_H
#define SLUICE_DEV_DEV_TRACES_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct dev_traces;
struct loop;

#define DEV_TRACES 64        // being collected; one more prints the one that has been quiet longest
#define DEV_TRACE_SPANS 512  // of one trace; one more prints what is there, and it goes on
#define DEV_SPAN_TEXT_MAX 96 // bytes kept of a name, a service, a status message

struct dev_traces_config {
    struct loop *loop;
    FILE *out;
    bool colour;
    uint64_t quiet_ns;
};

int dev_traces_new(struct dev_traces **out, const struct dev_traces_config *config);
// An ExportTraceServiceRequest. 0, or -EBADMSG, after which what came before the damage is kept.
int dev_traces_add(struct dev_traces *traces, struct slice request);
// Prints all that is pending.
void dev_traces_print(struct dev_traces *traces);
// Forgets what is pending.
void dev_traces_free(struct dev_traces *traces);

#endif
