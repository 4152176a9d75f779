// A program's use of the file that counts what was dropped, and what must be found of it after a
// kill.
#ifndef SLUICE_TESTS_GAP_WRITER_H
#define SLUICE_TESTS_GAP_WRITER_H

struct ledger;

// Opens the counters in the folder, which it makes, and counts something.
void gap_writer_prepare(struct ledger *ledger, const char *folder);
// Counts for a cause that is there and for a new one, takes a count out, and says that it is told.
void gap_writer_act(void);
// Does not return where something is wrong.
void gap_writer_check(const struct ledger *ledger, const char *folder);

#endif
