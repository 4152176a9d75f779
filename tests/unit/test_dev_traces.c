// Spans in any order become one tree for each trace.
#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"
#include "dev/dev_traces.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct request {
    uint8_t bytes[65536];
    size_t size;
};

struct spec {
    uint8_t trace, id, parent; // parent 0: none
    const char *name;
    uint64_t start_ms, end_ms;
    const char *error; // NULL: no status
};

static uint8_t *put_id(uint8_t *out, uint32_t number, uint8_t last, size_t size)
{
    uint8_t id[16] = {0};
    id[size - 1] = last;
    return wire_put_bytes(out, number, id, size);
}

static size_t encode_span(uint8_t *out, const struct spec *spec)
{
    uint8_t *end = put_id(out, OTLP_SPAN_TRACE_ID, spec->trace, 16);
    end = put_id(end, OTLP_SPAN_SPAN_ID, spec->id, 8);
    if (spec->parent)
        end = put_id(end, OTLP_SPAN_PARENT_SPAN_ID, spec->parent, 8);
    end = wire_put_bytes(end, OTLP_SPAN_NAME, spec->name, strlen(spec->name));
    end = wire_put_tag(end, OTLP_SPAN_START_TIME_UNIX_NANO, WIRE_FIXED64);
    end = wire_put_fixed64(end, spec->start_ms * NS_PER_MS);
    end = wire_put_tag(end, OTLP_SPAN_END_TIME_UNIX_NANO, WIRE_FIXED64);
    end = wire_put_fixed64(end, spec->end_ms * NS_PER_MS);
    if (spec->error) {
        uint8_t status[300];
        uint8_t *at = wire_put_bytes(status, OTLP_STATUS_MESSAGE, spec->error, strlen(spec->error));
        at = wire_put_tag(at, OTLP_STATUS_CODE, WIRE_VARINT);
        at = wire_put_varint(at, OTLP_STATUS_CODE_ERROR);
        end = wire_put_bytes(end, OTLP_SPAN_STATUS, status, (size_t)(at - status));
    }
    return (size_t)(end - out);
}

static size_t encode_resource(uint8_t *out, const char *service)
{
    uint8_t value[128], pair[256];
    size_t size =
        (size_t)(wire_put_bytes(value, OTLP_ANY_STRING, service, strlen(service)) - value);
    uint8_t *end = wire_put_bytes(pair, OTLP_KEY_VALUE_KEY, "service.name", 12);
    end = wire_put_bytes(end, OTLP_KEY_VALUE_VALUE, value, size);
    return (size_t)(wire_put_bytes(out, OTLP_RESOURCE_ATTRIBUTES, pair, (size_t)(end - pair)) -
                    out);
}

// Adds a ResourceSpans of one service.
static void add_run(struct request *request, const char *service, const struct spec *specs,
                    size_t count)
{
    static uint8_t scope[32768], run[49152];
    uint8_t span[1024], resource[512];
    uint8_t *end = scope;
    for (size_t i = 0; i < count; i++)
        end = wire_put_bytes(end, OTLP_SCOPE_RECORDS, span, encode_span(span, &specs[i]));
    uint8_t *at = wire_put_bytes(run, OTLP_RUN_SCOPES, scope, (size_t)(end - scope));
    if (service)
        at = wire_put_bytes(at, OTLP_RUN_RESOURCE, resource, encode_resource(resource, service));
    at = wire_put_bytes(request->bytes + request->size, OTLP_REQUEST_RESOURCES, run,
                        (size_t)(at - run));
    request->size = (size_t)(at - request->bytes);
}

struct bench {
    struct loop *loop;
    struct dev_traces *traces;
    FILE *out;
    char *text;
    size_t size;
};

static void set_up(struct bench *bench, uint64_t quiet_ns)
{
    *bench = (struct bench){0};
    assert_int_equal(loop_new(&bench->loop), 0);
    bench->out = open_memstream(&bench->text, &bench->size);
    struct dev_traces_config config = {
        .loop = bench->loop, .out = bench->out, .quiet_ns = quiet_ns};
    assert_int_equal(dev_traces_new(&bench->traces, &config), 0);
}

static void tear_down(struct bench *bench)
{
    dev_traces_free(bench->traces);
    fclose(bench->out);
    free(bench->text);
    loop_free(bench->loop);
}

static int add(struct bench *bench, const struct request *request)
{
    return dev_traces_add(bench->traces, slice_of(request->bytes, request->size));
}

