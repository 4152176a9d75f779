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
