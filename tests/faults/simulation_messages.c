// The bytes that producers send: JSON and plain lines, native frames, Export requests.
#include "simulation.h"

#include "proto/native.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const levels[] = {"trace", "debug", "info", "warning", "error", "fatal"};

// Text of a record: its tag, and something behind it. Returns its size.
static size_t put_record_text(uint8_t *out, uint32_t tag, size_t padding)
{
    int n = snprintf((char *)out, 16, "r%u.", tag);
    memset(out + n, 'p', padding);
    return (size_t)n + padding;
}

static size_t put_json_line(struct random *random, uint8_t *out, uint32_t tag)
{
    char *text = (char *)out;
    size_t n =
        (size_t)sprintf(text, "{\"level\":\"%s\",\"message\":\"", levels[random_below(random, 6)]);
    n += put_record_text(out + n, tag, random_skewed(random, one_in(random, 64) ? 14000 : 400));
    if (one_in(random, 4))
        return n +
               (size_t)sprintf(text + n, "\",\"user\":{\"id\":\"u%u\"},\"n\":%u}\n", tag % 97, tag);
    return n + (size_t)sprintf(text + n, "\"}\n");
}

static size_t put_plain_line(struct random *random, uint8_t *out, uint32_t tag)
{
    // Now and then longer than max_line: the rest of it is dropped.
    size_t n = put_record_text(out, tag, random_skewed(random, one_in(random, 200) ? 40000 : 300));
    out[n++] = '\n';
    return n;
}

size_t message_lines(struct random *random, uint8_t *out, size_t room, uint32_t *tag, bool *again,
                     uint32_t *continued)
{
    size_t n = 0;
    for (uint64_t lines = 1 + random_skewed(random, 60); lines > 0 && room - n > 45000; lines--) {
        uint64_t kind = random_below(random, 10);
        if (kind == 0 && *again) {
            n += (size_t)sprintf((char *)out + n, "    belongs to it\n");
            ++*continued;
        } else if (kind < 4) {
            size_t size = put_plain_line(random, out + n, (*tag)++);
            *again = size < 2000; // a longer one might have no room for another
            n += size;
        } else {
            n += put_json_line(random, out + n, (*tag)++);
        }
    }
    return n;
}

size_t message_hello(uint8_t *out, const uint8_t stream[8], unsigned level)
{
    uint8_t hello[32];
    uint8_t *end = wire_put_bytes(hello, 3, stream, 8);
    end = wire_put_varint(wire_put_tag(end, 4, WIRE_VARINT), level);
    end = wire_put_varint(wire_put_tag(end, 7, WIRE_VARINT), 1);
    memcpy(out, NATIVE_PREAMBLE, NATIVE_PREAMBLE_SIZE);
    uint8_t *frame = out + NATIVE_PREAMBLE_SIZE + NATIVE_LENGTH_SIZE;
    uint8_t *last = wire_put_bytes(frame, NATIVE_HELLO, hello, (size_t)(end - hello));
    put_u32le(frame - NATIVE_LENGTH_SIZE, (uint32_t)(last - frame));
    return (size_t)(last - out);
}

static uint8_t *put_log(struct random *random, uint8_t *out, uint32_t tag, size_t padding)
{
    uint8_t any[70000], record[70000], text[65536];
    size_t n = put_record_text(text, tag, padding);
    uint8_t *any_end = wire_put_bytes(any, OTLP_ANY_STRING, text, n);
    uint8_t *end = wire_put_tag(record, OTLP_LOG_SEVERITY_NUMBER, WIRE_VARINT);
    end = wire_put_varint(end, random_below(random, 25));
    end = wire_put_bytes(end, OTLP_LOG_BODY, any, (size_t)(any_end - any));
    return wire_put_bytes(out, OTLP_SCOPE_RECORDS, record, (size_t)(end - record));
}

static uint8_t *put_span(struct random *random, uint8_t *out, uint32_t tag, size_t padding)
{
    uint8_t span[70000], text[65536], status[4];
    size_t n = put_record_text(text, tag, padding);
    uint8_t *end = wire_put_bytes(span, OTLP_SPAN_TRACE_ID, "0123456789abcdef", 16);
    end = wire_put_bytes(end, OTLP_SPAN_SPAN_ID, "01234567", 8);
    end = wire_put_bytes(end, OTLP_SPAN_NAME, text, n);
    if (one_in(random, 10)) {
        uint8_t *status_end = wire_put_tag(status, OTLP_STATUS_CODE, WIRE_VARINT);
        status_end = wire_put_varint(status_end, OTLP_STATUS_CODE_ERROR);
        end = wire_put_bytes(end, OTLP_SPAN_STATUS, status, (size_t)(status_end - status));
    }
    return wire_put_bytes(out, OTLP_SCOPE_RECORDS, span, (size_t)(end - span));
}

// The fields of a ResourceLogs or ResourceSpans message; sets how many records they hold.
static size_t put_run(struct random *random, uint8_t *out, size_t room, struct piece *piece)
{
    static uint8_t scope[BUFFER_SIZE];
    uint8_t *end = scope;
    uint64_t wanted = 1 + random_skewed(random, piece->spans ? 300 : 100);
    piece->records = 0;
    piece->huge = one_in(random, 300); // then of one record, which no segment takes
    while (piece->records < wanted && (size_t)(end - scope) < room / 2 - 70000) {
        size_t padding = random_skewed(random, one_in(random, 40) ? 12000 : 200);
        if (piece->huge)
            padding = 60000;
        uint32_t tag = piece->tag + piece->records++;
        end =
            piece->spans ? put_span(random, end, tag, padding) : put_log(random, end, tag, padding);
        if (piece->huge)
            break;
    }
    return (size_t)(wire_put_bytes(out, OTLP_RUN_SCOPES, scope, (size_t)(end - scope)) - out);
}

size_t message_frame(struct random *random, uint8_t *out, size_t room, struct piece *piece,
                     uint64_t first_sequence)
{
    static uint8_t run[BUFFER_SIZE], records[BUFFER_SIZE];
    size_t size = put_run(random, run, room, piece);
    uint8_t *end = wire_put_varint(wire_put_tag(records, 1, WIRE_VARINT), first_sequence);
    end = wire_put_varint(wire_put_tag(end, 2, WIRE_VARINT), piece->records);
    end = wire_put_bytes(end, piece->spans ? NATIVE_RECORDS_SPANS : NATIVE_RECORDS_LOGS, run, size);
    // The last field, so that it can be turned on in place.
    end = wire_put_varint(wire_put_tag(end, 7, WIRE_VARINT), 0);
    uint8_t *frame = out + NATIVE_LENGTH_SIZE;
    uint8_t *last = wire_put_bytes(frame, NATIVE_RECORDS, records, (size_t)(end - records));
    put_u32le(out, (uint32_t)(last - frame));
    piece->last_sequence = first_sequence + piece->records - 1;
    return (size_t)(last - out);
}

void message_mark_resend(uint8_t *frame, size_t size)
{
    frame[size - 1] = 1;
}

size_t message_export(struct random *random, uint8_t *out, size_t room, struct piece *piece)
{
    static uint8_t run[BUFFER_SIZE];
    size_t size = put_run(random, run, room, piece);
    return (size_t)(wire_put_bytes(out, OTLP_REQUEST_RESOURCES, run, size) - out);
}
