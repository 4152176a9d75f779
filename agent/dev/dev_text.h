// Text from anybody, made harmless for a terminal.
#ifndef SLUICE_DEV_DEV_TEXT_H
#define SLUICE_DEV_DEV_TEXT_H

#include "base/slice.h"

#include <stdio.h>

// Writes text as it is, but for what a terminal obeys: control characters (C0, DEL, C1) become
// \u00XX, which leaves JSON valid, and bytes that are no UTF-8 become U+FFFD.
void dev_text_put(FILE *out, struct slice text);

#endif
