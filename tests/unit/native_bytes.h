// Bytes of native frames, for tests that write them to a socket by hand.
#ifndef SLUICE_TESTS_NATIVE_BYTES_H
#define SLUICE_TESTS_NATIVE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NATIVE_OPENING "\xC1SL\x01\x02\x00\x00\x00\x0A\x00" // preamble, and an empty Hello
#define NATIVE_OPENING_SIZE 10

static inline size_t native_put_varint(char *out, size_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (char)(value | 0x80);
    out[n++] = (char)value;
    return n;
}

static inline size_t native_varint_size(size_t value)
{
    char out[10];
    return native_put_varint(out, value);
}

static inline size_t native_put_open(char *out, char tag, size_t inside)
{
    out[0] = tag;
    return 1 + native_put_varint(out + 1, inside);
}

// A Records frame of one log whose body is `text` bytes long; out takes text + 64 bytes. Its size.
static inline size_t native_put_log(char *out, size_t sequence, size_t text)
{
    size_t body = 1 + native_varint_size(text) + text;            // AnyValue{string_value = 1}
    size_t record = 1 + native_varint_size(body) + body;          // LogRecord{body = 5}
    size_t scope = 1 + native_varint_size(record) + record;       // ScopeLogs{log_records = 2}
    size_t resource = 1 + native_varint_size(scope) + scope;      // ResourceLogs{scope_logs = 2}
    size_t records = 1 + native_varint_size(sequence) + 2 +       // Records{first_sequence, count,
                     1 + native_varint_size(resource) + resource; //         logs = 3}
    size_t frame = 1 + native_varint_size(records) + records;     // Frame{records = 2}
    uint32_t length = (uint32_t)frame;
    size_t n = 4;
    memcpy(out, &length, 4); // little-endian, as is every machine these tests run on
    n += native_put_open(out + n, 0x12, records);
    n += native_put_open(out + n, 0x08, sequence);
    n += native_put_open(out + n, 0x10, 1);
    n += native_put_open(out + n, 0x1A, resource);
    n += native_put_open(out + n, 0x12, scope);
    n += native_put_open(out + n, 0x12, record);
    n += native_put_open(out + n, 0x2A, body);
    n += native_put_open(out + n, 0x0A, text);
    memset(out + n, 'n', text);
    return n + text;
}

// A Flush frame with a token below 128.
static inline size_t native_put_flush(char *out, char token)
{
    memcpy(out, (char[]){4, 0, 0, 0, 0x1A, 2, 0x08, token}, 8);
    return 8;
}

#endif
