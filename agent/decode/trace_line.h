// What a line that is no JSON object looks like on its own: a record's beginning, or a part of some
// runtime's stack trace. What it is a part of, stack_trace.h decides.
//
// Pure functions; any thread. Source: the runtimes' own printers (CPython traceback.py, Throwable,
// V8 and node:internal, Go runtime/panic.go and traceback.go, Ruby error.c, Rust std::panicking,
// .NET Exception.ToString, PHP's Zend exceptions).
#ifndef SLUICE_DECODE_TRACE_LINE_H
#define SLUICE_DECODE_TRACE_LINE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum trace_line_kind {
    LINE_OTHER,
    LINE_RECORD,        // begins with a time, a level or a syslog priority: never goes on
    LINE_INDENTED,      // begins with white space and is none of the frames
    LINE_CLOSER,        // } ] ) and what may follow them
    LINE_AT,            // indented: "at f (file:1)", "... 12 more", "--- End of …"
    LINE_FROM,          // indented: "from file.rb:1:in 'm'", "1: from …"
    LINE_FILE,          // indented: File "x", line 1
    LINE_TYPED,         // "some.Error: message": the name says that it is an error's
    LINE_NAMED,         // "Some.Name: message", "Some.Name"
    LINE_CAUSE,         // "Caused by: …" and the like
    LINE_CRASH,         // Java's, JavaScript's and .NET's "nobody caught it"
    LINE_PYTHON,        // Traceback (most recent call last):
    LINE_PYTHON_GROUP,  // + Exception Group Traceback (most recent call last):
    LINE_PYTHON_CHAIN,  // During handling of …, The above exception …
    LINE_PYTHON_DETAIL, // what asyncio and SQLAlchemy print beside a trace
    LINE_GO_CRASH,      // "panic: ", "fatal error: "
    LINE_GO_ROUTINE,    // "goroutine 1 [running]:"
    LINE_GO_CALL,       // "main.f(0x1)"
    LINE_GO_NAME,       // "main.f": zap's and pkg/errors' frames
    LINE_GO_REST,       // "created by …", "exit status 2", registers
    LINE_RUST_CRASH,    // thread 'main' panicked at
    LINE_RUST_REST,     // "note: …", "stack backtrace:"
    LINE_RUBY_CRASH,    // file.rb:1:in 'm': message (SomeError)
    LINE_RUBY_FRAME,    // file.rb:1:in 'm'
    LINE_NODE_SOURCE,   // /path/file.js:12, before the source line of an uncaught error
    LINE_NODE_REST,     // "Node.js v20.1.0", "Thrown at:"
    LINE_PHP_CRASH,     // PHP Fatal error:  Uncaught …
    LINE_PHP_NEXT,      // Next SomeException: …
    LINE_NUMBERED,      // "#0 …", "Stack trace:"
};

struct trace_line {
    enum trace_line_kind kind;
    uint32_t indent; // bytes of white space before it
};

// The line is not blank.
struct trace_line trace_line_of(struct slice line);

// Whether the line holds only the marks that point into the source line above.
bool trace_line_is_caret(struct slice line);

// Whether a line without time or level speaks of an error, as before a stack trace.
bool trace_line_announces(struct slice line);

#endif
