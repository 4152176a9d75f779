// The three standard streams as a daemon finds them: one may be closed, or lead to a reader that
// stands still.
//
// Source: pipe(7), poll(2). Main thread only.
#ifndef SLUICE_BASE_STANDARD_STREAMS_H
#define SLUICE_BASE_STANDARD_STREAMS_H

// Opens /dev/null where one is closed: the next socket would get its number, and our lines. Call
// before anything else opens a descriptor.
void standard_streams_fill(void);

// Writes text to stdout. Where there is no room for it, waits that long and then leaves it.
void standard_streams_say(const char *text, int wait_ms);

#endif
