// The C half of otlp_messages.py: reads messages on stdin, and answers each with what protobuf-c's
// types make of it and with what the wire cursor sees in it.
//
// A request is a name (sluice.otlp.Span.Event without its package) and a message, each with a
// 32-bit little-endian length before it. An answer is, likewise, the message packed again and the
// text of the walk: a line "depth number value" for each field. It ends at the end of the input.
#include "proto/otlp_collector.pb-c.h"
#include "proto/wire.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX ((uint32_t)16 << 20)

// Every message hangs on one of these.
static const ProtobufCMessageDescriptor *const roots[] = {
    &sluice__otlp__export_trace_service_request__descriptor,
    &sluice__otlp__export_trace_service_response__descriptor,
    &sluice__otlp__export_logs_service_request__descriptor,
    &sluice__otlp__export_logs_service_response__descriptor,
    &sluice__otlp__export_metrics_service_request__descriptor,
    &sluice__otlp__export_metrics_service_response__descriptor,
    &sluice__otlp__traces_data__descriptor,
    &sluice__otlp__logs_data__descriptor,
    &sluice__otlp__metrics_data__descriptor,
};

static bool is_name(const ProtobufCMessageDescriptor *message, const char *name)
{
    static const char package[] = "sluice.otlp.";
    return strncmp(message->name, package, sizeof package - 1) == 0 &&
           strcmp(message->name + sizeof package - 1, name) == 0;
}

// Searched to a depth at which every message has been met; they refer to themselves.
static const ProtobufCMessageDescriptor *find(const ProtobufCMessageDescriptor *message,
                                              const char *name, unsigned depth)
{
    if (is_name(message, name))
        return message;
    for (unsigned i = 0; depth > 0 && i < message->n_fields; i++) {
        if (message->fields[i].type != PROTOBUF_C_TYPE_MESSAGE)
            continue;
        const ProtobufCMessageDescriptor *found =
            find(message->fields[i].descriptor, name, depth - 1);
        if (found)
            return found;
    }
    return NULL;
}

static const ProtobufCMessageDescriptor *find_message(const char *name)
{
    const ProtobufCMessageDescriptor *found = NULL;
    for (unsigned i = 0; i < sizeof roots / sizeof roots[0] && !found; i++)
        found = find(roots[i], name, 8);
    return found;
}

static void fail(const char *what, const char *name)
{
    fprintf(stderr, "otlp_roundtrip: %s: %s\n", name, what);
    exit(1);
}

static const char *type_name(const ProtobufCFieldDescriptor *field)
{
    static const char *const names[] = {
        [PROTOBUF_C_TYPE_INT32] = "int32",       [PROTOBUF_C_TYPE_SINT32] = "sint32",
        [PROTOBUF_C_TYPE_SFIXED32] = "sfixed32", [PROTOBUF_C_TYPE_INT64] = "int64",
        [PROTOBUF_C_TYPE_SINT64] = "sint64",     [PROTOBUF_C_TYPE_SFIXED64] = "sfixed64",
        [PROTOBUF_C_TYPE_UINT32] = "uint32",     [PROTOBUF_C_TYPE_FIXED32] = "fixed32",
        [PROTOBUF_C_TYPE_UINT64] = "uint64",     [PROTOBUF_C_TYPE_FIXED64] = "fixed64",
        [PROTOBUF_C_TYPE_FLOAT] = "float",       [PROTOBUF_C_TYPE_DOUBLE] = "double",
        [PROTOBUF_C_TYPE_BOOL] = "bool",         [PROTOBUF_C_TYPE_ENUM] = "enum",
        [PROTOBUF_C_TYPE_STRING] = "string",     [PROTOBUF_C_TYPE_BYTES] = "bytes",
        [PROTOBUF_C_TYPE_MESSAGE] = "message",
    };
    return names[field->type];
}

static bool is_packed(const ProtobufCFieldDescriptor *field)
{
    return field->label == PROTOBUF_C_LABEL_REPEATED && field->type != PROTOBUF_C_TYPE_STRING &&
           field->type != PROTOBUF_C_TYPE_BYTES && field->type != PROTOBUF_C_TYPE_MESSAGE;
}

