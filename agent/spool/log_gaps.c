// What a log tells the gap counters of records that are lost after it had kept them.
#include "deliver/dead_letter_line.h"
#include "spool/spool_log.h"

void log_lost(struct spool_log *log, const struct segment *segment, uint32_t slot,
              enum gap_reason reason, uint64_t records)
{
    char service[DEAD_LETTER_SERVICE_MAX];
    struct parcel parcel;
    if (!log->gaps || segment_is_generated(segment, slot))
        return; // a lost gap document makes none
    if (!segment_parcel(segment, slot, &parcel) || parcel.signal >= SIGNAL_COUNT) {
        log_lost_unread(log, reason, records);
        return;
    }
    dead_letter_service(&parcel, service);
    // Of several records in one entry only the highest severity is known, and spans have no level.
    bool level = parcel.records == 1 && parcel.signal == SIGNAL_LOGS;
    struct gap_cause cause = {.reason = reason,
                              .signal = (enum signal_kind)parcel.signal,
                              .exporter = log->gap_exporter,
                              .severity = level ? parcel.severity : 0,
                              .service = slice_from(service)};
    gap_count(log->gaps, &cause, records, parcel.time_ns);
}

void log_lost_unread(struct spool_log *log, enum gap_reason reason, uint64_t records)
{
    struct gap_cause cause = {
        .reason = reason, .signal = SIGNAL_COUNT, .exporter = log->gap_exporter};
    gap_count(log->gaps, &cause, records, 0);
}
