// The house of the enrich and OTLP tests.
#include "enrich_fixture.h"

#include <event2/event.h>
#include <stdlib.h>

static uint64_t house_now(struct clock *clock)
{
    (void)clock;
    return NOW_NS;
}

static int sink_start(struct exporter *exporter, struct verdict_sink verdicts)
{
    ((struct sink *)exporter)->verdicts = verdicts;
    return 0;
}

struct slice copy_of(struct slice bytes)
{
    char *copy = malloc(bytes.size + 1);
    assert_non_null(copy);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = '\0';
    return slice_of(copy, bytes.size);
}

static int sink_offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct sink *sink = (struct sink *)exporter;
    sink->items = realloc(sink->items, (sink->count + 1) * sizeof *sink->items);
    assert_non_null(sink->items);
    sink->items[sink->count++] =
        (struct kept){*parcel, copy_of(parcel->payload), copy_of(parcel->key),
                      copy_of(parcel->topic), copy_of(parcel->headers)};
    return 0;
}

static void sink_flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

struct sink *house_add(struct house *house, const char *name, size_t segment, uint64_t bytes,
                       enum spool_when_full when_full)
{
    static const struct exporter_ops ops = {
        .type = "sink", .start = sink_start, .offer = sink_offer, .flush = sink_flush};
    assert_true(house->count < SINKS_MAX);
    struct sink *sink = &house->sinks[house->count++];
    sink->exporter.ops = &ops;
    sink->exporter.name = name;
    sink->book = books_add_exporter(&house->books, name);
    struct spool_config config = {.name = name,
                                  .segment_size = segment,
                                  .max_bytes = bytes,
                                  .when_full = when_full,
                                  .loop = house->loop,
                                  .clock = &house->clock,
                                  .exporter = &sink->exporter,
                                  .gaps = house->gaps,
                                  .gap_exporter = house->count - 1,
                                  .book = sink->book};
    assert_int_equal(spool_log_new(&sink->log, &config), 0);
    return sink;
}

struct house *house_new(void)
{
    struct house *house = calloc(1, sizeof *house);
    assert_non_null(house);
    house->clock = (struct clock){house_now, house_now};
    assert_int_equal(loop_new(&house->loop), 0);
    return house;
}

void house_open(struct house *house, const struct resource_attribute *attributes, size_t count,
                const char *key, unsigned logs, unsigned otlp)
{
    struct enrich_target targets[2][SINKS_MAX];
    size_t counts[2] = {0};
    for (unsigned i = 0; i < house->count; i++) {
        if (logs >> i & 1)
            targets[0][counts[0]++] = (struct enrich_target){.log = house->sinks[i].log,
                                                             .form = WIRE_ECS_JSON,
                                                             .key_field = slice_from(key),
                                                             .book = house->sinks[i].book};
        if (otlp >> i & 1)
            targets[1][counts[1]++] = (struct enrich_target){
                .log = house->sinks[i].log, .form = WIRE_OTLP, .book = house->sinks[i].book};
    }
    struct enrich_config config = {
        .clock = &house->clock,
        .books = &house->books,
        .resource = attributes,
        .resource_count = count,
        .targets = {targets[0], targets[1], targets[1]},
        .target_count = {counts[0], counts[1], counts[1]},
        .agent_version = "0.1.0",
        .gaps = house->gaps,
        .loop = house->gaps ? house->loop : NULL,
        .gap_interval_ns = house->gap_interval_ns,
    };
    assert_int_equal(enrich_new(&house->enrich, &config), 0);
}

void house_open_targets(struct house *house, const struct resource_attribute *attributes,
                        size_t count, struct enrich_target *targets, size_t target_count)
{
    for (size_t i = 0; i < target_count; i++) {
        if (!targets[i].log)
            targets[i].log = house->sinks[i].log;
        targets[i].book = house->sinks[i].book;
    }
    struct enrich_config config = {
        .clock = &house->clock,
        .books = &house->books,
        .resource = attributes,
        .resource_count = count,
        .targets[SIGNAL_LOGS] = targets,
        .target_count[SIGNAL_LOGS] = target_count,
        .agent_version = "0.1.0",
        .gaps = house->gaps,
        .loop = house->gaps ? house->loop : NULL,
        .gap_interval_ns = house->gap_interval_ns,
    };
    assert_int_equal(enrich_new(&house->enrich, &config), 0);
}

void house_turn(struct house *house)
{
    for (unsigned i = 0; i < 8; i++)
        event_base_loop(loop_event_base(house->loop), EVLOOP_NONBLOCK);
    assert_true(books_balanced(&house->books));
}

void house_confirm(struct house *house)
{
    house_turn(house);
    for (unsigned i = 0; i < house->count; i++) {
        struct sink *sink = &house->sinks[i];
        for (; sink->confirmed < sink->count; sink->confirmed++) {
            struct verdict verdict = {.position = sink->items[sink->confirmed].parcel.position,
                                      .kind = VERDICT_DELIVERED};
            sink->verdicts.verdict(sink->verdicts.ctx, &verdict, 1);
        }
    }
    house_turn(house);
}

void house_free(struct house *house)
{
    house_confirm(house);
    enrich_free(house->enrich);
    for (unsigned i = 0; i < house->count; i++) {
        struct sink *sink = &house->sinks[i];
        assert_int_equal(sink->book->held, 0);
        spool_log_free(sink->log);
        for (size_t n = 0; n < sink->count; n++) {
            free((char *)sink->items[n].payload.data);
            free((char *)sink->items[n].key.data);
            free((char *)sink->items[n].topic.data);
            free((char *)sink->items[n].headers.data);
        }
        free(sink->items);
    }
    gap_counters_free(house->gaps);
    loop_free(house->loop);
    free(house);
}
