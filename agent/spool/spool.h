// One log for each exporter: segments, index, verdicts, the byte budget, admission.
//
// A record is encoded once, straight into a segment: reserve, write, commit. What is committed is
// offered to the exporter at the end of the loop's turn and stays until its verdict. Loop thread
// only.
#ifndef SLUICE_SPOOL_SPOOL_H
#define SLUICE_SPOOL_SPOOL_H

#include "base/room_waiter.h"
#include "base/slice.h"
#include "spool/spool_config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct spool_log;

// At levels `process` and `node` what an earlier run left in the folder is sent first; reading it
// goes on behind. Returns 0, -EINVAL (sizes, no sync), -ENOMEM, -EWOULDBLOCK
// (another process has the folder), -EMEDIUMTYPE (told: the folder holds payloads of another form),
// -errno of the folder, or what the exporter's start says.
int spool_log_new(struct spool_log **out, const struct spool_config *config);
// The exporter must have given everything back. What has no verdict stays in the folder, if any.
void spool_log_free(struct spool_log *log);

// How to send it again as it was. Views, copied at commit. Of one longer than this only the topic
// is kept.
#define SPOOL_RESEND_MAX 4096
struct spool_resend {
    struct slice topic;
    struct slice key;
    struct slice headers;
};

struct spool_entry {
    uint8_t id[16];
    uint32_t records;
    uint64_t time_ns;
    uint32_t source;          // interned door or file; 0: none
    uint64_t source_position; // sequence or offset in that source
    uint8_t severity;         // OTel number; 0 unknown
    uint8_t signal;           // enum signal_kind
    bool sequenced;           // a client's stream gave the id, and source_position is its sequence
    bool generated;           // a gap document: counts as generated, and when lost makes no other
    struct spool_resend resend;
};

// Writable room in the active segment, contiguous.
struct spool_slot {
    uint8_t *data;
    size_t capacity; // bytes, at least what was asked for
};

#define SPOOL_FULL 1      // the budget is used up; nothing was reserved
#define SPOOL_TOO_LARGE 2 // could never fit into a segment

// The largest payload that a log of this segment size takes.
size_t spool_payload_max(const struct spool_log *log);

// Room for at_least bytes of payload. One slot at a time: commit or abort it before the next.
// Returns 0, SPOOL_FULL, SPOOL_TOO_LARGE or -errno.
int spool_reserve(struct spool_log *log, size_t at_least, struct spool_slot *slot);
#define SPOOL_DAMAGED 3 // the page under it was lost meanwhile: counted as dropped{damaged}
// Makes size bytes of the slot a record run. Counts routed and held. 0 or SPOOL_DAMAGED.
int spool_commit(struct spool_log *log, size_t size, const struct spool_entry *entry);
void spool_abort(struct spool_log *log);

// Whether bytes more would fit now: what a door asks before it appends anything. Once it was told
// true, commits of that many bytes (of payloads of 256 bytes or more on average) in this turn
// succeed.
bool spool_has_room(struct spool_log *log, size_t bytes);
// The most that spool_has_room ever says true to; an empty log has that much. At least
// spool_payload_max.
size_t spool_room_max(const struct spool_log *log);
enum spool_when_full spool_when_full(const struct spool_log *log);
// Counts a copy that is not kept because the log is full: routed and dropped{shed}.
void spool_shed(struct spool_log *log, uint32_t records);

// Called (from the loop, once) when a segment has been freed after spool_has_room said false, in
// the same turn. From inside room() the waiter may wait again.
void spool_wait(struct spool_log *log, struct room_waiter *waiter);
void spool_wait_cancel(struct spool_log *log, struct room_waiter *waiter);

// From now on the exporter is flushed without lingering. drained (may be NULL) is called once, from
// the loop, when no record without a verdict is left.
void spool_drain(struct spool_log *log, void (*drained)(void *ctx), void *ctx);
bool spool_drained(const struct spool_log *log);

#endif
