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

// The same in steps.
struct gzip_inflater;
#define GZIP_AGAIN 3                  // this step is done, and there is more
#define GZIP_STEP ((size_t)256 << 10) // bytes that a step makes, or takes, at most
#define GZIP_STATE ((size_t)48 << 10) // bytes that zlib keeps for an inflater

int gzip_inflater_new(struct gzip_inflater **out, size_t max);
void gzip_inflater_free(struct gzip_inflater *inflater); // NULL is fine
// Bytes by which the next step makes the output's memory grow.
size_t gzip_inflater_growth(const struct gzip_inflater *inflater);
// Takes from the front of *in, which holds all that is left, and makes at most `most` bytes. 0 at
// the end, or GZIP_AGAIN, GZIP_TOO_LARGE, GZIP_BROKEN, -ENOMEM.
int gzip_inflater_step(struct gzip_inflater *inflater, struct slice *in, size_t most);
// Bytes made so far, and the memory they lie in.
size_t gzip_inflater_made(const struct gzip_inflater *inflater);
size_t gzip_inflater_capacity(const struct gzip_inflater *inflater);
// Hands over what was made (malloc'd, never NULL after a step). The inflater has nothing then.
uint8_t *gzip_inflater_take(struct gzip_inflater *inflater);

// Deflates the parts, in order, as one member at zlib's fastest level. *out is malloc'd and the
// caller's. 0 or -ENOMEM.
int gzip_deflate(const struct slice *parts, size_t count, uint8_t **out, size_t *size);

#endif
