// Feeds a file's lines, dead letters or records, to the logs, as fast as they take them.
//
// One buffer holds what was read and is not fed yet; a line that is longer cannot be sent. The
// letter that a full log did not take stays in the buffer and is parsed anew when there is room.
#include "agent.h"

#include "agent_resend.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/own_log.h"
#include "base/room_waiter.h"
#include "base/settings.h"
#include "decode/decode.h"
#include "deliver/dead_letter_read.h"
#include "spool/spool.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define BUFFER ((size_t)16 << 20)
#define READ_ONCE ((size_t)1 << 20)
#define LINES_A_TURN 1000
#define POLL_NS (20 * NS_PER_MS)

struct feed {
    struct resend *resend;
    const struct replay_options *options;
    struct loop_timer step;
    struct room_waiter waiter;
    struct line_state lines; // records
    char *buffer;
    size_t start, end;
    uint64_t number; // of the line, from 1
    int fd;
    int error; // -errno of a read
    bool letters;
    bool over;     // the file
    bool skipping; // a line that was too long
};

enum fed { FED, FED_WAITS, FED_OVER };

static void again(struct feed *feed, uint64_t after_ns)
{
    if (loop_timer_start(feed->resend->agent.loop, &feed->step, after_ns) < 0)
        loop_stop(feed->resend->agent.loop);
}

static void unreadable(struct feed *feed, const char *why)
{
    feed->resend->unreadable++;
    own_log(OWN_WARN, "replay_unreadable", "%s: line %llu: %s; it is left out", feed->options->path,
            (unsigned long long)feed->number, why);
}

// False: nothing is there yet.
static bool read_more(struct feed *feed)
{
    struct pollfd ready = {.fd = feed->fd, .events = POLLIN};
    if (poll(&ready, 1, 0) == 0)
        return false;
    memmove(feed->buffer, feed->buffer + feed->start, feed->end - feed->start);
    feed->end -= feed->start;
    feed->start = 0;
    if (feed->end == BUFFER) { // no line is so long
        feed->number++;
        unreadable(feed, "longer than 16 MiB");
        feed->number--;
        feed->skipping = true;
        feed->end = 0;
    }
    size_t room = BUFFER - feed->end;
    ssize_t n = read(feed->fd, feed->buffer + feed->end, room < READ_ONCE ? room : READ_ONCE);
    if (n < 0 && errno != EINTR && errno != EAGAIN)
        feed->error = error_from_errno();
    if (n == 0 || feed->error < 0)
        feed->over = true;
    if (n > 0)
        feed->end += (size_t)n;
    return true;
}

// --- dead letters ---

// Returns 0, SPOOL_FULL, or SPOOL_TOO_LARGE and -errno (told, left out).
static int send_letter(struct feed *feed, const struct dead_letter_read *letter, unsigned index)
{
    struct resend *resend = feed->resend;
    struct exporter_book *book = &resend->agent.books.exporters[index].book;
    const struct parcel *parcel = &letter->parcel;
    const struct agent_log options = {.level = SPOOL_MEMORY, .block = true, .large = true};
    struct spool_slot slot;
    int r = resend_open(resend, index, &options);
    if (r == 0)
        r = spool_reserve(resend->agent.logs[index], parcel->payload.size, &slot);
    if (r == SPOOL_FULL) {
        spool_wait(resend->agent.logs[index], &feed->waiter);
        return r;
    }
    if (r != 0) {
        unreadable(feed, r < 0 ? strerror(-r) : "its payload is larger than a segment");
        return r;
    }
    memcpy(slot.data, parcel->payload.data, parcel->payload.size);
    struct spool_entry entry = {
        .records = parcel->records,
        .time_ns = parcel->time_ns,
        .severity = parcel->severity,
        .signal = parcel->signal,
        .resend = {parcel->topic, parcel->key, parcel->headers},
    };
    memcpy(entry.id, parcel->id, sizeof entry.id);
    spool_commit(resend->agent.logs[index], parcel->payload.size, &entry);
    book->routed -= parcel->records; // it came from an earlier run
    book->recovered += parcel->records;
    return 0;
}

