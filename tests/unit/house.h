// Every room but the exporter, on a loop that the test turns by hand; the sink is the test's own.
#ifndef SLUICE_TESTS_HOUSE_H
#define SLUICE_TESTS_HOUSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "decode/decode.h"
#include "deliver/exporter.h"
#include "enrich/enrich.h"
#include "receive/receive.h"
#include "spool/spool.h"
#include "spool/sync_thread.h"

#define DOCUMENTS_MAX 20000
#define TURNS_MAX 200000

// Takes every parcel; answers at once, or keeps them until it is told to.
struct sink {
    struct exporter exporter; // first
    struct verdict_sink verdicts;
    bool holding;
    uint64_t held[DOCUMENTS_MAX];
    size_t held_count;
    char *documents[DOCUMENTS_MAX];
    size_t count;
    uint64_t records;
};

struct house {
    char folder[64];
    char path[96];
    struct loop *loop;
    struct sync_thread *sync; // NULL: level memory
    struct books books;
    struct sink *sink;
    struct spool_log *log;
    struct enrich *enrich;
    struct decoder *decoder;
    struct receive *receive;
};

// What a test wants otherwise; 0 and NULL are the usual.
struct house_options {
    enum spool_when_full when_full;
    uint64_t block_for_ns; // 1 s
    uint64_t join_for_ns;  // lines are not joined
    size_t max_line;       // 16 KiB
    size_t log_bytes;      // of segments of 1 MiB; 0: 4 of SPOOL_SEGMENT_MIN
    uint64_t read_limit;   // of all connections: none
    size_t max_connections;
    uint64_t first_byte_timeout_ns;
    const char *allowed_uids, *allowed_gids;
    bool synced; // level node, with an fdatasync of the test's
};

struct house *house_with(const struct house_options *options);
struct house *house_new(enum spool_when_full when_full, uint64_t block_for_ns);
// Checks that the books balance.
void house_free(struct house *house);

// A client's end of a new connection; non-blocking.
int house_dial(const struct house *house);
// What is ready now; never waits.
void house_turn(struct house *house);
// Turns until the sink has count documents; the bound is in turns, not in time.
void house_until_documents(struct house *house, size_t count);
void house_until_closed(struct house *house);
// Turns until done says so; the bound is far beyond what any test takes.
void house_until(struct house *house, bool (*done)(const struct house *house));
// Writes all, turning the loop whenever the socket is full.
void house_put(struct house *house, int fd, const char *data, size_t size);
// Answers everything that the sink held back, and from now on at once.
void house_release(struct sink *sink);

#endif
