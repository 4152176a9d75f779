// The inside of the enrich room: its state, and what enrich*.c share.
//
// Private to enrich. Loop thread only.
#ifndef SLUICE_ENRICH_ENRICH_ROOM_H
#define SLUICE_ENRICH_ENRICH_ROOM_H

#include "base/clock.h"
#include "enrich/ecs_encode.h"
#include "enrich/enrich.h"
#include "enrich/enrich_gaps.h"
#include "enrich/gap_documents.h"
#include "enrich/resend.h"
#include "enrich/resource.h"
#include "enrich/stored_marks.h"
#include "spool/spool.h"

struct target {
    struct spool_log *log;
    const char *name;  // of its exporter, for the own log
    unsigned exporter; // its index in the books; EXPORTER_MAX: it has none
    struct exporter_book *book;
    struct resend_plan resend;
    bool cut;            // shorten what is too large
    size_t document_max; // payload bytes: a longer document is shortened; SIZE_MAX: goes as it is
};

struct enrich {
    struct clock *clock;
    struct books *books;
    struct target *targets[SIGNAL_COUNT];
    size_t target_count[SIGNAL_COUNT];
    size_t payload_max[SIGNAL_COUNT]; // the least of the targets'
    struct spool_log *blocked;        // which log said no last
    uint8_t start_id[8];              // random; the first half of ids that we give
    uint64_t counter;                 // the next of them
    char *agent_version;
    struct agent_resource resource;
    struct ecs_encoder encoder;
    struct stored_marks stored;
    struct gap_counters *gaps; // NULL: none
    struct gap_documents gap_documents;
    bool *present; // one for each attribute of resource: scratch of enrich_otlp
    void (*tap)(void *ctx, enum signal_kind signal, struct slice payload); // NULL: nobody watches
    void *tap_ctx;
};

struct record_id {
    uint8_t bytes[16];
    uint64_t sequence;
};

// The id of the first of a run: the client's stream and sequence, or the next of ours.
struct record_id enrich_next_id(struct enrich *enrich, const uint8_t stream[8], uint64_t sequence,
                                bool has_sequence, uint32_t records);
// Books a run that has a place in every target (or was shed there).
void enrich_book_routed(struct enrich *enrich, enum signal_kind signal, uint32_t records);
// Whose records are lost, as far as is known: zeros where it is not.
struct loss {
    uint64_t records;
    uint8_t severity;
    uint64_t time_ns;
    struct slice service;
};
// Books a run that is refused, without a word in the own log.
// What the door refuses and nobody sends again is counted for the gap documents too.
void enrich_book_rejected(struct enrich *enrich, enum signal_kind signal, enum reject_reason reason,
                          const struct loss *loss);
// Copies that are not kept, a bit for each target: it was full; or it keeps its room for others.
struct copies {
    uint32_t full;
    uint32_t level;
};
// Counts them as dropped.
void enrich_drop(struct enrich *enrich, enum signal_kind signal, const struct copies *copies,
                 const struct loss *loss);
// Whether the log does not refuse it by level. sheds: the door would.
bool enrich_keeps(struct spool_log *log, enum urgency urgency, bool sheds);
// Of a log record, which is prepared. scratch: what the service's name may need.
struct loss enrich_loss_of(const struct enrich *enrich, const struct record *record,
                           char scratch[FIELD_TEXT_MIN]);

// The text of a Resource message's attribute service.name, else the agent's own; may be empty.
struct slice enrich_otlp_service(const struct enrich *enrich, struct slice resource);

// A document's way into the logs (enrich_log.c, enrich_cut.c).
struct log_way {
    struct enrich *enrich;
    struct record *record;
    struct record_id id;
    struct slice document; // the record as it is, once it is encoded; a view into a log's segment
    uint32_t losses;       // page_guard_all() when it was made
    size_t whole;          // its bytes; 0 not known yet, SIZE_MAX more than a segment takes
    struct copies dropped;
    uint32_t cut;  // targets whose copy must be shorter
    uint32_t here; // targets that have it from an earlier sending
    bool appended; // one at least
    bool damaged;  // a copy was lost with the page under it
};

// Writes the document into the log's segment, with ever more room until it fits. Returns 0 with the
// slot reserved, or what spool_reserve says; SPOOL_TOO_LARGE beyond most bytes.
int enrich_encode(struct enrich *enrich, struct spool_log *log, const struct record *record,
                  size_t most, struct slice *document);
void enrich_commit(struct log_way *way, const struct target *target, size_t size,
                   const struct spool_resend *resend);
// Appends shortened copies for the targets in way->cut, the longest first.
void enrich_cut(struct log_way *way);
// Tells that the record was refused for its size.
void enrich_tell_too_large(struct log_way *way);

#endif
