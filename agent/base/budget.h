// How max_memory is shared out between what keeps bytes of records.
#ifndef SLUICE_BASE_BUDGET_H
#define SLUICE_BASE_BUDGET_H

#include <stdint.h>

#define BUDGET_SEGMENT ((uint64_t)1024 * 1024) // bytes of a segment that lives in memory
#define BUDGET_SEGMENTS_MIN 2u                 // of one log: one fills while one drains
#define BUDGET_AUTO ((uint64_t)64 * 1024 * 1024)

// Bytes. Together, with a log and a window for each exporter, at most max_memory.
struct budget {
    uint64_t
        spool_bytes_each;  // segments of one exporter's log, whole ones, the one of slack included
    uint64_t read_buffers; // of all connections
    uint64_t kafka_window; // of one Kafka exporter: librdkafka's queue and buffers
    uint64_t otlp_window;  // of one OTLP exporter: requests in flight
    uint64_t inflate;      // request bodies at the door, inflated
};

struct budget budget_derive(uint64_t max_memory, unsigned exporters);
// The least max_memory that leaves every log its segments and the rest as much again.
uint64_t budget_least(unsigned exporters);

#endif
