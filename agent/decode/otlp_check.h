// Whether bytes are a message of OTLP, all the way down, and what they hold.
//
// Our payloads are sent on joined with those of others, so one broken field deep inside would make
// a sink refuse its neighbours too: what real receivers (collector, Jaeger) refuse is refused here.
// Pure; any thread.
#ifndef SLUICE_DECODE_OTLP_CHECK_H
#define SLUICE_DECODE_OTLP_CHECK_H

#include "base/books.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct otlp_tally {
    uint64_t records; // log records, spans, data points
    uint64_t time_ns; // of the first that has one: a log's or point's time, a span's start
    bool urgent;      // some span's status says error, some log's level warn or above
};

#define OTLP_DEPTH_MAX 100 // messages inside messages, as in protobuf's own readers

// An Export request; one of its ResourceLogs, ResourceSpans or ResourceMetrics; one of their
// ScopeLogs, ScopeSpans or ScopeMetrics; one LogRecord, Span or Metric. Adds to the tally.
enum otlp_level { OTLP_REQUEST, OTLP_RESOURCE_RUN, OTLP_SCOPE_RUN, OTLP_RECORD };
bool otlp_check(enum signal_kind signal, enum otlp_level level, struct slice message,
                struct otlp_tally *tally);
// A Resource message.
bool otlp_check_resource(struct slice message);

// The same in turns: a message of 16 MiB takes tens of milliseconds. message must stay meanwhile.
struct otlp_checker {
    struct otlp_tally tally; // so far
    const uint8_t *at;       // in the message on top
    unsigned depth;          // messages on the stack
    struct {
        const uint8_t *end;
        uint8_t message;
    } stack[OTLP_DEPTH_MAX + 1];
};
enum otlp_verdict { OTLP_GOOD, OTLP_BAD, OTLP_UNFINISHED };
void otlp_checker_start(struct otlp_checker *checker, enum signal_kind signal,
                        enum otlp_level level, struct slice message);
// Walks over at most so many fields. An enum otlp_verdict; not to be called again after a verdict.
int otlp_checker_go(struct otlp_checker *checker, size_t fields);

// How long the text in message can get as JSON at most, escapes and repairs included.
size_t otlp_text_bound(struct slice message);

#endif
