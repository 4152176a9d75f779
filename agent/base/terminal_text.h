// Text from anybody, made harmless for a terminal, and for whoever reads what it shows.
//
// What a terminal obeys (C0, DEL, C1) and what turns or hides text in it (direction marks and
// overrides, line separators) is written out; bytes that are no UTF-8 become U+FFFD. Any thread.
#ifndef SLUICE_BASE_TERMINAL_TEXT_H
#define SLUICE_BASE_TERMINAL_TEXT_H

#include "base/slice.h"

#include <stdio.h>

enum terminal_form {
    TERMINAL_JSON,        // a whole JSON document: \u202e, which leaves it valid
    TERMINAL_JSON_STRING, // the inside of a JSON string: quotes and backslashes are escaped too
    TERMINAL_PLAIN,       // for people: \x1b, \u202e, \n; a tab stays
};

void terminal_text_put(FILE *out, struct slice text, enum terminal_form form);

#endif
