// A log in a folder, the Kafka exporter and a mock cluster that fails on demand: what the tests of
// broker faults share.
//
// Numbered records are appended while a script of faults runs; each has its id in its document, and
// its key decides its partition. In the end the partitions are read and compared with the books.
#ifndef SLUICE_TESTS_BROKER_STAGE_H
#define SLUICE_TESTS_BROKER_STAGE_H

#include "base/books.h"
#include "base/loop.h"
#include "base/settings.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

struct spool_log;
struct exporter;

#define STAGE_TOPIC "logs"
#define STAGE_BROKERS 3
#define STAGE_PARTITIONS 4
#define STAGE_API_PRODUCE 0
#define STAGE_API_METADATA 3
#define STAGE_API_INIT_PRODUCER_ID 22

struct stage;

// Called after every change it may wait for. Returns false when it has nothing further to do; until
// then the test does not end.
typedef bool stage_script(struct stage *stage);

struct stage {
    rd_kafka_t *mock_client;
    rd_kafka_mock_cluster_t *cluster;
    struct loop *loop;
    struct loop_timer guard, tick;
    char folder[64];
    struct spool_log *log;
    struct exporter *exporter;
    struct exporter_book book;                              // of the run since the last stage_open
    uint64_t delivered_before, dead_before, retries_before; // of the runs before it

    unsigned total, appended; // records to be appended, and those that were
    stage_script *script;
    bool scripted;       // the script has ended
    unsigned step;       // the script's own
    uint64_t since_ns;   // the script's own
    uint64_t random;     // the script's own
    unsigned window;     // max.in.flight.requests.per.connection
    unsigned *seen;      // of each record, copies in the partitions
    unsigned duplicates; // copies beyond the first
    unsigned missing;
    bool ordered; // the first copies of each partition came in order
};

struct stage *stage_new(unsigned total);
void stage_free(struct stage *stage);
// The log and the exporter, as a start of the agent makes them. stage_close is its normal end.
void stage_open(struct stage *stage);
void stage_close(struct stage *stage);
// Appends, and runs the script, until all is appended, the script has ended and the log is empty.
void stage_run(struct stage *stage, stage_script *script);
// Reads every partition to its end; fills seen, duplicates, missing, ordered.
void stage_read_back(struct stage *stage);

// Of all runs together.
static inline uint64_t stage_delivered(const struct stage *stage)
{
    return stage->delivered_before + stage->book.delivered;
}
static inline uint64_t stage_retries(const struct stage *stage)
{
    return stage->retries_before + stage->book.retries;
}
// Every record has its verdict, was delivered (but so many), and the books say so.
void stage_assert_delivered(struct stage *stage, unsigned dead);

#endif
