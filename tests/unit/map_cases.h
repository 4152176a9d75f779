// Tables of lines and what their documents must hold.
#ifndef TESTS_MAP_CASES_H
#define TESTS_MAP_CASES_H

#include "decode_fixture.h"
#include "flat_document.h"

struct expectation {
    const char *path;
    const char *value; // JSON; NULL: must be absent
};

#define EXPECTATIONS_MAX 9 // the last ends the list

struct map_case {
    const char *line;
    struct expectation expect[EXPECTATIONS_MAX];
};

static inline void check_document(const char *line, const char *text,
                                  const struct expectation *expect)
{
    struct flat_document document = flat_parse(text);
    for (; expect->path; expect++) {
        const char *value = flat_at(&document, expect->path);
        if (!value != !expect->value || (value && strcmp(value, expect->value) != 0))
            fail_msg("%s: %s is %s, not %s\n%s", line, expect->path, value ? value : "absent",
                     expect->value ? expect->value : "absent", text);
    }
    flat_free(&document);
}

static inline void check_cases(const struct map_case *cases, size_t count)
{
    fixture_open(1 << 20);
    for (size_t i = 0; i < count; i++)
        check_document(cases[i].line, document_of(cases[i].line), cases[i].expect);
    fixture_close();
}

#define CHECK_CASES(cases) check_cases(cases, sizeof(cases) / sizeof *(cases))

#endif