static void a_tree_with_durations(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, NS_PER_S);
    static struct request request;
    request.size = 0;
    // children before their parents, siblings in the wrong order
    const struct spec shop[] = {
        {1, 4, 2, "SELECT items", 13, 15, NULL},
        {1, 3, 1, "render", 30, 42, NULL},
        {1, 2, 1, "load \033[2J", 11, 20, NULL},
        {1, 1, 0, "GET /cart", 10, 45, NULL},
    };
    const struct spec pay[] = {{1, 5, 3, "POST /charge", 31, 1431, "card declined"}};
    add_run(&request, "pay", pay, 1);
    add_run(&request, "shop", shop, 4);
    assert_int_equal(add(&bench, &request), 0);
    assert_int_equal(add(&bench, &request), 0); // sent again: each span is there once
    dev_traces_print(bench.traces);
    assert_string_equal(bench.text, "trace 00000000000000000000000000000001  5 spans  1.42 s\n"
                                    "  shop  GET /cart  35.00 ms\n"
                                    "    shop  load \\u001b[2J  9.00 ms\n"
                                    "      shop  SELECT items  2.00 ms\n"
                                    "    shop  render  12.00 ms\n"
                                    "      pay  POST /charge  1.40 s  ERROR: card declined\n");
    tear_down(&bench);
}

static void odd_families_are_printed_once(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, NS_PER_S);
    static struct request request;
    request.size = 0;
    const struct spec spans[] = {
        {7, 1, 2, "circle a", 1, 2, NULL},   {7, 2, 1, "circle b", 2, 3, NULL},
        {7, 3, 3, "own parent", 3, 4, NULL}, {7, 4, 9, "orphan", 5, 6, NULL},
        {7, 5, 0, "backwards", 9, 8, NULL},
    };
    add_run(&request, NULL, spans, 5);
    assert_int_equal(add(&bench, &request), 0);
    dev_traces_print(bench.traces);
    assert_string_equal(bench.text, "trace 00000000000000000000000000000007  5 spans  7.00 ms\n"
                                    "  unknown_service  orphan  1.00 ms\n"
                                    "  unknown_service  backwards  0.0 us\n"
                                    "  unknown_service  circle a  1.00 ms\n"
                                    "    unknown_service  circle b  1.00 ms\n"
                                    "  unknown_service  own parent  1.00 ms\n");
    dev_traces_print(bench.traces); // nothing is left
    assert_int_equal(bench.size, strlen(bench.text));
    tear_down(&bench);
}

static unsigned lines_with(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, NS_PER_S);
    static struct request request;
    for (unsigned i = 0; i < DEV_TRACES + 3; i++) {
        struct spec spec = {(uint8_t)(i + 1), 1, 0, "alone", 1, 2, NULL};
        request.size = 0;
        add_run(&request, "s", &spec, 1);
        assert_int_equal(add(&bench, &request), 0);
    }
    fflush(bench.out);
    assert_int_equal(lines_with(bench.text, "trace 0"), 3); // the oldest made room
    assert_int_equal(lines_with(bench.text, "trace 00000000000000000000000000000001"), 1);
    dev_traces_print(bench.traces);
    assert_int_equal(lines_with(bench.text, "trace 0"), DEV_TRACES + 3);
    assert_int_equal(lines_with(bench.text, "alone"), DEV_TRACES + 3);
    tear_down(&bench);
}

static void damage_is_refused(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, NS_PER_S);
    static struct request request;
    request.size = 0;
    const struct spec spans[] = {{1, 1, 0, "whole", 1, 2, "e"}, {1, 2, 1, "cut", 1, 2, NULL}};
    add_run(&request, "s", spans, 2);
    size_t whole = request.size;
    for (request.size = 1; request.size < whole; request.size++)
        assert_int_equal(add(&bench, &request), -EBADMSG);
    dev_traces_print(bench.traces);
    assert_null(strstr(bench.text ? bench.text : "", "cut"));
    tear_down(&bench);
}

struct quiet {
    struct loop_timer poll, guard;
    struct bench *bench;
    bool late;
};

static void on_guard(struct loop_timer *timer)
{
    struct quiet *quiet = (struct quiet *)((char *)timer - offsetof(struct quiet, guard));
    quiet->late = true;
    loop_stop(quiet->bench->loop);
}

static void on_poll(struct loop_timer *timer)
{
    struct quiet *quiet = (struct quiet *)(void *)timer;
    fflush(quiet->bench->out);
    if (quiet->bench->size > 0)
        loop_stop(quiet->bench->loop);
    else
        loop_timer_start(quiet->bench->loop, timer, 5 * NS_PER_MS);
}

static void a_quiet_trace_is_printed_by_itself(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, 20 * NS_PER_MS);
    static struct request request;
    request.size = 0;
    const struct spec span = {1, 1, 0, "GET /", 1, 2, NULL};
    add_run(&request, "s", &span, 1);
    assert_int_equal(add(&bench, &request), 0);
    assert_int_equal(bench.size, 0);
    struct quiet quiet = {.poll.expired = on_poll, .guard.expired = on_guard, .bench = &bench};
    loop_timer_start(bench.loop, &quiet.poll, 5 * NS_PER_MS);
    loop_timer_start(bench.loop, &quiet.guard, 20 * NS_PER_S);
    assert_int_equal(loop_run(bench.loop), 0);
    assert_false(quiet.late);
    assert_non_null(strstr(bench.text, "GET /"));
    loop_timer_stop(&quiet.poll);
    loop_timer_stop(&quiet.guard);
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_with_durations),
        cmocka_unit_test(odd_families_are_printed_once),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(a_quiet_trace_is_printed_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
