// The books and the process as Prometheus reads them (/metrics) and as JSON (/books), from one
// table.
//
// Names are settled: dashboards and alerts stand on them. Loop thread only.
// Source: Prometheus text exposition format 0.0.4.
#ifndef SLUICE_BASE_METRICS_H
#define SLUICE_BASE_METRICS_H

#include "base/books.h"

#include <stdint.h>
#include <stdio.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics_source {
    const struct books *books;
    uint64_t started_ns; // since 1970
};

void metrics_write(FILE *out, const struct metrics_source *source);
// {"door":{"logs":{"received":…}},"receive":{…},"exporters":{"kafka":{…}},"balanced":true}
void metrics_write_books(FILE *out, const struct books *books);
// docs/METRICS.md.
void metrics_write_document(FILE *out);

#endif
