// Streams of live records: a bounded buffer for each watcher, filled as records pass and emptied as
// the watcher reads. What does not fit is counted and said, and never waited for.
//
// The agent filters only by what costs little: the signal, and bytes that a document must contain.
// Everything else is the watcher's own work (`sluice tail`).
#include "base/error.h"
#include "base/own_log.h"
#include "control/http_connection.h"
#include "control/tail_runs.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NEEDLES_MAX 8
#define NEEDLE_SIZE 128
#define NOTE_ROOM 64 // kept free, so that what was left out can always be said

struct http_tail {
    bool signals[SIGNAL_COUNT];
    char needles[NEEDLES_MAX][NEEDLE_SIZE]; // a log's document contains them all
    size_t needle_sizes[NEEDLES_MAX];
    unsigned needle_count;
    uint64_t shown, skipped, skipped_all;
    size_t start, end; // what waits, within bytes
    char bytes[HTTP_TAIL_BYTES];
};

// --- the query ---

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at ? (int)(at - digits) : -1;
}

// Decodes in place. False: not percent-encoding, or a NUL.
static bool percent_decode(char *text)
{
    char *out = text;
    for (; *text; text++) {
        if (*text != '%') {
            *out++ = *text;
            continue;
        }
        int high = hex_digit(text[1]), low = high < 0 ? -1 : hex_digit(text[2]);
        if (low < 0 || high * 16 + low == 0)
            return false;
        *out++ = (char)(high * 16 + low);
        text += 2;
    }
    *out = '\0';
    return true;
}

