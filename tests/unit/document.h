// Reads a document as a strict consumer does: JSON that yajl takes, and no key twice in an object.
#ifndef SLUICE_TESTS_DOCUMENT_H
#define SLUICE_TESTS_DOCUMENT_H

#include "base/slice.h"

#include <stdlib.h>
#include <yajl/yajl_tree.h>

// The parsed document; the test fails where it is not strict. Free with yajl_tree_free.
static inline yajl_val document_parse(struct slice text);

// The value at a dotted path, each segment one nested key; NULL: none.
static inline yajl_val document_at(yajl_val document, const char *path)
{
    char copy[256];
    const char *keys[16];
    size_t n = 0;
    assert_true(strlen(path) < sizeof copy);
    memcpy(copy, path, strlen(path) + 1);
    for (char *key = strtok(copy, "."); key; key = strtok(NULL, "."))
        keys[n++] = key;
    keys[n] = NULL;
    return yajl_tree_get(document, keys, yajl_t_any);
}

static inline void document_has_text(yajl_val document, const char *path, const char *text)
{
    yajl_val value = document_at(document, path);
    if (!value || !YAJL_IS_STRING(value)) {
        fail_msg("%s is missing or no string", path);
        return;
    }
    assert_string_equal(YAJL_GET_STRING(value), text);
}

static inline void document_has_number(yajl_val document, const char *path, long long number)
{
    yajl_val value = document_at(document, path);
    if (!value || !YAJL_IS_INTEGER(value)) {
        fail_msg("%s is missing or no integer", path);
        return;
    }
    assert_int_equal(YAJL_GET_INTEGER(value), number);
}

static inline void document_lacks(yajl_val document, const char *path)
{
    if (document_at(document, path))
        fail_msg("%s is there", path);
}

static inline void document_keys_once(yajl_val value)
{
    if (YAJL_IS_OBJECT(value)) {
        for (size_t i = 0; i < value->u.object.len; i++) {
            for (size_t n = 0; n < i; n++)
                assert_string_not_equal(value->u.object.keys[i], value->u.object.keys[n]);
            document_keys_once(value->u.object.values[i]);
        }
    } else if (YAJL_IS_ARRAY(value)) {
        for (size_t i = 0; i < value->u.array.len; i++)
            document_keys_once(value->u.array.values[i]);
    }
}

static inline yajl_val document_parse(struct slice text)
{
    char error[256];
    assert_true(text.size > 1);
    assert_int_equal(text.data[text.size - 1], '\n');
    assert_null(memchr(text.data, '\n', text.size - 1));
    char *copy = malloc(text.size + 1);
    assert_non_null(copy);
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    assert_int_equal(strlen(copy), text.size); // NUL inside a document is no JSON either
    yajl_val document = yajl_tree_parse(copy, error, sizeof error);
    if (!document)
        fail_msg("%s in %s", error, copy);
    assert_true(YAJL_IS_OBJECT(document));
    document_keys_once(document);
    free(copy);
    return document;
}

#endif
