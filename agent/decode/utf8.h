// UTF-8 as the Unicode standard has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#ifndef SLUICE_DECODE_UTF8_H
#define SLUICE_DECODE_UTF8_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xEF\xBF\xBD" // U+FFFD
#define UTF8_REPLACEMENT_SIZE 3

// Bytes of the sequence at `at` (< end), whose first byte is ≥ 0x80. Where *valid is false they are
// the maximal subpart that one U+FFFD replaces (Unicode 15, section 3.9).
size_t utf8_sequence(const char *at, const char *end, bool *valid);

bool utf8_valid(struct slice text);

// text itself where it is valid, else a repaired copy in the arena. False where memory ran out.
bool utf8_repair(struct arena *arena, struct slice text, struct slice *out);

// The longest length ≤ size at which text can be cut without parting a sequence.
size_t utf8_cut(const char *text, size_t size);

// Writes a code point (not a surrogate) as 1–4 bytes.
size_t utf8_encode(char *out, uint32_t code);

#endif
