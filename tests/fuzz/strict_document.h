// What every document that leaves the agent is: strict JSON, valid UTF-8, each key once. Aborts.
#ifndef TESTS_FUZZ_STRICT_DOCUMENT_H
#define TESTS_FUZZ_STRICT_DOCUMENT_H

#include "decode/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#define STRICT_KEYS_MAX 4096 // beyond, keys are no longer compared
#define STRICT_DEPTH_MAX 128

// The keys of the objects that are open.
struct strict_keys {
    struct {
        char *data;
        size_t size;
    } keys[STRICT_KEYS_MAX];
    size_t count;
    size_t first[STRICT_DEPTH_MAX];
    size_t depth;
};

static inline int strict_key(void *context, const unsigned char *text, size_t size)
{
    struct strict_keys *keys = context;
    char *copy = malloc(size + 1); // yajl's text is gone after the call
    memcpy(copy, text, size);
    for (size_t i = keys->first[keys->depth - 1]; i < keys->count; i++)
        if (keys->keys[i].size == size && memcmp(keys->keys[i].data, copy, size) == 0)
            abort();
    if (keys->count == STRICT_KEYS_MAX) {
        free(copy);
        return 1;
    }
    keys->keys[keys->count].data = copy;
    keys->keys[keys->count++].size = size;
    return 1;
}

static inline int strict_open(void *context)
{
    struct strict_keys *keys = context;
    if (keys->depth == STRICT_DEPTH_MAX)
        abort(); // Elasticsearch would refuse far less
    keys->first[keys->depth++] = keys->count;
    return 1;
}

static inline int strict_close(void *context)
{
    struct strict_keys *keys = context;
    keys->depth--;
    while (keys->count > keys->first[keys->depth])
        free(keys->keys[--keys->count].data);
    return 1;
}

static inline void check_document(const char *text)
{
    static const yajl_callbacks callbacks = {
        .yajl_start_map = strict_open, .yajl_map_key = strict_key, .yajl_end_map = strict_close};
    static struct strict_keys keys;
    yajl_handle handle = yajl_alloc(&callbacks, NULL, &keys);
    bool good = text[0] == '{' && utf8_valid(slice_from(text)) &&
                yajl_parse(handle, (const unsigned char *)text, strlen(text)) == yajl_status_ok &&
                yajl_complete_parse(handle) == yajl_status_ok;
    yajl_free(handle);
    if (!good)
        abort();
}

#endif
