// Kills a writer of the real spool at every system call and at every instruction of what it does,
// and has each folder judged.
//
//   kill_at [--folder DIR] [--seed N] [--rounds N] [--only NAME [--at N]]
//
// Each kill is a fork of this program that prepares a log of its own in DIR/log (a new folder in
// memory where none is given), runs to the mark and from there to the place of its death. What it
// had been told stands in shared memory. A round is every place of every scenario; further rounds
// write other records.
#include "gap_writer.h"
#include "spool_check.h"
#include "spool_writer.h"
#include "tracee.h"

#include "base/own_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
#define LARGE 9000u         // five of them fill a segment …
#define FILLS 4090u         // … and leave room for this one, and for nothing more
#define PLACES_MAX 100000ul // kills of one scenario
#define PATH_MAX_OURS 512

struct scenario {
    const char *name;
    void (*prepare)(struct writer *writer);
    void (*act)(struct writer *writer);
    bool instructions;                      // or system calls
    uint32_t damaged;                       // files that are no segments, made by prepare
    void (*judge)(const struct scenario *); // NULL: spool_check
};

static char folder[PATH_MAX_OURS];
static struct ledger *ledger; // shared
static struct tracee_route route;
static unsigned long astray; // kills that needed a second attempt

// A segment without room for another record.
static void append_whole(struct writer *writer)
{
    for (int n = 0; n < 5; n++)
        writer_append(writer, LARGE);
    writer_append(writer, FILLS);
    writer_turn(writer);
}

static void answer_upto(struct writer *writer, uint32_t end)
{
    while (writer->held_count > 0 && writer->held[0].number < end)
        writer_answer(writer, writer->held[0].number,
                      writer->held[0].number % 4 ? VERDICT_DELIVERED : VERDICT_DEAD);
}

static void append_one(struct writer *writer)
{
    writer_append(writer, 60 + ledger->seed % 64);
}

static void open_process(struct writer *writer)
{
    writer_open(writer, SPOOL_PROCESS);
}

static void open_node(struct writer *writer)
{
    writer_open(writer, SPOOL_NODE);
}

static void three(struct writer *writer)
{
    open_process(writer);
    for (int n = 0; n < 3; n++)
        writer_append(writer, 200);
    writer_turn(writer);
}

static void three_last_open(struct writer *writer)
{
    three(writer);
    answer_upto(writer, 2);
}

static void answer_third(struct writer *writer)
{
    answer_upto(writer, 3);
}

static void three_recycled(struct writer *writer)
{
    three(writer);
    answer_upto(writer, 3);
}

static void closed_last_open(struct writer *writer)
{
    open_process(writer);
    append_whole(writer);
    append_one(writer);
    writer_turn(writer);
    answer_upto(writer, 5);
}

static void answer_sixth(struct writer *writer)
{
    answer_upto(writer, 6);
}

// One segment is free again, the active one is full.
static void one_free(struct writer *writer)
{
    open_process(writer);
    append_whole(writer);
    append_whole(writer);
    answer_upto(writer, 6);
}

static void fresh_folder(struct writer *writer)
{
    (void)writer;
}

static void open_and_append(struct writer *writer)
{
    open_process(writer);
    append_one(writer);
    writer_turn(writer);
}

static void grow_and_shrink(struct writer *writer)
{
    for (int n = 0; n < 3; n++)
        append_whole(writer);
    answer_upto(writer, 12);
    append_whole(writer);
    answer_upto(writer, 30);
}

static void node_some(struct writer *writer)
{
    open_node(writer);
    append_one(writer);
    writer_turn(writer);
}

static void append_and_sync(struct writer *writer)
{
    append_whole(writer);
    writer_await_stored(writer);
    append_one(writer);
    writer_turn(writer);
    answer_upto(writer, 3);
    writer_await_stored(writer);
}

static void earlier_run(struct writer *writer)
{
    open_process(writer);
    append_whole(writer);
    append_whole(writer);
    append_one(writer);
    writer_turn(writer);
    answer_upto(writer, 2);
    writer_close(writer);
}

