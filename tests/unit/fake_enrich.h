// The functions of enrich that lines use, replaced by a list of documents. Included by
// decode_fixture.h alone, behind the variables that it needs.
#ifndef TESTS_FAKE_ENRICH_H
#define TESTS_FAKE_ENRICH_H

// Full, or above the watermark of that urgency.
static inline bool documents_refuse(enum urgency urgency)
{
    return documents.count >= documents.admit_limit || urgency < documents.refused_below;
}

int enrich_admit(struct enrich *enrich, const struct enrich_ask *ask)
{
    (void)enrich;
    assert(ask->signal == SIGNAL_LOGS && ask->policy == DOOR_SHED && ask->bytes > 0);
    if (!documents_refuse(ask->urgency))
        return 0;
    if (!ask->expired)
        return ENRICH_BLOCKED;
    documents.sheds++;
    return 0;
}

int enrich_log(struct enrich *enrich, struct record *record)
{
    static const uint8_t id[16] = {1};
    (void)enrich;
    if (documents_refuse(urgency_of(record->severity)))
        return 0; // shed
    documents.last = *record;
    ecs_prepare(&fixture.encoder, record, id, RECEIVED_NS);
    size_t size = 0, room = 4096;
    char *text = NULL;
    while (size == 0) {
        room *= 4;
        text = realloc(text, room);
        size = ecs_encode(&fixture.encoder, record, (uint8_t *)text, room);
    }
    assert(text[size - 1] == '\n');
    text[size - 1] = '\0';
    if ((documents.count & (documents.count - 1)) == 0) // a power of two, or none: it is full
        documents.text =
            realloc(documents.text, (2 * documents.count + 1) * sizeof *documents.text);
    documents.text[documents.count++] = realloc(text, size);
    return 0;
}

void enrich_reject(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                   uint64_t records)
{
    (void)enrich;
    assert(signal == SIGNAL_LOGS && reason == REJECT_TOO_LARGE);
    documents.rejected += records;
}

void enrich_hold(struct enrich *enrich, uint32_t lines)
{
    (void)enrich;
    documents.pending += lines;
}

void enrich_release(struct enrich *enrich, uint32_t lines)
{
    (void)enrich;
    assert(documents.pending >= lines);
    documents.pending -= lines;
}

void enrich_join(struct enrich *enrich, uint32_t lines)
{
    (void)enrich;
    documents.joined += lines;
}

void enrich_wait(struct enrich *enrich, struct room_waiter *waiter)
{
    (void)enrich;
    (void)waiter;
}

void enrich_wait_cancel(struct enrich *enrich, struct room_waiter *waiter)
{
    (void)enrich;
    (void)waiter;
}

#endif
