// A JSON document as sorted leaves: "log.origin.file.line" and 60.
//
// Fails the test where the text is not strict JSON or an object has a key twice.
#ifndef TESTS_FLAT_DOCUMENT_H
#define TESTS_FLAT_DOCUMENT_H

#include "yajl_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_tree.h>

struct leaf {
    char *path;
    char *value; // JSON
};

struct flat_document {
    struct leaf *leaves;
    size_t count;
};

static inline void flat_add(struct flat_document *document, const char *path, yajl_val value)
{
    if (YAJL_IS_OBJECT(value) && value->u.object.len > 0) {
        for (size_t i = 0; i < value->u.object.len; i++) {
            const char *key = value->u.object.keys[i];
            for (size_t j = 0; j < i; j++)
                if (strcmp(value->u.object.keys[j], key) == 0)
                    fail_msg("%s has the key %s twice", path, key);
            char *inner = malloc(strlen(path) + strlen(key) + 2);
            sprintf(inner, "%s%s%s", path, *path ? "." : "", key);
            flat_add(document, inner, value->u.object.values[i]);
            free(inner);
        }
        return;
    }
    document->leaves = realloc(document->leaves, (document->count + 1) * sizeof *document->leaves);
    document->leaves[document->count++] = (struct leaf){strdup(path), flat_text(value)};
}

static inline int flat_compare(const void *a, const void *b)
{
    return strcmp(((const struct leaf *)a)->path, ((const struct leaf *)b)->path);
}

static inline struct flat_document flat_parse(const char *text)
{
    struct flat_document document = {0};
    char error[256];
    yajl_val tree = yajl_tree_parse(text, error, sizeof error);
    if (!tree)
        fail_msg("not strict JSON: %s\n%s", error, text);
    flat_add(&document, "", tree);
    yajl_tree_free(tree);
    qsort(document.leaves, document.count, sizeof *document.leaves, flat_compare);
    return document;
}

static inline void flat_free(struct flat_document *document)
{
    for (size_t i = 0; i < document->count; i++) {
        free(document->leaves[i].path);
        free(document->leaves[i].value);
    }
    free(document->leaves);
    *document = (struct flat_document){0};
}

// The JSON text at path, or NULL.
static inline const char *flat_at(const struct flat_document *document, const char *path)
{
    for (size_t i = 0; i < document->count; i++)
        if (strcmp(document->leaves[i].path, path) == 0)
            return document->leaves[i].value;
    return NULL;
}

// Replaces or removes (value NULL) what is at path.
static inline void flat_set(struct flat_document *document, const char *path, const char *value)
{
    size_t i = 0;
    while (i < document->count && strcmp(document->leaves[i].path, path) != 0)
        i++;
    if (i < document->count) {
        free(document->leaves[i].path);
        free(document->leaves[i].value);
        document->leaves[i] = document->leaves[--document->count];
    }
    if (value) {
        document->leaves =
            realloc(document->leaves, (document->count + 1) * sizeof *document->leaves);
        document->leaves[document->count++] = (struct leaf){strdup(path), strdup(value)};
    }
    qsort(document->leaves, document->count, sizeof *document->leaves, flat_compare);
}

#endif
