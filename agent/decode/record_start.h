// How loggers begin a record of plain text: with a time, a level, or syslog's priority.
//
// Pure functions; any thread.
#ifndef SLUICE_DECODE_RECORD_START_H
#define SLUICE_DECODE_RECORD_START_H

#include "base/slice.h"

#include <stdbool.h>

// Whether the line, which is not empty, begins as a record.
bool record_start(struct slice line);

// java.util.logging's two lines: "Nov 22, 2026 7:31:38 PM app.Main run", then "SEVERE: failed".
bool record_is_half(struct slice line);
bool record_is_other_half(struct slice line);

// The word or letter that tells the level of the record that begins so: a view into it or
// static text, to be read as any logger's level. Empty: it tells none.
struct slice record_level(struct slice line);

#endif
