// Runs the whole pipeline from decode to the sinks on virtual time, from seeds, and asserts after
// each step what must always be true: the books, ids, order, bytes, budget, receipts.
//
//   simulation [--seed N] [--seeds N] [--records N]     seeds from N on, records of each
#include "simulation.h"

#include "base/own_log.h"
#include "enrich/enrich.h"
#include "spool/spool_stored.h"
#include "spool_remains.h"
#include "virtual_loop.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SEGMENT ((size_t)SPOOL_SEGMENT_MIN)
#define STALLED_NS (3600 * NS_PER_S) // of virtual time: longer than anything here waits

static struct simulation *running;
static uint64_t seed, records_wanted;
static struct random entropy; // what the rooms draw from the kernel

ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags);
ssize_t __wrap_getrandom(void *out, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)random_next(&entropy);
    return (ssize_t)size;
}

void simulation_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "simulation: ");
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr,
            "\n  at step %" PRIu64 ", agent %u; to repeat: simulation --seed %" PRIu64
            " --seeds 1 --records %" PRIu64 "\n",
            running ? running->steps : 0, running ? running->model.run : 0, seed, records_wanted);
    exit(1);
}

static void open_logs(struct simulation *simulation)
{
    static const char *const names[SINK_COUNT] = {"alpha", "beta", "spans"};
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        struct sink *sink = &simulation->sinks[i];
        char folder[256];
        snprintf(folder, sizeof folder, "%s/%s", simulation->folder ? simulation->folder : "",
                 names[i]);
        struct exporter_book *book = books_add_exporter(&simulation->books, names[i]);
        sink->exporter = (struct exporter){&sink_ops, names[i], book};
        sink->simulation = simulation;
        sink->index = i;
        struct spool_config config = {
            .name = names[i],
            .level = simulation->folder ? SPOOL_PROCESS : SPOOL_MEMORY,
            .folder = folder,
            .segment_size = SEGMENT,
            .max_bytes = simulation->limit * SEGMENT,
            .when_full = sink->when_full,
            .loop = simulation->loop,
            .clock = virtual_clock(),
            .exporter = &sink->exporter,
            .book = book,
        };
        int r = spool_log_new(&sink->log, &config);
        CHECK(r == 0, "a log cannot be opened: %s", strerror(-r));
        simulation->model.copies[i].scanned = spool_position(sink->log);
    }
}

static void agent_start(struct simulation *simulation)
{
    static const struct resource_attribute resource[] = {{{"service.name", 12}, {"simulated", 9}},
                                                         {{"host.name", 9}, {"virtual", 7}}};
    CHECK(loop_new(&simulation->loop) == 0, "no memory");
    memset(&simulation->books, 0, sizeof simulation->books);
    model_new_run(&simulation->model);
    open_logs(simulation);
    struct enrich_target logs[2] = {
        {.log = simulation->sinks[0].log, .book = simulation->sinks[0].exporter.book},
        {.log = simulation->sinks[1].log, .book = simulation->sinks[1].exporter.book}};
    struct enrich_target spans = {.log = simulation->sinks[2].log,
                                  .book = simulation->sinks[2].exporter.book,
                                  .form = WIRE_OTLP};
    struct enrich_config config = {
        .clock = virtual_clock(),
        .books = &simulation->books,
        .resource = resource,
        .resource_count = 2,
        .targets = {[SIGNAL_LOGS] = logs, [SIGNAL_SPANS] = &spans},
        .target_count = {[SIGNAL_LOGS] = 2, [SIGNAL_SPANS] = 1},
        .agent_version = "0",
    };
    CHECK(enrich_new(&simulation->enrich, &config) == 0, "enrich cannot be made");
    struct decoder_config decoder = {
        .enrich = simulation->enrich,
        .clock = virtual_clock(),
        .max_line = 16384,
        .max_message = 1 << 20,
        .join = true,
        .read_bytes = &simulation->books.receive.read_bytes,
    };
    CHECK(decoder_new(&simulation->decoder, &decoder) == 0, "no memory");
}

// SIGKILL: what is in memory is gone, what is in files stays.
static void agent_die(struct simulation *simulation)
{
    producers_crash(simulation);
    decoder_free(simulation->decoder);
    enrich_free(simulation->enrich);
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        sink_crash(&simulation->sinks[i]);
        spool_log_abandon(simulation->sinks[i].log);
    }
    loop_free(simulation->loop);
}

static void agent_end(struct simulation *simulation)
{
    decoder_free(simulation->decoder);
    enrich_free(simulation->enrich);
    for (unsigned i = 0; i < SINK_COUNT; i++)
        spool_log_free(simulation->sinks[i].log);
    loop_free(simulation->loop);
}

static void check_all(struct simulation *simulation)
{
    struct spool_log *logs[SINK_COUNT];
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        logs[i] = simulation->sinks[i].log;
        model_scan(&simulation->model, i, logs[i]);
    }
    model_check(&simulation->model, &simulation->books, logs);
}

static void time_passes(struct simulation *simulation)
{
    uint64_t most = 5 * NS_PER_MS;
    if (one_in(&simulation->random, 40))
        most = one_in(&simulation->random, 4) ? 120 * NS_PER_S : 2 * NS_PER_S;
    virtual_advance(random_below(&simulation->random, most));
}

