// The table of events, and the document made from it.
#include "base/own_log_events.h"

#include "base/own_log.h"

#include <string.h>

const struct own_log_event own_log_events[] = {
    {"setting_refused", "error", true,
     "A setting does not hold; the agent does not start with it."},
    {"setting_doubtful", "warn", true, "A setting holds, and is probably not what was meant."},
    {"start_failed", "error", true, "The agent could not start; the message says which part."},
    {"listen_failed", "error", true, "A door or the HTTP endpoint could not be opened."},
    {"exporter_failed", "error", true, "An exporter could not be made from its settings."},
    {"dev_kafka_failed", "error", true, "The embedded Kafka of `run --dev` did not start."},
    {"started", "info", true, "The doors are open; the fields say where."},
    {"reloaded", "info", true,
     "SIGHUP: the settings were read again; the fields say what changed."},
    {"reload_refused", "error", true,
     "SIGHUP: the settings have mistakes, or cannot be read; nothing changed."},
    {"reload_needs_restart", "warn", true,
     "SIGHUP: settings that only a restart can change have changed; they are left as they were."},
    {"draining", "info", true, "SIGTERM: the agent accepts until peers close, then flushes."},
    {"drain_deadline", "warn", true, "`drain_timeout` passed with records still held."},
    {"ended", "warn", true, "A second signal: the agent ends without waiting any longer."},
    {"termination_message", "warn", true, "The file for the last line cannot be written."},
    {"resource_changed", "info", false,
     "The pod's files or the settings have changed; records get other resource attributes."},
    {"podinfo_unusable", "warn", false,
     "Something in the folder of `podinfo` cannot be used, or its changes cannot be seen."},
    {"record_too_large", "warn", false, "A record is larger than what can be kept; refused."},
    {"document_cut", "warn", false,
     "A document was larger than its sink takes; its longest texts were shortened."},
    {"headers_cut", "warn", false, "A record's key or headers were too long to be kept."},
    {"topics_capped", "warn", false,
     "A template made `max_topics` topics; further values go to `other`."},
    {"tail_started", "info", false, "Somebody watches live records (`sluice tail`)."},
    {"tail_ended", "info", false, "The watcher is gone; the fields say what was shown."},
    {"accept_paused", "warn", false,
     "The process is out of descriptors or memory; new connections wait. Raise the limit of open "
     "files, or lower `max_connections`."},
    {"open_files", "warn", true,
     "The limit of open files is below what `max_connections` may need."},
    {"connection_refused", "error", false, "Out of memory: a new connection was closed."},
    {"connections_full", "warn", false,
     "`max_connections` are open, or no memory is left for another; a new one was closed."},
    {"peer_not_allowed", "warn", false,
     "Neither the peer's user nor a group of it may use the socket; the message has its ids."},
    {"connection_silent", "warn", false,
     "`max_connections` were open; the longest silent one was closed for a new one."},
    {"connection_stalled", "warn", false,
     "A frame did not end while others waited for memory; its connection was closed."},
    {"answers_unread", "warn", false, "A client did not read our answers; it was closed."},
    {"dialect_broken", "warn", false,
     "A client broke the dialect that it began with; the message says how."},
    {"foreign_bytes", "warn", false,
     "A connection spoke something that is no dialect of the socket; the message says what to "
     "change."},
    {"record_dead", "warn", false,
     "A sink refused a record for good: its service, id, size and the reason."},
    {"dead_letters_lost", "warn", false,
     "The dead-letter file has no room, or cannot be written; the record is lost and counted."},
    {"dead_letters_failed", "error", true,
     "`dead_letters.path` cannot be opened; the agent does not start."},
    {"kafka_error", "warn", false, "librdkafka reports an error; it goes on trying."},
    {"kafka_producer_lost", "error", false,
     "The producer ended for good; another one takes over and sends again what is pending."},
    {"kafka_producer_refused", "error", false, "librdkafka makes no producer; tried again."},
    {"kafka_property_refused", "error", true, "librdkafka refuses a property."},
    {"kafka_batch_refused", "warn", false,
     "The broker refused a whole batch; its records go one by one to find which."},
    {"kafka_batch_halved", "warn", false, "Batches were too large for the broker; now smaller."},
    {"kafka_delivery_failed", "warn", false, "A message could not be delivered; it is sent again."},
    {"kafka_not_taken", "warn", false, "librdkafka did not take a message; it is offered again."},
    {"kafka_wake_failed", "error", false, "The descriptor that wakes the exporter is broken."},
    {"librdkafka", "info", false, "What librdkafka itself says."},
    {"kafka_lines_halved", "warn", false,
     "Messages of mode `lines` were too large for the broker; now smaller."},
    {"kafka_certificates_changed", "info", false,
     "The files of the TLS settings have changed; a new producer is made of them."},
    {"kafka_certificates_refused", "warn", false,
     "The changed files of the TLS settings cannot be used; the old ones stay."},
    {"kafka_certificates_unwatched", "warn", false,
     "The files of the TLS settings cannot be watched; restart the agent when they change."},
    {"otlp_connected", "debug", false, "A connection to the collector stands."},
    {"otlp_partial_success", "warn", false, "The collector turned some records of a request down."},
    {"otlp_unreachable", "warn", false, "No connection to the collector; tried again."},
    {"otlp_retry", "warn", false, "A request failed and is sent again."},
    {"otlp_dead", "warn", false, "The collector refuses records for good."},
    {"otlp_request_too_large", "warn", false,
     "The collector takes no request that large; smaller ones are sent."},
    {"otlp_tls_failed", "error", true, "The TLS files of an exporter cannot be used: no start."},
    {"otlp_certificates_changed", "info", false,
     "The files of the TLS settings have changed; new connections use them."},
    {"otlp_certificates_refused", "warn", false,
     "The changed files of the TLS settings cannot be used; the old ones stay."},
    {"otlp_certificates_unwatched", "warn", false,
     "The files of the TLS settings cannot be watched; restart the agent when they change."},
    {"replay_refused", "error", true,
     "What `sluice replay` or `adopt` was given cannot be sent; the line says why."},
    {"replay_unreadable", "warn", false,
     "A line of a file that is replayed cannot be sent; it is left out and counted."},
    {"replay_progress", "info", false, "How far a replay is, every five seconds."},
    {"replay_dead", "warn", false,
     "Some of what was replayed was refused again; the line names the file that has it."},
    {"adopted", "info", false, "A folder that nobody held is drained."},
    {"adopt_left", "warn", false, "A folder is not drained; the line says why."},
    {"spool_failed", "error", true, "An exporter's log could not be opened in its folder."},
    {"segment_set_aside", "warn", false,
     "A segment's file that cannot be read was put aside under another name."},
    {"streams_set_aside", "warn", false,
     "The marks of how far clients' streams have come could not be read, and were put aside."},
    {"entries_damaged", "warn", false, "Damaged entries of a segment were skipped, and counted."},
    {"page_lost", "error", false,
     "A segment in use lost pages: its file was cut, or the device cannot read them. Whole records "
     "of it are sent, the others dropped (`damaged`); new ones go to another segment."},
    {"log_filling", "warn", false,
     "Writers of an exporter's log began to wait, or records to be dropped: more comes than the "
     "sink takes, or it is away. Told once until `log_relieved`."},
    {"log_relieved", "info", false, "The log is below its watermarks again."},
    {"spool_trouble", "error", false,
     "A log cannot grow: the device is full or fails, or there is no memory. Writers wait, or "
     "records "
     "are shed, as when it is full; it tries again by itself."},
    {"sync_failed", "error", false,
     "Level `node`: a segment could not be written through to its device. Its records are not told "
     "to be stored before the sink has them; new ones go to another file."},
    {"spool_recovered", "info", false, "The log grows again."},
    {"gaps_failed", "warn", true,
     "The file of dropped records' counts cannot be used; they are kept in memory."},
    {"gaps_set_aside", "warn", true,
     "That file cannot be read; it was put aside under another name."},
    {"gaps_damaged", "warn", true, "Some counts in that file cannot be read; they are not told."},
};

