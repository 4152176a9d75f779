// Parses dead letters with yajl, for people mend these files by hand: strict syntax, members in any
// order. The document is taken byte for byte, not made anew.
#include "deliver/dead_letter_read.h"

#include "base/clock.h"
#include "base/error.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yajl/yajl_parse.h>

struct reading {
    struct dead_letter_read *letter;
    struct slice line;
    yajl_handle parser;
    char *at; // in the letter's memory
    unsigned depth;
    char member[24]; // of depth 1
    size_t document_start;
    bool seen_id, seen_document;
    const char *problem;
};

static int wrong(struct reading *reading, const char *problem)
{
    if (!reading->problem)
        reading->problem = problem;
    return 0;
}

static bool is(const struct reading *reading, const char *member)
{
    return reading->depth == 1 && strcmp(reading->member, member) == 0;
}

// The next bytes of the letter's memory, which holds as many as the line: nothing in it grows.
static struct slice keep(struct reading *reading, const unsigned char *bytes, size_t size)
{
    struct slice kept = slice_of(reading->at, size);
    memcpy(reading->at, bytes, size);
    reading->at += size;
    return kept;
}

// False: it is no padded base64.
static bool keep_base64(struct reading *reading, const unsigned char *text, size_t size,
                        struct slice *out)
{
    size_t padding = 0;
    while (padding < 2 && padding < size && text[size - 1 - padding] == '=')
        padding++;
    if (size == 0 || size % 4 != 0 || size > INT32_MAX || memchr(text, '=', size - padding))
        return false;
    int decoded = EVP_DecodeBlock((unsigned char *)reading->at, text, (int)size);
    if (decoded < 0 || (size_t)decoded < padding)
        return false;
    *out = slice_of(reading->at, (size_t)decoded - padding);
    reading->at += decoded;
    return true;
}

static bool read_id(const char *text, size_t size, uint8_t out[16])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; size == 32 && i < size; i++) {
        const char *digit = memchr(digits, text[i], 16);
        if (!digit)
            return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (digit - digits));
    }
    return size == 32;
}

// As dead_letter_line writes it. False: it is none.
static bool read_time(const char *text, size_t size, uint64_t *out)
{
    char copy[40];
    struct tm tm = {0};
    if (size >= sizeof copy)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    const char *end = strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!end || end[0] != '.' || strspn(end + 1, "0123456789") != 9 || strcmp(end + 10, "Z") != 0)
        return false;
    uint64_t ns = strtoul(end + 1, NULL, 10);
    time_t seconds = timegm(&tm);
    if (seconds > (time_t)(UINT64_MAX / NS_PER_S - 1)) // the year 2554
        return false;
    *out = seconds < 0 ? 0 : (uint64_t)seconds * NS_PER_S + ns;
    return true;
}

static bool read_signal(const char *text, size_t size, uint8_t *out)
{
    for (unsigned i = 0; i < SIGNAL_COUNT; i++)
        if (slice_equal(slice_of(text, size), slice_from(signal_name((enum signal_kind)i)))) {
            *out = (uint8_t)i;
            return true;
        }
    return false;
}

static int on_string(void *ctx, const unsigned char *text, size_t size)
{
    struct reading *reading = ctx;
    struct dead_letter_read *letter = reading->letter;
    struct parcel *parcel = &letter->parcel;
    const char *chars = (const char *)text;
    if (is(reading, "exporter")) {
        if (size == 0 || size >= sizeof letter->exporter || memchr(text, 0, size))
            return wrong(reading, "exporter: not a name");
        memcpy(letter->exporter, text, size);
        letter->exporter[size] = '\0'; // it may be there twice, longer first
    } else if (is(reading, "id")) {
        reading->seen_id = read_id(chars, size, parcel->id);
        return reading->seen_id || wrong(reading, "id: not 32 lower-case hex digits");
    } else if (is(reading, "signal")) {
        return read_signal(chars, size, &parcel->signal) ||
               wrong(reading, "signal: not logs, spans or metrics");
    } else if (is(reading, "record_time")) {
        return read_time(chars, size, &parcel->time_ns) ||
               wrong(reading, "record_time: not like 2026-01-02T03:04:05.000000006Z");
    } else if (is(reading, "topic")) {
        parcel->topic = keep(reading, text, size);
    } else if (is(reading, "key")) {
        parcel->key = keep(reading, text, size);
    } else if (is(reading, "key_base64")) {
        return keep_base64(reading, text, size, &parcel->key) ||
               wrong(reading, "key_base64: not base64");
    } else if (is(reading, "headers_base64")) {
        return keep_base64(reading, text, size, &parcel->headers) ||
               wrong(reading, "headers_base64: not base64");
    } else if (is(reading, "otlp_base64")) {
        letter->otlp = true;
        if (!keep_base64(reading, text, size, &parcel->payload))
            return wrong(reading, "otlp_base64: not base64");
        // as dead_letter_line tells them apart
        return (parcel->payload.size > 0 && parcel->payload.data[0] != '{') ||
               wrong(reading, "otlp_base64: not an OTLP fragment");
    }
    return 1;
}

