// A native connection to the decoder, with the OTLP decoder and enrich behind it played by the
// test.
#ifndef SLUICE_TESTS_NATIVE_FIXTURE_H
#define SLUICE_TESTS_NATIVE_FIXTURE_H

#include "decode/decode_native.h"
#include "decode/decoder.h"
#include "decode/otlp.h"
#include "enrich/enrich_gaps.h"
#include "enrich/enrich_pressure.h"
#include "proto/native.pb-c.h"
#include "proto/native_write.h"
#include "spool/refusals.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The rooms behind: what they were handed, and what they shall answer.
struct behind {
    unsigned runs;
    struct resource_run last;
    char resource[64]; // of the last run
    uint32_t last_count;
    int answer;
    uint32_t rejected;     // of the next run
    uint32_t shed;         // likewise
    uint64_t reject_count; // booked by decode itself
    enum signal_kind reject_signal;
    uint64_t duplicates;
    enum signal_kind lost_signal; // of what the client says it lost itself
    enum gap_reason lost_reason;
    uint64_t lost;
    uint64_t mark, stored; // level node: the mark of what comes, and up to which it is stored
    uint64_t delivered_mark, delivered; // likewise, for the sinks' verdicts
    bool backlog;                       // of an earlier agent: something is left
    uint64_t here;                      // highest sequence that the logs have
    uint64_t now_ns;                    // the clock
    struct refusals refusals;           // what was given up of the stream
    unsigned pressure;                  // of the logs
    unsigned pressed;                   // the signals that were asked for last
    enum urgency urgency;               // of the next runs
    unsigned watched;                   // times that the door waited for them to fall
};
extern struct behind behind;
extern Sluice__Native__AckLevel asked; // by the next greeting
extern bool resent;                    // the next runs say so
extern int run_level;                  // that the next runs ask for themselves; -1: none
extern uint64_t credit_waits;          // counted
extern bool wants_credits;             // likewise
extern const uint8_t agent_id[16];
extern struct decoder decoder;
extern struct native_state state;
extern size_t input_size; // put and not consumed yet

int set_up(void **unused);
int tear_down(void **unused);
void put(const void *data, size_t size);
void put_frame(const void *frame, size_t size);
void put_packed(Sluice__Native__Frame__BodyCase body, void *message);
void put_greeting(void);
void put_records(uint64_t first, uint32_t count);
void put_flush(uint64_t token);
enum decode_stop offer(void);
Sluice__Native__Frame *answer(void);
void forget_answers(void);
void assert_error(Sluice__Native__ErrorCode code, uint64_t sequence, uint64_t count, bool open);
void assert_flushed(uint64_t token, uint64_t sequence);

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
