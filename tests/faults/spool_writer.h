// A program's use of one spool log, small enough to be stopped anywhere: appends numbered records,
// gives their verdicts, and knows each record's bytes again.
#ifndef SLUICE_TESTS_SPOOL_WRITER_H
#define SLUICE_TESTS_SPOOL_WRITER_H

#include "ledger.h"

#include "base/books.h"
#include "base/clock.h"
#include "deliver/exporter.h"
#include "spool/spool.h"

// What a log has offered and not got back.
struct writer_parcel {
    uint64_t position;
    uint32_t number; // of the record
};

struct writer {
    struct exporter exporter; // first: it is its own exporter
    struct clock clock;       // that stands still, so that every run does the same
    struct loop *loop;
    struct sync_thread *sync; // NULL: level process
    struct spool_log *log;    // NULL: not open
    struct exporter_book book;
    struct verdict_sink sink;
    struct ledger *ledger;
    const char *folder;
    struct writer_parcel held[LEDGER_MAX];
    uint32_t held_count;
};

#define WRITER_STREAM "kill-at" // 8 bytes: the client's stream that all its records are of
// The sequence of the last record of that entry.
uint64_t writer_last_sequence(uint32_t number);

// Every failure of these ends the process, and says why.
void writer_open(struct writer *writer, enum spool_level level);
// Appends the next record, of so many bytes of payload.
void writer_append(struct writer *writer, uint32_t size);
// What is ready now, and what that defers.
void writer_turn(struct writer *writer);
// Waits until all is stored.
void writer_await_stored(struct writer *writer);
// The sink's word on a record that was offered: delivered, or dead.
void writer_answer(struct writer *writer, uint32_t number, enum verdict_kind kind);
// Closes the log in order; what has no verdict stays in the folder.
void writer_close(struct writer *writer);

_Noreturn void writer_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
