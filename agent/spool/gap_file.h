// The file `gaps`: the rows of spool/gap_counters.h as bytes, mapped.
//
// A row's cause is written while it counts nothing; its count has two places, of which the valid
// one with the higher version holds: writing goes to the other one. docs/SPOOL.md has the format.
// Private to spool. Loop thread only.
#ifndef SLUICE_SPOOL_GAP_FILE_H
#define SLUICE_SPOOL_GAP_FILE_H

#include "spool/gap_counters.h"

#include "base/books.h"

#include <stdbool.h>
#include <stdint.h>

struct page_guard;

struct gap_file {
    uint8_t *bytes;           // NULL: none
    struct page_guard *guard; // a lost page costs the counts on it, if the agent is killed too
    int fd;                   // locked; -1: none
};

struct gap_tally {
    uint64_t version;
    uint64_t open, open_first_ns, open_last_ns;    // counted and not taken
    uint64_t taken, taken_first_ns, taken_last_ns; // taken and not told
    uint8_t taken_id[16];
};

struct gap_row {
    bool used;
    uint8_t reason, signal, level; // level: 0 unknown, 1 trace … 6 fatal
    char service[GAP_SERVICE_MAX];
    char exporter[EXPORTER_NAME_MAX];
    char teller[EXPORTER_NAME_MAX];
    struct gap_tally count;
    // Not in the file:
    uint8_t place; // which of the two holds count
    uint8_t exporter_index, teller_index;
    uint64_t since_ns;
};

// Opens or makes folder/gaps. 0, -EWOULDBLOCK (another agent has it) or -errno.
int gap_file_open(struct gap_file *file, const char *folder);
void gap_file_close(struct gap_file *file); // safe twice

#define GAP_ROW_EMPTY 1   // never used, or nothing to be told
#define GAP_ROW_DAMAGED 2 // was in use and cannot be read
// 0 with the row, or one of these.
int gap_file_read(const struct gap_file *file, unsigned row, struct gap_row *out);
// The cause, while the row counts nothing. Nothing where there is no file.
void gap_file_write_cause(struct gap_file *file, unsigned number, struct gap_row *row);
void gap_file_write_count(struct gap_file *file, unsigned number, struct gap_row *row);
// Makes a damaged row an empty one.
void gap_file_clear(struct gap_file *file, unsigned number);

#endif
