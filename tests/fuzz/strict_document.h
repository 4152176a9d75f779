// What every document that leaves the agent is: strict JSON, valid UTF-8, each key once. Aborts.
#ifndef TESTS_FUZZ_STRICT_DOCUMENT_H
#define TESTS_FUZZ_STRICT_DOCUMENT_H

#include "decode/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_tree.h>

static inline void check_keys(yajl_val value)
{
    if (YAJL_IS_ARRAY(value))
        for (size_t i = 0; i < value->u.array.len; i++)
            check_keys(value->u.array.values[i]);
    if (!YAJL_IS_OBJECT(value))
        return;
    for (size_t i = 0; i < value->u.object.len; i++) {
        for (size_t j = 0; j < i && j < 64; j++) // enough to find what a fuzzer finds
            if (strcmp(value->u.object.keys[i], value->u.object.keys[j]) == 0)
                abort();
        check_keys(value->u.object.values[i]);
    }
}

static inline void check_document(const char *text)
{
    char error[256];
    yajl_val tree = yajl_tree_parse(text, error, sizeof error);
    if (!tree || !YAJL_IS_OBJECT(tree) || !utf8_valid(slice_from(text)))
        abort();
    check_keys(tree);
    yajl_tree_free(tree);
}

#endif
