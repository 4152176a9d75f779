// Judges what a recovery finds against what the dead writer had been told.
#include "spool_check.h"

#include "spool_writer.h"

#include "spool/spool_streams.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define FRESH 3 // records that each further run adds

// What the log has offered, all of it held.
static void offers_check(const struct writer *writer, uint8_t found[LEDGER_MAX])
{
    const struct ledger *ledger = writer->ledger;
    for (uint32_t i = 0; i < writer->held_count; i++) {
        uint32_t number = writer->held[i].number;
        if (i > 0 && number <= writer->held[i - 1].number)
            writer_fail("record %u comes after record %u", number, writer->held[i - 1].number);
        found[number]++;
    }
    for (uint32_t number = 0; number < ledger->count; number++) {
        unsigned state = ledger->state[number];
        if (found[number] > 1)
            writer_fail("record %u is there %u times", number, found[number]);
        if (!found[number] && state == LEDGER_COMMITTED)
            writer_fail("record %u was stored and is lost", number);
        if (found[number] && state == LEDGER_ANSWERED)
            writer_fail("record %u had its verdict and comes again", number);
    }
}

// A stream's mark ahead of the log would lose what is sent again; one behind it would keep that
// twice. None is permitted only where something could not be read, or where the file of the marks
// was just being made, for the first record of all.
static void mark_check(const struct writer *writer, const uint8_t found[LEDGER_MAX],
                       uint32_t damaged)
{
    const struct ledger *ledger = writer->ledger;
    uint64_t last = spool_stream_last(writer->log, (const uint8_t *)WRITER_STREAM);
    uint64_t wanted = 0;
    for (uint32_t number = 0; number < ledger->count; number++)
        if (found[number] || ledger->state[number] >= LEDGER_COMMITTED)
            wanted = writer_last_sequence(number);
    bool may_be_none = damaged > 0 || ledger->count == 1;
    if (last != wanted && (last != 0 || !may_be_none))
        writer_fail("the stream has come to %llu, its mark says %llu", (unsigned long long)wanted,
                    (unsigned long long)last);
}

// From here on nothing is in doubt: what was found must be found again.
static void settle(struct writer *writer)
{
    struct ledger *ledger = writer->ledger;
    for (uint32_t number = 0; number < ledger->count; number++)
        ledger->state[number] =
            ledger->state[number] == LEDGER_APPENDING ? LEDGER_NONE : LEDGER_ANSWERED;
    for (uint32_t i = 0; i < writer->held_count; i++)
        ledger->state[writer->held[i].number] = LEDGER_COMMITTED;
}

static uint64_t held_records(const struct writer *writer)
{
    uint64_t records = 0;
    for (uint32_t i = 0; i < writer->held_count; i++)
        records += 1 + writer->held[i].number % 3;
    return records;
}

static void open_and_look(struct writer *writer, uint32_t damaged)
{
    writer_open(writer, SPOOL_PROCESS);
    uint8_t found[LEDGER_MAX] = {0};
    writer_turn(writer);
    offers_check(writer, found);
    mark_check(writer, found, damaged);
    const struct exporter_book *book = &writer->book;
    if (book->recovered != held_records(writer) || book->held != book->recovered)
        writer_fail("recovered %llu, held %llu; offered %llu", (unsigned long long)book->recovered,
                    (unsigned long long)book->held, (unsigned long long)held_records(writer));
    if (book->damaged || book->damaged_records || book->backlog_segments)
        writer_fail("damaged %llu, of records %llu, not read %llu",
                    (unsigned long long)book->damaged, (unsigned long long)book->damaged_records,
                    (unsigned long long)book->backlog_segments);
    if (book->set_aside > damaged)
        writer_fail("%llu segments set aside", (unsigned long long)book->set_aside);
}

static void folder_check(const char *path, uint32_t damaged)
{
    DIR *folder = opendir(path);
    const struct dirent *entry;
    uint32_t aside = 0;
    while (folder && (entry = readdir(folder))) {
        const char *ending = strrchr(entry->d_name, '.');
        if (ending && strcmp(ending, ".damaged") == 0)
            aside++;
        else if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0 &&
                 strcmp(entry->d_name, "streams") != 0)
            writer_fail("left in an empty log's folder: %s", entry->d_name);
    }
    if (!folder || aside != damaged)
        writer_fail("%u files are set aside, not %u", aside, damaged);
    closedir(folder);
}

void spool_check(const char *folder, struct ledger *ledger, uint32_t damaged)
{
    struct writer writer = {.ledger = ledger, .folder = folder};
    open_and_look(&writer, damaged);
    settle(&writer);
    writer_close(&writer);

    open_and_look(&writer, damaged);
    for (int n = 0; n < FRESH; n++)
        writer_append(&writer, 50);
    writer_turn(&writer);
    writer_close(&writer);

    open_and_look(&writer, 0);
    while (writer.held_count > 0)
        writer_answer(&writer, writer.held[0].number, VERDICT_DELIVERED);
    if (!spool_drained(writer.log))
        writer_fail("not empty after the last verdict");
    writer_close(&writer);

    open_and_look(&writer, 0);
    writer_close(&writer);
    folder_check(folder, damaged);
}
