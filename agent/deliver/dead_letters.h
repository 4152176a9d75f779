// The dead-letter file: what a sink refused for good, one JSON line each, so that it can be read,
// mended and sent again exactly.
//
//     {"time":"2026-11-23T01:02:03.000000004Z","exporter":"kafka","reason":"message_too_large",
//      "signal":"logs","records":1,"id":"32 hex digits","record_time":"…","severity":9,
//      "topic":"…","key":"…" or "key_base64":"…","headers_base64":"…",
//      "document":{…} or "otlp_base64":"…"}
//
// topic, key and headers (as deliver/kafka.h encodes them) stand there where the parcel has them.
// A document is the ECS document as it was sent; otlp_base64 the OTLP fragment. Base64 is padded.
//
// A line is one write(2) at the file's end, whole or not at all. One agent a file: it is locked. A
// file that was moved away or cut is followed: whoever empties it needs to tell nobody. Loop thread
// only; a write waits for the file system.
#ifndef SLUICE_DELIVER_DEAD_LETTERS_H
#define SLUICE_DELIVER_DEAD_LETTERS_H

#include <stdint.h>

struct clock;
struct dead_letters;
struct exporter_book;
struct parcel;

// Opens the file, or makes it with mode 0600. It stays below max_bytes. 0, -ENOMEM, -EINVAL (no
// regular file), -EBUSY (another agent has it) or -errno of open(2) (-ELOOP: a symbolic link).
int dead_letters_new(struct dead_letters **out, const char *path, uint64_t max_bytes,
                     struct clock *clock);
// NULL is fine.
void dead_letters_free(struct dead_letters *letters);

// Names a parcel in the own log, writes it to the file and counts its records: dead_letters, or
// dead_letters_lost where the file has no room or letters is NULL.
void dead_letters_take(struct dead_letters *letters, struct exporter_book *book,
                       const char *exporter, const struct parcel *parcel, const char *reason);

#endif