// One line for each value of a packed field.
static void walk_packed(FILE *out, unsigned depth, const ProtobufCFieldDescriptor *descriptor,
                        const struct wire_field *field)
{
    struct wire_cursor cursor = wire_inside(field);
    bool fixed =
        descriptor->type == PROTOBUF_C_TYPE_FIXED64 || descriptor->type == PROTOBUF_C_TYPE_DOUBLE;
    while (cursor.at != cursor.end) {
        uint64_t value = 0;
        if (fixed && cursor.end - cursor.at >= 8) {
            for (unsigned i = 0; i < 8; i++)
                value |= (uint64_t)*cursor.at++ << (8 * i);
        } else if (fixed || wire_next_varint(&cursor, &value) != 0) {
            fail("a packed field is broken", descriptor->name);
        }
        fprintf(out, "%u %" PRIu32 " %s %" PRIu64 "\n", depth, field->number, type_name(descriptor),
                value);
    }
}

static void walk(FILE *out, unsigned depth, const ProtobufCMessageDescriptor *message,
                 struct wire_cursor cursor)
{
    struct wire_field field;
    int r;
    while ((r = wire_next(&cursor, &field)) == 0) {
        const ProtobufCFieldDescriptor *known =
            protobuf_c_message_descriptor_get_field(message, field.number);
        if (!known) {
            fprintf(out, "%u %" PRIu32 " unknown\n", depth, field.number);
        } else if (field.type != WIRE_BYTES) {
            fprintf(out, "%u %" PRIu32 " %s %" PRIu64 "\n", depth, field.number, type_name(known),
                    field.value);
        } else if (known->type == PROTOBUF_C_TYPE_MESSAGE) {
            fprintf(out, "%u %" PRIu32 " message\n", depth, field.number);
            walk(out, depth + 1, known->descriptor, wire_inside(&field));
        } else if (is_packed(known)) {
            walk_packed(out, depth, known, &field);
        } else {
            fprintf(out, "%u %" PRIu32 " %s ", depth, field.number, type_name(known));
            for (size_t i = 0; i < field.size; i++)
                fprintf(out, "%02x", field.data[i]);
            fputc('\n', out);
        }
    }
    if (r != WIRE_END)
        fail("the cursor refuses it", message->name);
}

// NULL at the end of the input.
static uint8_t *read_part(uint32_t *size)
{
    uint8_t length[4];
    if (fread(length, 1, 4, stdin) != 4)
        return NULL;
    *size = length[0] | (uint32_t)length[1] << 8 | (uint32_t)length[2] << 16 |
            (uint32_t)length[3] << 24;
    uint8_t *data = *size <= MESSAGE_MAX ? calloc(1, (size_t)*size + 1) : NULL;
    if (!data || fread(data, 1, *size, stdin) != *size)
        fail("cut short", "input");
    return data;
}

static void write_part(const void *data, size_t size)
{
    uint8_t length[4];
    wire_put_fixed32(length, (uint32_t)size);
    fwrite(length, 1, 4, stdout);
    fwrite(data, 1, size, stdout);
}

static void answer(const char *name, const uint8_t *data, size_t size)
{
    const ProtobufCMessageDescriptor *descriptor = find_message(name);
    if (!descriptor)
        fail("no such message here", name);
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, NULL, size, data);
    if (!message)
        fail("does not unpack", name);
    size_t packed_size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(packed_size + 1);
    char *text = NULL;
    size_t text_size = 0;
    FILE *out = open_memstream(&text, &text_size);
    if (!packed || !out)
        fail("out of memory", name);
    protobuf_c_message_pack(message, packed);
    walk(out, 0, descriptor, wire_cursor_of(data, size));
    fclose(out);
    write_part(packed, packed_size);
    write_part(text, text_size);
    fflush(stdout);
    free(text);
    free(packed);
    protobuf_c_message_free_unpacked(message, NULL);
}

int main(void)
{
    uint32_t name_size, size;
    uint8_t *name;
    while ((name = read_part(&name_size))) {
        uint8_t *data = read_part(&size);
        if (!data)
            fail("cut short", "input");
        answer((const char *)name, data, size);
        free(data);
        free(name);
    }
    return 0;
}
