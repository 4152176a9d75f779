// The line of a stack trace that names the error's type and says what happened.
//
// Pure functions; any thread. What they give are views into the text.
#ifndef SLUICE_DECODE_ERROR_HEADING_H
#define SLUICE_DECODE_ERROR_HEADING_H

#include "base/slice.h"

#include <stdbool.h>

struct error_heading {
    struct slice type;
    struct slice message; // may be empty
    bool has_message;     // a colon follows the type
    struct slice line;    // that they stand in
};

// "pkg.SomeError: what happened", or the name alone. The message goes on to the text's end.
bool error_heading_parse(struct slice text, struct error_heading *out);
// "file.rb:1:in 'm': what happened (SomeError)"
bool error_heading_ruby(struct slice line, struct error_heading *out);
// Whether the name alone says that it is an error's.
bool error_name(struct slice type);

// Whether Python printed it: there is a traceback.
bool error_is_python(struct slice trace);
// Of a whole stack trace, in any of the runtimes' forms.
bool error_heading_find(struct slice trace, struct error_heading *out);
// Somewhere in a record's first line: "2026-… ERROR c.e.App - java.io.IOException: reset".
bool error_heading_within(struct slice line, struct error_heading *out);

#endif
