// The sinks: each has a mood for a while, and answers as that goes.
#include "simulation.h"

#include <string.h>

static struct random *dice(struct sink *sink)
{
    return &sink->simulation->random;
}

static int start(struct exporter *exporter, struct verdict_sink verdicts)
{
    ((struct sink *)exporter)->verdicts = verdicts;
    return 0;
}

static int offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct sink *sink = (struct sink *)exporter;
    if (sink->mood == MOOD_FULL || sink->count >= sink->window) {
        sink->refused = true;
        return EXPORTER_FULL;
    }
    model_scan(&sink->simulation->model, sink->index, sink->log);
    sink->items[sink->count++] = (struct sink_item){
        .position = parcel->position,
        .copy = model_offered(&sink->simulation->model, sink->index, parcel),
        .records = parcel->records,
    };
    return 0;
}

static void flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

const struct exporter_ops sink_ops = {
    .type = "simulated", .start = start, .offer = offer, .flush = flush};

static struct verdict choose(struct sink *sink, const struct sink_item *item)
{
    struct verdict verdict = {.position = item->position, .kind = VERDICT_DELIVERED};
    switch (sink->mood) {
    case MOOD_FORGETFUL:
        if (one_in(dice(sink), 4))
            verdict.kind = VERDICT_RETURNED;
        break;
    case MOOD_PARTIAL:
        if (one_in(dice(sink), 6))
            verdict.refused = (uint32_t)random_below(dice(sink), item->records + 1);
        break;
    case MOOD_STRICT:
        if (one_in(dice(sink), 20)) {
            verdict.kind = VERDICT_DEAD;
            verdict.reason = "simulated";
        }
        break;
    default:
        break;
    }
    return verdict;
}

// Answers a few of what it has, together, in any order.
static void answer(struct sink *sink, size_t most)
{
    struct verdict verdicts[64];
    struct simulation *simulation = sink->simulation;
    size_t n = 0;
    bool ordered = one_in(dice(sink), 4);
    for (size_t tries = 0; tries < most && n < 64 && sink->count > 0; tries++) {
        size_t at = ordered ? 0 : random_below(dice(sink), sink->count);
        struct sink_item item = sink->items[at];
        if (sink->mood == MOOD_LEADERLESS && item.copy % 5 == 0)
            continue;
        sink->items[at] = sink->items[--sink->count];
        verdicts[n] = choose(sink, &item);
        model_answered(&simulation->model, sink->index, item.copy, &verdicts[n]);
        if (verdicts[n].kind == VERDICT_RETURNED)
            simulation->model.copies[sink->index].redelivered++;
        n++;
    }
    if (n > 0 || sink->refused) {
        sink->refused = false;
        sink->verdicts.verdict(sink->verdicts.ctx, n ? verdicts : NULL, n);
    }
}

// As after a timeout or a new connection: whether they arrived, nobody knows.
static void give_all_back(struct sink *sink)
{
    while (sink->count > 0) {
        struct verdict verdict = {.position = sink->items[--sink->count].position,
                                  .kind = VERDICT_RETURNED};
        sink->simulation->model.copies[sink->index].redelivered++;
        sink->verdicts.verdict(sink->verdicts.ctx, &verdict, 1);
    }
    sink->verdicts.verdict(sink->verdicts.ctx, NULL, 0);
}

static void change_mood(struct sink *sink)
{
    static const enum mood moods[] = {MOOD_WELL,      MOOD_WELL,       MOOD_WELL,
                                      MOOD_FORGETFUL, MOOD_PARTIAL,    MOOD_STRICT,
                                      MOOD_FULL,      MOOD_LEADERLESS, MOOD_AWAY};
    struct random *random = dice(sink);
    if ((sink->mood == MOOD_AWAY || sink->mood == MOOD_LEADERLESS) && one_in(random, 2))
        give_all_back(sink);
    sink->mood = moods[random_below(random, sizeof moods / sizeof moods[0])];
    sink->moods[sink->mood]++;
    sink->window = one_in(random, 3) ? 1 + random_below(random, 64)
                                     : 64 + random_below(random, WINDOW_MAX - 63);
    uint64_t lasts = one_in(random, 8) ? 300 * NS_PER_S : 2 * NS_PER_S;
    sink->mood_ends_ns = virtual_now() + random_below(random, lasts);
}

void sink_step(struct sink *sink)
{
    if (virtual_now() >= sink->mood_ends_ns && !sink->simulation->ending)
        change_mood(sink);
    if (sink->mood != MOOD_AWAY && sink->mood != MOOD_FULL)
        for (uint64_t rounds = 1 + random_below(dice(sink), 8); rounds > 0; rounds--)
            answer(sink, 1 + random_below(dice(sink), 64));
}

void sink_heal(struct sink *sink)
{
    sink->mood = MOOD_WELL;
    sink->window = WINDOW_MAX;
    sink->refused = true;
}

void sink_crash(struct sink *sink)
{
    sink->count = 0;
    sink->refused = false;
}
