// How a status travels in header fields: grpc-message, and RetryInfo in grpc-status-details-bin.
//
// Source: gRPC over HTTP/2 (Status-Message, Binary-Header), google/rpc/status.proto,
// google/rpc/error_details.proto. Pure; any thread.
#ifndef SLUICE_GRPC_STATUS_TEXT_H
#define SLUICE_GRPC_STATUS_TEXT_H

#include "base/slice.h"
#include "grpc/grpc_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATUS_MESSAGE_MAX 1024 // bytes of a status message that are sent or kept
#define STATUS_ENCODED_MAX (3 * STATUS_MESSAGE_MAX)
#define STATUS_DETAILS_MAX 1600 // bytes of base64 that status_details_encode may need

// Percent-encodes at most STATUS_MESSAGE_MAX bytes of message. Returns the size written to out.
size_t status_message_encode(struct slice message, char out[STATUS_ENCODED_MAX]);
// Undoes it, leniently: a broken escape stays as it is. Returns the size written (cut at capacity).
size_t status_message_decode(struct slice encoded, char *out, size_t capacity);

// google.rpc.Status with one google.rpc.RetryInfo, as unpadded base64. Returns its size.
size_t status_details_encode(const struct grpc_status *status, char out[STATUS_DETAILS_MAX]);
// Finds a RetryInfo in grpc-status-details-bin (padded or not). False: none, or not readable.
bool status_details_retry(struct slice base64, uint64_t *delay_ns);

// The decimal of grpc-status; anything that is no known code is GRPC_UNKNOWN.
enum grpc_code status_code_parse(struct slice text);
// What an answer without grpc-status means. Source: gRPC's http-grpc-status-mapping.md.
enum grpc_code status_from_http(unsigned http_status);

#endif
