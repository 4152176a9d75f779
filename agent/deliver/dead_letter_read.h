// A line of the dead-letter file, read back: what is needed to send its payload again as it was.
#ifndef SLUICE_DELIVER_DEAD_LETTER_READ_H
#define SLUICE_DELIVER_DEAD_LETTER_READ_H

#include "base/books.h"
#include "deliver/exporter.h"

struct dead_letter_read {
    char exporter[EXPORTER_NAME_MAX];
    bool otlp;            // the payload is an OTLP fragment, else an ECS document with its '\n'
    struct parcel parcel; // views into memory, and into the line
    char *memory;
};

// line: without its '\n'. Members that it does not know are skipped. 0, -ENOMEM, or -EINVAL and why
// in *problem (a static text that names the member). Deinit after 0.
int dead_letter_read(struct dead_letter_read *out, struct slice line, const char **problem);
void dead_letter_read_deinit(struct dead_letter_read *letter);

#endif
