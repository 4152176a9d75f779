// Whether a line goes on with the record before it: each runtime's stack traces, and text that is
// indented below its record.
//
// Design: the state of one record is a kind (whose trace it is) and a phase. A line that begins as
// a record (time, level, priority) always ends the one before. What is undecidable ends it too,
// save for a few lines in places where a trace is sure to go on: the rest of a message of several
// lines, before the frames. Pure functions of state and line, so that it does not matter how a
// stream was cut into reads.
#ifndef SLUICE_DECODE_STACK_TRACE_H
#define SLUICE_DECODE_STACK_TRACE_H

#include "base/slice.h"
#include "decode/trace_line.h"

#include <stdbool.h>
#include <stdint.h>

enum trace_kind {
    TRACE_NONE,   // a record without a trace so far
    TRACE_AT,     // Java, JavaScript, .NET: frames begin with "at"
    TRACE_PYTHON, // also Ruby's, printed with the most recent call last
    TRACE_GO,
    TRACE_RUBY,
    TRACE_RUST,
    TRACE_NODE, // the source line that Node prints first
    TRACE_PHP,  // numbered frames
    TRACE_KINDS
};

struct stack_trace {
    uint8_t kind;         // enum trace_kind
    uint8_t phase;        // of that kind; stack_trace.c
    uint8_t others;       // how many lines of no known form may still come
    bool record;          // its first line begins as a record: time, level, priority
    bool seen;            // there is a trace, not only what might begin one
    bool indented;        // its last line was
    bool named;           // it has one line, a name and a message
    bool half;            // it has one line, and java.util.logging writes two
    bool closed;          // nothing goes on with it
    uint32_t head_indent; // of its first line
    uint32_t start;       // of the trace in the record's text; 0: all of it is one
};

// Blank lines that may stand in a trace; more end it.
#define TRACE_BLANKS_MAX 8

// The state after a record's first line.
void stack_trace_begin(struct stack_trace *trace, struct slice line, struct trace_line form);

// Whether the line goes on with the record whose text is this, `blanks` blank lines below; the
// state then is the one behind it.
bool stack_trace_goes_on(struct stack_trace *trace, struct slice text, struct slice line,
                         struct trace_line form, uint32_t blanks);

#endif
