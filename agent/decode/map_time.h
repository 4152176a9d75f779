// Wall-clock times as loggers write them, to nanoseconds since 1970.
#ifndef SLUICE_DECODE_MAP_TIME_H
#define SLUICE_DECODE_MAP_TIME_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

// 2000-01-01: a number below is not a clock.
#define TIME_PLAUSIBLE_NS 946684800000000000

// ISO 8601 / RFC 3339 with T or a space, . or , before up to nine digits (further ones are
// dropped), Z, ±hh:mm, ±hhmm, ±hh or nothing (UTC); or an epoch in digits. From 1970 to 2262.
bool time_parse(struct slice text, uint64_t *ns);

#endif
