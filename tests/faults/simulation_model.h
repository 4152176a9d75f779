// What the logs took, by the simulation's own counting, and what became of it.
#ifndef SLUICE_TESTS_SIMULATION_MODEL_H
#define SLUICE_TESTS_SIMULATION_MODEL_H

#include "random.h"

#include "base/books.h"
#include "deliver/exporter.h"
#include "enrich/enrich.h"
#include "spool/spool_log.h"

#define SINK_COUNT 3 // two take the logs, the third spans

// Of a record in one log.
enum fate { FATE_NONE, FATE_HELD, FATE_SETTLED };

enum copy_state { COPY_HELD, COPY_DELIVERED, COPY_DEAD };

// A payload in one log. Outlives the agent at level `process`.
struct copy {
    uint8_t id[16];
    uint32_t tag; // of its first record
    uint32_t records;
    uint32_t size, crc; // of its payload
    uint32_t next;      // with the same hash of the id; 0: none
    uint32_t run;       // agent under which position is its name
    uint64_t position;
    enum copy_state state;
    bool offered; // under that agent
    bool seen;    // the sink has had it
};

#define COPY_BUCKETS ((uint32_t)1 << 16)

struct copies {
    struct copy *items; // by age; the first is none
    uint32_t count, room;
    uint32_t *buckets;
    uint8_t *fates;    // by tag
    uint32_t youngest; // first offered by this agent last
    uint64_t scanned;  // positions of this agent's log that are in here
    uint64_t held;     // records
    // This agent's books, by our own counting:
    uint64_t routed, delivered, refused, dead;
    uint64_t here;        // records that came again, for the others' sake
    uint64_t untagged;    // lines that were to be joined, and came too late
    uint64_t redelivered; // all agents: for the summary
};

struct door_counts {
    uint64_t received, duplicate, too_large, overloaded;
    uint64_t on_the_way; // records of requests that are begun
    uint64_t continued;  // lines that were to be joined
};

// A client's stream: how far it is in each log, whichever agent took it.
struct stream {
    uint8_t id[8];
    uint64_t last[SINK_COUNT];
};
#define STREAMS_MAX 16

struct model {
    struct copies copies[SINK_COUNT];
    struct door_counts door[SIGNAL_COUNT]; // of this agent
    struct tag_id {
        uint8_t id[16];
    } * ids; // by tag, zeros: not known
    struct stream streams[STREAMS_MAX];
    unsigned stream_count;
    uint32_t tags; // the next
    uint32_t tag_room;
    uint32_t run; // agents so far
};

void model_init(struct model *model, uint64_t records);
void model_deinit(struct model *model);
// Another agent opens the same logs.
void model_new_run(struct model *model);

// Takes what was appended to a log since the last call.
void model_scan(struct model *model, unsigned sink, const struct spool_log *log);
// The copy that is offered; fails where it is none, or not in order.
uint32_t model_offered(struct model *model, unsigned sink, const struct parcel *parcel);
void model_answered(struct model *model, unsigned sink, uint32_t copy,
                    const struct verdict *verdict);
// Compares with the books and with the logs' insides.
void model_check(const struct model *model, const struct books *books,
                 struct spool_log *const logs[SINK_COUNT]);

// Reads the tags of a payload. Fails where they are not in a row.
void payload_tags(struct slice payload, bool spans, uint32_t *first, uint32_t *records);

#endif