static bool take_letter(struct feed *feed, const struct dead_letter_read *letter)
{
    struct agent *agent = &feed->resend->agent;
    const char *name = feed->options->exporter ? feed->options->exporter : letter->exporter;
    int index = resend_find(feed->resend, name);
    char why[200];
    if (index < 0) {
        snprintf(why, sizeof why, "the settings have no exporter %.100s; see --exporter", name);
        unreadable(feed, why);
        return true;
    }
    enum spool_form form = letter->otlp ? SPOOL_FORM_OTLP : SPOOL_FORM_ECS;
    if (form != agent_form(&agent->settings->exporters[index])) {
        snprintf(why, sizeof why, "exporter %.60s does not take %s", name, spool_form_name(form));
        unreadable(feed, why);
        return true;
    }
    if (feed->options->dry_run) {
        agent->books.exporters[index].book.recovered += letter->parcel.records;
        agent->books.exporters[index].book.held += letter->parcel.records;
        return true;
    }
    return send_letter(feed, letter, (unsigned)index) != SPOOL_FULL;
}

// False: its log is full.
static bool feed_letter(struct feed *feed, struct slice line)
{
    struct dead_letter_read letter;
    const char *problem = "no memory";
    feed->number++;
    if (line.size == 0 || feed->skipping) {
        feed->skipping = false;
        return true;
    }
    if (dead_letter_read(&letter, line, &problem) != 0) {
        unreadable(feed, problem);
        return true;
    }
    bool taken = take_letter(feed, &letter);
    dead_letter_read_deinit(&letter);
    if (!taken)
        feed->number--;
    return taken;
}

// The next line that is whole; false: none is.
static bool next_line(const struct feed *feed, struct slice *line, size_t *size)
{
    const char *at = feed->buffer + feed->start;
    size_t rest = feed->end - feed->start;
    const char *end = rest ? memchr(at, '\n', rest) : NULL;
    if (!end && (!feed->over || rest == 0))
        return false;
    *line = slice_of(at, end ? (size_t)(end - at) : rest);
    *size = line->size + (end ? 1 : 0);
    return true;
}

static enum fed feed_letters(struct feed *feed)
{
    struct slice line;
    size_t size;
    for (unsigned i = 0; i < LINES_A_TURN; i++) {
        if (!next_line(feed, &line, &size))
            return feed->over ? FED_OVER : FED;
        if (!feed_letter(feed, line))
            return FED_WAITS;
        feed->start += size;
    }
    return FED;
}

// --- records ---

static enum fed count_records(struct feed *feed)
{
    struct slice line;
    size_t size;
    while (next_line(feed, &line, &size)) {
        feed->number += line.size > 0;
        feed->start += size;
    }
    return feed->over ? FED_OVER : FED;
}

static enum fed feed_records(struct feed *feed)
{
    struct decoder *decoder = feed->resend->agent.decoder;
    size_t consumed = 0;
    if (feed->options->dry_run)
        return count_records(feed);
    size_t rest = feed->end - feed->start;
    size_t offered = rest < READ_ONCE ? rest : READ_ONCE;
    bool end = feed->over && offered == rest;
    enum decode_stop stop = decode_lines(
        decoder, &feed->lines, slice_of(feed->buffer + feed->start, offered), end, &consumed);
    feed->start += consumed;
    if (stop == DECODE_MORE && end)
        stop = decode_lines_flush(decoder, &feed->lines);
    if (stop == DECODE_BLOCKED) {
        decoder_wait(decoder, &feed->waiter);
        return FED_WAITS;
    }
    return end ? FED_OVER : FED;
}

// --- both ---

static void step_expired(struct loop_timer *timer)
{
    struct feed *feed = (struct feed *)(void *)((char *)timer - offsetof(struct feed, step));
    size_t before = feed->start;
    enum fed fed = feed->letters ? feed_letters(feed) : feed_records(feed);
    if (fed == FED_WAITS)
        return;
    if (fed == FED_OVER) {
        feed->resend->feeding = false;
        return;
    }
    bool more = feed->start > before && feed->end > feed->start;
    bool ready = more || feed->over || read_more(feed);
    again(feed, ready ? 0 : POLL_NS);
}

static void room(struct room_waiter *waiter)
{
    again((struct feed *)(void *)((char *)waiter - offsetof(struct feed, waiter)), 0);
}

// By the first line: a dead letter has members that nothing else has together.
static bool has_letters(const struct feed *feed)
{
    struct slice line;
    size_t size;
    if (!next_line(feed, &line, &size))
        return false;
    struct dead_letter_read letter;
    const char *problem;
    if (dead_letter_read(&letter, line, &problem) == 0) {
        dead_letter_read_deinit(&letter);
        return true;
    }
    return line.size > 9 && memcmp(line.data, "{\"time\":\"", 9) == 0 &&
           memmem(line.data, line.size, "\"exporter\":", 11) &&
           memmem(line.data, line.size, "\"reason\":", 9);
}

