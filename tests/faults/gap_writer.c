// Counts drops and tells of them, in steps that the ledger knows by number.
#include "gap_writer.h"

#include "ledger.h"
#include "spool_writer.h"

#include "spool/gap_counters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum step { STEP_COUNT, STEP_NEW_CAUSE, STEP_TAKE, STEP_TELL };

#define BEFORE 10u // of the cause that is there
#define MORE 5u
#define NEW 3u

static const uint8_t taken_id[16] = "taken by writer";
static const uint8_t later_id[16] = "taken by checker";

static struct gap_counters *gaps;
static struct ledger *steps;

static uint64_t standing(struct clock *clock)
{
    (void)clock;
    return 1700000000000000000u;
}

static void open_gaps(const char *folder)
{
    static struct clock clock = {standing, standing};
    static struct books books;
    books = (struct books){0};
    books_add_exporter(&books, "kafka");
    struct gap_counters_config config = {
        .folder = folder, .clock = &clock, .books = &books, .tellers = 1};
    int r = gap_counters_new(&gaps, &config);
    if (r < 0)
        writer_fail("the counters do not open: %s", strerror(-r));
}

static struct gap_cause cause_of(enum gap_reason reason)
{
    return (struct gap_cause){.reason = reason,
                              .signal = SIGNAL_LOGS,
                              .exporter = 0,
                              .severity = 9,
                              .service = SLICE("orders")};
}

static void count(enum gap_reason reason, uint64_t records)
{
    struct gap_cause cause = cause_of(reason);
    gap_count(gaps, &cause, records, 0);
}

// The row that has something to be told for that reason; GAP_ROWS: none.
static unsigned take(enum gap_reason reason, const uint8_t id[16], struct gap *out)
{
    for (unsigned row = 0; row < GAP_ROWS; row++) {
        if (gap_since(gaps, row) == 0)
            continue;
        gap_take(gaps, row, id, out);
        if (out->cause.reason == reason)
            return row;
    }
    return GAP_ROWS;
}

void gap_writer_prepare(struct ledger *ledger, const char *folder)
{
    if (mkdir(folder, 0700) < 0)
        writer_fail("%s: %s", folder, strerror(errno));
    steps = ledger;
    open_gaps(folder);
    count(GAP_SHED, BEFORE);
}

void gap_writer_act(void)
{
    struct gap gap;
    steps->state[STEP_COUNT] = LEDGER_APPENDING;
    count(GAP_SHED, MORE);
    steps->state[STEP_COUNT] = LEDGER_COMMITTED;
    steps->state[STEP_NEW_CAUSE] = LEDGER_APPENDING;
    count(GAP_DEAD, NEW);
    steps->state[STEP_NEW_CAUSE] = LEDGER_COMMITTED;
    steps->state[STEP_TAKE] = LEDGER_APPENDING;
    unsigned row = take(GAP_SHED, taken_id, &gap);
    steps->state[STEP_TAKE] = LEDGER_COMMITTED;
    steps->state[STEP_TELL] = LEDGER_APPENDING;
    gap_told(gaps, row);
    steps->state[STEP_TELL] = LEDGER_COMMITTED;
}

// What is left to be told for a reason, under which id; then tells it.
static uint64_t left(enum gap_reason reason, uint8_t id[16])
{
    struct gap gap = {.records = 0};
    unsigned row = take(reason, later_id, &gap);
    if (row == GAP_ROWS)
        return 0;
    memcpy(id, gap.id, sizeof gap.id);
    uint64_t records = gap.records;
    gap_told(gaps, row);
    return records;
}

static void is_one_of(const char *what, uint64_t found, uint64_t before, uint64_t after,
                      unsigned state)
{
    bool fits =
        (found == before && state != LEDGER_COMMITTED) || (found == after && state != LEDGER_NONE);
    if (!fits)
        writer_fail("%s: %llu, neither %llu nor %llu (step %u)", what, (unsigned long long)found,
                    (unsigned long long)before, (unsigned long long)after, state);
}

void gap_writer_check(const struct ledger *ledger, const char *folder)
{
    uint8_t id[16] = {0}, other[16];
    char damaged[600];
    struct stat status;
    open_gaps(folder);
    uint64_t shed = left(GAP_SHED, id);
    if (ledger->state[STEP_TELL] != LEDGER_NONE)
        is_one_of("told", shed, BEFORE + MORE, 0, ledger->state[STEP_TELL]);
    else
        is_one_of("counted", shed, BEFORE, BEFORE + MORE, ledger->state[STEP_COUNT]);
    // What was taken comes again under the id that it had: its document may be in the log.
    bool taken = shed > 0 && memcmp(id, taken_id, sizeof id) == 0;
    if (shed > 0)
        is_one_of("taken", taken, false, true, ledger->state[STEP_TAKE]);
    is_one_of("a new cause", left(GAP_DEAD, other), 0, NEW, ledger->state[STEP_NEW_CAUSE]);
    gap_counters_free(gaps);

    open_gaps(folder);
    if (left(GAP_SHED, other) + left(GAP_DEAD, other) > 0)
        writer_fail("what was told is told again");
    gap_counters_free(gaps);
    snprintf(damaged, sizeof damaged, "%s/gaps.damaged", folder);
    if (stat(damaged, &status) == 0)
        writer_fail("the file was set aside");
}
