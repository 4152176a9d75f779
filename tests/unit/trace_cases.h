// What runtimes print, and the records that it must become.
#ifndef TESTS_TRACE_CASES_H
#define TESTS_TRACE_CASES_H

#define TRACE_RECORDS_MAX 6

struct trace_record {
    const char *message;
    const char *level; // NULL: there is no trace
    const char *type;  // NULL: none
    const char *error; // error.message; NULL: none
    const char *first; // line of the trace
    const char *last;
};

struct trace_case {
    const char *name;
    const char *input;
    struct trace_record records[TRACE_RECORDS_MAX];
};

extern const struct trace_case trace_cases[];
extern const unsigned trace_case_count;

#endif
