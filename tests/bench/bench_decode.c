// Nanoseconds a line: scanning alone, and decode_lines with mapping but nothing behind it.
#include "base/clock.h"
#include "decode/decoder.h"
#include "decode/json.h"
#include "enrich/enrich.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINES 2000
#define ROUNDS 200

static uint64_t records;

// decode hands to these instead of the real enrich: the bench measures decode alone.
int enrich_admit(struct enrich *enrich, const struct enrich_ask *ask)
{
    (void)enrich, (void)ask;
    return 0;
}

int enrich_log(struct enrich *enrich, struct record *record)
{
    (void)enrich;
    records += record->time_ns != 0;
    return 0;
}

void enrich_reject(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                   uint64_t rejected)
{
    (void)enrich, (void)signal, (void)reason, (void)rejected;
}

void enrich_hold(struct enrich *enrich, uint32_t lines)
{
    (void)enrich, (void)lines;
}

void enrich_release(struct enrich *enrich, uint32_t lines)
{
    (void)enrich, (void)lines;
}

void enrich_join(struct enrich *enrich, uint32_t lines)
{
    (void)enrich, (void)lines;
}

void enrich_wait(struct enrich *enrich, struct room_waiter *waiter)
{
    (void)enrich, (void)waiter;
}

void enrich_wait_cancel(struct enrich *enrich, struct room_waiter *waiter)
{
    (void)enrich, (void)waiter;
}

struct sample {
    const char *name;
    const char *format; // one %d
};

static const struct sample samples[] = {
    {"structlog",
     "{\"status_code\": 200, \"duration_ms\": 12.%03d, \"user_id\": \"u-4711\", \"client\": "
     "\"checkout-service\", \"event\": \"request_completed\", \"path\": \"/v1/users/42/orders\", "
     "\"request_id\": \"0f8fad5b-d9cb-469f-a165-70867728950e\", \"method\": \"GET\", \"level\": "
     "\"info\", \"trace_id\": \"543de5296f126dd2accb28ce4e4ce346\", \"timestamp\": "
     "\"2026-11-22T19:16:46.583596Z\"}\n"},
    {"pino",
     "{\"level\":30,\"time\":1795375485229,\"pid\":18262,\"hostname\":\"vm\",\"user\":\"anna\","
     "\"n\":%d,\"msg\":\"hello\"}\n"},
    {"ecs",
     "{\"@timestamp\":\"2026-11-22T19:32:37.781Z\",\"log.level\":\"info\",\"message\":\"hello\","
     "\"ecs.version\":\"1.6.0\",\"event\":{\"duration\":%d},\"http\":{\"request\":{\"method\":"
     "\"GET\"}},\"log\":{\"logger\":\"items.repo\",\"origin\":{\"file\":{\"line\":5,\"name\":"
     "\"ecs_ref.py\"},\"function\":\"f\"}},\"service\":{\"name\":\"items-api\"}}\n"},
    {"plain", "2026-11-22 19:31:38.558 [main] INFO  items.repo.Repo - hello user=%d\n"},
    {"words", "hello user %d, this is an ordinary line of text without a time or a level\n"},
    {"frames", "\tat items.repo.Repo.find(Repo.java:%d)\n"},
};

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double scan_alone(struct slice data)
{
    struct arena arena;
    arena_init(&arena, 1 << 16, 0);
    double begin = now_ns();
    for (int round = 0; round < ROUNDS; round++) {
        const char *at = data.data, *end = at + data.size;
        while (at < end) {
            const char *feed = memchr(at, '\n', (size_t)(end - at));
            struct json_scanner scanner;
            struct json_token token;
            json_scanner_init(&scanner, &arena, slice_of(at, (size_t)(feed - at)), 1);
            json_scan_value(&scanner, at, &token);
            at = feed + 1;
        }
    }
    arena_deinit(&arena);
    return (now_ns() - begin) / LINES / ROUNDS;
}

static double decode_all(struct decoder *decoder, struct slice data)
{
    double begin = now_ns();
    for (int round = 0; round < ROUNDS; round++) {
        struct line_state state = {0};
        size_t consumed;
        decode_lines(decoder, &state, data, true, &consumed);
    }
    return (now_ns() - begin) / LINES / ROUNDS;
}

int main(void)
{
    struct decoder_config config = {
        .max_line = 256 << 10, .max_message = 16 << 20, .clock = clock_system(), .join = true};
    struct decoder *decoder;
    if (decoder_new(&decoder, &config) < 0)
        return 1;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        size_t size = 0;
        char *text = malloc((strlen(samples[i].format) + 16) * LINES);
        if (!text)
            return 1;
        for (int n = 0; n < LINES; n++)
            size += (size_t)sprintf(text + size, samples[i].format, n % 1000);
        struct slice data = slice_of(text, size);
        double best_scan = 1e9, best_decode = 1e9;
        for (int attempt = 0; attempt < 3; attempt++) {
            double scan = scan_alone(data), decode = decode_all(decoder, data);
            best_scan = scan < best_scan ? scan : best_scan;
            best_decode = decode < best_decode ? decode : best_decode;
        }
        printf("%-10s %4zu bytes  scan %4.0f ns  decode %4.0f ns a line\n", samples[i].name,
               size / LINES, best_scan, best_decode);
        free(text);
    }
    decoder_free(decoder);
    return records == 0;
}
