// What was dropped and not told yet: a count for each cause, bounded, in memory or in a file that
// survives the agent.
//
// A cause is whose copy was dropped, why, of which signal, service and level. It is counted where
// the books count it; enrich/gap_documents.h makes a document of each count when there is room. No
// allocation after the start: a count is a look-up and, in a file, one row written so that SIGKILL
// at any instruction leaves the count before or after it. Loop thread only.
#ifndef SLUICE_SPOOL_GAP_COUNTERS_H
#define SLUICE_SPOOL_GAP_COUNTERS_H

#include "base/book_reasons.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct books;
struct clock;
struct gap_counters;

// Numbers stand in the file: add at the end, before GAP_REASON_COUNT. The first are drop_reason's.
enum gap_reason {
    GAP_SHED,
    GAP_REFUSED,
    GAP_LEVEL,
    GAP_DAMAGED,
    GAP_DEAD,       // refused by the sink for good
    GAP_MALFORMED,  // rejected at the door
    GAP_TOO_LARGE,  // likewise
    GAP_UNREADABLE, // entries of an earlier run, as far as is known
    GAP_SET_ASIDE,  // whole segments of an earlier run; counted in segments
    GAP_CLIENT,     // what a client says it dropped: reason not given, …
    GAP_CLIENT_BUFFER_FULL,
    GAP_CLIENT_TOO_LARGE,
    GAP_CLIENT_RATE_LIMITED,
    GAP_CLIENT_DEADLINE,
    GAP_CLIENT_OUT_OF_MEMORY,
    GAP_OTHER, // more causes at once than the table holds
    GAP_REASON_COUNT
};
const char *gap_reason_name(enum gap_reason reason); // shed, dead, client_deadline …

#define GAP_ROWS 256u        // causes at once; the last 64 only for services called `other`
#define GAP_SERVICE_MAX 112u // bytes of a service's name with its NUL; longer ones are cut
#define GAP_DOOR 255u        // cause.exporter: lost before any exporter had a copy

struct gap_cause {
    enum gap_reason reason;
    enum signal_kind signal; // SIGNAL_COUNT: unknown
    unsigned exporter;       // index in the books: whose copy it was; or GAP_DOOR
    uint8_t severity;        // OTel number; 0 unknown
    struct slice service;    // empty: unknown. What is not UTF-8 ends it
};

struct gap_counters_config {
    const char *folder; // that of the file `gaps`, which must be there; NULL: memory
    struct clock *clock;
    struct books *books; // names of the exporters; `untold` is kept there
    uint32_t tellers;    // bits by index in the books: the exporters that take logs
};

// What an earlier run left in the file is told as if it were counted now. A file that cannot be
// read is set aside (told in the own log), one that cannot be had leaves the counts in memory
// (told too). 0 or -ENOMEM.
int gap_counters_new(struct gap_counters **out, const struct gap_counters_config *config);
void gap_counters_free(struct gap_counters *gaps); // NULL is fine

// Removes folder/gaps of an agent that is gone, where nothing in it is still to be told. 0 (also
// where there is none), GAP_UNTOLD (it stays) or -errno (-EWOULDBLOCK: an agent has it).
#define GAP_UNTOLD 1
int gap_counters_remove(const char *folder);

// Off: nothing is counted. On at the start.
void gap_counters_switch(struct gap_counters *gaps, bool on);
// Called when a cause has something to be told that had nothing. One callback.
void gap_counters_watch(struct gap_counters *gaps, void (*counted)(void *ctx), void *ctx);

// Counts for the exporter itself where it takes logs, else for each one that does. time_ns: of the
// records' first, since 1970; 0 now. NULL gaps is fine.
void gap_count(struct gap_counters *gaps, const struct gap_cause *cause, uint64_t records,
               uint64_t time_ns);

// A row's cause and what is to be told of it; views until the next call.
struct gap {
    struct gap_cause cause;
    const char *exporter; // its name; "" for the door and for GAP_OTHER
    unsigned teller;      // index in the books
    uint64_t records;     // GAP_SET_ASIDE: segments
    uint64_t first_ns, last_ns;
    uint8_t id[16]; // event.id of its document
};

// Monotonic time since when the row has something to be told; 0: nothing (or nobody to tell it to).
uint64_t gap_since(const struct gap_counters *gaps, unsigned row);
unsigned gap_teller(const struct gap_counters *gaps, unsigned row);
// Takes what is to be told out of the count, under this id, until gap_told. An earlier take without
// gap_told (the agent was killed between) is given again, under the id that it had. The row must
// have something.
void gap_take(struct gap_counters *gaps, unsigned row, const uint8_t id[16], struct gap *out);
// Its document is in the log. What was counted since the take is to be told from now on.
void gap_told(struct gap_counters *gaps, unsigned row);

#endif
