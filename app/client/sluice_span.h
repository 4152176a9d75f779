// Spans of libsluice: W3C contexts, start to end. Included by sluice.h.
#ifndef SLUICE_SPAN_H
#define SLUICE_SPAN_H

// Where a span stands in a trace, as it travels in a `traceparent` header.
struct sluice_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; // bit 0: sampled
};

#define SLUICE_TRACEPARENT_SIZE 56 // bytes, with the NUL

// False, and *context untouched, where the text is not a valid traceparent of any version.
SLUICE_API bool sluice_context_parse(struct sluice_context *context, const char *traceparent);
SLUICE_API void sluice_context_format(const struct sluice_context *context,
                                      char out[SLUICE_TRACEPARENT_SIZE]);

enum sluice_span_kind { // OpenTelemetry's numbers
    SLUICE_INTERNAL = 1,
    SLUICE_SERVER = 2,
    SLUICE_CLIENT = 3,
    SLUICE_PRODUCER = 4,
    SLUICE_CONSUMER = 5,
};

enum sluice_status { SLUICE_UNSET, SLUICE_OK, SLUICE_FAILED };

// A span that starts now. parent NULL, or without ids, makes a root: a new, sampled trace. Under a
// parent that is not sampled the span keeps its context but is not sent. NULL where memory ran out.
SLUICE_API struct sluice_span *sluice_span_start(struct sluice *sluice, const char *name,
                                                 enum sluice_span_kind kind,
                                                 const struct sluice_context *parent);
// Its context, valid until its end; NULL for a NULL span.
SLUICE_API const struct sluice_context *sluice_span_context(const struct sluice_span *span);
// At most 64 KiB of attributes together; those beyond are counted in the span.
SLUICE_API void sluice_span_set(struct sluice_span *span, const struct sluice_field *fields,
                                size_t count);
// message: why it failed, or NULL. The last call counts.
SLUICE_API void sluice_span_status(struct sluice_span *span, enum sluice_status status,
                                   const char *message);
// A log record that carries the span's ids.
SLUICE_API void sluice_span_log(struct sluice_span *span, enum sluice_level level,
                                const char *message, const struct sluice_field *fields,
                                size_t count);
// Ends it now, queues and frees it.
SLUICE_API void sluice_span_end(struct sluice_span *span);

#endif
