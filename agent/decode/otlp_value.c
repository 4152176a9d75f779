// AnyValue, OTLP's value of any type, as a record's value.
#include "decode/json.h"
#include "decode/otlp_parts.h"
#include "decode/utf8.h"
#include "enrich/json_out.h"

#include <math.h>

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool base64(struct arena *arena, struct slice bytes, struct slice *out)
{
    size_t size = (bytes.size + 2) / 3 * 4;
    char *text = arena_alloc(arena, size);
    if (!text)
        return false;
    const uint8_t *from = (const uint8_t *)bytes.data;
    char *at = text;
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)from[i] << 16;
        group |= left > 1 ? (uint32_t)from[i + 1] << 8 : 0;
        group |= left > 2 ? from[i + 2] : 0;
        at[0] = base64_digits[group >> 18];
        at[1] = base64_digits[group >> 12 & 63];
        at[2] = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        at[3] = left > 2 ? base64_digits[group & 63] : '=';
        at += 4;
    }
    *out = slice_of(text, size);
    return true;
}

// The member of the oneof that is set: the last one on the wire. False where none is.
static bool set_member(struct slice any, struct wire_field *out)
{
    struct wire_cursor cursor = wire_cursor_of(any.data, any.size);
    struct wire_field field;
    bool found = false;
    while (wire_next(&cursor, &field) == 0) {
        if (field.number < OTLP_ANY_STRING || field.number > OTLP_ANY_BYTES)
            continue;
        *out = field;
        found = true;
    }
    return found;
}

static bool write_any(struct arena *arena, struct json_out *out, struct slice any);

static bool write_array(struct arena *arena, struct json_out *out, struct slice array)
{
    struct wire_cursor cursor = wire_cursor_of(array.data, array.size);
    struct wire_field field;
    bool first = true;
    json_byte(out, '[');
    while (wire_next(&cursor, &field) == 0) {
        if (!wire_is(&field, OTLP_ARRAY_VALUES, WIRE_BYTES))
            continue;
        if (!first)
            json_byte(out, ',');
        first = false;
        if (!write_any(arena, out, otlp_slice(&field)))
            return false;
    }
    json_byte(out, ']');
    return true;
}

// The key and the value's bytes of a KeyValue, as they came.
static void split_pair(struct slice pair, struct slice *key, struct slice *value)
{
    struct wire_cursor cursor = wire_cursor_of(pair.data, pair.size);
    struct wire_field field;
    *key = *value = SLICE("");
    while (wire_next(&cursor, &field) == 0) {
        if (wire_is(&field, OTLP_KEY_VALUE_KEY, WIRE_BYTES))
            *key = otlp_slice(&field);
        else if (wire_is(&field, OTLP_KEY_VALUE_VALUE, WIRE_BYTES))
            *value = otlp_slice(&field);
    }
}

static bool write_map(struct arena *arena, struct json_out *out, struct slice list)
{
    struct wire_cursor cursor = wire_cursor_of(list.data, list.size);
    struct wire_field field;
    bool first = true;
    json_byte(out, '{');
    while (wire_next(&cursor, &field) == 0) {
        struct slice key;
        struct slice value;
        if (!wire_is(&field, OTLP_KVLIST_VALUES, WIRE_BYTES))
            continue;
        split_pair(otlp_slice(&field), &key, &value);
        if (!first)
            json_byte(out, ',');
        first = false;
        if (!utf8_repair(arena, key, &key))
            return false;
        json_string(out, key);
        json_byte(out, ':');
        if (!write_any(arena, out, value))
            return false;
    }
    json_byte(out, '}');
    return true;
}

static bool scalar(struct arena *arena, const struct wire_field *field, struct value *out)
{
    switch (field->number) {
    case OTLP_ANY_STRING:
        out->kind = VALUE_TEXT;
        return utf8_repair(arena, otlp_slice(field), &out->text);
    case OTLP_ANY_BYTES:
        out->kind = VALUE_TEXT;
        return base64(arena, otlp_slice(field), &out->text);
    case OTLP_ANY_BOOL:
        *out = (struct value){.kind = VALUE_BOOLEAN, .boolean = field->value != 0};
        break;
    case OTLP_ANY_INT:
        *out = (struct value){.kind = VALUE_INTEGER, .integer = (int64_t)field->value};
        break;
    default:
        *out = (struct value){.kind = VALUE_DOUBLE, .number = wire_double(field)};
    }
    return true;
}

void otlp_finite(struct value *value)
{
    if (value->kind == VALUE_DOUBLE && !isfinite(value->number))
        value->kind = VALUE_NULL;
}

static bool is_container(const struct wire_field *field)
{
    return field->number == OTLP_ANY_ARRAY || field->number == OTLP_ANY_KVLIST;
}

// Recursion is bounded by otlp_check's depth. What does not fit is seen by the caller (out->full).
static bool write_any(struct arena *arena, struct json_out *out, struct slice any)
{
    struct wire_field field;
    struct value value = {.kind = VALUE_NULL};
    if (out->full)
        return true;
    if (!set_member(any, &field)) {
        json_value(out, &value);
        return true;
    }
    if (is_container(&field))
        return field.number == OTLP_ANY_ARRAY ? write_array(arena, out, otlp_slice(&field))
                                              : write_map(arena, out, otlp_slice(&field));
    if (!scalar(arena, &field, &value))
        return false;
    otlp_finite(&value);
    json_value(out, &value);
    return true;
}

// Containers become JSON text, which then passes what JSON lines pass: of equal keys the last
// stays, and what is nested too deep for Elasticsearch becomes text.
static bool container(struct arena *arena, struct slice any, struct value *out)
{
    for (size_t room = 2 * any.size + 2 * JSON_SLACK;; room *= 2) {
        uint8_t *data = arena_alloc(arena, room);
        if (!data)
            return false;
        struct json_out json = json_out_of(data, room);
        if (!write_any(arena, &json, any))
            return false;
        if (json.full)
            continue;
        struct json_scanner scanner;
        struct json_token token;
        struct slice text = slice_of(data, (size_t)(json.at - data));
        json_scanner_init(&scanner, arena, text, 0);
        return json_scan_value(&scanner, text.data, &token) == text.data + text.size &&
               json_to_value(&scanner, &token, out);
    }
}

bool otlp_value(struct arena *arena, struct slice any, struct value *out)
{
    struct wire_field field;
    *out = (struct value){.kind = VALUE_NULL};
    if (!set_member(any, &field))
        return true;
    return is_container(&field) ? container(arena, any, out) : scalar(arena, &field, out);
}

bool otlp_key_value(struct arena *arena, struct slice pair, struct slice *key, struct value *out)
{
    struct slice any;
    split_pair(pair, key, &any);
    return utf8_repair(arena, *key, key) && otlp_value(arena, any, out);
}

bool otlp_is_map(struct slice any, struct slice *list)
{
    struct wire_field field;
    if (!set_member(any, &field) || field.number != OTLP_ANY_KVLIST)
        return false;
    *list = otlp_slice(&field);
    return true;
}
