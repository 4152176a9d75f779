// What a log takes as it fills up: by how urgent it is.
//
// Used is what its segments hold, read or not, of what max_bytes allows; where the device gives no
// further segment, of what it has. Above 70 % trace and debug are refused, above 85 % what is below
// warn, of which a log that sheds keeps a sample up to 95 %; the rest is for warn and above alone.
// Loop thread only.
#ifndef SLUICE_SPOOL_WATERMARK_H
#define SLUICE_SPOOL_WATERMARK_H

#include "base/urgency.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct room_waiter;
struct spool_log;

#define WATERMARK_LOW 70u     // percent: trace and debug up to here
#define WATERMARK_NORMAL 85u  // percent: info, spans without error, metrics up to here
#define WATERMARK_SAMPLED 95u // percent: where the log sheds, a sample of them up to here
#define WATERMARK_SAMPLE 10u  // which is 1 in so many

// Whether the log is filled beyond what records of that urgency may use. URGENCY_HIGH: never, they
// may use all of it.
bool spool_is_above(const struct spool_log *log, enum urgency urgency);
// The watermarks that it has passed: 0, 1 (that of trace and debug) or 2 (info too).
unsigned spool_pressure(const struct spool_log *log);
// What a log that sheds does with one more record, or run: false where it refuses it by level.
// Counts the sample.
bool spool_keeps(struct spool_log *log, enum urgency urgency);
// Counts a copy that was refused so: routed and dropped{level}.
void spool_refuse_level(struct spool_log *log, uint32_t records);

// Tells the own log, once until log_relieved, that writers wait or that records are dropped.
void log_tell_full(struct spool_log *log);
// Some room has come free: tells so where the log is below its watermarks again.
void log_relieved(struct spool_log *log);

// Calls the waiter (from the loop, once) when a segment has been freed; nobody is paused meanwhile.
// spool_wait_cancel takes it back.
void spool_watch(struct spool_log *log, struct room_waiter *waiter);

#endif
