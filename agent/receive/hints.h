// Tells an operator why connections were closed and what to change: at most one line for each
// reason in ten seconds, with how many there were since.
//
// Private to receive/. Loop thread only.
#ifndef SLUICE_RECEIVE_HINTS_H
#define SLUICE_RECEIVE_HINTS_H

#include "base/books.h"

#include <stdint.h>

struct clock;

struct hints {
    struct clock *clock;
    struct {
        uint64_t told_ns;
        uint64_t untold; // since then
    } rows[CLOSE_REASON_COUNT];
};

void hint(struct hints *hints, enum close_reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
