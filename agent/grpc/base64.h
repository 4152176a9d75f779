// base64 as gRPC's -bin metadata wants it: written without padding, read with or without.
//
// Source: RFC 4648 section 4; gRPC over HTTP/2, Binary-Header. Pure; any thread.
#ifndef SLUICE_GRPC_BASE64_H
#define SLUICE_GRPC_BASE64_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// out holds at least (size + 2) / 3 * 4 bytes. Returns the size written.
size_t base64_encode(struct slice bytes, char *out);
// False where text is no base64 or does not fit capacity.
bool base64_decode(struct slice text, uint8_t *out, size_t capacity, size_t *size);

#endif
