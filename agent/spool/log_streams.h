// What a log does with its stream marks (stream_marks.h) as it starts, takes records and loses
// some.
//
// Private to spool. Loop thread only.
#ifndef SLUICE_SPOOL_LOG_STREAMS_H
#define SLUICE_SPOOL_LOG_STREAMS_H

struct spool_entry;
struct spool_log;
struct stream_marks;

int log_streams_open(struct spool_log *log); // behind backlog_open; 0 or -ENOMEM
// A client's entry is about to be committed: makes the marks where there are none yet. So the start
// after a kill knows by the file that the last segment is of this boot.
void log_streams_expect(struct spool_log *log);
void log_streams_note(struct spool_log *log, const struct spool_entry *entry); // was committed
// Something of the log is lost: removes the marks of the run before, which may tell of it. In a
// folder, before log_streams_open.
void log_streams_remove(struct spool_log *log);

#endif
