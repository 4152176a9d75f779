// The text forms of typed values: sizes, durations, integers, permission bits.
#ifndef SLUICE_BASE_SETTINGS_VALUE_H
#define SLUICE_BASE_SETTINGS_VALUE_H

#include <stddef.h>
#include <stdint.h>

#define VALUE_SYNTAX 1   // not of this type
#define VALUE_OVERFLOW 2 // of this type, and beyond 64 bits

// Whole numbers with a unit and no space needed between: 256KiB, 64 MB, 4096 (bytes).
int value_parse_bytes(const char *text, uint64_t *bytes);
// ns, us, ms, s, m, h; a bare 0 needs no unit.
int value_parse_duration(const char *text, uint64_t *ns);
int value_parse_integer(const char *text, uint64_t *number);
// Octal permission bits: 660, 0660, 0o660.
int value_parse_mode(const char *text, uint64_t *mode);

// The shortest exact form: 256KiB, 200ms. Always NUL-terminated within size.
void value_format_bytes(uint64_t bytes, char *out, size_t size);
void value_format_duration(uint64_t ns, char *out, size_t size);

#endif
