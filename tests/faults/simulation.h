// The simulated agent: producers, the real rooms from decode to spool, sinks, and the model that
// knows what must be true of them.
//
// Everything is drawn from one seed, on one thread and on virtual time (virtual_loop.h).
#ifndef SLUICE_TESTS_SIMULATION_H
#define SLUICE_TESTS_SIMULATION_H

#include "simulation_model.h"
#include "simulation_sinks.h"

#include "virtual_loop.h"

#include "decode/decode.h"
#include "decode/decode_native.h"
#include "decode/decode_otlp.h"

#define PRODUCERS 10
#define BUFFER_SIZE ((size_t)1 << 18) // what a producer has at hand
#define OUTBOX_MAX 32                 // native frames without a receipt

// A run that a native client keeps until its receipt.
struct outbox_run {
    uint64_t first_sequence;
    uint32_t tag, records;
    uint8_t *frame;
    size_t size;
    bool spans, huge;
};

// What the bytes at hand are, so that the simulation counts by itself what the door takes.
struct piece {
    size_t end; // offset behind it
    uint32_t tag, records;
    uint64_t last_sequence;
    bool spans, resend, huge;
};

enum dialect { LINES, NATIVE, OTLP };

struct producer {
    uint8_t *bytes;
    size_t size, at, offered; // at ≤ offered ≤ size
    struct piece *pieces;     // native
    struct room_waiter waiter;
    uint64_t blocked_ns, fed_ns;
    struct line_state lines;
    // native
    struct native_state native;
    uint8_t stream[8];
    uint64_t next_sequence;
    uint64_t receipted; // the highest of all receipts
    uint64_t receipt;   // the last of this connection
    uint64_t taken;     // highest sequence that the agent of now has consumed
    struct outbox_run outbox[OUTBOX_MAX];
    // OTLP
    struct otlp_progress *progress;
    uint32_t tag, records;
    unsigned piece_count, piece_next, outbox_count; // native
    unsigned stream_at;                             // native, in the model
    enum dialect dialect;
    bool blocked;
    bool again;       // lines: its plain line may be continued
    bool spans, huge; // OTLP
};

struct simulation {
    struct random random;
    struct loop *loop;
    struct books books;
    struct model model;
    struct sink sinks[SINK_COUNT];
    struct enrich *enrich;
    struct decoder *decoder;
    struct producer producers[PRODUCERS];
    const char *folder; // level `process`; NULL: `memory`
    uint64_t records;   // to be produced
    uint64_t steps, crashes, disconnects, receipts;
    uint32_t limit; // segments of a log
    bool ending;    // nothing more is produced, and the sinks are well
};

// simulation.c
void simulation_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            simulation_fail(__VA_ARGS__);                                                          \
    } while (0)

// simulation_producers.c
void producers_init(struct simulation *simulation);
void producers_deinit(struct simulation *simulation);
void producer_step(struct simulation *simulation, struct producer *producer);
// The agent is gone: nobody has answered for what was not receipted.
void producers_crash(struct simulation *simulation);
// Whether nothing is at hand any more, nor waits.
bool producers_end(const struct simulation *simulation);

// simulation_messages.c: what the producers say. Each record carries its tag in its text.
size_t message_lines(struct random *random, uint8_t *out, size_t room, uint32_t *tag, bool *again,
                     uint32_t *continued);
size_t message_hello(uint8_t *out, const uint8_t stream[8], unsigned level);
// A Records frame, or an Export request, of `records` from tag on.
size_t message_frame(struct random *random, uint8_t *out, size_t room, struct piece *piece,
                     uint64_t first_sequence);
size_t message_export(struct random *random, uint8_t *out, size_t room, struct piece *piece);
void message_mark_resend(uint8_t *frame, size_t size);

#endif
