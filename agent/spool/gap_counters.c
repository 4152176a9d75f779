// The table of causes: found by a hash, bounded by giving what does not fit to `other`.
//
// Three stretches of rows: causes as they are; their service called `other`, level unknown; and one
// for each exporter that tells, for what does not even fit there. So a count always has a row, and
// the sums are those of the books.
#include "spool/gap_counters.h"

#include "base/books.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/own_log.h"
#include "spool/gap_file.h"

#include <stdlib.h>
#include <string.h>

#define INDEX_SIZE 512u // a power of two, twice GAP_ROWS
#define NOBODY 254u     // an exporter that the settings do not have any more

enum stretch { STRETCH_EXACT, STRETCH_OTHER, STRETCH_LAST, STRETCH_COUNT };
static const unsigned stretch_end[STRETCH_COUNT] = {GAP_ROWS - 64, GAP_ROWS - EXPORTER_MAX,
                                                    GAP_ROWS};

// A cause as it is looked up.
struct gap_key {
    uint8_t teller, exporter, reason, signal, level;
    const char *service;
    size_t service_size;
};

struct gap_counters {
    struct clock *clock;
    struct books *books;
    uint32_t tellers;
    bool off;
    void (*counted)(void *ctx);
    void *counted_ctx;
    struct gap_file file;
    unsigned busy[STRETCH_COUNT]; // rows that have something to be told
    uint16_t index[INDEX_SIZE];   // row + 1; 0: none
    struct gap_row rows[GAP_ROWS];
};

const char *gap_reason_name(enum gap_reason reason)
{
    static const char *const names[GAP_REASON_COUNT] = {
        "shed",
        "refused",
        "level",
        "damaged",
        "dead",
        "malformed",
        "too_large",
        "unreadable",
        "set_aside",
        "client",
        "client_buffer_full",
        "client_too_large",
        "client_rate_limited",
        "client_deadline",
        "client_out_of_memory",
        "other",
    };
    return names[reason];
}

_Static_assert((int)GAP_SHED == (int)DROP_SHED && (int)GAP_REFUSED == (int)DROP_REFUSED &&
                   (int)GAP_LEVEL == (int)DROP_LEVEL && (int)GAP_DAMAGED == (int)DROP_DAMAGED,
               "a drop's reason is a gap's");

static enum stretch stretch_of(unsigned row)
{
    return row < stretch_end[STRETCH_EXACT]   ? STRETCH_EXACT
           : row < stretch_end[STRETCH_OTHER] ? STRETCH_OTHER
                                              : STRETCH_LAST;
}

static bool has_something(const struct gap_row *row)
{
    return row->count.open > 0 || row->count.taken > 0;
}

static unsigned hash_of(const struct gap_key *key)
{
    uint64_t hash = 0xcbf29ce484222325u; // FNV-1a
    const uint8_t head[] = {key->teller, key->exporter, key->reason, key->signal, key->level};
    for (unsigned i = 0; i < sizeof head; i++)
        hash = (hash ^ head[i]) * 0x100000001b3u;
    for (size_t i = 0; i < key->service_size; i++)
        hash = (hash ^ (uint8_t)key->service[i]) * 0x100000001b3u;
    return (unsigned)(hash >> 32) & (INDEX_SIZE - 1);
}

static bool is_key(const struct gap_row *row, const struct gap_key *key)
{
    return row->teller_index == key->teller && row->exporter_index == key->exporter &&
           row->reason == key->reason && row->signal == key->signal && row->level == key->level &&
           memcmp(row->service, key->service, key->service_size) == 0 &&
           row->service[key->service_size] == '\0';
}

// The row of the key, or where in the index it belongs.
static struct gap_row *find(struct gap_counters *gaps, const struct gap_key *key, unsigned *at)
{
    for (*at = hash_of(key); gaps->index[*at]; *at = (*at + 1) & (INDEX_SIZE - 1)) {
        struct gap_row *row = &gaps->rows[gaps->index[*at] - 1];
        if (is_key(row, key))
            return row;
    }
    return NULL;
}

