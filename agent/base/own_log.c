// Builds one JSON line in a buffer of its own and hands it to the kernel in one write.
#include "base/own_log.h"

#include "base/clock.h"
#include "base/own_log_events.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES PIPE_BUF // what a pipe with room takes whole and at once, pipe(7)
#define TAIL 16                 // kept free, so that a cut line still ends as JSON

struct line {
    char text[LINE_MAX_BYTES];
    size_t used;
    bool cut;
};

static _Atomic int threshold = OWN_INFO;
static _Atomic unsigned lost; // lines that stderr did not take, since the last that it took

// --- the limit ---

// A slot for each event of the table, and a last one that unknown names share.
static struct limit {
    uint64_t since_ns; // when the period began; 0: none yet
    unsigned lines;    // written in it
    unsigned suppressed;
} limits[OWN_LOG_EVENTS_MAX + 1];
static pthread_mutex_t limits_lock = PTHREAD_MUTEX_INITIALIZER;
static struct clock *limits_clock;

void own_log_clock(struct clock *clock)
{
    pthread_mutex_lock(&limits_lock);
    limits_clock = clock;
    memset(limits, 0, sizeof limits);
    pthread_mutex_unlock(&limits_lock);
}

static bool is_unlimited(size_t event)
{
    return event < own_log_event_count && own_log_events[event].unlimited;
}

// Whether one more line of the event may come now; *suppressed: how many before it did not.
static bool limit_admits(size_t event, unsigned *suppressed)
{
    *suppressed = 0;
    if (is_unlimited(event))
        return true;
    struct limit *limit = &limits[event];
    pthread_mutex_lock(&limits_lock);
    uint64_t now = clock_monotonic(limits_clock ? limits_clock : clock_system());
    if (limit->since_ns == 0 || now - limit->since_ns >= OWN_LOG_PERIOD_S * NS_PER_S) {
        limit->since_ns = now;
        limit->lines = 0;
    }
    bool admitted = limit->lines < OWN_LOG_BURST;
    if (admitted) {
        limit->lines++;
        *suppressed = limit->suppressed;
        limit->suppressed = 0;
    } else {
        limit->suppressed++;
    }
    pthread_mutex_unlock(&limits_lock);
    return admitted;
}

// A line that said so was lost: let another one say it.
static void limit_give_back(size_t event, unsigned suppressed)
{
    if (suppressed == 0)
        return;
    pthread_mutex_lock(&limits_lock);
    limits[event].suppressed += suppressed;
    pthread_mutex_unlock(&limits_lock);
}

// --- the line ---

