// Exporters whose sinks do what real ones do on bad days.
#ifndef SLUICE_TESTS_SIMULATION_SINKS_H
#define SLUICE_TESTS_SIMULATION_SINKS_H

#include "deliver/exporter.h"
#include "spool/spool.h"

#include <stdbool.h>
#include <stdint.h>

struct simulation;

enum mood {
    MOOD_WELL,       // confirms, in any order
    MOOD_FORGETFUL,  // has it, but the answer is lost: given back
    MOOD_PARTIAL,    // refuses some records of a request
    MOOD_STRICT,     // refuses whole parcels for good
    MOOD_FULL,       // the queue before it is full
    MOOD_LEADERLESS, // one partition answers nothing
    MOOD_AWAY,       // nothing is answered
    MOOD_COUNT
};

struct sink_item {
    uint64_t position;
    uint32_t copy;
    uint32_t records;
};

#define WINDOW_MAX 4096

struct sink {
    struct exporter exporter; // first
    struct simulation *simulation;
    unsigned index;
    struct verdict_sink verdicts;
    struct spool_log *log;
    enum spool_when_full when_full;
    enum mood mood;
    uint64_t mood_ends_ns;
    size_t window;
    bool refused; // an offer, since the last answer
    struct sink_item items[WINDOW_MAX];
    size_t count;
    uint64_t moods[MOOD_COUNT]; // how often: for the summary
};

extern const struct exporter_ops sink_ops;

void sink_step(struct sink *sink);
// Is well from now on, for ever.
void sink_heal(struct sink *sink);
// The agent is gone, with what it had handed over.
void sink_crash(struct sink *sink);

#endif
