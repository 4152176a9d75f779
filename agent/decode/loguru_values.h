// The variables that loguru's diagnose=True draws below each line of a traceback.
#ifndef SLUICE_DECODE_LOGURU_VALUES_H
#define SLUICE_DECODE_LOGURU_VALUES_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>

// The trace without them, and without blanks at its end, in the arena. False where memory ran out.
bool loguru_values_drop(struct arena *arena, struct slice trace, struct slice *out);

#endif
