// The mapper as OTLP uses it: any attributes, a body of JSON text, a severity, and too little
// memory at any point. The first byte is the severity, the second bounds the memory; then each line
// is a kind, a key, '=' and a value.
#include "../unit/decode_fixture.h"

#include "decode/json.h"
#include "strict_document.h"

static bool read_value(struct arena *arena, char kind, struct slice text, struct value *out)
{
    char copy[32] = {0};
    memcpy(copy, text.data, text.size < sizeof copy - 1 ? text.size : sizeof copy - 1);
    struct json_scanner scanner;
    struct json_token token;
    switch (kind) {
    case 't':
        out->kind = VALUE_TEXT;
        return utf8_repair(arena, text, &out->text);
    case 'i':
        *out = (struct value){.kind = VALUE_INTEGER, .integer = strtoll(copy, NULL, 0)};
        return true;
    case 'd':
        *out = (struct value){.kind = VALUE_DOUBLE, .number = strtod(copy, NULL)};
        return out->number - out->number == 0; // finite
    case 'b':
        *out = (struct value){.kind = VALUE_BOOLEAN, .boolean = text.size > 0};
        return true;
    case 'o': // an object or array, made strict first as the caller must
        json_scanner_init(&scanner, arena, text, 7);
        return json_scan_value(&scanner, text.data, &token) == text.data + text.size &&
               (token.kind == JSON_OBJECT || token.kind == JSON_ARRAY) &&
               json_to_value(&scanner, &token, out);
    default:
        out->kind = VALUE_NULL;
        return true;
    }
}

static void offer_line(struct mapper *mapper, struct arena *arena, struct slice line)
{
    const char *equals = line.size ? memchr(line.data, '=', line.size) : NULL;
    if (!equals)
        return;
    struct slice key =
        slice_of(line.data + 1, equals > line.data ? (size_t)(equals - line.data - 1) : 0);
    struct slice text = slice_of(equals + 1, line.size - (size_t)(equals + 1 - line.data));
    struct value value;
    if (line.data[0] == 'j')
        map_json_text(mapper, text);
    else if (utf8_repair(arena, key, &key) && read_value(arena, line.data[0], text, &value))
        map_value(mapper, key, value);
}

static void offer_lines(struct mapper *mapper, struct arena *arena, struct slice data)
{
    while (data.size) {
        const char *feed = memchr(data.data, '\n', data.size);
        size_t size = feed ? (size_t)(feed - data.data) : data.size;
        offer_line(mapper, arena, slice_of(data.data, size));
        size += feed ? 1 : 0;
        data = slice_of(data.data + size, data.size - size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t time_ns[2] = {0, 1795375000000000001U};
    if (size < 2)
        return 0;
    fixture_open(1 << 20);
    struct decoder *decoder = fixture.decoder;
    struct slice attributes = slice_of(data + 2, size - 2);
    struct arena values; // the caller's, beside the mapper's
    arena_init(&values, 1 << 14, 0);
    decoder_next_resource(decoder);
    map_begin_fields(&decoder->mapper, &decoder->resource, &decoder->resource_arena);
    offer_lines(&decoder->mapper, &values, attributes);
    bool resource = map_end(&decoder->mapper);
    if (data[1]) {
        decoder->arena.keep_bytes = 64;
        decoder->arena.limit = (size_t)data[1] * 64;
    }
    decoder_next_record(decoder);
    map_begin(&decoder->mapper, &decoder->record, &decoder->arena);
    decoder->record.severity = data[0] % 25;
    decoder->record.time_ns = time_ns[data[0] & 1];
    offer_lines(&decoder->mapper, &values, attributes);
    if (map_end(&decoder->mapper)) {
        decoder->record.resource = resource ? &decoder->resource : NULL;
        enrich_log(NULL, &decoder->record);
        check_document(documents.text[0]);
    }
    arena_deinit(&values);
    fixture_close();
    return 0;
}
