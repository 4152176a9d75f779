// A hundred thousand seeded operations on a log beside a model that keeps every record in a plain
// array: what is offered, in which order, with which bytes, what the books and the memory say.
#include "spool_fixture.h"

#include "deliver/exporter.h"

#define OPERATIONS 100000
#define ENTRIES_MAX 200000
#define LIMIT 6

enum model_state { MODEL_WAITING, MODEL_OFFERED, MODEL_DELIVERED, MODEL_DEAD };

struct model_entry {
    enum model_state state;
    uint32_t size;
    uint32_t records;
    uint8_t fill;
    uint8_t resend; // index into resends
};

struct model {
    struct fixture *fixture;
    struct model_entry *entries;
    uint64_t count;
    uint64_t first_open; // everything before it has its verdict
    uint64_t held, delivered, refused, dead, shed;
    uint64_t random;
    unsigned answers_inside; // of 8 offers
};

static const struct spool_resend resends[] = {
    {{NULL, 0}, {NULL, 0}, {NULL, 0}},
    {{"logs", 4}, {NULL, 0}, {NULL, 0}},
    {{"logs", 4}, {"0123456789abcdef", 16}, {NULL, 0}},
    {{"other", 5}, {"k", 1}, {"\x05\x04named", 7}},
};

static uint64_t pick(struct model *model, uint64_t below)
{
    model->random ^= model->random << 13;
    model->random ^= model->random >> 7;
    model->random ^= model->random << 17;
    return model->random % below;
}

static void books_match(const struct model *model)
{
    const struct exporter_book *book = &model->fixture->book;
    assert_int_equal(books_exporter_gap(book), 0);
    assert_int_equal(book->held, model->held);
    assert_int_equal(book->delivered, model->delivered);
    assert_int_equal(book->dropped[DROP_REFUSED], model->refused);
    assert_int_equal(book->dropped[DROP_SHED], model->shed);
    assert_int_equal(book->dead, model->dead);
    assert_int_equal(spool_drained(model->fixture->log), model->held == 0);
}

static void model_answer(struct model *model, uint64_t position)
{
    struct model_entry *entry = &model->entries[position];
    assert_int_equal(entry->state, MODEL_OFFERED);
    uint64_t choice = pick(model, 10);
    uint32_t refused = 0;
    enum verdict_kind kind = VERDICT_DELIVERED;
    if (choice == 0) {
        kind = VERDICT_RETURNED;
        entry->state = MODEL_WAITING;
    } else if (choice == 1) {
        kind = VERDICT_DEAD;
        entry->state = MODEL_DEAD;
        model->dead += entry->records;
    } else {
        refused = choice == 2 ? (uint32_t)pick(model, entry->records + 1) : 0;
        entry->state = MODEL_DELIVERED;
        model->delivered += entry->records - refused;
        model->refused += refused;
    }
    if (kind != VERDICT_RETURNED)
        model->held -= entry->records;
    fake_answer(&model->fixture->fake, position, kind, refused);
}

static void parcel_matches(const struct model_entry *entry, const struct parcel *parcel)
{
    assert_int_equal(parcel->payload.size, entry->size);
    assert_int_equal(parcel->records, entry->records);
    for (uint32_t i = 0; i < entry->size; i++)
        if ((uint8_t)parcel->payload.data[i] != entry->fill)
            fail_msg("payload differs at %u", i);
    assert_true(slice_equal(parcel->topic, resends[entry->resend].topic));
    assert_true(slice_equal(parcel->key, resends[entry->resend].key));
    assert_true(slice_equal(parcel->headers, resends[entry->resend].headers));
}

static void model_offered(struct fake_exporter *fake, const struct parcel *parcel)
{
    struct model *model = fake->ctx;
    fake->taken_count = 0;
    while (model->first_open < model->count &&
           model->entries[model->first_open].state >= MODEL_DELIVERED)
        model->first_open++;
    uint64_t expected = model->first_open;
    while (model->entries[expected].state != MODEL_WAITING)
        expected++;
    assert_int_equal(parcel->position, expected); // the oldest that waits, no other
    model->entries[expected].state = MODEL_OFFERED;
    parcel_matches(&model->entries[expected], parcel);
    if (pick(model, 8) < model->answers_inside)
        model_answer(model, expected);
}

