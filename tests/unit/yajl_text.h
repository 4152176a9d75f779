// A parsed JSON value as text again, keys in the order they had.
#ifndef TESTS_YAJL_TEXT_H
#define TESTS_YAJL_TEXT_H

#include <assert.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

static inline void flat_generate(yajl_gen gen, yajl_val value)
{
    if (YAJL_IS_STRING(value)) {
        const char *text = YAJL_GET_STRING(value);
        yajl_gen_string(gen, (const unsigned char *)text, strlen(text));
    } else if (YAJL_IS_NUMBER(value)) {
        yajl_gen_number(gen, YAJL_GET_NUMBER(value), strlen(YAJL_GET_NUMBER(value)));
    } else if (YAJL_IS_ARRAY(value)) {
        yajl_gen_array_open(gen);
        for (size_t i = 0; i < value->u.array.len; i++)
            flat_generate(gen, value->u.array.values[i]);
        yajl_gen_array_close(gen);
    } else if (YAJL_IS_OBJECT(value)) {
        yajl_gen_map_open(gen);
        for (size_t i = 0; i < value->u.object.len; i++) {
            const char *key = value->u.object.keys[i];
            yajl_gen_string(gen, (const unsigned char *)key, strlen(key));
            flat_generate(gen, value->u.object.values[i]);
        }
        yajl_gen_map_close(gen);
    } else if (YAJL_IS_NULL(value)) {
        yajl_gen_null(gen);
    } else {
        yajl_gen_bool(gen, YAJL_IS_TRUE(value));
    }
}

static inline char *flat_text(yajl_val value)
{
    yajl_gen gen = yajl_gen_alloc(NULL);
    const unsigned char *text;
    size_t size;
    flat_generate(gen, value);
    yajl_gen_get_buf(gen, &text, &size);
    char *copy = strndup((const char *)text, size);
    yajl_gen_free(gen);
    return copy;
}

#endif
