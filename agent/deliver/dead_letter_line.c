// Formats dead letters, off the hot path: one allocation a line.
#include "deliver/dead_letter_line.h"

#include "base/clock.h"
#include "deliver/exporter.h"

#include <assert.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HEAD_MAX 1024 // all that is not topic, key, headers or payload

struct line {
    char *at;
    const char *end;
};

static bool is_document(const struct parcel *parcel)
{
    // 0x7B would be a group's tag: no OTLP fragment begins with it.
    return parcel->payload.size > 0 && parcel->payload.data[0] == '{';
}

static size_t base64_size(size_t bytes)
{
    return (bytes + 2) / 3 * 4 + 1; // EVP_EncodeBlock ends it with a NUL
}

static void put(struct line *line, struct slice text)
{
    assert((size_t)(line->end - line->at) >= text.size);
    memcpy(line->at, text.data, text.size);
    line->at += text.size;
}

// A member's comma, name and colon.
static void put_name(struct line *line, const char *name)
{
    *line->at++ = ',';
    *line->at++ = '"';
    put(line, slice_from(name));
    *line->at++ = '"';
    *line->at++ = ':';
}

static void put_text(struct line *line, const char *name, struct slice text)
{
    put_name(line, name);
    *line->at++ = '"';
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c == 0x7f) {
            line->at += snprintf(line->at, (size_t)(line->end - line->at), "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\')
            *line->at++ = '\\';
        *line->at++ = (char)c;
    }
    *line->at++ = '"';
}

static void put_base64(struct line *line, const char *name, struct slice bytes)
{
    put_name(line, name);
    *line->at++ = '"';
    line->at += EVP_EncodeBlock((unsigned char *)line->at, (const unsigned char *)bytes.data,
                                (int)bytes.size);
    *line->at++ = '"';
}

static void put_number(struct line *line, const char *name, uint64_t number)
{
    put_name(line, name);
    line->at += snprintf(line->at, (size_t)(line->end - line->at), "%" PRIu64, number);
}

static void put_time(struct line *line, const char *name, uint64_t ns)
{
    time_t seconds = (time_t)(ns / NS_PER_S);
    struct tm tm;
    char date[40] = "", text[64];
    if (gmtime_r(&seconds, &tm))
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, sizeof text, "%s.%09uZ", date, (unsigned)(ns % NS_PER_S));
    put_text(line, name, slice_from(text));
}

// How many bytes the UTF-8 sequence at the start of text has; 0: it is none.
static size_t utf8_sequence(struct slice text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)text.data[0];
    size_t n = first < 0x80       ? 1
               : first >> 5 == 6  ? 2
               : first >> 4 == 14 ? 3
               : first >> 3 == 30 ? 4
                                  : 0;
    if (n < 2 || n > text.size)
        return n == 1;
    uint32_t code = first & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)text.data[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | ((unsigned char)text.data[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code >= least[n] && code <= 0x10ffff && !surrogate ? n : 0;
}

static bool is_utf8(struct slice text)
{
    while (text.size > 0) {
        size_t n = utf8_sequence(text);
        if (n == 0)
            return false;
        text = slice_of(text.data + n, text.size - n);
    }
    return true;
}

void dead_letter_id(const struct parcel *parcel, char out[33])
{
    for (size_t i = 0; i < sizeof parcel->id; i++)
        snprintf(out + 2 * i, 3, "%02x", parcel->id[i]);
}

static void put_payload(struct line *line, const struct parcel *parcel)
{
    struct slice payload = parcel->payload;
    if (!is_document(parcel)) {
        put_base64(line, "otlp_base64", payload);
        return;
    }
    if (payload.data[payload.size - 1] == '\n')
        payload.size--;
    put_name(line, "document");
    put(line, payload);
}

char *dead_letter_line(const struct dead_letter *letter, size_t *size)
{
    const struct parcel *parcel = letter->parcel;
    size_t most = HEAD_MAX +
                  6 * (strlen(letter->exporter) + parcel->topic.size + parcel->key.size) +
                  base64_size(parcel->headers.size) + base64_size(parcel->payload.size);
    char *text = malloc(most);
    if (!text)
        return NULL;
    struct line line = {text, text + most};
    put_time(&line, "time", letter->time_ns);
    *text = '{'; // where the first member's comma would be
    put_text(&line, "exporter", slice_from(letter->exporter));
    put_text(&line, "reason", slice_from(letter->reason ? letter->reason : "refused"));
    put_text(&line, "signal", slice_from(signal_name((enum signal_kind)parcel->signal)));
    put_number(&line, "records", parcel->records);
    char id[33];
    dead_letter_id(parcel, id);
    put_text(&line, "id", slice_from(id));
    put_time(&line, "record_time", parcel->time_ns);
    put_number(&line, "severity", parcel->severity);
    if (parcel->topic.size && is_utf8(parcel->topic))
        put_text(&line, "topic", parcel->topic);
    if (parcel->key.size && is_utf8(parcel->key))
        put_text(&line, "key", parcel->key);
    else if (parcel->key.size)
        put_base64(&line, "key_base64", parcel->key);
    if (parcel->headers.size)
        put_base64(&line, "headers_base64", parcel->headers);
    put_payload(&line, parcel);
    put(&line, SLICE("}\n"));
    *size = (size_t)(line.at - text);
    return text;
}
