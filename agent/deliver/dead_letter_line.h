// A dead parcel as one line of the dead-letter file, and whose it is.
#ifndef SLUICE_DELIVER_DEAD_LETTER_LINE_H
#define SLUICE_DELIVER_DEAD_LETTER_LINE_H

#include <stddef.h>
#include <stdint.h>

struct parcel;

struct dead_letter {
    uint64_t time_ns; // when it was refused, since 1970
    const char *exporter;
    const char *reason;
    const struct parcel *parcel;
};

// The line as deliver/dead_letters.h shows it, with its '\n'; the caller frees it. NULL: no memory.
char *dead_letter_line(const struct dead_letter *letter, size_t *size);

#define DEAD_LETTER_SERVICE_MAX 128
// service.name of the parcel's record, or of its resource; "" where it has none.
void dead_letter_service(const struct parcel *parcel, char out[DEAD_LETTER_SERVICE_MAX]);
// 32 hex digits.
void dead_letter_id(const struct parcel *parcel, char out[33]);

#endif
