// The house that test_receive drives.
#include "house.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int sink_start(struct exporter *exporter, struct verdict_sink verdicts)
{
    ((struct sink *)exporter)->verdicts = verdicts;
    return 0;
}

static void answer(struct sink *sink, uint64_t position)
{
    struct verdict verdict = {.position = position, .kind = VERDICT_DELIVERED};
    sink->verdicts.verdict(sink->verdicts.ctx, &verdict, 1);
}

static int sink_offer(struct exporter *exporter, const struct parcel *parcel)
{
    struct sink *sink = (struct sink *)exporter;
    assert_true(sink->count < DOCUMENTS_MAX);
    sink->documents[sink->count++] = strndup(parcel->payload.data, parcel->payload.size);
    sink->records += parcel->records;
    if (sink->holding)
        sink->held[sink->held_count++] = parcel->position;
    else
        answer(sink, parcel->position);
    return 0;
}

static void sink_flush(struct exporter *exporter, bool draining)
{
    (void)exporter;
    (void)draining;
}

void house_release(struct sink *sink)
{
    sink->holding = false;
    for (size_t i = 0; i < sink->held_count; i++)
        answer(sink, sink->held[i]);
    sink->held_count = 0;
}

static const struct exporter_ops sink_ops = {
    .type = "test", .start = sink_start, .offer = sink_offer, .flush = sink_flush};

static void open_log(struct house *house, const struct house_options *options)
{
    struct exporter_book *book = books_add_exporter(&house->books, "test");
    house->sink = calloc(1, sizeof *house->sink);
    house->sink->exporter = (struct exporter){&sink_ops, "test", book};
    struct spool_config config = {
        .name = "test",
        .segment_size = options->log_bytes ? 0 : SPOOL_SEGMENT_MIN,
        .max_bytes = options->log_bytes ? options->log_bytes : 4 * SPOOL_SEGMENT_MIN,
        .when_full = options->when_full,
        .loop = house->loop,
        .clock = clock_system(),
        .exporter = &house->sink->exporter,
        .book = book,
    };
    char folder[96];
    snprintf(folder, sizeof folder, "%s/spool", house->folder);
    if (options->synced) {
        assert_int_equal(sync_thread_new(&house->sync, house->loop), 0);
        config.level = SPOOL_NODE;
        config.sync = house->sync;
        config.folder = folder;
    }
    assert_int_equal(spool_log_new(&house->log, &config), 0);
}

static void open_doors(struct house *house, const struct house_options *options)
{
    struct enrich_target logs = {.log = house->log, .form = WIRE_ECS_JSON};
    struct enrich_target spans = {.log = house->log, .form = WIRE_OTLP};
    struct enrich_config enrich = {
        .clock = clock_system(),
        .books = &house->books,
        .targets = {[SIGNAL_LOGS] = &logs, [SIGNAL_SPANS] = &spans},
        .target_count = {[SIGNAL_LOGS] = 1, [SIGNAL_SPANS] = 1},
        .agent_version = "0",
    };
    assert_int_equal(enrich_new(&house->enrich, &enrich), 0);
    struct decoder_config decoder = {.enrich = house->enrich,
                                     .clock = clock_system(),
                                     .max_line = options->max_line ? options->max_line : 16384,
                                     .max_message = 1 << 20,
                                     .join = options->join_for_ns > 0,
                                     .read_bytes = &house->books.receive.read_bytes,
                                     .truncated = &house->books.receive.truncated};
    assert_int_equal(decoder_new(&house->decoder, &decoder), 0);
    struct receive_config receive = {
        .loop = house->loop,
        .clock = clock_system(),
        .decoder = house->decoder,
        .book = &house->books.receive,
        .socket_path = house->path,
        .socket_mode = 0600,
        .socket_group = "",
        .otlp_listen = "127.0.0.1:0",
        .max_line = decoder.max_line,
        .max_message = decoder.max_message,
        .block_for_ns = options->block_for_ns ? options->block_for_ns : NS_PER_S,
        .join_for_ns = options->join_for_ns,
        .max_connections = options->max_connections,
        .first_byte_timeout_ns = options->first_byte_timeout_ns,
        .allowed_uids = options->allowed_uids,
        .allowed_gids = options->allowed_gids,
    };
    house->books.receive.read_bytes.limit = options->read_limit;
    assert_int_equal(receive_new(&house->receive, &receive), 0);
}

struct house *house_new(enum spool_when_full when_full, uint64_t block_for_ns)
{
    return house_with(
        &(struct house_options){.when_full = when_full, .block_for_ns = block_for_ns});
}

struct house *house_with(const struct house_options *options)
{
    struct house *house = calloc(1, sizeof *house);
    snprintf(house->folder, sizeof house->folder, "/tmp/sluice-receive-XXXXXX");
    assert_non_null(mkdtemp(house->folder));
    snprintf(house->path, sizeof house->path, "%s/s.sock", house->folder);
    assert_int_equal(loop_new(&house->loop), 0);
    open_log(house, options);
    open_doors(house, options);
    return house;
}

void house_free(struct house *house)
{
    char lock[128];
    receive_free(house->receive);
    house_release(house->sink);
    assert_true(books_balanced(&house->books));
    decoder_free(house->decoder);
    enrich_free(house->enrich);
    spool_log_free(house->log);
    sync_thread_free(house->sync);
    loop_free(house->loop);
    for (size_t i = 0; i < house->sink->count; i++)
        free(house->sink->documents[i]);
    free(house->sink);
    snprintf(lock, sizeof lock, "%s.lock", house->path);
    unlink(lock);
    snprintf(lock, sizeof lock, "%s/spool/lock", house->folder);
    unlink(lock);
    snprintf(lock, sizeof lock, "%s/spool/streams", house->folder);
    unlink(lock);
    *strrchr(lock, '/') = '\0';
    rmdir(lock);
    rmdir(house->folder);
    free(house);
}

int house_dial(const struct house *house)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", house->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

void house_turn(struct house *house)
{
    event_base_loop(loop_event_base(house->loop), EVLOOP_NONBLOCK);
}

void house_until_documents(struct house *house, size_t count)
{
    for (int i = 0; i < TURNS_MAX && house->sink->count < count; i++)
        house_turn(house);
    assert_int_equal(house->sink->count, count);
}

void house_until_closed(struct house *house)
{
    for (int i = 0; i < TURNS_MAX && house->books.receive.open > 0; i++)
        house_turn(house);
    assert_int_equal(house->books.receive.open, 0);
}

void house_until(struct house *house, bool (*done)(const struct house *house))
{
    uint64_t start = clock_monotonic(clock_system());
    while (!done(house) && clock_monotonic(clock_system()) - start < 60 * NS_PER_S)
        house_turn(house);
    assert_true(done(house));
}

void house_put(struct house *house, int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            house_turn(house);
            continue;
        }
        data += n;
        size -= (size_t)n;
    }
}
