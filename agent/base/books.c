// The books' sums and the names of their columns.
#include "base/books.h"

#include <stdio.h>

struct exporter_book *books_add_exporter(struct books *books, const char *name)
{
    if (books->exporter_count == EXPORTER_MAX)
        return NULL;
    unsigned i = books->exporter_count++;
    snprintf(books->exporters[i].name, sizeof books->exporters[i].name, "%s", name);
    return &books->exporters[i].book;
}

int64_t books_door_gap(const struct door_book *book)
{
    uint64_t out = book->routed + book->joined + book->duplicate + book->pending;
    for (unsigned i = 0; i < REJECT_COUNT; i++)
        out += book->rejected[i];
    return (int64_t)(book->received - out);
}

int64_t books_exporter_gap(const struct exporter_book *book)
{
    uint64_t in = book->routed + book->recovered + book->generated;
    uint64_t out = book->delivered + book->dead + book->held;
    for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
        out += book->dropped[i];
    return (int64_t)(in - out);
}

bool books_balanced(const struct books *books)
{
    for (unsigned i = 0; i < SIGNAL_COUNT; i++)
        if (books_door_gap(&books->door[i]) != 0)
            return false;
    for (unsigned i = 0; i < books->exporter_count; i++)
        if (books_exporter_gap(&books->exporters[i].book) != 0)
            return false;
    return true;
}

const char *signal_name(enum signal_kind signal)
{
    static const char *const names[SIGNAL_COUNT] = {"logs", "spans", "metrics"};
    return names[signal];
}

const char *reject_reason_name(enum reject_reason reason)
{
    static const char *const names[REJECT_COUNT] = {"malformed", "too_large", "unrouted",
                                                    "overloaded"};
    return names[reason];
}

const char *drop_reason_name(enum drop_reason reason)
{
    static const char *const names[DROP_REASON_COUNT] = {"shed", "refused"};
    return names[reason];
}

const char *dialect_name(enum dialect_kind dialect)
{
    static const char *const names[DIALECT_COUNT] = {"unknown", "native", "otlp_grpc", "otlp_http",
                                                     "syslog",  "lines",  "foreign"};
    return names[dialect];
}
