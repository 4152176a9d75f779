// The one table of metrics, and its three readers: exposition, books, document.
#include "base/metrics.h"

#include "base/clock.h"
#include "base/memory_limit.h"
#include "base/version.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

enum metric_page { PAGE_DOOR, PAGE_RECEIVE, PAGE_EXPORTER };

typedef const char *value_name(unsigned index);

struct metric_row {
    const char *name;
    enum metric_page page;
    size_t offset;      // in struct door_book, receive_book or exporter_book
    const char *column; // in /books
    const char *label;  // of an array; NULL: a single number
    value_name *value;  // of the label
    unsigned count;     // of the array; 0: a single number
    bool gauge;
    const char *help;
};

static const char *reject_name(unsigned index)
{
    return reject_reason_name((enum reject_reason)index);
}

static const char *drop_name(unsigned index)
{
    return drop_reason_name((enum drop_reason)index);
}

static const char *dialect_of(unsigned index)
{
    return dialect_name((enum dialect_kind)index);
}

static const char *closed_name(unsigned index)
{
    return close_reason_name((enum close_reason)index);
}

static const char *batch_name(unsigned index)
{
    return batch_close_name((enum batch_close)index);
}

static const char *trouble_of(unsigned index)
{
    return spool_trouble_name((enum spool_trouble)index);
}

#define DOOR(member) PAGE_DOOR, offsetof(struct door_book, member), #member
#define RECEIVE(member) PAGE_RECEIVE, offsetof(struct receive_book, member), #member
#define EXPORTER(member) PAGE_EXPORTER, offsetof(struct exporter_book, member), #member
#define BUDGET(member, of)                                                                         \
    PAGE_RECEIVE, offsetof(struct receive_book, member) + offsetof(struct byte_budget, of),        \
        #member "_" #of
#define ARRAY(name, of, n) .label = (name), .value = (of), .count = (n)

