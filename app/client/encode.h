// Writes records as protobuf into room that is given: OTLP's LogRecord and the parts of a Span.
//
// Private to app/client. No allocation, no state.
#ifndef SLUICE_CLIENT_ENCODE_H
#define SLUICE_CLIENT_ENCODE_H

#include "sluice.h"

// Writes protobuf into given room; once something did not fit, `full` stays set.
struct sluice_encoder {
    uint8_t *at;
    uint8_t *end;
    bool full;
};

void sluice_encode_varint(struct sluice_encoder *encoder, uint32_t number, uint64_t value);
void sluice_encode_fixed64(struct sluice_encoder *encoder, uint32_t number, uint64_t value);
void sluice_encode_fixed32(struct sluice_encoder *encoder, uint32_t number, uint32_t value);
void sluice_encode_bytes(struct sluice_encoder *encoder, uint32_t number, const void *data,
                         size_t size);
// Bytes that are encoded already.
void sluice_encode_raw(struct sluice_encoder *encoder, const void *data, size_t size);
// A string field; bytes that are no UTF-8 become U+FFFD. text may be NULL.
void sluice_encode_text(struct sluice_encoder *encoder, uint32_t number, const char *text,
                        size_t size);
// A length-delimited field around what is written until the end. begin's result goes to end.
uint8_t *sluice_encode_begin(struct sluice_encoder *encoder, uint32_t number);
void sluice_encode_end(struct sluice_encoder *encoder, uint8_t *begin);
// One KeyValue in field `number`.
void sluice_encode_field(struct sluice_encoder *encoder, uint32_t number,
                         const struct sluice_field *field);

// Writes a whole record's fields.
typedef void sluice_encode_function(struct sluice_encoder *encoder, const void *record);

struct sluice_log_record {
    uint64_t time_ns;
    enum sluice_level level;
    const char *message;
    const struct sluice_field *fields;
    size_t count;
    const struct sluice_context *context; // NULL: none
};
void sluice_encode_log(struct sluice_encoder *encoder, const void *log_record);

#endif
