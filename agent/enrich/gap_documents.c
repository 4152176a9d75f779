// Tells of dropped records: a timer, and for each cause that is due a document in the log of the
// exporter that dropped them.
//
// A cause is due an interval after its first drop that no document tells of, so one document holds
// an interval's drops, and no two of a cause are closer than that. The document is not part of the
// door's books (it never came in); its exporter's has it as generated. If it is lost in its turn,
// that is counted there and makes no other: a sink that refuses documents would be told for ever.
#include "enrich/gap_documents.h"

#include "enrich/enrich_room.h"

#include <assert.h>

// Without room (or memory) for a document that is due, another look after this.
#define LOOK_AGAIN_NS NS_PER_S
#define DOCUMENT_ROOM 4096 // bytes, beside what enrich_log_overhead says: texts are bounded

static struct target *teller_of(struct enrich *enrich, unsigned row)
{
    for (size_t i = 0; i < enrich->target_count[SIGNAL_LOGS]; i++)
        if (enrich->targets[SIGNAL_LOGS][i].exporter == gap_teller(enrich->gaps, row))
            return &enrich->targets[SIGNAL_LOGS][i];
    return NULL;
}

// The document into the target's log. False: not now.
static bool append(struct enrich *enrich, struct target *target, const struct gap *gap)
{
    struct record *record = &enrich->gap_documents.record;
    struct arena *arena = &enrich->gap_documents.arena;
    struct slice document;
    arena_reset(arena);
    if (!gap_record(gap, record, arena))
        return false;
    ecs_prepare(&enrich->encoder, record, gap->id, clock_realtime(enrich->clock));
    if (enrich_encode(enrich, target->log, record, enrich->payload_max[SIGNAL_LOGS], &document) !=
        0)
        return false;
    if (enrich->tap)
        enrich->tap(enrich->tap_ctx, SIGNAL_LOGS, document);
    struct spool_entry entry = {
        .records = 1,
        .time_ns = record->time_ns,
        .severity = record->severity,
        .signal = SIGNAL_LOGS,
        .generated = true,
        .resend = resend_of(&target->resend, &enrich->encoder, record),
    };
    memcpy(entry.id, gap->id, sizeof entry.id);
    spool_commit(target->log, document.size, &entry);
    return true;
}

static bool tell(struct enrich *enrich, unsigned row)
{
    struct target *target = teller_of(enrich, row);
    if (!target || !spool_has_room(target->log, enrich_log_overhead(enrich) + DOCUMENT_ROOM))
        return false;
    struct gap gap;
    static const uint8_t no_stream[8];
    struct record_id id = enrich_next_id(enrich, no_stream, 0, false, 1);
    gap_take(enrich->gaps, row, id.bytes, &gap);
    if (!append(enrich, target, &gap))
        return false;
    gap_told(enrich->gaps, row);
    return true;
}

// Tells what is `age` old, and says when (from now) to look again; UINT64_MAX: never.
static uint64_t tell_due(struct enrich *enrich, uint64_t age)
{
    uint64_t now = clock_monotonic(enrich->clock);
    uint64_t next = UINT64_MAX;
    for (unsigned row = 0; row < GAP_ROWS; row++) {
        uint64_t since = gap_since(enrich->gaps, row);
        if (!since)
            continue;
        uint64_t left = since + age > now ? since + age - now : 0;
        if (left == 0)
            left = tell(enrich, row) ? UINT64_MAX : LOOK_AGAIN_NS;
        if (left == UINT64_MAX && gap_since(enrich->gaps, row))
            left = age; // what came while it waited to be told
        if (left < next)
            next = left;
    }
    return next;
}

static void arm(struct gap_documents *documents, uint64_t after_ns)
{
    if (after_ns != UINT64_MAX)
        (void)loop_timer_start(documents->loop, &documents->timer, after_ns);
}

static void expired(struct loop_timer *timer)
{
    struct gap_documents *documents =
        (struct gap_documents *)(void *)((char *)timer - offsetof(struct gap_documents, timer));
    if (documents->interval_ns > 0)
        arm(documents, tell_due(documents->enrich, documents->interval_ns));
}

static void counted(void *ctx)
{
    struct gap_documents *documents = ctx;
    if (!documents->timer.armed)
        arm(documents, documents->interval_ns);
}

void enrich_set_gap_interval(struct enrich *enrich, uint64_t interval_ns)
{
    struct gap_documents *documents = &enrich->gap_documents;
    if (!documents->loop)
        return;
    documents->interval_ns = interval_ns;
    gap_counters_switch(enrich->gaps, interval_ns > 0);
    loop_timer_stop(&documents->timer);
    if (interval_ns > 0)
        arm(documents, 0); // looks, and sets it to what is due first, if anything is
}

void enrich_tell_gaps(struct enrich *enrich)
{
    if (enrich->gap_documents.loop && enrich->gap_documents.interval_ns > 0)
        tell_due(enrich, 0);
}

void gap_documents_start(struct enrich *enrich, struct loop *loop, uint64_t interval_ns)
{
    struct gap_documents *documents = &enrich->gap_documents;
    if (!loop || !enrich->gaps)
        return;
    documents->loop = loop;
    documents->enrich = enrich;
    documents->timer.expired = expired;
    arena_init(&documents->arena, 4096, 0);
    gap_counters_watch(enrich->gaps, counted, documents);
    enrich_set_gap_interval(enrich, interval_ns);
}

void gap_documents_stop(struct enrich *enrich)
{
    struct gap_documents *documents = &enrich->gap_documents;
    if (!documents->loop)
        return;
    loop_timer_stop(&documents->timer);
    gap_counters_watch(enrich->gaps, NULL, NULL);
    arena_deinit(&documents->arena);
    documents->loop = NULL;
}