static const struct metric_row rows[] = {
    {"sluice_received_records_total", DOOR(received),
     .help = "Records that came in, whatever became of them."},
    {"sluice_routed_records_total", DOOR(routed),
     .help = "Records accepted and handed to every exporter of their routes."},
    {"sluice_joined_records_total", DOOR(joined),
     .help = "Lines that became part of another record, such as a stack trace's."},
    {"sluice_duplicate_records_total", DOOR(duplicate),
     .help = "Records that were here before, and were answered but not kept again."},
    {"sluice_rejected_records_total", DOOR(rejected), ARRAY("reason", reject_name, REJECT_COUNT),
     .help = "Records refused at the door."},
    {"sluice_pending_records", DOOR(pending), .gauge = true,
     .help = "Lines waiting for the rest of their record."},

    {"sluice_connections_total", RECEIVE(connections), ARRAY("dialect", dialect_of, DIALECT_COUNT),
     .help = "Connections by what they turned out to speak."},
    {"sluice_open_connections", RECEIVE(open), .gauge = true, .help = "Connections open now."},
    {"sluice_received_bytes_total", RECEIVE(bytes), .help = "Bytes read from all sockets."},
    {"sluice_truncated_lines_total", RECEIVE(truncated), .help = "Lines cut at max_line."},
    {"sluice_surplus_descriptors_total", RECEIVE(surplus_fds),
     .help = "File descriptors that came with a message unasked, and were closed."},
    {"sluice_closed_connections_total", RECEIVE(closed),
     ARRAY("reason", closed_name, CLOSE_REASON_COUNT),
     .help = "Connections that the agent closed of its own accord."},
    {"sluice_credit_waits_total", RECEIVE(credit_waits),
     .help = "Times a native writer was held back because a log filled up."},
    {"sluice_paused_reads_total", RECEIVE(paused),
     .help = "Times a connection was not read because the memory for unfinished input was used "
             "up."},
    {"sluice_read_bytes", BUDGET(read_bytes, used), .gauge = true,
     .help = "Bytes kept of unfinished lines and frames, and of answers not read yet."},
    {"sluice_read_bytes_peak", BUDGET(read_bytes, peak), .gauge = true,
     .help = "The most that was, since the start."},
    {"sluice_read_bytes_limit", BUDGET(read_bytes, limit), .gauge = true,
     .help = "What max_memory leaves for them."},
    {"sluice_read_bytes_refused_total", BUDGET(read_bytes, refused),
     .help = "Times there was no room left for more of them."},
    {"sluice_message_bytes", BUDGET(message_bytes, used), .gauge = true,
     .help = "Bytes of unfinished OTLP messages."},
    {"sluice_message_bytes_peak", BUDGET(message_bytes, peak), .gauge = true,
     .help = "The most that was, since the start."},
    {"sluice_message_bytes_limit", BUDGET(message_bytes, limit), .gauge = true,
     .help = "What max_memory leaves for them."},
    {"sluice_message_bytes_refused_total", BUDGET(message_bytes, refused),
     .help = "Times there was no room left for more of them."},

    {"sluice_exporter_routed_records_total", EXPORTER(routed),
     .help = "Records routed to this exporter, those it then dropped included."},
    {"sluice_exporter_recovered_records_total", EXPORTER(recovered),
     .help = "Records found without a verdict at start, replayed or adopted."},
    {"sluice_exporter_generated_records_total", EXPORTER(generated),
     .help = "Records that the agent itself made for this exporter."},
    {"sluice_exporter_delivered_records_total", EXPORTER(delivered),
     .help = "Records that the sink confirmed."},
    {"sluice_exporter_dropped_records_total", EXPORTER(dropped),
     ARRAY("reason", drop_name, DROP_REASON_COUNT),
     .help = "Records given up: shed because the log was full, refused by the sink, or lost with "
             "the page that held them."},
    {"sluice_exporter_dead_records_total", EXPORTER(dead),
     .help = "Records that the sink refused for good."},
    {"sluice_exporter_held_records", EXPORTER(held), .gauge = true,
     .help = "Records in the log that still wait for a verdict."},
    {"sluice_exporter_held_bytes", EXPORTER(held_bytes), .gauge = true,
     .help = "Bytes of the log's segments in use."},
    {"sluice_exporter_requests_total", EXPORTER(requests),
     .help = "Kafka messages or OTLP requests handed to the network."},
    {"sluice_exporter_retries_total", EXPORTER(retries), .help = "Of these, the ones sent again."},
    {"sluice_exporter_failures_total", EXPORTER(failures),
     .help = "Attempts that failed: connection lost, deadline passed, told to try again."},
    {"sluice_exporter_blocked_total", EXPORTER(blocked),
     .help = "Times a writer was made to wait because this exporter's log was full."},
    {"sluice_exporter_batches_total", EXPORTER(closed),
     ARRAY("closed_by", batch_name, BATCH_CLOSE_COUNT),
     .help = "Batches by why they were closed: OTLP requests, Kafka messages of mode lines."},
    {"sluice_exporter_backlog_segments", EXPORTER(backlog_segments), .gauge = true,
     .help = "Segments of an earlier run that have not been read yet; their records are not in "
             "held."},
    {"sluice_exporter_damaged_entries_total", EXPORTER(damaged),
     .help = "Entries of an earlier run that cannot be read, and were skipped."},
    {"sluice_exporter_damaged_records_total", EXPORTER(damaged_records),
     .help = "Records in those, as far as their neighbours tell."},
    {"sluice_exporter_spool_trouble", EXPORTER(trouble),
     ARRAY("trouble", trouble_of, TROUBLE_COUNT), .gauge = true,
     .help = "1 while the log cannot grow for that reason: writers wait, or records are shed, as "
             "when it is full; page_lost: while a segment that lost pages is not through. It ends "
             "by itself."},
    {"sluice_exporter_set_aside_segments_total", EXPORTER(set_aside),
     .help = "Segments that cannot be read at all, or lost pages, kept as files named .damaged."},
    {"sluice_exporter_lost_pages_total", EXPORTER(pages_lost),
     .help = "Pages of segments in use that the device or the file could not give any more."},
    {"sluice_exporter_spool_syncs_total", EXPORTER(syncs),
     .help = "Level node: times that what came was written through to the device (group commit)."},
    {"sluice_exporter_spool_sync_failures_total", EXPORTER(sync_failures),
     .help = "Level node: segments that could not be written through; they are not trusted again."},
    {"sluice_exporter_cut_records_total", EXPORTER(cut),
     .help = "Documents shortened to what the sink takes."},
    {"sluice_exporter_dead_letters_total", EXPORTER(dead_letters),
     .help = "Dead records that were written to the dead-letter file."},
    {"sluice_exporter_dead_letters_lost_total", EXPORTER(dead_letters_lost),
     .help = "Dead records that were not: none is set, it is full, or it cannot be written."},
    {"sluice_exporter_untold_records", EXPORTER(untold), .gauge = true,
     .help =
         "Dropped records that a gap document of this exporter is to tell of, and has not yet."},
    {"sluice_exporter_cut_resends_total", EXPORTER(resends_cut),
     .help = "Records whose key and headers were too long to be kept for a resend."},
};

