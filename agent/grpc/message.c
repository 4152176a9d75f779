// Collects a length-prefixed message and knows its prefix.
#include "grpc/message.h"

#include "base/error.h"

#include <stdlib.h>

#define FIRST_CAPACITY 4096

void grpc_message_deinit(struct grpc_message *message)
{
    free(message->data);
    *message = (struct grpc_message){0};
}

bool grpc_message_whole(const struct grpc_message *message)
{
    return message->prefix_size == GRPC_PREFIX_SIZE && message->size == message->declared;
}

static int prefix_read(struct grpc_message *message, size_t max)
{
    const uint8_t *p = message->prefix;
    message->declared = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
    if (p[0] > 1)
        return GRPC_MESSAGE_BAD_FLAG;
    return message->declared > max ? GRPC_MESSAGE_TOO_LARGE : 0;
}

size_t grpc_message_growth(const struct grpc_message *message, size_t size)
{
    size_t need = message->size + size;
    if (need <= message->capacity)
        return 0;
    size_t capacity = message->capacity ? message->capacity * 2 : FIRST_CAPACITY;
    if (capacity < need)
        capacity = need;
    if (capacity > message->declared)
        capacity = message->declared;
    return capacity - message->capacity;
}

static int reserve(struct grpc_message *message, size_t size)
{
    size_t growth = grpc_message_growth(message, size);
    if (growth == 0)
        return 0;
    uint8_t *data = realloc(message->data, message->capacity + growth);
    if (!data)
        return -ENOMEM;
    message->data = data;
    message->capacity += growth;
    return 0;
}

void grpc_message_shrink(struct grpc_message *message, size_t taken)
{
    memmove(message->data, message->data + taken, message->size - taken);
    message->size -= taken;
    uint8_t *data = message->size ? realloc(message->data, message->size) : NULL;
    if (data) { // else it stays as large as it is
        message->data = data;
        message->capacity = message->size;
    }
}

int grpc_message_feed(struct grpc_message *message, const uint8_t *data, size_t size, size_t max)
{
    while (size > 0 && message->prefix_size < GRPC_PREFIX_SIZE) {
        message->prefix[message->prefix_size++] = *data++;
        size--;
        if (message->prefix_size == GRPC_PREFIX_SIZE) {
            int r = prefix_read(message, max);
            if (r != 0)
                return r;
        }
    }
    if (size == 0)
        return 0;
    if (size > message->declared - message->size)
        return GRPC_MESSAGE_SURPLUS;
    int r = reserve(message, size);
    if (r < 0)
        return r;
    memcpy(message->data + message->size, data, size);
    message->size += size;
    return 0;
}

void grpc_prefix_write(uint8_t prefix[GRPC_PREFIX_SIZE], bool compressed, size_t size)
{
    prefix[0] = compressed ? 1 : 0;
    prefix[1] = (uint8_t)(size >> 24);
    prefix[2] = (uint8_t)(size >> 16);
    prefix[3] = (uint8_t)(size >> 8);
    prefix[4] = (uint8_t)size;
}
