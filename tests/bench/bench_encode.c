// Nanoseconds a document: a record of a structlog line, and one of an OTLP log with its resource,
// as decode leaves them, into a buffer that stands for a segment.
#include "enrich/ecs_encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 50000
#define ATTEMPTS 30 // the best counts: others share the machine

static struct value text(const char *s)
{
    return (struct value){.kind = VALUE_ESCAPED, .text = slice_from(s)};
}

static struct value plain(const char *s)
{
    return (struct value){.kind = VALUE_TEXT, .text = slice_from(s)};
}

// What an app's line says: the body of a document of about 800 bytes.
static void fill_line(struct record *record, struct arena *arena)
{
    struct fields *own = &record->own;
    fields_clear(own);
    record->time_ns = 1795375006583596000u;
    record->severity = 9;
    fields_set(own, ECS_MESSAGE, text("request completed for the order of a customer"));
    fields_set(own, ECS_LOG_LEVEL, text("info"));
    fields_set(own, ECS_LOG_LOGGER, text("items.repo"));
    fields_set(own, ECS_TRACE_ID, text("543de5296f126dd2accb28ce4e4ce346"));
    fields_set(own, ECS_SPAN_ID, text("2accb28ce4e4ce34"));
    fields_set(own, ECS_URL_PATH, text("/v1/users/42/orders"));
    fields_set(own, ECS_HTTP_REQUEST_ID, text("0f8fad5b-d9cb-469f-a165-70867728950e"));
    fields_set(own, ECS_HTTP_REQUEST_METHOD, text("GET"));
    fields_set(own, ECS_HTTP_RESPONSE_STATUS_CODE,
               (struct value){.kind = VALUE_INTEGER, .integer = 200});
    fields_set(own, ECS_EVENT_DURATION, (struct value){.kind = VALUE_INTEGER, .integer = 12345000});
    fields_set(own, ECS_USER_ID, text("u-4711"));
    named_values_add(&own->labels, arena, SLICE("client"), text("checkout-service"));
    named_values_add(&own->labels, arena, SLICE("region"), text("eu-west-1"));
    named_values_add(&own->numeric_labels, arena, SLICE("items"),
                     (struct value){.kind = VALUE_DOUBLE, .number = 2.5});
}

static void fill_resource(struct fields *resource, struct arena *arena)
{
    fields_clear(resource);
    fields_set(resource, ECS_SERVICE_NAME, plain("items-api"));
    fields_set(resource, ECS_SERVICE_VERSION, plain("2.0.0"));
    named_values_add(&resource->labels, arena, SLICE("telemetry_sdk_language"), plain("python"));
    named_values_add(&resource->labels, arena, SLICE("telemetry_sdk_name"), plain("opentelemetry"));
}

static double elapsed_ns(const struct timespec *begin, const struct timespec *end)
{
    return (double)(end->tv_sec - begin->tv_sec) * 1e9 + (double)(end->tv_nsec - begin->tv_nsec);
}

static double measure(struct ecs_encoder *encoder, struct record *record, struct arena *arena,
                      bool escape, size_t *size)
{
    static uint8_t buffer[1 << 16];
    struct timespec begin;
    struct timespec end;
    double best = 1e18;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        for (unsigned i = 0; i < ROUNDS; i++) {
            uint8_t id[16] = {1, 2, 3, [12] = (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
            arena_reset(arena);
            fill_line(record, arena);
            if (escape)
                record->own.ecs[ECS_MESSAGE] = plain("a \"quoted\" name\tand\nlines of an error");
            ecs_prepare(encoder, record, id, 1795375000123456789u + i * 1000);
            *size = ecs_encode(encoder, record, buffer, sizeof buffer);
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        double ns =
            (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
        best = ns < best ? ns : best;
    }
    return best / ROUNDS;
}

static double measure_fill(struct record *record, struct arena *arena)
{
    struct timespec begin;
    struct timespec end;
    double best = 1e18;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
        for (unsigned i = 0; i < ROUNDS; i++) {
            arena_reset(arena);
            fill_line(record, arena);
            __asm__ volatile("" ::: "memory");
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        double ns = elapsed_ns(&begin, &end);
        best = ns < best ? ns : best;
    }
    return best / ROUNDS;
}

int main(void)
{
    const struct resource_attribute attributes[] = {
        {SLICE("service.name"), SLICE("items-api")},
        {SLICE("deployment.environment.name"), SLICE("production")},
        {SLICE("host.name"), SLICE("node-17.example")},
        {SLICE("k8s.pod.name"), SLICE("items-api-7d4b9c6f5-x2x7p")},
        {SLICE("k8s.namespace.name"), SLICE("shop")},
    };
    static const uint8_t start_id[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct agent_resource resource;
    struct ecs_encoder encoder;
    static struct record record;
    static struct fields layer;
    struct arena arena;
    struct arena resource_arena;
    arena_init(&arena, 1 << 16, 0);
    arena_init(&resource_arena, 1 << 16, 0);
    if (agent_resource_init(&resource, attributes, 5) < 0 ||
        ecs_encoder_init(&encoder, &resource, "0.1.0", start_id) < 0)
        return 1;
    double fill = measure_fill(&record, &arena);
    size_t size;
    double line = measure(&encoder, &record, &arena, false, &size) - fill;
    printf("line     %4zu bytes  %4.0f ns a document\n", size, line);
    line = measure(&encoder, &record, &arena, true, &size) - fill;
    printf("escapes  %4zu bytes  %4.0f ns a document\n", size, line);
    fill_resource(&layer, &resource_arena);
    record.resource = &layer;
    line = measure(&encoder, &record, &arena, false, &size) - fill;
    printf("resource %4zu bytes  %4.0f ns a document\n", size, line);
    ecs_encoder_deinit(&encoder);
    agent_resource_deinit(&resource);
    arena_deinit(&arena);
    arena_deinit(&resource_arena);
    return 0;
}