static void index_row(struct gap_counters *gaps, unsigned number)
{
    const struct gap_row *row = &gaps->rows[number];
    struct gap_key key = {.teller = row->teller_index,
                          .exporter = row->exporter_index,
                          .reason = row->reason,
                          .signal = row->signal,
                          .level = row->level,
                          .service = row->service,
                          .service_size = strlen(row->service)};
    unsigned at = 0;
    if (!find(gaps, &key, &at))
        gaps->index[at] = (uint16_t)(number + 1);
}

static void index_all(struct gap_counters *gaps)
{
    memset(gaps->index, 0, sizeof gaps->index);
    for (unsigned i = 0; i < GAP_ROWS; i++)
        if (gaps->rows[i].used)
            index_row(gaps, i);
}

static const char *exporter_name(const struct gap_counters *gaps, unsigned exporter)
{
    return exporter < gaps->books->exporter_count ? gaps->books->exporters[exporter].name : "";
}

// A row of the stretch that was never used; else one that has nothing to be told. There is one.
static unsigned choose_row(const struct gap_counters *gaps, enum stretch stretch)
{
    unsigned idle = GAP_ROWS;
    for (unsigned i = stretch ? stretch_end[stretch - 1] : 0; i < stretch_end[stretch]; i++) {
        if (!gaps->rows[i].used)
            return i;
        if (!has_something(&gaps->rows[i]))
            idle = i;
    }
    assert(idle < GAP_ROWS);
    return idle;
}

static struct gap_row *add(struct gap_counters *gaps, enum stretch stretch,
                           const struct gap_key *key)
{
    unsigned number = choose_row(gaps, stretch);
    struct gap_row *row = &gaps->rows[number];
    bool again = row->used;
    row->used = true;
    row->reason = key->reason;
    row->signal = key->signal;
    row->level = key->level;
    row->exporter_index = key->exporter;
    row->teller_index = key->teller;
    memset(row->service, 0, sizeof row->service);
    memcpy(row->service, key->service, key->service_size);
    // Whole, for the file: no byte of an earlier name may stay behind.
    memset(row->exporter, 0, sizeof row->exporter);
    memset(row->teller, 0, sizeof row->teller);
    strncpy(row->exporter, exporter_name(gaps, key->exporter), sizeof row->exporter - 1);
    strncpy(row->teller, exporter_name(gaps, key->teller), sizeof row->teller - 1);
    gap_file_write_cause(&gaps->file, number, row);
    if (again)
        index_all(gaps);
    else
        index_row(gaps, number);
    return row;
}

static struct gap_row *find_or_add(struct gap_counters *gaps, const struct gap_key *exact)
{
    unsigned at = 0;
    struct gap_key other = *exact;
    other.level = 0;
    other.service = "other";
    other.service_size = 5;
    struct gap_key last = other;
    last.exporter = GAP_DOOR;
    last.reason = GAP_OTHER;
    last.signal = SIGNAL_COUNT;
    const struct gap_key *const keys[STRETCH_COUNT] = {exact, &other, &last};
    for (unsigned stretch = 0; stretch < STRETCH_COUNT; stretch++) {
        struct gap_row *row = find(gaps, keys[stretch], &at);
        unsigned first = stretch ? stretch_end[stretch - 1] : 0;
        if (row)
            return row;
        if (gaps->busy[stretch] < stretch_end[stretch] - first)
            return add(gaps, (enum stretch)stretch, keys[stretch]);
    }
    return NULL; // only where the file's exporters and the settings' together are above
                 // EXPORTER_MAX
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a < UINT64_MAX - b ? a + b : UINT64_MAX; // a client may claim anything
}

