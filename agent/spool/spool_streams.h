// How far a client's stream has come in a log, for who is sent something again.
//
// Loop thread only.
#ifndef SLUICE_SPOOL_SPOOL_STREAMS_H
#define SLUICE_SPOOL_SPOOL_STREAMS_H

#include <stdint.h>

struct spool_log;

// The highest sequence that the log took of the stream, in a folder also from an agent before that
// was killed; 0: not known. What was shed or rejected before that sequence was never taken.
uint64_t spool_stream_last(const struct spool_log *log, const uint8_t stream[8]);

#endif
