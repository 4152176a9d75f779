// An exporter that takes what its window holds and answers when it is told to.
#ifndef SLUICE_TESTS_FAKE_EXPORTER_H
#define SLUICE_TESTS_FAKE_EXPORTER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/exporter.h"

#define TAKEN_MAX 65536

struct fake_exporter {
    struct exporter exporter; // first
    struct verdict_sink sink;
    size_t window;             // parcels it holds at most
    size_t held;               // offered and without a verdict
    uint64_t taken[TAKEN_MAX]; // positions in the order of offers, returned ones again
    size_t taken_count;
    struct parcel last;
    unsigned refused, flushes, drain_flushes;
    int start_result;
    // Called before an offer is taken; may answer it (and then takes care of held).
    void (*on_offer)(struct fake_exporter *fake, const struct parcel *parcel);
    void (*on_full)(struct fake_exporter *fake);
    void (*on_flush)(struct fake_exporter *fake);
    void *ctx;
};

static inline int fake_start(struct exporter *exporter, struct verdict_sink sink)
{
    struct fake_exporter *fake = (struct fake_exporter *)exporter;
    fake->sink = sink;
    return fake->start_result;
}

static inline int fake_offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct fake_exporter *fake = (struct fake_exporter *)exporter;
    if (fake->held >= fake->window) {
        fake->refused++;
        if (fake->on_full)
            fake->on_full(fake);
        return EXPORTER_FULL;
    }
    assert_true(fake->taken_count < TAKEN_MAX);
    fake->taken[fake->taken_count++] = parcel->position;
    fake->last = *parcel;
    fake->held++;
    if (fake->on_offer)
        fake->on_offer(fake, parcel);
    return 0;
}

static inline void fake_flush(struct exporter *exporter, bool draining)
{
    struct fake_exporter *fake = (struct fake_exporter *)exporter;
    fake->flushes++;
    fake->drain_flushes += draining;
    if (fake->on_flush)
        fake->on_flush(fake);
}

static inline void fake_answer(struct fake_exporter *fake, uint64_t position,
                               enum verdict_kind kind, uint32_t refused)
{
    struct verdict verdict = {.position = position, .kind = kind, .refused = refused};
    assert_true(fake->held > 0);
    fake->held--;
    fake->sink.verdict(fake->sink.ctx, &verdict, 1);
}

static const struct exporter_ops fake_exporter_ops = {
    .type = "fake", .start = fake_start, .offer = fake_offer, .flush = fake_flush};

#endif
