// One length-prefixed gRPC message of a stream, collected from DATA frames cut anywhere.
//
// Source: gRPC over HTTP/2, Length-Prefixed-Message. Not thread-safe.
#ifndef SLUICE_GRPC_MESSAGE_H
#define SLUICE_GRPC_MESSAGE_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRPC_PREFIX_SIZE 5 // compressed flag, then the length as big-endian u32

struct grpc_message {
    uint8_t prefix[GRPC_PREFIX_SIZE];
    uint8_t prefix_size; // how much of the prefix has come
    uint8_t *data;
    size_t size;     // bytes that have come
    size_t declared; // bytes the prefix says; meaningful once it is whole
    size_t capacity; // bytes kept: what its owner is charged for
};

#define GRPC_MESSAGE_TOO_LARGE 1 // the prefix announces more than max
#define GRPC_MESSAGE_SURPLUS 2   // bytes after the message: a second one, or junk
#define GRPC_MESSAGE_BAD_FLAG 3  // neither compressed (1) nor not (0)

void grpc_message_deinit(struct grpc_message *message);
// Takes size bytes more. 0, a condition above, or -ENOMEM; after anything but 0 only deinit is
// left. Memory grows with what has come, never with what the prefix promises.
int grpc_message_feed(struct grpc_message *message, const uint8_t *data, size_t size, size_t max);
// Bytes by which capacity grows when size more come. The prefix must have come.
size_t grpc_message_growth(const struct grpc_message *message, size_t size);
// Forgets the first taken bytes of what came, and gives memory back where that is worth it.
void grpc_message_shrink(struct grpc_message *message, size_t taken);
bool grpc_message_whole(const struct grpc_message *message);

void grpc_prefix_write(uint8_t prefix[GRPC_PREFIX_SIZE], bool compressed, size_t size);

#endif
