// What a spool log is made with.
#ifndef SLUICE_SPOOL_SPOOL_CONFIG_H
#define SLUICE_SPOOL_SPOOL_CONFIG_H

#include "base/books.h"
#include "spool/spool_form.h"

#include <stddef.h>
#include <stdint.h>

struct clock;
struct dead_letters;
struct exporter;
struct gap_counters;
struct loop;
struct sync_thread;

enum spool_level { SPOOL_MEMORY, SPOOL_PROCESS, SPOOL_NODE };

// What a full log does with one more record.
enum spool_when_full {
    SPOOL_WHEN_FULL_AUTO,  // as the door asks: lines shed in the end, native waits, OTLP refuses
    SPOOL_WHEN_FULL_BLOCK, // the door waits
    SPOOL_WHEN_FULL_SHED,  // this log's copy is dropped and counted
};

#define SPOOL_SEGMENT_MIN 65536u
#define SPOOL_SEGMENT_MAX 4194304u

struct spool_config {
    const char *name;     // of the exporter
    enum spool_form form; // what that takes
    enum spool_level level;
    const char *folder; // of this log alone, levels `process` and `node`; created where missing
    const char *folder_name; // as people are told it; NULL: folder
    uint64_t min_free;       // bytes to be left free on its device
    size_t segment_size;     // bytes, a power of two, SPOOL_SEGMENT_MIN to _MAX; 0: 1 MiB
    uint64_t max_bytes; // of all its segments, at least two; what was admitted may need one more
    enum spool_when_full when_full;
    uint64_t catch_up_rate; // bytes a second above live traffic for a backlog; 0: unbounded
    struct loop *loop;
    struct clock *clock;
    struct exporter *exporter;         // started by spool_log_new; not owned
    struct sync_thread *sync;          // level `node` only, where it must be there; not owned
    struct dead_letters *dead_letters; // where what is dead is kept; NULL: nowhere
    struct exporter_book *book; // routed, dropped{shed}, delivered, dead, held … are kept here
    struct gap_counters *gaps;  // told what is lost after it was kept; NULL: nobody. Not owned
    unsigned gap_exporter;      // the exporter's index there
};

#endif