static void model_append(struct model *model)
{
    struct spool_log *log = model->fixture->log;
    struct model_entry entry = {
        .size = 1 + (uint32_t)pick(model, pick(model, 8) == 0 ? 20000 : 900),
        .records = 1 + (uint32_t)pick(model, 5),
        .fill = (uint8_t)pick(model, 256),
        .resend = (uint8_t)pick(model, 4),
    };
    struct spool_slot slot;
    bool room = spool_has_room(log, entry.size);
    if (!room && pick(model, 2) == 0) {
        spool_shed(log, entry.records);
        model->shed += entry.records;
        return;
    }
    int r = spool_reserve(log, entry.size, &slot);
    assert_true(r == 0 || (r == SPOOL_FULL && !room));
    if (r == SPOOL_FULL)
        return;
    memset(slot.data, entry.fill, entry.size);
    if (pick(model, 16) == 0) {
        spool_abort(log);
        return;
    }
    struct spool_entry committed = {.records = entry.records, .resend = resends[entry.resend]};
    put_u64le(committed.id, model->count);
    spool_commit(log, entry.size, &committed);
    assert_true(model->count < ENTRIES_MAX);
    model->entries[model->count++] = entry;
    model->held += entry.records;
}

static void model_answer_some(struct model *model)
{
    uint64_t start = model->first_open;
    uint64_t span = model->count - start;
    for (uint64_t n = pick(model, 12); n > 0 && span > 0; n--) {
        uint64_t position = start + pick(model, pick(model, 2) ? span : span / 8 + 1);
        if (model->entries[position].state == MODEL_OFFERED)
            model_answer(model, position);
    }
}

// Every live segment read as recovery would read it says what the model knows.
static void segments_match(const struct model *model)
{
    const struct spool_log *log = model->fixture->log;
    uint64_t pending = 0;
    assert_true(log->live_count + log->free_count <= LIMIT + 1);
    for (uint32_t i = 0; i < log->live_count; i++) {
        struct segment_image image;
        struct segment_entry entry;
        uint32_t read = 0;
        uint32_t open = 0;
        assert_int_equal(segment_check(&image, log->live[i]->data, log->segment_size), 0);
        for (; segment_entry(&image, &entry); read++) {
            const struct model_entry *known = &model->entries[entry.position];
            assert_int_equal(get_u64le(entry.id), entry.position);
            assert_int_equal(entry.payload.size, known->size);
            assert_int_equal(entry.verdict, known->state == MODEL_DELIVERED ? SEGMENT_DELIVERED
                                            : known->state == MODEL_DEAD    ? SEGMENT_DEAD
                                                                            : SEGMENT_PENDING);
            open += entry.verdict == SEGMENT_PENDING;
        }
        assert_int_equal(image.damaged, 0);
        assert_int_equal(image.lost_records, 0);
        assert_int_equal(read, log->live[i]->entries);
        assert_int_equal(open, log->live[i]->pending);
        assert_true(open > 0 || read == 0); // else it would have been recycled
        pending += open;
    }
    assert_int_equal(pending, log->pending);
}

static void run(uint64_t seed, unsigned answers_inside)
{
    struct fixture *fixture = fixture_new(LIMIT);
    struct model model = {.fixture = fixture, .random = seed, .answers_inside = answers_inside};
    model.entries = calloc(ENTRIES_MAX, sizeof *model.entries);
    assert_non_null(model.entries);
    fixture->fake.ctx = &model;
    fixture->fake.on_offer = model_offered;
    for (unsigned i = 0; i < OPERATIONS; i++) {
        uint64_t choice = pick(&model, 100);
        if (choice < 60)
            model_append(&model);
        else if (choice < 80)
            model_answer_some(&model);
        else if (choice < 97)
            fixture_turn(fixture);
        else if (choice < 99)
            fixture->fake.window = pick(&model, 400);
        else if (model.held == 0)
            log_trim(fixture->log);
        books_match(&model);
        if (i % 256 == 0)
            segments_match(&model);
    }
    fixture->fake.window = SIZE_MAX;
    spool_drain(fixture->log, NULL, NULL);
    while (model.held > 0) {
        fixture->fake.sink.verdict(fixture->fake.sink.ctx, NULL, 0);
        fixture_turn(fixture);
        for (uint64_t at = model.first_open; at < model.count; at++)
            if (model.entries[at].state == MODEL_OFFERED)
                model_answer(&model, at);
        books_match(&model);
    }
    segments_match(&model);
    assert_true(model.count > OPERATIONS / 8 && model.shed > 0 && model.dead > 0);
    free(model.entries);
    fixture_free(fixture);
}

static void test_verdicts_later(void **state)
{
    (void)state;
    run(0x9e3779b97f4a7c15u, 0);
}

static void test_verdicts_from_inside_too(void **state)
{
    (void)state;
    run(0xd1b54a32d192ed03u, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts_later),
        cmocka_unit_test(test_verdicts_from_inside_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
