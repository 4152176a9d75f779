// What a writer has done to its log so far, in memory that outlives it.
//
// The writer says what it begins before it begins, and what is done once the log has said so.
// Shared between processes; written by one of them.
#ifndef SLUICE_TESTS_LEDGER_H
#define SLUICE_TESTS_LEDGER_H

#include <stdint.h>

#define LEDGER_MAX 512 // records of one writer

// In this order. What a recovery may find of a record in each state:
enum ledger_state {
    LEDGER_NONE,      // nothing
    LEDGER_APPENDING, // it, whole, or nothing
    LEDGER_COMMITTED, // it, once
    LEDGER_ANSWERING, // it, once, or nothing: its verdict was on its way
    LEDGER_ANSWERED,  // nothing
};

struct ledger {
    volatile uint32_t count;            // of records
    volatile uint32_t seed;             // of their bytes
    volatile uint32_t size[LEDGER_MAX]; // bytes of payload
    volatile uint8_t state[LEDGER_MAX]; // enum ledger_state
};

#endif
