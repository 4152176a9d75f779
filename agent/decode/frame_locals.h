// The local variables of stack frames, as structlog's dict_tracebacks writes them: they hold
// secrets, and never leave the agent.
//
// Works on the text, so that it does not matter how deep they are, or whether the text is whole.
// Loop thread only.
#ifndef SLUICE_DECODE_FRAME_LOCALS_H
#define SLUICE_DECODE_FRAME_LOCALS_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>

// Whether the JSON text holds stack frames with local variables.
bool frame_locals_present(struct slice json);
// The text without them: a copy in the arena. False where memory ran out.
bool frame_locals_drop(struct arena *arena, struct slice json, struct slice *out);

#endif
