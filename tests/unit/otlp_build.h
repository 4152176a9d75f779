// Builds OTLP messages field by field, as no generated code would: in any order, any depth, broken.
#ifndef SLUICE_TESTS_OTLP_BUILD_H
#define SLUICE_TESTS_OTLP_BUILD_H

#include "base/slice.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <stdlib.h>

// A message that grows. Zero-initialise; free with message_free.
struct message {
    uint8_t *data;
    size_t size;
};

static inline uint8_t *message_room(struct message *message, size_t size)
{
    message->data = realloc(message->data, message->size + size);
    assert_non_null(message->data);
    return message->data + message->size;
}

static inline void message_free(struct message *message)
{
    free(message->data);
    *message = (struct message){0};
}

static inline struct slice message_slice(const struct message *message)
{
    return slice_of(message->data, message->size);
}

static inline void put_bytes(struct message *message, uint32_t number, struct slice bytes)
{
    uint8_t *at = message_room(message, wire_bytes_size(number, bytes.size));
    message->size += (size_t)(wire_put_bytes(at, number, bytes.data, bytes.size) - at);
}

static inline void put_text(struct message *message, uint32_t number, const char *text)
{
    put_bytes(message, number, slice_from(text));
}

// The other message as a field of this one; frees it.
static inline void put_message(struct message *message, uint32_t number, struct message inner)
{
    put_bytes(message, number, message_slice(&inner));
    message_free(&inner);
}

static inline void put_varint(struct message *message, uint32_t number, uint64_t value)
{
    uint8_t *at = message_room(message, 2 * WIRE_VARINT_MAX);
    uint8_t *end = wire_put_varint(wire_put_tag(at, number, WIRE_VARINT), value);
    message->size += (size_t)(end - at);
}

static inline void put_fixed64(struct message *message, uint32_t number, uint64_t value)
{
    uint8_t *at = message_room(message, WIRE_VARINT_MAX + 8);
    uint8_t *end = wire_put_fixed64(wire_put_tag(at, number, WIRE_FIXED64), value);
    message->size += (size_t)(end - at);
}

static inline void put_double(struct message *message, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_fixed64(message, number, bits);
}

static inline struct message any_text(const char *text)
{
    struct message any = {0};
    put_text(&any, OTLP_ANY_STRING, text);
    return any;
}

static inline struct message any_int(int64_t number)
{
    struct message any = {0};
    put_varint(&any, OTLP_ANY_INT, (uint64_t)number);
    return any;
}

// A KeyValue; frees the value.
static inline struct message pair(const char *key, struct message any)
{
    struct message message = {0};
    put_text(&message, OTLP_KEY_VALUE_KEY, key);
    put_message(&message, OTLP_KEY_VALUE_VALUE, any);
    return message;
}

static inline struct message resource_of(const char *key, const char *value)
{
    struct message resource = {0};
    put_message(&resource, OTLP_RESOURCE_ATTRIBUTES, pair(key, any_text(value)));
    return resource;
}

// A request of one run of one scope that holds one record; frees the record.
static inline struct message request_of(struct message record)
{
    struct message scope = {0};
    struct message run = {0};
    struct message request = {0};
    put_message(&scope, OTLP_SCOPE_RECORDS, record);
    put_message(&run, OTLP_RUN_SCOPES, scope);
    put_message(&request, OTLP_REQUEST_RESOURCES, run);
    return request;
}

#endif