static void step(struct simulation *simulation)
{
    struct random *random = &simulation->random;
    simulation->steps++;
    uint64_t choice = random_below(random, 100);
    if (choice < 55)
        producer_step(simulation, &simulation->producers[random_below(random, PRODUCERS)]);
    else if (choice < 75)
        virtual_loop_turn(simulation->loop);
    else if (choice < 92)
        sink_step(&simulation->sinks[random_below(random, SINK_COUNT)]);
    else
        time_passes(simulation);
    check_all(simulation);
    if (simulation->folder && !simulation->ending && one_in(random, 4000)) {
        agent_die(simulation);
        simulation->crashes++;
        agent_start(simulation);
        check_all(simulation);
    }
}

static bool all_drained(const struct simulation *simulation)
{
    for (unsigned i = 0; i < SINK_COUNT; i++)
        if (!spool_drained(simulation->sinks[i].log))
            return false;
    return producers_end(simulation);
}

// Nothing more comes, and the sinks are well: then everything must come to an end.
static void drain(struct simulation *simulation)
{
    uint64_t since = virtual_now();
    simulation->ending = true;
    for (unsigned i = 0; i < SINK_COUNT; i++)
        sink_heal(&simulation->sinks[i]);
    while (!all_drained(simulation)) {
        CHECK(virtual_now() - since < STALLED_NS, "it does not come to an end");
        step(simulation);
    }
}

static void check_end(const struct simulation *simulation)
{
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        const struct copies *copies = &simulation->model.copies[i];
        CHECK(copies->held == 0, "log %u: %" PRIu64 " records never came to an end", i,
              copies->held);
        for (uint32_t at = 1; at < copies->count; at++)
            CHECK(copies->items[at].state != COPY_HELD, "record %u has no verdict",
                  copies->items[at].tag);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        const struct producer *producer = &simulation->producers[i];
        CHECK(producer->dialect != NATIVE || producer->receipted == producer->next_sequence - 1,
              "producer %u has no receipt for its last records", i);
    }
}

static void remove_folder(const char *folder)
{
    static const char *const names[] = {"alpha", "beta", "spans"};
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        spool_folder_remove(path);
    }
    rmdir(folder);
}

static void summary(const struct simulation *simulation)
{
    static const char *const moods[MOOD_COUNT] = {"well", "forgetful",  "partial", "strict",
                                                  "full", "leaderless", "away"};
    uint64_t payloads = 0, redelivered = 0;
    printf("seed %" PRIu64 ": %s, %u records, %" PRIu64 " steps, %" PRIu64
           " agents killed, %" PRIu64 " connections broken, %" PRIu64 " receipts",
           seed, simulation->folder ? "process" : "memory", simulation->model.tags,
           simulation->steps, simulation->crashes, simulation->disconnects, simulation->receipts);
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        payloads += simulation->model.copies[i].count - 1;
        redelivered += simulation->model.copies[i].redelivered;
    }
    printf(", %" PRIu64 " payloads, %" PRIu64 " offered again; moods:", payloads, redelivered);
    for (unsigned mood = 0; mood < MOOD_COUNT; mood++) {
        uint64_t times = 0;
        for (unsigned i = 0; i < SINK_COUNT; i++)
            times += simulation->sinks[i].moods[mood];
        printf(" %s %" PRIu64, moods[mood], times);
    }
    printf("\n");
}

static void run(void)
{
    struct simulation *simulation = calloc(1, sizeof *simulation);
    char folder[SPOOL_FOLDER_SIZE];
    CHECK(simulation, "no memory");
    running = simulation;
    simulation->random.state = seed;
    entropy.state = ~seed;
    simulation->records = records_wanted;
    simulation->limit = 2 + (uint32_t)random_below(&simulation->random, 12);
    if (!one_in(&simulation->random, 4)) {
        CHECK(spool_folder_make(folder), "no temporary folder");
        simulation->folder = folder;
    }
    for (unsigned i = 0; i < SINK_COUNT; i++) {
        sink_heal(&simulation->sinks[i]);
        simulation->sinks[i].when_full = (enum spool_when_full)random_below(&simulation->random, 3);
    }
    model_init(&simulation->model, records_wanted);
    agent_start(simulation);
    producers_init(simulation);
    while (simulation->model.tags < simulation->records)
        step(simulation);
    drain(simulation);
    check_end(simulation);
    summary(simulation);
    producers_deinit(simulation);
    agent_end(simulation);
    if (simulation->folder)
        remove_folder(folder);
    model_deinit(&simulation->model);
    free(simulation);
    running = NULL;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, seeds = 24;
    records_wanted = 125000;
    for (int i = 1; i + 1 < argc; i += 2) {
        uint64_t value = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0)
            first = value;
        else if (strcmp(argv[i], "--records") == 0)
            records_wanted = value;
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds = value;
    }
    own_log_threshold((enum log_level)(OWN_ERROR + 1));
    for (uint64_t n = 0; n < seeds; n++) {
        seed = first + n;
        run();
    }
    return 0;
}