static int start_records(struct feed *feed)
{
    struct agent *agent = &feed->resend->agent;
    const struct agent_log options = {.level = SPOOL_MEMORY, .block = true};
    int r = 0;
    if (feed->options->exporter)
        own_log(OWN_WARN, "replay_refused",
                "--exporter is for dead letters and folders: records go where the routes say");
    for (unsigned i = 0; r == 0 && i < agent->settings->exporter_count; i++)
        r = resend_open(feed->resend, i, &options);
    if (r == 0)
        r = agent_start_enrich(agent);
    if (r == 0)
        r = agent_start_decode(agent);
    return r;
}

// What the door refused is not in an exporter's book.
static void stop_records(struct feed *feed)
{
    struct agent *agent = &feed->resend->agent;
    for (unsigned i = 0; i < REJECT_COUNT; i++)
        feed->resend->unreadable += agent->books.door[SIGNAL_LOGS].rejected[i];
    if (agent->decoder) {
        decoder_wait_cancel(agent->decoder, &feed->waiter);
        line_state_deinit(agent->decoder, &feed->lines);
    }
    agent_stop_decode(agent);
    agent_stop_enrich(agent);
}

static void cancel_waits(struct feed *feed)
{
    loop_timer_stop(&feed->step);
    for (unsigned i = 0; i < feed->resend->agent.settings->exporter_count; i++)
        if (feed->resend->agent.logs[i])
            spool_wait_cancel(feed->resend->agent.logs[i], &feed->waiter);
}

// Fed and delivered, or interrupted.
static int run(struct feed *feed)
{
    struct resend *resend = feed->resend;
    bool records = !feed->letters && !feed->options->dry_run;
    int r = records ? start_records(feed) : 0;
    resend->feeding = true;
    if (r == 0) {
        again(feed, 0);
        r = resend_run(resend);
    }
    cancel_waits(feed);
    if (records)
        stop_records(feed);
    if (!feed->letters && feed->options->dry_run)
        own_log(OWN_INFO, "replay_progress", "%llu lines of records",
                (unsigned long long)feed->number);
    if (resend->feeding || feed->error < 0) {
        resend->unreadable++;
        own_log(OWN_WARN, "replay_unreadable", "%s: not read to its end%s%s", feed->options->path,
                feed->error < 0 ? ": " : "", feed->error < 0 ? strerror(-feed->error) : "");
    }
    resend->feeding = false;
    return r;
}

// An agent that writes the file may add to it after its end was read.
static bool is_written(int fd)
{
    bool written = flock(fd, LOCK_SH | LOCK_NB) < 0;
    if (!written)
        flock(fd, LOCK_UN);
    return written;
}

// A file out of a spool's folder, by its magic: as lines it would be garbage in the topic.
static bool is_of_spool(const struct feed *feed)
{
    static const char *const magics[] = {"SLUICESG", "SLUICEST", "SLUICEGP"};
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (feed->end >= 8 && memcmp(feed->buffer, magics[i], 8) == 0)
            return true;
    return false;
}

int replay_file(struct resend *resend, const struct replay_options *options)
{
    bool standard = strcmp(options->path, "-") == 0;
    struct feed feed = {.resend = resend, .options = options};
    feed.step.expired = step_expired;
    feed.waiter.room = room;
    feed.fd = standard ? STDIN_FILENO : open(options->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int r = feed.fd < 0 ? error_from_errno() : 0;
    feed.buffer = r == 0 ? malloc(BUFFER) : NULL;
    if (r == 0 && !feed.buffer)
        r = -ENOMEM;
    while (r == 0 && !feed.over && !memchr(feed.buffer, '\n', feed.end) && feed.end < BUFFER) {
        struct pollfd ready = {.fd = feed.fd, .events = POLLIN};
        if (poll(&ready, 1, -1) < 0) // SIGINT, SIGTERM: the loop does not run yet
            r = error_from_errno();
        else
            read_more(&feed);
    }
    feed.letters = r == 0 && has_letters(&feed);
    if (r == 0 && options->remove && (standard || !feed.letters || is_written(feed.fd)))
        r = -EBUSY;
    if (r == 0 && is_of_spool(&feed))
        r = -EISNAM;
    if (r < 0)
        own_log(OWN_ERROR, "replay_refused", "%s: %s", options->path,
                r == -EBUSY ? "--remove is for a file of dead letters that no agent writes; move "
                              "it away first"
                : r == -EISNAM ? "one of a spool's own files, no records; name the folder it is in"
                               : strerror(-r));
    else
        r = run(&feed);
    free(feed.buffer);
    if (feed.fd > STDIN_FILENO)
        close(feed.fd);
    return r;
}
