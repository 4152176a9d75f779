// Enrich over real spool logs, with exporters that keep what they are offered until they are told
// to confirm it.
#ifndef SLUICE_TESTS_ENRICH_FIXTURE_H
#define SLUICE_TESTS_ENRICH_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "deliver/exporter.h"
#include "enrich/enrich.h"
#include "enrich/enrich_gaps.h"
#include "enrich/record.h"
#include "spool/spool.h"

#include <stdlib.h>

#define SINKS_MAX 4
#define NOW_NS 1795375000123456789u

struct kept {
    struct parcel parcel;
    struct slice payload; // a copy
    struct slice key;     // a copy
    struct slice topic;   // a copy
    struct slice headers; // a copy
};

struct sink {
    struct exporter exporter; // first
    struct verdict_sink verdicts;
    struct kept *items;
    size_t count;
    size_t confirmed;
    struct spool_log *log;
    struct exporter_book *book;
};

struct house {
    struct clock clock;
    struct loop *loop;
    struct books books;
    struct sink sinks[SINKS_MAX];
    unsigned count;
    struct gap_counters *gaps; // set before the first house_add; NULL: none
    uint64_t gap_interval_ns;
    struct enrich *enrich;
};

// A copy on the heap, NUL-terminated.
struct slice copy_of(struct slice bytes);
// A log of that many bytes with its sink.
struct sink *house_add(struct house *house, const char *name, size_t segment, uint64_t bytes,
                       enum spool_when_full when_full);
struct house *house_new(void);
// Enrich with the given attributes and Kafka key; logs go to every sink of `logs`, spans and
// metrics to every one of `otlp` (bit masks of sinks).
void house_open(struct house *house, const struct resource_attribute *attributes, size_t count,
                const char *key, unsigned logs, unsigned otlp);
// Enrich with logs going to these targets; a log left NULL is that of the sink in its place.
void house_open_targets(struct house *house, const struct resource_attribute *attributes,
                        size_t count, struct enrich_target *targets, size_t target_count);
void house_turn(struct house *house);
// Everything offered so far is delivered.
void house_confirm(struct house *house);
void house_free(struct house *house);

#endif