const size_t own_log_event_count = sizeof own_log_events / sizeof *own_log_events;
_Static_assert(sizeof own_log_events / sizeof *own_log_events <= OWN_LOG_EVENTS_MAX,
               "the limiter has a slot for each event");

size_t own_log_event_find(const char *name)
{
    for (size_t i = 0; i < own_log_event_count; i++)
        if (strcmp(own_log_events[i].name, name) == 0)
            return i;
    return own_log_event_count;
}

void own_log_write_document(FILE *out)
{
    fprintf(out,
            "<!-- Generated by `sluice docs events`; edit agent/base/own_log_events.c instead. "
            "-->\n\n"
            "# The agent's own log\n\n"
            "JSON lines on standard error: `@timestamp`, `log.level`, `event`, `message`, and "
            "fields of the event's own.\n`log_level` sets the least level. Of one event at most "
            "%d lines come in %d seconds, but for those marked\n`always`; the next line says how "
            "many were left out (`suppressed`). A line that standard error has no room\nfor is "
            "lost, and the next one says so (`lost_before`). Secrets are never written.\n\n"
            "| Event | Level | | What it says |\n|---|---|---|---|\n",
            OWN_LOG_BURST, OWN_LOG_PERIOD_S);
    for (size_t i = 0; i < own_log_event_count; i++)
        fprintf(out, "| `%s` | %s | %s | %s |\n", own_log_events[i].name, own_log_events[i].level,
                own_log_events[i].unlimited ? "always" : "", own_log_events[i].help);
}
