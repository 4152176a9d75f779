// Tells a connection's dialect from its first bytes.
//
// Source: the table in docs/PROTOCOL.md; RFC 9113 section 3.4 (HTTP/2 preface); RFC 5424
// section 6.2.1, RFC 6587 section 3.4.1 (syslog); RFC 8446 section 5.1 (TLS records). Pure; any
// thread.
#ifndef SLUICE_RECEIVE_DIALECT_H
#define SLUICE_RECEIVE_DIALECT_H

#include "base/books.h"
#include "base/slice.h"

#include <stdbool.h>

#define DIALECT_UNDECIDED 1 // more bytes are needed

// What kind of foreign bytes: each has a hint that says what to change.
enum foreign_kind { FOREIGN_NONE, FOREIGN_TLS, FOREIGN_PICKLE, FOREIGN_HTTP1, FOREIGN_BINARY };

struct dialect_guess {
    enum dialect_kind dialect;
    enum foreign_kind foreign; // where dialect is DIALECT_FOREIGN or not served yet
};

// 0 and *guess, or DIALECT_UNDECIDED. At the end of the stream (end) it always decides; empty input
// is then lines.
int dialect_guess(struct slice first, bool end, struct dialect_guess *guess);

// What a client's owner should change; static text.
const char *foreign_hint(enum foreign_kind kind);

#endif