static const char *take_signals(struct http_tail *tail, char *value)
{
    static const char allowed[] = "signal: allowed: logs, spans, metrics\n";
    char *rest;
    bool any = false;
    memset(tail->signals, 0, sizeof tail->signals);
    for (char *name = strtok_r(value, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        unsigned signal = 0;
        while (signal < SIGNAL_COUNT && strcmp(signal_name((enum signal_kind)signal), name) != 0)
            signal++;
        if (signal == SIGNAL_COUNT)
            return allowed;
        any = tail->signals[signal] = true;
    }
    return any ? NULL : allowed;
}

static const char *take_needle(struct http_tail *tail, const char *value)
{
    size_t size = strlen(value);
    if (size == 0 || size >= NEEDLE_SIZE || tail->needle_count == NEEDLES_MAX)
        return "contains: allowed: up to 8, of 1 to 127 bytes\n";
    memcpy(tail->needles[tail->needle_count], value, size);
    tail->needle_sizes[tail->needle_count++] = size;
    return NULL;
}

// What is wrong with the query, or NULL.
static const char *take_query(struct http_tail *tail, char *query)
{
    char *rest;
    for (char *part = strtok_r(query, "&", &rest); part; part = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(part, '=');
        const char *wrong = "no such parameter; there are signal and contains\n";
        if (value) {
            *value++ = '\0';
            if (!percent_decode(value))
                wrong = "a value is not percent-encoded\n";
            else if (strcmp(part, "signal") == 0)
                wrong = take_signals(tail, value);
            else if (strcmp(part, "contains") == 0)
                wrong = take_needle(tail, value);
        }
        if (wrong)
            return wrong;
    }
    return NULL;
}

// --- the buffer ---

static void watch(struct http_connection *connection)
{
    const struct http_tail *tail = connection->tail;
    unsigned events = LOOP_READ | (tail->end > tail->start ? LOOP_WRITE : 0);
    // A failure leaves the old events: the next record tries again.
    loop_io_start(connection->endpoint->config.loop, &connection->io, connection->fd, events);
}

static bool has_room(struct http_tail *tail, size_t size)
{
    if (size <= sizeof tail->bytes - tail->end)
        return true;
    if (size > sizeof tail->bytes - (tail->end - tail->start))
        return false;
    memmove(tail->bytes, tail->bytes + tail->start, tail->end - tail->start);
    tail->end -= tail->start;
    tail->start = 0;
    return true;
}

static void put(struct http_tail *tail, const char *bytes, size_t size)
{
    memcpy(tail->bytes + tail->end, bytes, size);
    tail->end += size;
}

// Says what was left out, as soon as there is room to say it.
static void put_note(struct http_tail *tail)
{
    char note[NOTE_ROOM];
    if (tail->skipped == 0 || !has_room(tail, NOTE_ROOM))
        return;
    int size =
        snprintf(note, sizeof note, "{\"sluice\":{\"not_shown\":%" PRIu64 "}}\n", tail->skipped);
    put(tail, note, (size_t)size);
    tail->skipped = 0;
}

static void show_line(struct http_connection *connection, struct slice line)
{
    struct http_tail *tail = connection->tail;
    bool waited = tail->end > tail->start;
    if (!has_room(tail, line.size + 1 + NOTE_ROOM)) {
        tail->skipped++;
        tail->skipped_all++;
        return;
    }
    put_note(tail);
    put(tail, line.data, line.size);
    put(tail, "\n", 1);
    tail->shown++;
    if (!waited)
        watch(connection);
}

// A text may be written with \u escapes, and then shows what it does not spell.
static bool may_match(const struct http_tail *tail, struct slice document)
{
    for (unsigned i = 0; i < tail->needle_count; i++)
        if (!memmem(document.data, document.size, tail->needles[i], tail->needle_sizes[i]))
            return memmem(document.data, document.size, "\\u", 2) != NULL;
    return true;
}

static void show_run_line(void *ctx, struct slice json)
{
    show_line(ctx, json);
}

void http_endpoint_show(struct http_endpoint *endpoint, enum signal_kind signal,
                        struct slice payload)
{
    if (payload.size && signal == SIGNAL_LOGS && payload.data[payload.size - 1] == '\n')
        payload.size--;
    for (struct http_connection *connection = endpoint->connections; payload.size && connection;
         connection = connection->next) {
        if (!connection->tail || !connection->tail->signals[signal])
            continue;
        if (signal != SIGNAL_LOGS)
            tail_runs_read(signal, payload, show_run_line, connection);
        else if (may_match(connection->tail, payload))
            show_line(connection, payload);
    }
}

// --- a stream's life ---

bool http_tail_start(struct http_connection *connection, const struct http_request *request,
                     struct http_answer *answer)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
                               "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
                               "Connection: close\r\n\r\n";
    struct http_endpoint *endpoint = connection->endpoint;
    if (!http_is_local(connection, request, answer))
        return false;
    if (endpoint->tails == HTTP_TAILS_MAX) {
        http_text_page(answer, 503, "four are watching already; end one of them\n");
        return false;
    }
    struct http_tail *tail = calloc(1, sizeof *tail);
    if (!tail)
        return false; // an answer without a status says so
    tail->signals[SIGNAL_LOGS] = tail->signals[SIGNAL_SPANS] = true;
    const char *wrong = take_query(tail, request->query);
    if (wrong) {
        free(tail);
        http_text_page(answer, 400, wrong);
        return false;
    }
    connection->tail = tail;
    put(tail, head, sizeof head - 1);
    loop_timer_stop(&connection->deadline);
    own_log(OWN_INFO, "tail_started", "somebody watches live records");
    if (endpoint->tails++ == 0)
        endpoint->config.watch(endpoint->config.ctx, true);
    http_connection_watch(connection, LOOP_READ | LOOP_WRITE);
    return true;
}

void http_tail_free(struct http_connection *connection)
{
    struct http_endpoint *endpoint = connection->endpoint;
    struct http_tail *tail = connection->tail;
    if (!tail)
        return;
    const struct log_field fields[] = {{"shown", NULL, (long long)tail->shown},
                                       {"not_shown", NULL, (long long)tail->skipped_all},
                                       {NULL, NULL, 0}};
    connection->tail = NULL;
    free(tail);
    if (--endpoint->tails == 0)
        endpoint->config.watch(endpoint->config.ctx, false);
    own_log_fields(OWN_INFO, "tail_ended", fields, "a watcher of live records is gone");
}

// What a watcher sends is ignored; its end ends the stream.
static bool is_gone(struct http_connection *connection)
{
    ssize_t got = recv(connection->fd, connection->head, sizeof connection->head, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
}

void http_tail_ready(struct http_connection *connection, unsigned events)
{
    struct http_tail *tail = connection->tail;
    if ((events & LOOP_READ) && is_gone(connection)) {
        http_connection_close(connection);
        return;
    }
    if (tail->end > tail->start) {
        ssize_t sent = send(connection->fd, tail->bytes + tail->start, tail->end - tail->start,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            http_connection_close(connection);
            return;
        }
        tail->start += sent > 0 ? (size_t)sent : 0;
    }
    if (tail->start == tail->end) {
        tail->start = tail->end = 0;
        put_note(tail);
    }
    watch(connection);
}