static void count_for(struct gap_counters *gaps, const struct gap_key *key, uint64_t records,
                      uint64_t time_ns)
{
    struct gap_row *row = find_or_add(gaps, key);
    if (!row)
        return;
    unsigned number = (unsigned)(row - gaps->rows);
    bool first = !has_something(row);
    struct gap_tally *count = &row->count;
    if (count->open == 0) {
        count->open_first_ns = count->open_last_ns = time_ns;
        row->since_ns = clock_monotonic(gaps->clock);
    }
    if (time_ns < count->open_first_ns)
        count->open_first_ns = time_ns;
    if (time_ns > count->open_last_ns)
        count->open_last_ns = time_ns;
    uint64_t before = count->open;
    count->open = sum(before, records);
    gap_file_write_count(&gaps->file, number, row);
    gaps->books->exporters[key->teller].book.untold += count->open - before;
    if (!first)
        return;
    gaps->busy[stretch_of(number)]++;
    if (gaps->counted)
        gaps->counted(gaps->counted_ctx);
}

// How much of the text is whole UTF-8 without NUL and fits a row.
static size_t service_size(struct slice text)
{
    const uint8_t *at = (const uint8_t *)text.data;
    size_t room = text.size < GAP_SERVICE_MAX ? text.size : GAP_SERVICE_MAX - 1;
    size_t size = 0;
    while (size < room && at[size]) {
        uint8_t lead = at[size];
        size_t more = lead < 0x80 ? 0 : lead < 0xC2 ? room : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        if (more >= room - size || lead > 0xF4)
            break;
        for (size_t i = 1; i <= more; i++)
            if ((at[size + i] & 0xC0) != 0x80)
                return size;
        bool overlong =
            (lead == 0xE0 && at[size + 1] < 0xA0) || (lead == 0xF0 && at[size + 1] < 0x90);
        bool beyond =
            (lead == 0xED && at[size + 1] > 0x9F) || (lead == 0xF4 && at[size + 1] > 0x8F);
        if (overlong || beyond)
            return size;
        size += more + 1;
    }
    return size;
}

void gap_count(struct gap_counters *gaps, const struct gap_cause *cause, uint64_t records,
               uint64_t time_ns)
{
    if (!gaps || gaps->off || records == 0)
        return;
    assert(cause->exporter == GAP_DOOR || cause->exporter < gaps->books->exporter_count);
    struct gap_key key = {
        .exporter = (uint8_t)cause->exporter,
        .reason = (uint8_t)cause->reason,
        .signal = (uint8_t)cause->signal,
        .level = cause->severity <= 24 ? (uint8_t)((cause->severity + 3) / 4) : 0,
        .service = cause->service.size ? cause->service.data : "",
        .service_size = service_size(cause->service),
    };
    uint32_t own = cause->exporter < EXPORTER_MAX ? 1u << cause->exporter : 0;
    if (!time_ns)
        time_ns = clock_realtime(gaps->clock);
    for (uint32_t to = gaps->tellers & own ? own : gaps->tellers; to; to &= to - 1) {
        key.teller = (uint8_t)__builtin_ctz(to);
        count_for(gaps, &key, records, time_ns);
    }
}

// --- what an earlier run left ---

static uint8_t find_exporter(const struct gap_counters *gaps, const char *name)
{
    for (unsigned i = 0; i < gaps->books->exporter_count; i++)
        if (strcmp(gaps->books->exporters[i].name, name) == 0)
            return (uint8_t)i;
    return NOBODY;
}

static void adopt_row(struct gap_counters *gaps, unsigned number)
{
    struct gap_row *row = &gaps->rows[number];
    row->exporter_index = *row->exporter ? find_exporter(gaps, row->exporter) : GAP_DOOR;
    row->teller_index = find_exporter(gaps, row->teller);
    if (row->teller_index == NOBODY || !(gaps->tellers >> row->teller_index & 1))
        row->teller_index = gaps->tellers ? (uint8_t)__builtin_ctz(gaps->tellers) : NOBODY;
    row->since_ns = clock_monotonic(gaps->clock);
    gaps->busy[stretch_of(number)]++;
    if (row->teller_index != NOBODY)
        gaps->books->exporters[row->teller_index].book.untold += row->count.open + row->count.taken;
}

