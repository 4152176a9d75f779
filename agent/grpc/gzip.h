// gzip, whole messages at a time and bounded: what gRPC's `grpc-encoding: gzip` asks for.
//
// Source: RFC 1952. Any thread.
#ifndef SLUICE_GRPC_GZIP_H
#define SLUICE_GRPC_GZIP_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

#define GZIP_TOO_LARGE 1 // would be more than max bytes; at most max + 1 were ever made
#define GZIP_BROKEN 2    // not gzip, damaged, or cut short

// Inflates all members of in. *out is malloc'd (never NULL on success) and the caller's.
// 0, GZIP_TOO_LARGE, GZIP_BROKEN or -ENOMEM.
int gzip_inflate(struct slice in, size_t max, uint8_t **out, size_t *size);

// Deflates the parts, in order, as one member at zlib's fastest level. *out is malloc'd and the
// caller's. 0 or -ENOMEM.
int gzip_deflate(const struct slice *parts, size_t count, uint8_t **out, size_t *size);

#endif