static void earlier_run_and_rubbish(struct writer *writer)
{
    char path[PATH_MAX_OURS + 32];
    uint8_t rubbish[8192];
    earlier_run(writer);
    memset(rubbish, 0xA5, sizeof rubbish);
    for (int n = 71; n <= 72; n++) {
        snprintf(path, sizeof path, "%s/000000%d.segment", folder, n);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0 || write(fd, rubbish, sizeof rubbish) != (ssize_t)sizeof rubbish)
            writer_fail("%s: %s", path, strerror(errno));
        close(fd);
    }
}

static void recover(struct writer *writer)
{
    open_process(writer);
    writer_turn(writer);
    answer_upto(writer, 7);
    append_one(writer);
    writer_turn(writer);
    answer_upto(writer, 20);
}

static void node_busy(struct writer *writer)
{
    open_node(writer);
    append_whole(writer);
    writer_await_stored(writer);
    append_one(writer);
    append_one(writer);
    answer_upto(writer, 3);
}

static void node_answered(struct writer *writer)
{
    node_busy(writer);
    append_whole(writer);
    append_whole(writer);
    answer_upto(writer, LEDGER_MAX);
}

static void gaps_prepare(struct writer *writer)
{
    gap_writer_prepare(writer->ledger, writer->folder);
}

static void gaps_act(struct writer *writer)
{
    (void)writer;
    gap_writer_act();
}

static void gaps_judge(const struct scenario *scenario)
{
    (void)scenario;
    gap_writer_check(ledger, folder);
}

