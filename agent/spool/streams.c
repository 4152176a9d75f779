// A log's stream marks: found at the start, brought up to what the log holds, and moved by commits.
//
// A mark is moved behind its entry, so a kill between the two leaves one entry that no mark tells
// of: the last of the segment started last. Marks are kept only while everything that they tell of
// is sure to be there: not after another boot, nor where anything of the log could not be read.
#include "spool/spool_streams.h"

#include "base/error.h"
#include "base/own_log.h"
#include "spool/segment_image.h"
#include "spool/spool_log.h"
#include "spool/stream_marks.h"

#include <string.h>
#include <unistd.h>

// Moves the marks to what a segment holds. False: something of it cannot be read.
static bool read_segment(struct spool_log *log, uint32_t number)
{
    struct store_piece piece;
    struct segment_image image;
    struct segment_entry entry;
    if (store_attach(log->store, number, &piece) < 0)
        return false;
    bool whole = segment_check(&image, piece.data, piece.size) == 0;
    while (whole && segment_entry(&image, &entry)) {
        uint64_t sequence = 0;
        for (unsigned i = 8; i < 16; i++)
            sequence = sequence << 8 | entry.id[i];
        if (sequence > 0 && entry.source_position == sequence) // a client's, not of our own ids
            stream_marks_store(log->streams, entry.id, sequence + entry.records - 1);
    }
    whole = whole && image.damaged == 0;
    store_detach(&piece);
    return whole;
}

static bool is_trusted(struct spool_log *log)
{
    const struct backlog *backlog = &log->backlog;
    if (log->book->set_aside > 0)
        return false;
    if (backlog->count == 0)
        return true;
    // A receipt for what is known must mean the same as one for what is new.
    if (log->sync.thread && stream_marks_sync_device(log->streams) < 0)
        return false;
    return read_segment(log, backlog->items[backlog->count - 1].number);
}

static int make(struct spool_log *log)
{
    enum stream_marks_found found;
    int r = stream_marks_new(&log->streams, store_folder(log->store), &found);
    if (r < 0)
        return r;
    if (found == STREAM_MARKS_DAMAGED)
        own_log(OWN_WARN, "streams_set_aside",
                "%s: how far clients' streams have come cannot be read; it is kept as "
                "streams.damaged, and what clients send again now is kept again",
                log->name);
    log->backlog.marked = found == STREAM_MARKS_TAKEN && is_trusted(log);
    if (found == STREAM_MARKS_TAKEN && !log->backlog.marked)
        stream_marks_forget(log->streams);
    return 0;
}

int log_streams_open(struct spool_log *log)
{
    int folder = store_folder(log->store);
    if (folder < 0 || faccessat(folder, STREAM_MARKS_FILE, F_OK, 0) < 0)
        return 0; // made for the first client that has a stream
    return make(log);
}

void log_streams_expect(struct spool_log *log)
{
    if (!log->streams)
        (void)make(log); // without memory what is sent again is kept again
}

void log_streams_note(struct spool_log *log, const struct spool_entry *entry)
{
    uint64_t last = entry->source_position + entry->records - 1;
    if (log->streams)
        stream_marks_store(log->streams, entry->id, last);
}

void log_streams_remove(struct spool_log *log)
{
    assert(!log->streams && store_is_folder(log->store));
    unlinkat(store_folder(log->store), STREAM_MARKS_FILE, 0);
}

uint64_t spool_stream_last(const struct spool_log *log, const uint8_t stream[8])
{
    assert(log->magic == SPOOL_LOG_MAGIC);
    return log->streams ? stream_marks_last(log->streams, stream) : 0;
}
