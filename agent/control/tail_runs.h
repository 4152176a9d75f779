// Spans and metrics as lines of JSON for who watches, out of the OTLP payload that the log keeps.
//
// Private to agent/control. No allocation of ours that grows with the payload; loop thread only.
#ifndef SLUICE_CONTROL_TAIL_RUNS_H
#define SLUICE_CONTROL_TAIL_RUNS_H

#include "base/book_reasons.h"
#include "base/slice.h"

// Calls line for each span, or each metric, of a ResourceSpans or ResourceMetrics field: one JSON
// object with ECS names (event.kind span or metric), without a line end. Long texts are cut.
// Returns 0, -EBADMSG where the payload is none, or -ENOMEM.
int tail_runs_read(enum signal_kind signal, struct slice payload,
                   void (*line)(void *ctx, struct slice json), void *ctx);

#endif