#define ROW_COUNT (sizeof rows / sizeof *rows)

// Metrics of the process, with the names that every client library gives them.
enum process_kind { PROCESS_GAUGE, PROCESS_COUNTER };

struct process_row {
    const char *name;
    enum process_kind kind;
    double (*read)(const struct metrics_source *source);
    const char *help;
};

static double read_balanced(const struct metrics_source *source)
{
    return books_balanced(source->books) ? 1 : 0;
}

static double read_resident(const struct metrics_source *source)
{
    (void)source;
    return (double)memory_resident();
}

static double read_started(const struct metrics_source *source)
{
    return (double)source->started_ns / (double)NS_PER_S;
}

static double read_cpu(const struct metrics_source *source)
{
    (void)source;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static const struct process_row process_rows[] = {
    {"sluice_books_balanced", PROCESS_GAUGE, read_balanced,
     "1 where every record is accounted for, at the door and by every exporter."},
    {"process_resident_memory_bytes", PROCESS_GAUGE, read_resident, "Resident memory."},
    {"process_start_time_seconds", PROCESS_GAUGE, read_started,
     "When the agent started, in seconds since 1970."},
    {"process_cpu_seconds_total", PROCESS_COUNTER, read_cpu,
     "User and system CPU time spent, in seconds."},
};

#define PROCESS_ROW_COUNT (sizeof process_rows / sizeof *process_rows)
#define BUILD_INFO "sluice_build_info"
#define BUILD_INFO_HELP "Always 1; the labels say which build this is."

static const uint64_t *numbers_of(const struct metric_row *row, const void *page)
{
    return (const uint64_t *)(const void *)((const char *)page + row->offset);
}

static const char *kind_name(bool gauge)
{
    return gauge ? "gauge" : "counter";
}

// Label values end at a quote, a backslash or a line end unless escaped.
static void write_label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            fputc('\\', out);
        if (*value == '\n')
            fputs("\\n", out);
        else
            fputc(*value, out);
    }
    fputc('"', out);
}

// One page's samples of a row. owner: the page's own label, or NULL.
static void write_samples(FILE *out, const struct metric_row *row, const void *page,
                          const char *owner, const char *owned)
{
    const uint64_t *numbers = numbers_of(row, page);
    unsigned count = row->count ? row->count : 1;
    for (unsigned i = 0; i < count; i++) {
        fputs(row->name, out);
        if (owner || row->label)
            fputc('{', out);
        if (owner)
            write_label(out, owner, owned);
        if (owner && row->label)
            fputc(',', out);
        if (row->label)
            write_label(out, row->label, row->value(i));
        if (owner || row->label)
            fputc('}', out);
        fprintf(out, " %" PRIu64 "\n", numbers[i]);
    }
}

static void write_head(FILE *out, const char *name, const char *kind, const char *help)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

void metrics_write(FILE *out, const struct metrics_source *source)
{
    const struct books *books = source->books;
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct metric_row *row = &rows[i];
        if (row->page == PAGE_EXPORTER && books->exporter_count == 0)
            continue;
        write_head(out, row->name, kind_name(row->gauge), row->help);
        for (unsigned s = 0; row->page == PAGE_DOOR && s < SIGNAL_COUNT; s++)
            write_samples(out, row, &books->door[s], "signal", signal_name((enum signal_kind)s));
        if (row->page == PAGE_RECEIVE)
            write_samples(out, row, &books->receive, NULL, NULL);
        for (unsigned e = 0; row->page == PAGE_EXPORTER && e < books->exporter_count; e++)
            write_samples(out, row, &books->exporters[e].book, "exporter",
                          books->exporters[e].name);
    }
    for (size_t i = 0; i < PROCESS_ROW_COUNT; i++) {
        const struct process_row *row = &process_rows[i];
        write_head(out, row->name, kind_name(row->kind == PROCESS_GAUGE), row->help);
        fprintf(out, "%s %.17g\n", row->name, row->read(source));
    }
    write_head(out, BUILD_INFO, "gauge", BUILD_INFO_HELP);
    fputs(BUILD_INFO "{", out);
    write_label(out, "version", sluice_version());
    fputc(',', out);
    write_label(out, "build", sluice_build());
    fputs("} 1\n", out);
}