// As text: a document may hold numbers that no integer of ours does.
static int on_number(void *ctx, const char *text, size_t size)
{
    struct reading *reading = ctx;
    char copy[24];
    snprintf(copy, sizeof copy, "%.*s", (int)(size < sizeof copy ? size : sizeof copy), text);
    long long number = strspn(copy, "0123456789") == strlen(copy) ? strtoll(copy, NULL, 10) : -1;
    if (is(reading, "records")) {
        if (number < 1 || number > UINT32_MAX)
            return wrong(reading, "records: not a number from 1 on");
        reading->letter->parcel.records = (uint32_t)number;
    } else if (is(reading, "severity")) {
        if (number < 0 || number > 24)
            return wrong(reading, "severity: not 0 to 24");
        reading->letter->parcel.severity = (uint8_t)number;
    }
    return 1;
}

static int on_key(void *ctx, const unsigned char *key, size_t size)
{
    struct reading *reading = ctx;
    if (reading->depth == 1)
        snprintf(reading->member, sizeof reading->member, "%.*s", (int)size, (const char *)key);
    return 1;
}

static int on_start(void *ctx)
{
    struct reading *reading = ctx;
    if (is(reading, "document"))
        reading->document_start = yajl_get_bytes_consumed(reading->parser) - 1;
    reading->depth++;
    return 1;
}

static int on_end(void *ctx)
{
    struct reading *reading = ctx;
    reading->depth--;
    if (!is(reading, "document"))
        return 1;
    size_t end = yajl_get_bytes_consumed(reading->parser);
    struct slice *payload = &reading->letter->parcel.payload;
    *payload = keep(reading, (const unsigned char *)reading->line.data + reading->document_start,
                    end - reading->document_start);
    *reading->at++ = '\n';
    payload->size++;
    reading->seen_document = true;
    return payload->data[0] == '{' || wrong(reading, "document: not an object");
}

static const char *missing(const struct reading *reading)
{
    const struct dead_letter_read *letter = reading->letter;
    return !letter->exporter[0]                     ? "exporter: missing"
           : !reading->seen_id                      ? "id: missing"
           : letter->parcel.records == 0            ? "records: missing"
           : !letter->parcel.payload.size           ? "neither document nor otlp_base64"
           : letter->otlp && reading->seen_document ? "both document and otlp_base64"
                                                    : NULL;
}

static void parse(struct reading *reading)
{
    struct slice line = reading->line;
    if (yajl_parse(reading->parser, (const unsigned char *)line.data, line.size) !=
            yajl_status_ok ||
        yajl_complete_parse(reading->parser) != yajl_status_ok)
        wrong(reading, "not a JSON object, or cut");
    if (!reading->problem)
        reading->problem = missing(reading);
}

int dead_letter_read(struct dead_letter_read *out, struct slice line, const char **problem)
{
    static const yajl_callbacks callbacks = {.yajl_start_map = on_start,
                                             .yajl_end_map = on_end,
                                             .yajl_start_array = on_start,
                                             .yajl_end_array = on_end,
                                             .yajl_map_key = on_key,
                                             .yajl_number = on_number,
                                             .yajl_string = on_string};
    struct dead_letter_read letter = {.memory = malloc(line.size + 4)};
    struct reading reading = {.letter = &letter, .line = line, .at = letter.memory};
    reading.parser = yajl_alloc(&callbacks, NULL, &reading);
    if (!letter.memory || !reading.parser) {
        free(letter.memory);
        if (reading.parser)
            yajl_free(reading.parser);
        return -ENOMEM;
    }
    parse(&reading);
    yajl_free(reading.parser);
    if (reading.problem) {
        free(letter.memory);
        *problem = reading.problem;
        return -EINVAL;
    }
    *out = letter;
    return 0;
}

void dead_letter_read_deinit(struct dead_letter_read *letter)
{
    free(letter->memory);
    *letter = (struct dead_letter_read){.memory = NULL};
}
