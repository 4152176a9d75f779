// How far each client's stream has come in one log, so that what a client sends again is known.
//
// Bounded: of more streams than STREAM_MARKS the one heard of least recently is forgotten; what it
// sends again is then kept again, with the same ids. In a folder it is a mapped file `streams`,
// which the next agent goes on with as long as the system has not been booted anew: a mark must
// never be ahead of what the log holds. Layout: docs/SPOOL.md. Private to spool. Loop thread only.
#ifndef SLUICE_SPOOL_STREAM_MARKS_H
#define SLUICE_SPOOL_STREAM_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#define STREAM_MARKS 4096u
#define STREAM_MARKS_FILE "streams"

struct stream_marks;

// What was found of an earlier agent.
enum stream_marks_found {
    STREAM_MARKS_NONE,    // nothing, or of another boot: forgotten
    STREAM_MARKS_TAKEN,   // goes on
    STREAM_MARKS_DAMAGED, // could not be read: kept as `streams.damaged`
};

// folder: its descriptor, which stays the caller's; -1: memory alone. Where the file cannot be made
// the marks live in memory. Returns 0 or -ENOMEM.
int stream_marks_new(struct stream_marks **out, int folder, enum stream_marks_found *found);
// The file stays. NULL is fine.
void stream_marks_free(struct stream_marks *marks);
void stream_marks_forget(struct stream_marks *marks);
// Makes what the file's device has pending of the log durable. 0 or -errno.
int stream_marks_sync_device(const struct stream_marks *marks);

// The highest sequence that the log took of a stream; 0: not known.
uint64_t stream_marks_last(const struct stream_marks *marks, const uint8_t stream[8]);
// A lower one than is known changes nothing. sequence > 0.
void stream_marks_store(struct stream_marks *marks, const uint8_t stream[8], uint64_t sequence);

#endif