static const struct scenario scenarios[] = {
    {"append", three, append_one, true, 0, NULL},
    {"append-recycled", three_recycled, append_one, true, 0, NULL},
    {"recycle-active", three_last_open, answer_third, true, 0, NULL},
    {"recycle-closed", closed_last_open, answer_sixth, true, 0, NULL},
    {"reuse", one_free, append_one, true, 0, NULL},
    {"gaps", gaps_prepare, gaps_act, true, 0, gaps_judge},
    {"open", fresh_folder, open_and_append, false, 0, NULL},
    {"grow", open_process, grow_and_shrink, false, 0, NULL},
    {"sync", node_some, append_and_sync, false, 0, NULL},
    {"recover", earlier_run, recover, false, 0, NULL},
    {"set-aside", earlier_run_and_rubbish, recover, false, 2, NULL},
    {"end", node_busy, writer_close, false, 0, NULL},
    {"end-empty", node_answered, writer_close, false, 0, NULL},
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

static void folder_remove(void)
{
    DIR *open_folder = opendir(folder);
    const struct dirent *entry;
    while (open_folder && (entry = readdir(open_folder)))
        unlinkat(dirfd(open_folder), entry->d_name, 0);
    if (open_folder)
        closedir(open_folder);
    rmdir(folder);
}

static void run_writer(void *ctx)
{
    const struct scenario *scenario = *(const struct scenario **)ctx;
    static struct writer writer;
    own_log_threshold(OWN_ERROR); // what it says of refused records is not looked at
    writer = (struct writer){.ledger = ledger, .folder = folder};
    scenario->prepare(&writer);
    tracee_begin();
    scenario->act(&writer);
    tracee_end();
}

// In a process of its own: a recovery that dies is a finding too.
static bool judged_good(const struct scenario *scenario)
{
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (scenario->damaged > 0)
            own_log_threshold(OWN_ERROR);
        if (scenario->judge)
            scenario->judge(scenario);
        else
            spool_check(folder, ledger, scenario->damaged);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void clear(uint32_t seed)
{
    folder_remove();
    memset(ledger, 0, sizeof *ledger);
    ledger->seed = seed;
}

// One kill, from a folder that is not there to its verdict. Exits where something is wrong.
static enum tracee_end kill_once(const struct scenario *scenario, uint32_t seed, unsigned long at)
{
    enum tracee_place place = scenario->instructions ? TRACEE_INSTRUCTIONS : TRACEE_SYSCALLS;
    clear(seed);
    enum tracee_end end = tracee_kill(run_writer, &scenario, place, at, &route);
    if (end == TRACEE_ASTRAY) {
        astray++;
        clear(seed);
        end = tracee_kill(run_writer, &scenario, place, at, NULL);
    }
    if (end == TRACEE_NOT_PERMITTED) {
        fprintf(stderr, "SKIPPED: kill_at: this machine does not permit ptrace\n");
        exit(SKIPPED);
    }
    if (end == TRACEE_BROKEN || !judged_good(scenario)) {
        fprintf(stderr,
                "kill_at: %s; again: --only %s --seed %u --at %lu (the folder is left: %s)\n",
                end == TRACEE_BROKEN ? "the writer ended by itself" : "not as it must be",
                scenario->name, seed, at, folder);
        exit(1);
    }
    return end;
}

// Every place; how many kills that were.
static unsigned long kill_everywhere(const struct scenario *scenario, uint32_t seed)
{
    route.count = 0;
    if (scenario->instructions) {
        clear(seed);
        (void)tracee_learn(run_writer, &scenario, &route);
    }
    for (unsigned long at = 1; at < PLACES_MAX; at++)
        if (kill_once(scenario, seed, at) == TRACEE_PAST_END)
            return at;
    fprintf(stderr, "kill_at: %s has no end\n", scenario->name);
    exit(1);
}

static unsigned long round_run(uint32_t seed, const char *only)
{
    unsigned long kills = 0;
    for (size_t i = 0; i < SCENARIOS; i++) {
        const struct scenario *scenario = &scenarios[i];
        if (only && strcmp(only, scenario->name) != 0)
            continue;
        unsigned long here = kill_everywhere(scenario, seed);
        printf("%-16s %5lu kills, at every %s\n", scenario->name, here,
               scenario->instructions ? "instruction" : "system call, entry and exit");
        fflush(stdout);
        kills += here;
    }
    return kills;
}

static const struct scenario *scenario_of(const char *name)
{
    for (size_t i = 0; name && i < SCENARIOS; i++)
        if (strcmp(name, scenarios[i].name) == 0)
            return &scenarios[i];
    fprintf(stderr, "kill_at: no scenario is called %s\n", name ? name : "so");
    exit(2);
}

static const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return argv[i + 1];
    return otherwise;
}

static const char *folder_default(void)
{
    static char in_memory[] = "/dev/shm/sluice-kill-at-XXXXXX";
    static char elsewhere[] = "/tmp/sluice-kill-at-XXXXXX";
    const char *made = mkdtemp(in_memory);
    return made ? made : mkdtemp(elsewhere);
}

static int run(const char *base, uint32_t seed, unsigned long rounds, const char *only,
               const char *at)
{
    unsigned long kills = 0;
    if (at) {
        kill_once(scenario_of(only), seed, strtoul(at, NULL, 10));
        kills = 1;
    }
    for (unsigned long round = 0; !at && round < rounds; round++)
        kills += round_run(seed + (uint32_t)round, only);
    folder_remove();
    rmdir(base);
    if (astray > 0)
        printf("%lu runs did not go as the one before them, and were stepped through\n", astray);
    printf("%lu kills, 0 lost, 0 twice, the books balanced after each (seeds %u to %lu)\n", kills,
           seed, seed + rounds - 1);
    return 0;
}

int main(int argc, char **argv)
{
    const char *base = option(argc, argv, "--folder", NULL);
    const char *only = option(argc, argv, "--only", NULL);
    uint32_t seed = (uint32_t)strtoul(option(argc, argv, "--seed", "1"), NULL, 10);
    unsigned long rounds = strtoul(option(argc, argv, "--rounds", "1"), NULL, 10);
    if (only)
        (void)scenario_of(only);
    if (!base)
        base = folder_default();
    if (!base || snprintf(folder, sizeof folder, "%s/log", base) >= (int)sizeof folder) {
        fprintf(stderr, "kill_at: no folder: %s\n", strerror(errno));
        return 1;
    }
    ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ledger == MAP_FAILED)
        return 1;
    return run(base, seed, rounds, only, option(argc, argv, "--at", NULL));
}