static void write_page(FILE *out, enum metric_page kind, const void *page)
{
    bool first = true;
    fputc('{', out);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct metric_row *row = &rows[i];
        if (row->page != kind)
            continue;
        const uint64_t *numbers = numbers_of(row, page);
        fprintf(out, "%s\"%s\":", first ? "" : ",", row->column);
        first = false;
        if (!row->count) {
            fprintf(out, "%" PRIu64, numbers[0]);
            continue;
        }
        for (unsigned v = 0; v < row->count; v++)
            fprintf(out, "%s\"%s\":%" PRIu64, v ? "," : "{", row->value(v), numbers[v]);
        fputc('}', out);
    }
    fputc('}', out);
}

void metrics_write_books(FILE *out, const struct books *books)
{
    fputs("{\"door\":{", out);
    for (unsigned s = 0; s < SIGNAL_COUNT; s++) {
        fprintf(out, "%s\"%s\":", s ? "," : "", signal_name((enum signal_kind)s));
        write_page(out, PAGE_DOOR, &books->door[s]);
    }
    fputs("},\"receive\":", out);
    write_page(out, PAGE_RECEIVE, &books->receive);
    fputs(",\"exporters\":{", out);
    for (unsigned e = 0; e < books->exporter_count; e++) {
        // Names are letters, digits, underscores and dashes: nothing to escape.
        fprintf(out, "%s\"%s\":", e ? "," : "", books->exporters[e].name);
        write_page(out, PAGE_EXPORTER, &books->exporters[e].book);
    }
    fprintf(out, "},\"balanced\":%s}\n", books_balanced(books) ? "true" : "false");
}

static void write_document_row(FILE *out, const struct metric_row *row)
{
    static const char *const owners[] = {"`signal`", "", "`exporter`"};
    const char *owner = owners[row->page];
    fprintf(out, "| `%s` | %s | %s%s", row->name, kind_name(row->gauge), owner,
            owner[0] && row->label ? ", " : "");
    if (row->label)
        fprintf(out, "`%s` (", row->label);
    for (unsigned i = 0; i < row->count; i++)
        fprintf(out, "%s%s", i ? ", " : "", row->value(i));
    fprintf(out, "%s | %s |\n", row->label ? ")" : "", row->help);
}

void metrics_write_document(FILE *out)
{
    static const char *const titles[] = {
        "## At the door\n\n`received = routed + joined + duplicate + rejected + pending`, for each "
        "`signal` (logs, spans, metrics).\n",
        "## Connections\n",
        "## Exporters\n\n`routed + recovered + generated = delivered + dropped + dead + held`, for "
        "each `exporter`. Requests,\nretries and failures are not part of the sum.\n",
    };
    fputs("<!-- Generated by `sluice docs metrics`; edit agent/base/metrics.c instead. -->\n\n"
          "# Metrics\n\n"
          "`GET /metrics` gives these in Prometheus' text format. `GET /books` gives the same "
          "counts as JSON, and\n`sluice status` prints them. A record is a log record, a span or a "
          "metric data point.\n",
          out);
    for (unsigned page = 0; page < 3; page++) {
        fprintf(out, "\n%s\n| Name | Type | Labels | What it counts |\n|---|---|---|---|\n",
                titles[page]);
        for (size_t i = 0; i < ROW_COUNT; i++)
            if ((unsigned)rows[i].page == page)
                write_document_row(out, &rows[i]);
    }
    fputs("\n## Process\n\n| Name | Type | Labels | What it says |\n|---|---|---|---|\n", out);
    for (size_t i = 0; i < PROCESS_ROW_COUNT; i++)
        fprintf(out, "| `%s` | %s |  | %s |\n", process_rows[i].name,
                kind_name(process_rows[i].kind == PROCESS_GAUGE), process_rows[i].help);
    fprintf(out, "| `%s` | gauge | `version`, `build` | %s |\n", BUILD_INFO, BUILD_INFO_HELP);
}
