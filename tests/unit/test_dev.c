// The embedded Kafka and OTLP receiver, fed by the exporters that the agent has.
#include "base/clock.h"
#include "base/loop.h"
#include "deliver/kafka.h"
#include "deliver/otlp.h"
#include "dev/dev.h"
#include "proto/otlp_fields.h"
#include "proto/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOCUMENTS 300

struct bench {
    struct loop *loop;
    struct loop_timer guard, poll;
    struct dev *dev;
    FILE *out;
    char *text;
    size_t size;
    unsigned delivered, expected;
    const char *awaited; // in the output
    bool late;
};

static void on_verdict(void *ctx, const struct verdict *verdicts, size_t n)
{
    struct bench *bench = ctx;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(verdicts[i].kind, VERDICT_DELIVERED);
        bench->delivered++;
    }
}

static void on_guard(struct loop_timer *timer)
{
    struct bench *bench = (struct bench *)((char *)timer - offsetof(struct bench, guard));
    bench->late = true;
    loop_stop(bench->loop);
}

static void on_poll(struct loop_timer *timer)
{
    struct bench *bench = (struct bench *)((char *)timer - offsetof(struct bench, poll));
    fflush(bench->out);
    if (bench->delivered == bench->expected &&
        (!bench->awaited || strstr(bench->text, bench->awaited)))
        loop_stop(bench->loop);
    else
        loop_timer_start(bench->loop, timer, 5 * NS_PER_MS);
}

static void run_until(struct bench *bench, unsigned delivered, const char *awaited)
{
    bench->expected = delivered;
    bench->awaited = awaited;
    bench->guard.expired = on_guard;
    bench->poll.expired = on_poll;
    loop_timer_start(bench->loop, &bench->guard, 40 * NS_PER_S);
    loop_timer_start(bench->loop, &bench->poll, NS_PER_MS);
    assert_int_equal(loop_run(bench->loop), 0);
    loop_timer_stop(&bench->guard);
    loop_timer_stop(&bench->poll);
    assert_false(bench->late);
}

static void set_up(struct bench *bench, const char *topic)
{
    *bench = (struct bench){0};
    assert_int_equal(loop_new(&bench->loop), 0);
    bench->out = open_memstream(&bench->text, &bench->size);
    struct dev_config config = {
        .loop = bench->loop, .out = bench->out, .topic = topic, .quiet_ns = 20 * NS_PER_MS};
    assert_int_equal(dev_new(&bench->dev, &config), 0);
}

static void tear_down(struct bench *bench)
{
    dev_free(bench->dev);
    fclose(bench->out);
    free(bench->text);
    loop_free(bench->loop);
}

static struct exporter *kafka_to(struct bench *bench, const char *topic)
{
    static struct exporter_book book;
    struct kafka_exporter_config config = {.name = "kafka",
                                           .brokers = dev_brokers(bench->dev),
                                           .topic = topic,
                                           .max_delay_ns = NS_PER_MS,
                                           .window_bytes = 1 << 20,
                                           .window_messages = 1000,
                                           .loop = bench->loop,
                                           .clock = clock_system(),
                                           .book = &book};
    struct exporter *exporter = NULL;
    assert_int_equal(kafka_exporter_new(&exporter, &config), 0);
    assert_int_equal(exporter->ops->start(exporter, (struct verdict_sink){on_verdict, bench}), 0);
    return exporter;
}

static void offer(struct exporter *exporter, const char *text, uint64_t position)
{
    struct parcel parcel = {.position = position, .payload = slice_from(text), .records = 1};
    assert_int_equal(exporter->ops->offer(exporter, &parcel), 0);
}

static void documents_are_printed_in_order(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, "events");
    struct exporter *exporter = kafka_to(&bench, "events");
    static char texts[DOCUMENTS][48];
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        snprintf(texts[i], sizeof texts[i], "{\"n\":%u,\"message\":\"\033[2J\"}\n", i);
        offer(exporter, texts[i], i);
    }
    run_until(&bench, DOCUMENTS, NULL);
    exporter->ops->free(exporter);
    dev_finish(bench.dev); // reads the rest
    char *at = bench.text;
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        char line[64];
        int size = snprintf(line, sizeof line, "{\"n\":%u,\"message\":\"\\u001b[2J\"}\n", i);
        assert_memory_equal(at, line, (size_t)size);
        at += size;
    }
    assert_string_equal(at, "");
    tear_down(&bench);
}

static void a_document_is_printed_when_it_arrives(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, NULL);
    struct exporter *exporter = kafka_to(&bench, "logs");
    offer(exporter, "{\"message\":\"one\"}\n", 1);
    run_until(&bench, 1, "{\"message\":\"one\"}\n");
    offer(exporter, "{\"message\":\"two\"}\n", 2);
    run_until(&bench, 2, "{\"message\":\"two\"}\n");
    exporter->ops->free(exporter);
    tear_down(&bench);
}

static void spans_become_trees(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, NULL);
    static struct exporter_book book;
    struct otlp_exporter_config config = {.name = "otlp",
                                          .endpoint = dev_otlp_endpoint(bench.dev),
                                          .gzip = true,
                                          .loop = bench.loop,
                                          .clock = clock_system(),
                                          .book = &book};
    struct exporter *exporter = NULL;
    assert_int_equal(otlp_exporter_new(&exporter, &config), 0);
    assert_int_equal(exporter->ops->start(exporter, (struct verdict_sink){on_verdict, &bench}), 0);

    uint8_t span[128], scope[160], run[192], fragment[224], id[16] = {[15] = 0xAB};
    uint8_t *end = wire_put_bytes(span, OTLP_SPAN_TRACE_ID, id, 16);
    end = wire_put_bytes(end, OTLP_SPAN_SPAN_ID, id + 8, 8);
    end = wire_put_bytes(end, OTLP_SPAN_NAME, "GET /cart", 9);
    end = wire_put_bytes(scope, OTLP_SCOPE_RECORDS, span, (size_t)(end - span));
    end = wire_put_bytes(run, OTLP_RUN_SCOPES, scope, (size_t)(end - scope));
    end = wire_put_bytes(fragment, OTLP_REQUEST_RESOURCES, run, (size_t)(end - run));
    struct parcel parcel = {.position = 1,
                            .payload = slice_of(fragment, (size_t)(end - fragment)),
                            .records = 1,
                            .signal = SIGNAL_SPANS};
    assert_int_equal(exporter->ops->offer(exporter, &parcel), 0);
    exporter->ops->flush(exporter, false);
    run_until(&bench, 1, "GET /cart");
    assert_non_null(strstr(bench.text, "trace 000000000000000000000000000000ab  1 span "));
    exporter->ops->free(exporter);
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_printed_in_order),
        cmocka_unit_test(a_document_is_printed_when_it_arrives),
        cmocka_unit_test(spans_become_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