static void load(struct gap_counters *gaps)
{
    unsigned damaged = 0;
    for (unsigned i = 0; i < GAP_ROWS; i++) {
        int r = gap_file_read(&gaps->file, i, &gaps->rows[i]);
        if (r == 0)
            adopt_row(gaps, i);
        if (r != GAP_ROW_DAMAGED)
            continue;
        damaged++;
        gaps->rows[i] = (struct gap_row){0};
        gap_file_clear(&gaps->file, i);
    }
    index_all(gaps);
    if (damaged > 0)
        own_log(OWN_WARN, "gaps_damaged",
                "%u counts of dropped records in the file gaps cannot be read; no document will "
                "tell of them",
                damaged);
}

int gap_counters_new(struct gap_counters **out, const struct gap_counters_config *config)
{
    struct gap_counters *gaps = calloc(1, sizeof *gaps);
    if (!gaps)
        return -ENOMEM;
    gaps->clock = config->clock;
    gaps->books = config->books;
    gaps->tellers = config->tellers;
    gaps->file.fd = -1;
    int r = config->folder ? gap_file_open(&gaps->file, config->folder) : 0;
    if (r < 0)
        own_log(OWN_WARN, "gaps_failed",
                "%s/gaps: %s; what is dropped and not told yet will not survive the agent",
                config->folder, r == -EWOULDBLOCK ? "another agent has it" : strerror(-r));
    if (gaps->file.bytes)
        load(gaps);
    *out = gaps;
    return 0;
}

void gap_counters_free(struct gap_counters *gaps)
{
    if (!gaps)
        return;
    gap_file_close(&gaps->file);
    free(gaps);
}

void gap_counters_switch(struct gap_counters *gaps, bool on)
{
    gaps->off = !on;
}

void gap_counters_watch(struct gap_counters *gaps, void (*counted)(void *ctx), void *ctx)
{
    gaps->counted = counted;
    gaps->counted_ctx = ctx;
}

// --- telling ---

uint64_t gap_since(const struct gap_counters *gaps, unsigned number)
{
    const struct gap_row *row = &gaps->rows[number];
    return has_something(row) && row->teller_index != NOBODY ? row->since_ns : 0;
}

unsigned gap_teller(const struct gap_counters *gaps, unsigned number)
{
    return gaps->rows[number].teller_index;
}

void gap_take(struct gap_counters *gaps, unsigned number, const uint8_t id[16], struct gap *out)
{
    struct gap_row *row = &gaps->rows[number];
    struct gap_tally *count = &row->count;
    assert(has_something(row));
    if (count->taken == 0) {
        count->taken = count->open;
        count->taken_first_ns = count->open_first_ns;
        count->taken_last_ns = count->open_last_ns;
        memcpy(count->taken_id, id, sizeof count->taken_id);
        count->open = 0;
        gap_file_write_count(&gaps->file, number, row);
    }
    *out = (struct gap){
        .cause = {.reason = (enum gap_reason)row->reason,
                  .signal = (enum signal_kind)row->signal,
                  .exporter = row->exporter_index,
                  .severity = row->level ? (uint8_t)(4 * row->level - 3) : 0,
                  .service = slice_from(row->service)},
        .exporter = row->exporter,
        .teller = row->teller_index,
        .records = count->taken,
        .first_ns = count->taken_first_ns,
        .last_ns = count->taken_last_ns,
    };
    memcpy(out->id, count->taken_id, sizeof out->id);
}

void gap_told(struct gap_counters *gaps, unsigned number)
{
    struct gap_row *row = &gaps->rows[number];
    gaps->books->exporters[row->teller_index].book.untold -= row->count.taken;
    row->count.taken = 0;
    gap_file_write_count(&gaps->file, number, row);
    if (row->count.open > 0)
        row->since_ns = clock_monotonic(gaps->clock);
    else
        gaps->busy[stretch_of(number)]--;
}