void own_log_threshold(enum log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

static bool put_bytes(struct line *line, const char *bytes, size_t size)
{
    if (line->used + size > sizeof line->text - TAIL) {
        line->cut = true;
        return false;
    }
    memcpy(line->text + line->used, bytes, size);
    line->used += size;
    return true;
}

static void put(struct line *line, const char *text)
{
    put_bytes(line, text, strlen(text));
}

// The length of the well-formed UTF-8 sequence at text, or 0. Table 3-7 of the Unicode standard.
static size_t sequence_length(const unsigned char *text)
{
    unsigned char c = text[0];
    size_t length = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
    if (length == 4 && (c < 0xf0 || c > 0xf4))
        return 0;
    unsigned char low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    for (size_t i = 1; i < length; i++) {
        if (text[i] < low || text[i] > high) // a NUL, too, ends the sequence here
            return 0;
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

// What a terminal obeys, or hides text with, beyond ASCII: C1 controls, and marks that turn the
// direction of writing. Its code point, or 0.
static unsigned hidden_point(const unsigned char *at, size_t length)
{
    if (length == 2 && at[0] == 0xc2 && at[1] < 0xa0)
        return at[1];
    if (length == 2 && at[0] == 0xd8 && at[1] == 0x9c)
        return 0x61c;
    if (length != 3 || at[0] != 0xe2)
        return 0;
    unsigned point = 0x2000u | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    bool hides = point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
                 (point >= 0x2066 && point <= 0x2069);
    return hides ? point : 0;
}

static bool put_character(struct line *line, const unsigned char *at, size_t *length)
{
    static const char escapes[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    char text[8];
    const char *escape = strchr(escapes, *at);
    *length = 1;
    if (escape) {
        text[0] = '\\';
        text[1] = letters[escape - escapes];
        return put_bytes(line, text, 2);
    }
    if (*at < 0x20 || *at == 0x7f) {
        snprintf(text, sizeof text, "\\u%04x", *at);
        return put_bytes(line, text, 6);
    }
    size_t sequence = sequence_length(at);
    if (sequence == 0)
        return put_bytes(line, "\xef\xbf\xbd", 3);
    *length = sequence;
    unsigned hidden = hidden_point(at, sequence);
    if (hidden) {
        snprintf(text, sizeof text, "\\u%04x", hidden);
        return put_bytes(line, text, 6);
    }
    return put_bytes(line, (const char *)at, sequence);
}

// A string that does not fit is cut between characters, and still closed. False: none of it fits.
static bool put_string(struct line *line, const char *text)
{
    size_t length;
    if (!put_bytes(line, "\"", 1))
        return false;
    for (const unsigned char *at = (const unsigned char *)text; *at; at += length)
        if (!put_character(line, at, &length))
            break;
    line->text[line->used++] = '"'; // within the tail
    return true;
}

static void put_time(struct line *line)
{
    uint64_t now = clock_realtime(clock_system());
    time_t seconds = (time_t)(now / NS_PER_S);
    struct tm parts;
    char text[64];
    gmtime_r(&seconds, &parts);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + size, sizeof text - size, ".%06uZ", (unsigned)(now % NS_PER_S / 1000));
    put_string(line, text);
}

static void put_fields(struct line *line, const struct log_field *fields)
{
    for (; fields && fields->name; fields++) {
        size_t before = line->used;
        char number[32];
        put(line, ",");
        put_string(line, fields->name);
        put(line, ":");
        if (line->cut) {
            line->used = before; // no half a member
            return;
        }
        if (fields->text) {
            if (!put_string(line, fields->text))
                line->used = before;
        } else {
            snprintf(number, sizeof number, "%lld", fields->number);
            put(line, number);
            if (line->cut)
                line->used = before;
        }
        if (line->cut)
            return;
    }
}

// A reader of stderr that stands still (a container runtime's log driver) must not hold the loop.
static bool would_wait(void)
{
    struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&out, 1, 0) == 0;
}

static void put_count(struct line *line, const char *name, unsigned count)
{
    const struct log_field fields[] = {{name, NULL, count}, {NULL, NULL, 0}};
    if (count > 0 && !line->cut)
        put_fields(line, fields);
}

// False: lost, and counted.
static bool write_line(const struct line *line, unsigned before)
{
    ssize_t written;
    if (would_wait()) {
        atomic_fetch_add_explicit(&lost, before + 1, memory_order_relaxed);
        return false;
    }
    do
        written = write(STDERR_FILENO, line->text, line->used);
    while (written < 0 && errno == EINTR);
    // One that fails for good is not counted: there is nowhere to say so.
    return true;
}

__attribute__((format(printf, 4, 0))) static void log_line(enum log_level level, const char *event,
                                                           const struct log_field *fields,
                                                           const char *format, va_list args)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    unsigned suppressed;
    int keep = errno;
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    size_t known = own_log_event_find(event);
    if (!limit_admits(known, &suppressed))
        return;
    struct line line;
    char message[2048];
    line.used = 0;
    line.cut = false;
    vsnprintf(message, sizeof message, format, args);
    put(&line, "{\"@timestamp\":");
    put_time(&line);
    put(&line, ",\"log.level\":");
    put_string(&line, levels[level]);
    put(&line, ",\"event\":");
    put_string(&line, event);
    put(&line, ",\"message\":");
    put_string(&line, message);
    if (!line.cut)
        put_fields(&line, fields);
    unsigned before = atomic_exchange_explicit(&lost, 0, memory_order_relaxed);
    put_count(&line, "suppressed", suppressed);
    put_count(&line, "lost_before", before);
    memcpy(line.text + line.used, "}\n", 2);
    line.used += 2;
    if (!write_line(&line, before))
        limit_give_back(known, suppressed);
    errno = keep;
}

void own_log(enum log_level level, const char *event, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(level, event, NULL, format, args);
    va_end(args);
}

void own_log_fields(enum log_level level, const char *event, const struct log_field *fields,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(level, event, fields, format, args);
    va_end(args);
}
